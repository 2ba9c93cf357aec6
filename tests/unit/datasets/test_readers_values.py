"""Cells, texts, keys and evidence of any kind as plain values."""

import datetime
import json
import math
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.digests import canonical_json
from recaption.core.errors import DataError
from recaption.core.types import Box
from recaption.datasets.readers.accounting import Seen, Tally
from recaption.datasets.readers.evidence import given_evidence, objects, tags
from recaption.datasets.readers.rows import source_caption, unique
from recaption.datasets.readers.source_text import clean_text, safe_key, without_tokens
from recaption.datasets.readers.values import json_safe, whole_number

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=()), max_size=10)
    | st.binary(max_size=5)
    | st.dates()
    | st.decimals(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(ANYTHING)
def test_any_value_becomes_json_that_utf8_can_hold(value: object) -> None:
    safe = json_safe(value, lambda kind: None)
    assert json.loads(canonical_json(safe).encode()) == safe


@given(ANYTHING)
def test_json_safe_changes_nothing_the_second_time(value: object) -> None:
    once = json_safe(value, lambda kind: None)
    assert json_safe(once, pytest.fail) == once


def test_values_with_a_json_form_keep_their_meaning() -> None:
    value = {
        "day": datetime.date(2024, 2, 29),
        "time": datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC),
        "price": Decimal("2.50"),
        "count": Decimal(3),
        "nan": math.nan,
        "id": UUID(int=1),
        "pair": (1, 2),
    }
    assert json_safe(value, pytest.fail) == {
        "day": "2024-02-29",
        "time": "2024-02-29T12:30:00+00:00",
        "price": 2.5,
        "count": 3,
        "nan": None,
        "id": "00000000-0000-0000-0000-000000000001",
        "pair": [1, 2],
    }


def test_bytes_are_dropped_and_said() -> None:
    said: list[str] = []
    assert json_safe({"a": b"x"}, said.append) == {"a": None}
    assert said == ["binary"]


def test_nesting_has_a_limit() -> None:
    value: object = 1
    for _ in range(200):
        value = [value]
    with pytest.raises(DataError, match="nested"):
        json_safe(value, pytest.fail)


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=600))
def test_keys_can_be_written_and_stay_different(text: str) -> None:
    key = safe_key(text)
    key.encode()
    assert len(key) <= 420
    assert not any(c in key for c in "\n\r\0")
    if key == text:
        assert safe_key(key) == key
    assert safe_key(text + "\n") != key


def test_pairs_of_surrogates_are_joined_and_lone_ones_replaced() -> None:
    assert clean_text("\ud83d\ude00") == ("😀", False)
    assert clean_text("caf\udce9") == ("caf\ufffd", True)
    caption = source_caption("caf\udce9", damaged=False)
    assert caption is not None
    assert caption.flags.keys() == {"bad_encoding"}


def test_special_tokens_go_and_ordinary_text_stays_as_it_is() -> None:
    assert without_tokens("<__dj__image> A comfortable bed. <|__dj__eoc|>") == "A comfortable bed."
    assert without_tokens("a <__dj__image> b<|__dj__eoc|>c") == "a b c"
    assert without_tokens("  two  spaces ") == "  two  spaces "
    assert without_tokens("the name __dj__ alone") == "the name __dj__ alone"
    assert source_caption("<__dj__image> <|__dj__eoc|>", damaged=False) is None


def test_a_text_over_the_limit_is_refused_and_a_blank_one_is_none() -> None:
    with pytest.raises(DataError, match="limit"):
        source_caption("x" * 2_000_000, damaged=False)
    assert source_caption(" \n\t", damaged=False) is None


def test_a_caption_said_twice_is_one_that_remembers() -> None:
    made = [source_caption(text, damaged=False) for text in ("a", "b", "a", "a")]
    found = unique([caption for caption in made if caption is not None])
    assert [caption.text for caption in found] == ["a", "b"]
    assert found[0].provenance.details["times"] == 3


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("dog, red ball ,", ["dog", "red ball"]),
        ("dog; cat", ["dog", "cat"]),
        (["dog", " cat "], ["dog", "cat"]),
        ('["dog", "cat"]', ["dog", "cat"]),
        (None, []),
        ({"a": 1}, []),
        ([1, None, "dog"], ["dog"]),
    ],
)
def test_tags_are_lists_or_texts_with_commas(value: object, labels: list[str]) -> None:
    found = tags(value, "column:tags", lambda what: None)
    assert [(e.kind, e.label, e.source) for e in found] == [("tag", label, "column:tags") for label in labels]


def test_objects_come_in_columns_or_in_rows() -> None:
    columns = {"bbox": [[1, 2, 3, 4], [0, 0, 0, 5], [1, 1, 1, 1]], "category": [0, 1, 7]}
    rows = [{"bbox": [1, 2, 3, 4], "category": "cat"}, {"bbox": [1, math.nan, 3, 4], "label": "dog"}]
    said: list[str] = []
    for value in (columns, json.dumps(columns), rows):
        found = objects(value, "column:objects", ["cat", "dog"], said.append)
        assert [(e.label, e.box) for e in found] == [("cat", Box(1, 2, 4, 6))]
    assert len(said) == 5
    assert objects({"bbox": [[1, 1, 1, 1]], "category": []}, "s", [], said.append) == []


def test_evidence_entries_are_taken_as_they_are_or_refused() -> None:
    good = {"kind": "text", "label": "STOP", "source": "ocr", "box": [0, 0, 5, 5], "score": 0.5}
    good["attributes"] = {"n": 1}
    bad = [
        {**good, "kind": "smell"},
        {**good, "label": ""},
        {**good, "box": [5, 5, 0, 0]},
        {**good, "score": math.nan},
        {**good, "score": 7},
        "x",
    ]
    said: list[str] = []
    found = given_evidence([good, *bad], "column:evidence", said.append)
    assert len(found) == 1
    assert len(said) == len(bad)
    (one,) = found
    assert (one.kind, one.label, one.source, one.box, one.score) == (
        "text",
        "STOP",
        "ocr",
        Box(0, 0, 5, 5),
        0.5,
    )
    assert one.attributes == {"n": 1}
    assert given_evidence(json.dumps([good]), "s", said.append) == found


@given(ANYTHING)
def test_evidence_columns_never_raise(value: object) -> None:
    said: list[str] = []
    entry = {"kind": "object", "label": "x", "box": value, "score": value, "attributes": value, "bbox": value}
    for shape in (value, [value], entry, [entry]):
        tags(shape, "s", said.append)
        objects(shape, "s", ["a"], said.append)
        given_evidence(shape, "s", said.append)


def test_a_tally_is_bounded_and_says_most_first() -> None:
    tally = Tally()
    for i in range(10_000):
        tally.add("files ignored", f".x{i}")
    tally.add("files ignored", ".md", times=30)
    tally.add("links ignored", times=2)
    first, second = tally.notes()
    assert first.startswith("files ignored: 10,030 (")
    assert "more kinds" in first
    assert len(first) < 300
    assert second == "links ignored: 2"


def test_seen_says_where_a_key_was_first() -> None:
    seen = Seen()
    assert seen.first("a", 3) is None
    assert seen.first("b", 4) is None
    assert seen.first("a", 5) == 3
    assert "b" in seen
    assert "c" not in seen


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3), (3.0, 3), (3.5, None), (True, None), ("3", None), (math.inf, None)]
)
def test_whole_numbers(value: object, number: int | None) -> None:
    assert whole_number(value) == number
