"""The nouns refuse what cannot be, and never change."""

import math
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.types import Box, Caption, Evidence, Image, Kept, Provenance, Record, Score

NAN, INFINITY = float("nan"), float("inf")
NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=32)


def caption(text: str = "a dog", stage: str = "source", **rest: object) -> Caption:
    provenance = Provenance(stage=stage, parents=tuple(rest.pop("parents", ())))  # type: ignore[arg-type]
    return Caption(text=text, origin="alt", provenance=provenance, **rest)  # type: ignore[arg-type]


def test_a_box_knows_its_measures() -> None:
    box = Box(10, 20, 40, 100)
    assert (box.width, box.height, box.area, box.centre) == (30, 80, 2400, (25, 60))
    assert box.scaled(0.5) == Box(5, 10, 20, 50)


@pytest.mark.parametrize(
    "edges",
    [
        (0, 0, 0, 5),
        (0, 0, 5, 0),
        (5, 0, 1, 9),
        (0, 9, 5, 1),
        (NAN, 0, 1, 1),
        (0, 0, INFINITY, 1),
        (0, -INFINITY, 1, 1),
    ],
)
def test_an_empty_or_endless_box_is_refused(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="not a box"):
        Box(*edges)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_every_box_there_is_has_an_area(left: float, top: float, right: float, bottom: float) -> None:
    try:
        box = Box(left, top, right, bottom)
    except ValueError:
        return
    assert box.width > 0
    assert box.height > 0
    assert all(math.isfinite(edge) for edge in (box.left, box.top, box.right, box.bottom))


@pytest.mark.parametrize("factor", [0, -1, NAN, INFINITY])
def test_a_box_is_not_scaled_away(factor: float) -> None:
    with pytest.raises(ValueError, match="not a box"):
        Box(1, 1, 2, 2).scaled(factor)


def test_a_score_is_a_finite_number_or_says_why_not() -> None:
    assert Score(value=0).value == 0
    assert Score(value=None, reason="no image").reason == "no image"
    with pytest.raises(ValueError, match="needs a reason"):
        Score(value=None)
    with pytest.raises(ValueError, match="needs a reason"):
        Score(value=None, reason="")


@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY])
def test_a_score_is_never_nan_or_infinite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Score(value=value)


def test_values_do_not_change() -> None:
    for value, name in (
        (Box(0, 0, 1, 1), "left"),
        (caption(), "text"),
        (Record(key="a"), "key"),
        (Image(), "path"),
    ):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, "other")


def test_ids_are_pinned() -> None:
    # Ids stand in users' files; a change here breaks every one of them.
    assert caption().id == "994f18ba4040"
    assert len({caption().id, caption("a cat").id, caption(stage="vlm").id, caption(aspect="brief").id}) == 4


def test_an_id_says_what_was_said_and_how_not_how_good_it_is() -> None:
    one = caption()
    assert replace(one, kept=False, scores={"x": Score(value=1)}, flags={"y": "z"}).id == one.id
    details = replace(one, provenance=replace(one.provenance, details={"rules": ["a"]}))
    assert details.id == one.id
    parents = replace(one, provenance=replace(one.provenance, parents=("abc",)))
    assert parents.id != one.id
    assert replace(one, provenance=replace(one.provenance, version="2")).id != one.id


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_any_text_has_an_id(text: str) -> None:
    assert len(caption(text).id) == 12
    assert caption(text).id == caption(text).id


def test_a_record_knows_its_originals() -> None:
    first, second, made = caption("one"), caption("two"), caption("three", stage="compose")
    record = Record(key="a", captions=(first, second, made))
    assert record.originals == (first, second)
    assert record.original_text == "one"
    assert Record(key="b", captions=(made,)).original_text is None
    assert Record(key="b").originals == ()


def test_a_record_without_a_choice_has_no_best() -> None:
    one, two = caption("one"), caption("two", stage="compose")
    record = Record(key="a", captions=(one, two))
    assert record.best is None
    assert replace(record, chosen=two.id).best == two
    assert replace(record, chosen="000000000000").best is None


def test_an_empty_original_is_not_a_missing_one() -> None:
    assert Record(key="a", captions=(caption(""),)).original_text == ""


def test_values_compare_by_content() -> None:
    assert Evidence(kind="tag", label="x", source="s") == Evidence(kind="tag", label="x", source="s")
    assert Kept(Record(key="a")) == Kept(Record(key="a"))
    assert Kept(Record(key="a")) != Kept(Record(key="b"))
