"""JSON out of what models say instead of JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.models.openai.parse import fitting_json

CAPTION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "caption": {"type": "string"},
        "objects": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "sure": {"type": "boolean"},
        "kind": {"enum": ["photo", "drawing"]},
    },
    "required": ["caption"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "text",
    [
        '{"caption": "A cat."}',
        '\ufeff {"caption": "A cat."}\n',
        '```json\n{"caption": "A cat."}\n```',
        '```\n{"caption": "A cat."}```',
        'Here it is: {"caption": "A cat."} I hope it helps.',
        '{"caption": "A cat.",}',
        '{"thought": "hm"} {"caption": "A cat."}',
        '{"caption": "A dog."} No: {"caption": "A cat."}',
        '{ not this } {"caption": "A cat."}',
    ],
)
def test_the_json_in_an_answer_is_found(text):
    assert json.loads(fitting_json(text, CAPTION) or "null") == {"caption": "A cat."}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A cat.",
        "{}",
        '{"caption": 7}',
        '{"caption": NaN}',
        '{"caption": "A cat"',
        '{"caption": "A cat.", "extra": 1}',
        '{"caption": "A cat.", "objects": ["a", "b", "c", "d"]}',
        '{"caption": "A cat.", "objects": [1]}',
        '{"caption": "A cat.", "sure": 1}',
        '{"caption": "A cat.", "kind": "painting"}',
        '["caption"]',
        "[" * 100_000,
        '{"a":' * 50_000,
    ],
)
def test_what_does_not_fit_is_not_taken(text):
    assert fitting_json(text, CAPTION) is None


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers() | st.booleans(), max_size=4))
def test_any_object_survives_the_way_through(value):
    assert json.loads(fitting_json(f"So: {json.dumps(value)}.", {"type": "object"}) or "null") == value


@pytest.mark.parametrize("tail", ["", ","])
def test_commas_in_a_string_stay(tail):
    said = f'So: {{"a": "one, }} two,]"{tail}}}.'
    assert json.loads(fitting_json(said, {"type": "object"}) or "null") == {"a": "one, } two,]"}
