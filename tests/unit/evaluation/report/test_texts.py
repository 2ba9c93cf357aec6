"""Texts fit for a page: bounded, without characters that drive it, and compared word by word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.report.texts import Cut, Span, cleaned, compared, cut, short

TEXTS = st.text(st.characters(), max_size=200)
WORDS = st.lists(st.sampled_from(["a", "red", "bicycle", "wall", "的", "狗", "don't", ".", "  ", "\n"])).map(
    " ".join
)


def joined(spans) -> str:
    return "".join(span.text for span in spans)


def marked(spans, kind) -> list[str]:
    return [span.text for span in spans if span.kind == kind]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("two\r\nlines\u2028three", "two\nlines\nthree"),
        ("a\tb", "a b"),
        ("gnp\u202etxt.exe", "gnp\\u202etxt.exe"),
        ("\u2066\u2069\u200f\u061c", "\\u2066\\u2069\\u200f\\u061c"),
        ("bell\x07 null\x00 escape\x1b[31m", "bell\\u0007 null\\u0000 escape\\u001b[31m"),
        ("\ud800", "\\ud800"),
        ("👩\u200d👩 你好 مرحبا", "👩\u200d👩 你好 مرحبا"),
    ],
)
def test_characters_that_drive_a_reader_are_written_out(text, expected):
    assert cleaned(text) == expected


@given(TEXTS)
def test_cleaned_texts_are_clean_and_stay_so(text):
    once = cleaned(text)
    assert cleaned(once) == once
    once.encode()
    assert not set(once) & set("\x00\x1b\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def test_long_texts_are_cut_and_counted():
    assert cut("abc", 3) == Cut("abc", 0)
    assert cut("x" * 1_000_000, 10) == Cut("x" * 10, 999_990)
    assert cut("a    b", 9).text == "a  b"
    assert short("a" * 81) == "a" * 80 + "…"
    assert short("one\ntwo  three\u202e") == "one two three\\u202e"
    assert short(3.5) == "3.5"


def test_what_changed_is_marked():
    found = compared("A red bike by the wall", "A shiny red bike by the brick wall.")
    assert not found.rewritten
    assert found.shared == 6
    assert marked(found.after, "new") == ["shiny", "brick", "."]
    assert marked(found.before, "gone") == []
    found = compared("A very old dog", "a dog")
    assert marked(found.before, "gone") == ["very old"]
    assert marked(found.after, "new") == []


def test_of_a_rewritten_text_the_words_that_stayed_are_marked():
    found = compared(
        "buy cheap Lighthouse prints in our shop today",
        "A white lighthouse stands on a grassy cliff by the sea",
    )
    assert found.rewritten
    assert marked(found.after, "kept") == ["lighthouse"]
    assert marked(found.before, "kept") == ["Lighthouse"]
    assert not marked(found.after, "new")


def test_a_text_that_was_extended_is_not_rewritten():
    after = "A red bicycle leans against a brick wall beside a green door in the sun of a late afternoon."
    found = compared("red bicycle brick wall", after)
    assert not found.rewritten
    assert marked(found.after, "new")[:2] == ["A", "leans against a"]
    assert compared("a red bicycle", after).rewritten  # too few words to speak of


def test_articles_alone_are_nothing_that_stayed():
    found = compared("a day in the life of us all here", "a dog runs on the sand, and the sea is calm and wide")
    assert found.rewritten
    assert not marked(found.after, "kept")


def test_chinese_is_compared_by_character():
    found = compared("一只狗在海边", "一只棕色的狗在海边")
    assert marked(found.after, "new") == ["棕色的"]


@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("", "a dog"), ("a dog", ""), ("...", "!!!"), (" ", "\n")]
)
def test_empty_texts_are_compared_too(before, after):
    found = compared(before, after)
    assert joined(found.before) == before
    assert joined(found.after) == after
    assert found.shared == 0


@given(WORDS | TEXTS, WORDS | TEXTS)
def test_the_spans_are_the_text(before, after):
    found = compared(before, after)
    assert joined(found.before) == before
    assert joined(found.after) == after
    assert all(span.text for span in found.after)
    assert all(not span.text[-1].isspace() for span in found.after if span.kind != "same")


def test_of_long_texts_the_beginning_is_compared():
    before, after = "word " * 200_000, "ward " * 200_000
    found = compared(before, after)
    assert joined(found.after) == after
    assert len(found.after[-1].text) > 990_000
    assert found.after[-1].kind == "same"


def test_a_text_is_the_same_as_itself():
    assert compared("A dog.", "A dog.").after == [Span("same", "A dog.")]
