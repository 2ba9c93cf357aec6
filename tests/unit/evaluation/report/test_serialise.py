"""An evaluation to JSON and back: the same value, the same bytes, or one line that says what is wrong."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.core.errors import DataError, UserError
from recaption.evaluation.measures import About, Control, Listing, Value
from recaption.evaluation.report import serialise
from recaption.evaluation.report.serialise import from_json, read_json, to_json, write_json
from recaption.evaluation.result import Effect, Evaluation, Example, Histogram, Row, Scatter, Skipped, Slice
from tests.unit.evaluation.report.hostile import hostile
from tests.unit.evaluation.report.sample import FOUR, sample

TEXTS = st.text(st.characters(), max_size=12)  # lone surrogates and the block that stands for them too
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
MAYBE = st.none() | FLOATS
COUNTS = st.integers(0, 2**53)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ABOUTS = st.builds(
    About,
    name=TEXTS,
    title=TEXTS,
    group=st.sampled_from(["agreement", "length", "judges"]),
    better=st.none() | st.sampled_from(["higher", "lower"]),
    value_range=st.tuples(MAYBE, MAYBE),
    unit=st.sampled_from(["", "share", "bits"]),
    primary=st.booleans(),
    plot=st.booleans(),
    note=TEXTS,
)
VALUES = st.builds(Value, value=MAYBE, n=COUNTS, low=MAYBE, high=MAYBE, reason=TEXTS)
EFFECTS = st.builds(
    Effect, delta=MAYBE, low=MAYBE, high=MAYBE, n=COUNTS, wins=COUNTS, ties=COUNTS, losses=COUNTS, p_value=MAYBE
)


def tuples(inner: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=most).map(tuple)


def by_text(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(TEXTS, inner, max_size=2)


EVALUATIONS = st.builds(
    Evaluation,
    columns=st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    verdict=TEXTS,
    findings=tuples(TEXTS),
    counts=by_text(COUNTS),
    rows=tuples(st.builds(Row, about=ABOUTS, values=by_text(VALUES), effects=by_text(EFFECTS))),
    headline=st.none() | TEXTS,
    slices=tuples(st.builds(Slice, by=TEXTS, value=TEXTS, measure=TEXTS, column=TEXTS, effect=EFFECTS)),
    listings=tuples(
        st.builds(
            Listing, name=TEXTS, title=TEXTS, header=tuples(TEXTS), rows=tuples(tuples(TEXTS)), note=TEXTS
        )
    ),
    controls=tuples(
        st.builds(Control, name=TEXTS, title=TEXTS, value=FLOATS, expected=TEXTS, holds=st.booleans())
    ),
    histograms=tuples(
        st.builds(Histogram, measure=TEXTS, title=TEXTS, edges=tuples(FLOATS), counts=by_text(tuples(COUNTS)))
    ),
    scatters=tuples(
        st.builds(
            Scatter, measure=TEXTS, title=TEXTS, column=TEXTS, points=tuples(st.tuples(FLOATS, FLOATS), 3)
        )
    ),
    examples=tuples(
        st.builds(
            Example,
            kind=TEXTS,
            measure=st.none() | TEXTS,
            key=TEXTS,
            texts=by_text(tuples(TEXTS)),
            values=by_text(by_text(FLOATS)),
            chain=tuples(TEXTS),
            thumbnail=st.none() | TEXTS,
            no_thumbnail=TEXTS,
            alt=TEXTS,
        )
    ),
    skipped=tuples(st.builds(Skipped, metric=TEXTS, reason=TEXTS)),
    limits=tuples(TEXTS),
    run=by_text(JSON),
    about=by_text(JSON),
)


@given(EVALUATIONS)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(evaluation):
    text = to_json(evaluation)
    text.encode()  # UTF-8 has bytes for it
    assert from_json(text) == evaluation
    assert to_json(from_json(text)) == text


@pytest.mark.parametrize("evaluation", [sample(), sample(FOUR), hostile()], ids=["two", "four", "hostile"])
def test_a_file_holds_it_all(tmp_path, evaluation):
    write_json(evaluation, tmp_path / "report.json")
    assert read_json(tmp_path / "report.json") == evaluation


def test_the_file_says_what_it_is_and_keeps_the_order():
    document = json.loads(to_json(sample()))
    assert list(document) == ["format", "tool", "evaluation"]
    assert document["format"] == 1
    assert document["tool"].startswith("recaption ")
    assert list(document["evaluation"])[:3] == ["columns", "verdict", "findings"]
    assert list(document["evaluation"]["counts"]) == ["read", "rejected", "without an original", "evaluated"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_nothing_undefined_is_written(bad):
    row = sample().rows[0]
    rows = (replace(row, effects={"new": replace(row.effects["new"], delta=bad)}),)
    with pytest.raises(DataError, match=r"rows\[0\].effects.new.delta: .*no JSON"):
        to_json(replace(sample(), rows=rows))


def test_what_json_has_no_word_for_is_named_with_its_place():
    with pytest.raises(DataError, match=r"run\.models: set is no JSON"):
        to_json(replace(sample(), run=odd({"models": {1}})))
    with pytest.raises(DataError, match=r"run\.x: bytes is no JSON"):
        to_json(replace(sample(), run=odd({"x": b""})))
    with pytest.raises(DataError, match="run: a key that is int"):
        to_json(replace(sample(), run=odd({1: "x"})))
    nested: Any = []
    for _ in range(100):
        nested = [nested]
    with pytest.raises(DataError, match="nested more than"):
        to_json(replace(sample(), run={"x": nested}))


def test_numbers_of_numpy_are_numbers():
    run = odd({"x": np.float32(0.5), "y": np.bool_(True)})
    evaluation = replace(sample(), counts=odd({"read": np.int64(3)}), run=run)
    read = from_json(to_json(evaluation))
    assert (read.counts["read"], read.run["x"], read.run["y"]) == (3, 0.5, True)


def odd(value: Any) -> Any:
    """Return a value whose type nobody checks."""
    return value


def document() -> Any:
    return json.loads(to_json(sample(examples=3)))


def refused(text: str) -> str:
    with pytest.raises(UserError) as caught:
        from_json(text, "out/report.json")
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 900
    assert message.startswith("out/report.json")
    assert "recaption eval OUT" in message
    return message


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (["columns"], "original", "columns: a list belongs here, not 'original'"),
        (["columns"], [], "columns: there is none"),
        (["columns", 0], 3, "columns[0]: a text belongs here, not 3"),
        (["counts", "read"], 3.5, "counts.read: a whole number belongs here, not 3.5"),
        (["counts", "read"], True, "counts.read: int belongs here, not True"),
        (["controls", 0, "value"], "0", "controls[0].value: a number belongs here, not '0'"),
        (["controls", 0, "holds"], 1, "controls[0].holds: true or false belongs here, not 1"),
        (["rows", 0, "about", "group"], "luck", "rows[0].about.group: one of 'agreement'"),
        (["rows", 0, "about", "value_range"], [0], "rows[0].about.value_range: a list of 2 belongs here"),
        (["rows", 0, "about"], 7, "rows[0].about: an object belongs here, not 7"),
        (["rows", 0, "values"], [], "rows[0].values: an object belongs here"),
        (["verdict"], None, "verdict: a text belongs here, not None"),
        (["controls", 0, "value"], 10**400, "controls[0].value: a number too large"),
        (["run", "x"], 0, ""),
    ],
    ids=lambda value: None if isinstance(value, int) else str(value)[:60],
)
def test_what_does_not_fit_is_refused_with_its_place(path, value, told):
    whole = document()
    place = whole["evaluation"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    if told:
        assert told in refused(json.dumps(whole))
    else:
        from_json(json.dumps(whole))  # free-form values take anything


def test_unknown_and_missing_keys_are_refused():
    whole = document()
    whole["evaluation"]["verdit"] = "x"
    assert "verdit: unknown key. Did you mean 'verdict'" in refused(json.dumps(whole))
    whole = document()
    del whole["evaluation"]["rows"][0]["about"]["title"]
    assert "rows[0].about.title: missing" in refused(json.dumps(whole))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Expecting value"),
        ("[]", "it holds no evaluation"),
        ("{}", "it holds no evaluation"),
        ('{"format": 2, "evaluation": {}}', "its format is not 1"),
        ('{"format": true, "evaluation": {}}', "its format is not 1"),
        ('{"format": 1, "evaluation": {"verdict": NaN}}', "it holds NaN"),
        ('{"format": 1, "evaluation": {"verdict": -Infinity}}', "it holds -Infinity"),
        ('{"format": 1, "format": 1, "evaluation": {}}', "a key twice"),
        ("[" * 100_000, "nested too deep"),
        ('{"format": 1, "evaluation": ' + "9" * 5000 + "}", "digits"),
        ('{"format": 1, "evaluation": {"' + "k\\u001b\\n" * 5000 + '": 1}}', "unknown key"),
    ],
)
def test_other_files_are_refused_in_one_line(text, told):
    assert told in refused(text)


def test_an_infinity_in_other_words_is_refused():
    whole = to_json(sample(examples=3)).replace('"value": 0.162', '"value": 1e999')
    assert "controls[0].value: a number too large" in refused(whole)
    whole = to_json(sample(examples=3)).replace('"cost": 0.83', '"cost": 1e999')
    assert "run.cost: a number too large" in refused(whole)


def test_files_that_cannot_be_read_are_told_in_one_line(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"nothing\.json cannot be read: No such file.*Evaluate first"):
        read_json(tmp_path / "nothing.json")
    (tmp_path / "binary.json").write_bytes(b'{"format": 1, "x": "\xff"}')
    with pytest.raises(UserError, match="not UTF-8"):
        read_json(tmp_path / "binary.json")
    monkeypatch.setattr(serialise, "MAX_BYTES", 100)
    write_json(sample(), tmp_path / "report.json")
    with pytest.raises(UserError, match="larger than 100 bytes"):
        read_json(tmp_path / "report.json")
