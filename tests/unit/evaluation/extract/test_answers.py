"""Replies are read as asked for, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.types import JsonValue
from recaption.evaluation.extract.answers import (
    json_reply,
    open_chair_answer,
    pope_answer,
    verdict,
    yes_no,
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yes", "yes"),
        (" Yes.\n", "yes"),
        ("**No**", "no"),
        ("No, there is none.", "no"),
        ("Yes, a dog lies on the mat.", "yes"),
        ("Answer: unsure", "unsure"),
        ('"not sure"', "unsure"),
        ("The answer is yes.", "yes"),
        ("yes no", None),
        ("Yes, or no.", None),
        ("Yes. No.", None),
        ("There is a dog, yes.", None),
        ("nowhere", None),
        ("yesterday", None),
        ("", None),
        ("I'm sorry, but I can't help with that.", None),
    ],
)
def test_yes_and_no(text, said):
    assert yes_no(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("first", "first"),
        ("Second.", "second"),
        ("**tie**", "tie"),
        ("Verdict: 2", "second"),
        ("The first caption.", "first"),
        ("first, because it is longer", None),
        ("first or second", None),
        ("I would say first", None),
        ("", None),
        ("first " * 1000, None),
    ],
)
def test_verdicts(text, said):
    assert verdict(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No, there is no dog.", "no"),
        ("There is a dog. It is not a cat.", "yes"),
        ("there is, not a dog", "no"),
        ("Cannot say", "yes"),
        ("Not here", "yes"),
        ("  ", None),
    ],
)
def test_pope_reads_the_first_sentence_and_takes_all_else_for_yes(text, said):
    assert pope_answer(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Yes and no", "yes"),
        ("it is not unsure", "no"),
        ("UNSURE", "unsure"),
        ("nothing of the kind", None),
        ("maybe", None),
    ],
)
def test_openchair_prefers_yes_to_no_to_unsure(text, said):
    assert open_chair_answer(text) == said


def test_json_is_found_in_what_stands_around_it_and_must_fit():
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"v": {"type": "array", "items": {"type": "boolean"}}},
        "required": ["v"],
    }
    assert json_reply('Sure:\n```json\n{"v": [true, false,]}\n```', schema) == {"v": [True, False]}
    assert json_reply('{"v": ["yes"]}', schema) is None
    assert json_reply("no json here", schema) is None
    assert json_reply("[" * 100_000, schema) is None


@given(st.text())
def test_no_text_breaks_a_reader(text):
    assert yes_no(text) in ("yes", "no", "unsure", None)
    assert verdict(text) in ("first", "second", "tie", None)
    assert pope_answer(text) in ("yes", "no", None)
    assert open_chair_answer(text) in ("yes", "no", "unsure", None)


@pytest.mark.parametrize("around", ["{}", "**{}**", '"{}"', "Answer: {}", "{}.", "\n{}\n"])
@pytest.mark.parametrize("word", ["first", "second", "tie"])
def test_marks_around_a_verdict_change_nothing(around, word):
    assert verdict(around.format(word)) == word
