"""The parquet layout: everything comes back, nothing hostile raises."""

import io
import json
import math
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.core.errors import DataError
from recaption.core.types import Box, Caption, Evidence, Image, Provenance, Record, Rejected, Score
from recaption.datasets.schema import (
    CAPTIONS,
    REJECTS,
    ROW_GROUP_ROWS,
    from_row,
    rejected_from_row,
    rejected_to_row,
    table_bytes,
    to_row,
)
from recaption.datasets.stored import read_text, stored_text

any_text = st.text(st.characters(exclude_categories=[]), max_size=30)
private_text = st.text(st.sampled_from("a\ud800\udfff\U0010f7fe\U0010f7ff\U0010f800\U0010ffff"), max_size=8)
texts = any_text | private_text
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)
whole = st.none() | st.integers(0, 2**63 - 1)
maybe_text = st.none() | texts


@st.composite
def boxes(draw):
    left, top = draw(st.floats(-1e6, 1e6)), draw(st.floats(-1e6, 1e6))
    return Box(left, top, left + draw(st.floats(1, 1e6)), top + draw(st.floats(1, 1e6)))


scores = st.builds(Score, value=numbers) | st.builds(
    Score, value=st.none() | numbers, reason=texts.filter(bool)
)
provenances = st.builds(
    Provenance,
    stage=st.just("source") | texts,
    version=texts,
    parents=st.lists(texts, max_size=3).map(tuple),
    details=json_objects,
)
captions = st.builds(
    Caption,
    text=texts,
    origin=st.sampled_from(["alt", "composed", "model", "fused", "human"]),
    provenance=provenances,
    aspect=texts,
    kept=st.booleans(),
    scores=st.dictionaries(texts, scores, max_size=3),
    flags=st.dictionaries(texts, texts, max_size=3),
)
evidence = st.builds(
    Evidence,
    kind=st.sampled_from(["object", "text", "tag", "pixel"]),
    label=texts,
    source=texts,
    box=st.none() | boxes(),
    score=st.none() | numbers,
    attributes=json_objects,
)
images = st.builds(Image, data=st.binary(max_size=20), url=maybe_text, name=maybe_text) | st.builds(
    Image,
    path=texts,
    offset=whole,
    length=whole,
    row=whole,
    column=maybe_text,
    url=maybe_text,
    name=maybe_text,
)


@st.composite
def records(draw):
    sides = st.integers(1, 2**31 - 1)
    said = draw(st.lists(captions, max_size=3))
    return Record(
        key=draw(texts),
        image=draw(st.none() | images),
        size=draw(st.none() | st.tuples(sides, sides)),
        captions=tuple(said),
        evidence=tuple(draw(st.lists(evidence, max_size=2))),
        metadata=draw(json_objects),
        chosen=draw(st.none() | texts | st.sampled_from([c.id for c in said] or [None])),
    )


def through_parquet(rows, schema):
    return pq.read_table(io.BytesIO(table_bytes(rows, schema)), schema=schema).to_pylist()


@given(st.lists(records(), max_size=3))
@settings(max_examples=40, deadline=None)
def test_every_record_comes_back_equal_through_a_file(some):
    rows = through_parquet([to_row(record) for record in some], CAPTIONS)
    assert [from_row(row) for row in rows] == some


@given(texts)
def test_stored_text_is_utf8_and_comes_back(text):
    stored = stored_text(text)
    stored.encode()
    assert read_text(stored) == text


@given(st.text())
def test_ordinary_text_is_stored_as_it_stands(text):
    if not any(ord(c) >= 0x10F7FF for c in text):
        assert stored_text(text) == text


@given(
    st.builds(
        Rejected,
        key=texts,
        stage=texts,
        kind=st.sampled_from(["dropped", "failed"]),
        reason=texts,
        retryable=st.booleans(),
        raw=maybe_text,
    )
)
@settings(deadline=None)
def test_every_reject_comes_back_equal(rejected):
    (row,) = through_parquet([rejected_to_row(rejected)], REJECTS)
    assert rejected_from_row(row) == rejected


def source(text):
    return Caption(text=text, origin="alt", provenance=Provenance(stage="source"))


def composed(text, **more):
    return Caption(text=text, origin="composed", provenance=Provenance(stage="compose"), **more)


def test_the_first_columns_say_what_was_chosen_and_what_was_there():
    best = composed("A dog.", aspect="brief")
    record = Record(key="k", captions=(source("DOG!!"), source("dog2"), best), chosen=best.id)
    row = to_row(record)
    assert (row["caption"], row["origin"], row["aspect"]) == ("A dog.", "composed", "brief")
    assert row["original_caption"] == "DOG!!"
    assert [c["text"] for c in row["captions"]] == ["DOG!!", "dog2", "A dog."]
    assert json.loads(row["captions"][2]["provenance"])["stage"] == "compose"


