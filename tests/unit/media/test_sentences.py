"""Where texts may be cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.media.sentences import (
    clause_spans,
    cuts,
    phrase_spans,
    protected_spans,
    sentence_spans,
    span_around,
    stripped_sentences,
)
from tests.growth import grows_in_proportion

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=120)
# fmt: off
PIECES = (
    "A", "man", "and", "the", "dog", "with", "in", "while", "which", "is", "sitting", "一只猫", "\n",
    ",", ".", "!", "?", "…", ";", "—", "'", '"', "(", ")", "“", "”", "。", "，", "、",
    "Mr.", "e.g.", "3.5", "New", "York",
)
# fmt: on
CAPTIONS = st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join)


def sentences(text: str) -> list[str]:
    return [text[a:b].strip() for a, b in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog. A cat.", ["A dog.", "A cat."]),
        ("Mr. Smith meets Dr. Who. They talk.", ["Mr. Smith meets Dr. Who.", "They talk."]),
        ("He is at St. James St. and waits.", ["He is at St. James St. and waits."]),
        ("Fruit, e.g. apples. Bread, i.e. rolls.", ["Fruit, e.g. apples.", "Bread, i.e. rolls."]),
        ("It is 3.5 m tall. Version 2.0.1 runs.", ["It is 3.5 m tall.", "Version 2.0.1 runs."]),
        ("John F. Kennedy waves. He smiles.", ["John F. Kennedy waves.", "He smiles."]),
        ("She takes vitamin C. The cat sleeps.", ["She takes vitamin C.", "The cat sleeps."]),
        ("A plane of the U.S. Army. It flies.", ["A plane of the U.S. Army.", "It flies."]),
        ("Born in the U.S. The singer smiles.", ["Born in the U.S.", "The singer smiles."]),
        ("Track No. 5 is empty. No. 5 too.", ["Track No. 5 is empty.", "No. 5 too."]),
        ("Well... maybe. Wait… Then go!", ["Well... maybe.", "Wait…", "Then go!"]),
        ('It says "Stop!" in red. It is old.', ['It says "Stop!" in red.', "It is old."]),
        ('She said "Go home." The dog left.', ['She said "Go home."', "The dog left."]),
        ("(A man.) A dog.", ["(A man.)", "A dog."]),
        ("What?! No way.", ["What?!", "No way."]),
        ("Yahoo! is a company. Done.", ["Yahoo! is a company.", "Done."]),
        ("一只猫在桌上。它在睡觉！真的？", ["一只猫在桌上。", "它在睡觉！", "真的？"]),
        ("她说：“你好。”然后走了。", ["她说：“你好。”", "然后走了。"]),
        ("A title without stop\n\nThe text. More", ["A title without stop", "The text.", "More"]),
        ("Seen:\n- a dog\n- a cat\n1. a cow", ["Seen:", "- a dog", "- a cat", "1. a cow"]),
        ("the city of\nLondon at night", ["the city of\nLondon at night"]),
        ("Tolkien (b. 1892) wrote. Fine.", ["Tolkien (b. 1892) wrote.", "Fine."]),
        ("no stop at all", ["no stop at all"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The image features a man on a surfboard, wearing a wetsuit.",
            ["The image features a man on a surfboard", ", wearing a wetsuit."],
        ),
        ("The dog runs fast and the cat is asleep.", ["The dog runs fast", " and the cat is asleep."]),
        ("He rides the waves and appears to wait.", ["He rides the waves", " and appears to wait."]),
        ("There is a man; a dog barks.", ["There is a man", "; a dog barks."]),
        ("It reads a&#58;b&amp;c now.", ["It reads a&#58;b&amp;c now."]),
        ("There is a road which leads far away.", ["There is a road", " which leads far away."]),
        ("A sign is red – it says stop.", ["A sign is red", " – it says stop."]),
        # An introduction is no clause, and a list is not cut into clauses.
        ("In the back, there are two trucks.", ["In the back, there are two trucks."]),
        ("There are a dog, a cat, and a cow.", ["There are a dog, a cat, and a cow."]),
        # What stands between subject and verb cannot end a sentence.
        ("The train, which is red, is parked here.", ["The train, which is red, is parked here."]),
        # One half of a pair is not let go without the other.
        (
            "There are two trucks, one on the left and the other on the right.",
            ["There are two trucks", ", one on the left and the other on the right."],
        ),
        (
            "One skier is on the left, while the other is on the right.",
            ["One skier is on the left, while the other is on the right."],
        ),
        ("桌上有一只猫，旁边有一只狗。", ["桌上有一只猫", "，旁边有一只狗。"]),
    ],
)
def test_clauses(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in clause_spans(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A man rides a horse in the park.", ["A man rides a horse", " in the park."]),
        ("A cat is located in the garden.", ["A cat is located in the garden."]),
        ("The pizza is topped with cheese.", ["The pizza is topped with cheese."]),
        ("There is a dog and a cat.", ["There is a dog", " and a cat."]),
        ("There is a red and white plane.", ["There is a red and white plane."]),
    ],
)
def test_phrases(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in phrase_spans(text)] == expected


def test_quotes_brackets_and_names_are_protected() -> None:
    text = 'A sign of New York University reads "Keep off the grass" (in red) near Joe.'
    held = [text[a:b] for a, b in protected_spans(text)]
    assert held == ["New York University", '"Keep off the grass"', "(in red)", "Joe"]


def test_capitals_name_nothing_where_every_word_has_them() -> None:
    assert protected_spans("Vintage Red Car In The City With White Seats") == []


def test_no_cut_falls_into_a_protected_span() -> None:
    text = 'A sign is red and reads "Dogs and a cat in the park, with care" in a street.'
    guard = protected_spans(text)
    assert not [c for c in cuts(text, 0, len(text), guard) if span_around(guard, c.end)]
    assert [c for c in cuts(text, 0, len(text)) if span_around(guard, c.end)]


@given(st.one_of(ANY_TEXT, CAPTIONS))
def test_every_segmentation_gives_the_text_back(text: str) -> None:
    for segment in (sentence_spans, clause_spans, phrase_spans):
        spans = segment(text)
        assert "".join(text[a:b] for a, b in spans) == text
        assert all(a < b for a, b in spans)


@given(st.one_of(ANY_TEXT, CAPTIONS))
def test_clauses_refine_sentences_and_phrases_refine_clauses(text: str) -> None:
    edges = [{a for a, _ in segment(text)} for segment in (sentence_spans, clause_spans, phrase_spans)]
    assert edges[0] <= edges[1] <= edges[2]


@given(st.one_of(ANY_TEXT, CAPTIONS))
def test_stripped_sentences_hold_all_but_blanks(text: str) -> None:
    spans, leads = stripped_sentences(text)
    assert len(spans) == len(leads)
    assert "".join(lead + text[a:b] for lead, (a, b) in zip(leads, spans, strict=True)) == text.rstrip()
    assert all(lead == "" or lead.isspace() for lead in leads)


@given(st.one_of(ANY_TEXT, CAPTIONS))
def test_protected_spans_are_sorted_and_apart(text: str) -> None:
    spans = protected_spans(text)
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


@pytest.mark.parametrize(
    "unit",
    [".", ". ", " ", "\n", "and ", ", ", '"', "(", "A B ", "man's ", ", doing", " - ", "中", "，", "e.g. "],
)
def test_time_grows_with_the_text(unit: str) -> None:
    assert grows_in_proportion(lambda length: clause_spans(unit * (length // len(unit))), 20_000)
