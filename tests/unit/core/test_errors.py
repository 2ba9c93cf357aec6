"""Whose move it is, and how to mend it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.errors import (
    BackendError,
    DataError,
    ImageError,
    MissingExtraError,
    RecaptionError,
    RecipeError,
    RunFolderError,
    UnknownNameError,
    UserError,
    did_you_mean,
)


@pytest.mark.parametrize("kind", [RecipeError, RunFolderError, UnknownNameError, MissingExtraError])
def test_what_the_caller_can_mend_is_a_user_error(kind: type[Exception]) -> None:
    assert issubclass(kind, UserError)


@pytest.mark.parametrize("kind", [UserError, DataError, BackendError])
def test_the_three_moves_are_apart(kind: type[Exception]) -> None:
    assert issubclass(kind, RecaptionError)
    assert sum(issubclass(kind, other) for other in (UserError, DataError, BackendError)) == 1


def test_a_bad_image_is_bad_data() -> None:
    error = ImageError("a.jpg: truncated", retryable=True)
    assert isinstance(error, DataError)
    assert error.retryable
    assert not DataError("x").retryable


def test_an_unknown_name_comes_with_close_ones() -> None:
    error = UnknownNameError("stage", "compse", ["select", "compose", "fit"])
    assert str(error) == "unknown stage 'compse'. Did you mean 'compose'? Known: compose, fit, select."
    assert (error.kind, error.name, error.known) == ("stage", "compse", ["compose", "fit", "select"])


def test_nothing_close_is_said_plainly() -> None:
    assert did_you_mean("zzz", ["compose"]) == " Known: compose."
    assert did_you_mean("zzz", []) == " Known: none."


def test_a_missing_library_names_the_command() -> None:
    error = MissingExtraError("expert 'ocr'", "rapidocr", "ocr")
    assert "pip install 'recaption[ocr]'" in str(error)
    assert (error.feature, error.package, error.extra) == ("expert 'ocr'", "rapidocr", "ocr")


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=10), max_size=5))
def test_hints_never_fail_and_keep_the_order_out(name: str, known: list[str]) -> None:
    assert did_you_mean(name, known) == did_you_mean(name, reversed(known))
