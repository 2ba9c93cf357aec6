"""Figures made of numbers of texts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.measures import About
from recaption.evaluation.text.figures import mean_over_texts, nothing, percentile, ratio_of_sums, shortened
from tests.unit.evaluation.text_subject import shown

ABOUT = About(name="x", title="X", group="length")


def test_a_mean_is_over_texts_and_an_items_own_is_over_its_texts() -> None:
    values = {"a": np.array([1.0, 3.0, 8.0, np.nan])}
    figure = mean_over_texts(ABOUT, values, {"a": np.array([0, 0, 2, 3])}, 4)
    assert shown(figure, "a") == 5  # two items, however many texts each has
    assert figure.parts["a"].tolist() == [[2, 1], [0, 0], [8, 1], [0, 0]]


def test_a_ratio_is_of_sums() -> None:
    figure = ratio_of_sums(
        ABOUT, {"a": (np.array([1.0, 5.0]), np.array([2.0, 2.0]))}, {"a": np.array([1, 1])}, 2
    )
    assert shown(figure, "a") == 1.5
    assert figure.parts["a"].tolist() == [[0, 0], [3, 2]]


def test_percentiles_leave_out_what_has_no_value_and_say_so_where_nothing_has() -> None:
    owners = {"a": np.array([0, 1, 2]), "b": np.array([0])}
    found = percentile(ABOUT, {"a": np.array([1.0, np.nan, 3.0]), "b": np.array([np.nan])}, owners, 50)
    assert (found.values["a"].value, found.values["a"].n) == (2, 2)
    assert (found.values["b"].value, found.values["b"].n) == (None, 0)
    assert found.values["b"].reason
    assert nothing(ABOUT, ("a", "b"), "why").values["b"].reason == "why"


@given(st.text())
def test_a_shown_text_is_one_printable_line_of_bounded_length(text: str) -> None:
    line = shortened(text, 20)
    assert line.isprintable()
    assert len(line) <= 20


def test_a_cut_text_says_so() -> None:
    assert shortened("a  b\nc", 20) == "a b c"
    assert shortened("word " * 100, 20) == "word word word word…"
