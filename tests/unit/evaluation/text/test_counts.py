"""Counts of texts, and the language they are told to be in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.options import Options
from recaption.evaluation.text.counts import column_counts, count_texts, spoken
from recaption.evaluation.text.languages import ENGLISH, LATIN, NONE, UNCLEAR, language_of
from recaption.evaluation.text.tokens import words
from recaption.evaluation.tools import Tools
from recaption.media.sentences import stripped_sentences
from tests.unit.evaluation.text_subject import NOTHING, text_subject


def test_a_text_is_counted() -> None:
    counts = count_texts([(3, "A dog runs. It's fast and remarkable!"), (4, "猫在墙上。狗在草地上。")])
    assert counts.owners.tolist() == [3, 4]
    assert counts.words.tolist() == [7, 9]
    assert counts.sentences.tolist() == [2, 2]
    assert counts.letters.tolist() == [1 + 3 + 4 + 4 + 4 + 3 + 10, 9]
    assert counts.long_words.tolist() == [1, 0]
    assert counts.characters.tolist() == [37, 11]
    assert counts.languages == (ENGLISH, "zh")
    assert counts.are("zh").tolist() == [False, True]


def test_blank_texts_are_no_texts_and_a_column_is_counted_once() -> None:
    subject = text_subject({"a": [("", " \n", "one"), (), "two three"]})
    assert list(spoken(subject, "a")) == [(0, "one"), (2, "two three")]
    tools = Tools(ledger=NOTHING, meter=NOTHING, make_images=NOTHING, options=Options())
    first = column_counts(subject, tools, "a")
    assert first.words.tolist() == [1, 2]
    assert column_counts(subject, tools, "a") is first


def test_nothing_is_counted_of_nothing() -> None:
    counts = count_texts([])
    assert len(counts) == 0
    assert counts.words.shape == counts.long_words.shape == (0,)


@given(st.text(max_size=60))
def test_sentences_are_those_of_the_segmentation(text: str) -> None:
    counts = count_texts([(0, text)])
    expected = max(1, len(stripped_sentences(text)[0])) if words(text) else 0
    assert counts.sentences.tolist() == [expected]


def test_hostile_texts_are_counted_to_a_bound() -> None:
    texts = ["a " * 500_000, "." * 1_000_000, "\ud800" * 100, "😀" * 1_000]
    counts = count_texts(enumerate(texts))
    assert counts.words.tolist() == [10_000, 0, 0, 0]
    assert counts.characters.tolist() == [1_000_000, 1_000_000, 100, 1_000]
    assert np.isfinite(counts.sentences).all()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("A dog on the grass", ENGLISH),
        ("a dog", ENGLISH),
        ("Boston 00201", UNCLEAR),
        ("ein Hund liegt auf dem Sofa", LATIN),
        ("un chien dans une voiture rouge", LATIN),
        ("一只猫", "zh"),
        ("собака", "ru"),
        ("2020 – 21", UNCLEAR),
        ("...", NONE),
    ],
)
def test_a_language_is_told_by_script_and_function_words(text: str, language: str) -> None:
    assert language_of(text, words(text)) == language