def test_nothing_chosen_leaves_the_caption_null():
    row = to_row(Record(key="k", captions=(source("DOG!!"),)))
    assert (row["caption"], row["origin"], row["aspect"], row["chosen"]) == (None, None, None, None)


def test_bytes_that_can_be_read_again_are_not_stored():
    row = to_row(Record(key="k", image=Image(data=b"bytes", path="/a/b.jpg")))
    assert row["image"]["data"] is None
    assert row["image"]["path"] == "/a/b.jpg"


def test_the_choice_survives_an_edit_of_the_text_in_the_file():
    best = composed("A dgo.")
    row = to_row(Record(key="k", captions=(source("x"), best), chosen=best.id))
    row["captions"][1]["text"] = "A dog."
    record = from_row(row)
    assert record.best is not None
    assert record.best.text == "A dog."


def deep(levels):
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        ({1, 2}, "{1, 2}"),
        (10**5000, "an integer of 16610 bits"),
        ((1, 2), [1, 2]),
    ],
    ids=["nan", "infinity", "set", "endless integer", "tuple"],
)
def test_what_json_cannot_hold_becomes_the_text_that_names_it(value, stored):
    row = to_row(Record(key="k", metadata={"a": value, "b": "\ud800"}))
    assert from_row(row).metadata == {"a": stored, "b": "\ud800"}


def test_endless_nesting_is_cut_and_said():
    (row,) = through_parquet([to_row(Record(key="k", metadata={"a": deep(100_000)}))], CAPTIONS)
    assert "nested too deep" in row["metadata"]


@pytest.mark.parametrize("size", [(0, 5), (-1, 5), (10**30, 5), (5, 2**31)])
def test_a_size_that_is_none_is_null(size):
    (row,) = through_parquet([to_row(Record(key="k", size=size))], CAPTIONS)
    assert from_row(row).size is None


def test_evidence_never_holds_a_nan():
    record = Record(key="k", evidence=(Evidence(kind="tag", label="a", source="s", score=math.nan),))
    assert to_row(record)["evidence"][0]["score"] is None


def test_the_same_rows_give_the_same_bytes_and_say_their_version():
    rows = [to_row(Record(key=str(i), captions=(source(f"text {i}"),))) for i in range(3000)]
    data = table_bytes(rows, CAPTIONS)
    assert data == table_bytes(list(rows), CAPTIONS)
    file = pq.ParquetFile(io.BytesIO(data))
    assert file.schema_arrow.metadata == {b"recaption.schema": b"1"}
    assert file.schema_arrow.equals(CAPTIONS)
    assert file.metadata.row_group(0).num_rows == ROW_GROUP_ROWS
    assert file.metadata.num_rows == 3000


def test_image_bytes_bound_the_row_group():
    rows = [to_row(Record(key=str(i), image=Image(data=bytes(30 << 20)))) for i in range(6)]
    file = pq.ParquetFile(io.BytesIO(table_bytes(rows, CAPTIONS)))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [3, 3]


def test_no_rows_are_a_file_too():
    assert through_parquet([], CAPTIONS) == []


GOOD = to_row(Record(key="k", captions=(source("a"),), evidence=(Evidence(kind="tag", label="t", source="s"),)))


def damaged(**changes):
    return {**GOOD, **changes}


@pytest.mark.parametrize(
    "row",
    [
        {},
        damaged(key=None),
        damaged(captions=None),
        damaged(metadata="[]"),
        damaged(metadata="{"),
        damaged(metadata='{"a":NaN}'),
        damaged(captions=[{**GOOD["captions"][0], "origin": "martian"}]),
        damaged(captions=[{**GOOD["captions"][0], "provenance": "{}"}]),
        damaged(
            captions=[
                {**GOOD["captions"][0], "provenance": '{"stage":1,"version":"","parents":[],"details":{}}'}
            ]
        ),
        damaged(
            captions=[{**GOOD["captions"][0], "scores": [{"name": "s", "value": math.nan, "reason": None}]}]
        ),
        damaged(evidence=[{**GOOD["evidence"][0], "kind": "ghost"}]),
        damaged(evidence=[{**GOOD["evidence"][0], "box": [1.0, 2.0]}]),
        damaged(evidence=[{**GOOD["evidence"][0], "box": [3.0, 3.0, 1.0, 1.0]}]),
    ],
)
def test_a_damaged_row_is_refused_with_a_reason(row):
    with pytest.raises(DataError, match="is not a row of recaption's captions"):
        from_row(row)


def test_a_damaged_reject_is_refused():
    row = rejected_to_row(Rejected(key="k", stage="s", kind="failed", reason="r"))
    with pytest.raises(DataError, match="kind 'lost'"):
        rejected_from_row({**row, "kind": "lost"})


def test_rows_do_not_change_the_record():
    record = Record(key="k", captions=(source("a"),), metadata={"a": [1]})
    copy = replace(record)
    to_row(record)["metadata"] += "x"
    assert record == copy
