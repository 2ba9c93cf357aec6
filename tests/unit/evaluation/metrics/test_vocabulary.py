"""Vocabulary and openings: counts by hand, tables in order and bounded."""

import numpy as np
import pytest

from recaption.evaluation.metrics.openings import Openings
from recaption.evaluation.metrics.vocabulary import Vocabulary
from tests.unit.evaluation.text_subject import scored, shown, text_subject


def test_sizes_and_words_used_once() -> None:
    found = scored(Vocabulary(), text_subject({"old": ["A cat, a cat!", "dog"], "new": ["a a a", ""]}))
    assert [shown(found["vocabulary"], c) for c in ("old", "new")] == [3, 1]
    assert [shown(found["hapax_share"], c) for c in ("old", "new")] == [pytest.approx(1 / 3), 0]
    assert [found["vocabulary"].values[c].n for c in ("old", "new")] == [2, 1]


def test_words_gained_and_lost_the_most_frequent_first() -> None:
    old = ["the dog runs", "the dog", "x"]
    new = ["a bird sings", "a bird", "a dog b"]
    found = scored(Vocabulary(), text_subject({"old": old, "new": new, "other": old}))
    assert found["words_gained.new"].rows == [("a", "3"), ("bird", "2"), ("b", "1"), ("sings", "1")]
    assert found["words_lost.new"].rows == [("the", "2"), ("runs", "1"), ("x", "1")]
    assert found["words_gained.other"].rows == found["words_lost.other"].rows == []


def test_tables_are_bounded_whatever_words_there_are() -> None:
    new = [" ".join(f"w{i}" for i in range(500)), "x" * 15_000]
    listing = scored(Vocabulary(), text_subject({"old": ["a", "b"], "new": new}))["words_gained.new"]
    assert len(listing.rows) == 30
    assert listing.note == "501 in all, the 30 most frequent"
    assert all(len(cell) <= 40 for row in listing.rows for cell in row)


def test_no_words_no_share() -> None:
    found = scored(Vocabulary(), text_subject({"old": ["…"]}))
    assert shown(found["vocabulary"], "old") == 0
    assert found["hapax_share"].values["old"].reason == "no text has a word"


def test_common_openings() -> None:
    new = ["The image shows a dog.", "the image shows: a cat", "A dog", "a dog", "A dog runs", "Hello", ""]
    found = scored(Openings(), text_subject({"new": new}))
    assert found["common_openings"].parts["new"].tolist() == [[1, 1]] * 4 + [[0, 1]] * 2 + [[0, 0]]
    assert found["openings.new"].rows == [("the image shows", "2", "33.3%"), ("a dog", "2", "33.3%")]
    assert found["openings.new"].note == "4 different openings of 6 captions"


def test_only_the_twenty_commonest_count() -> None:
    texts = [f"o{i} a b c{k}" for i in range(25) for k in range(30 - i)]
    found = scored(Openings(), text_subject({"new": texts}))
    assert len(found["openings.new"].rows) == 20
    expected = sum(30 - i for i in range(20)) / len(texts)
    assert shown(found["common_openings"], "new") == pytest.approx(expected)


def test_openings_that_nobody_shares_are_not_common() -> None:
    found = scored(Openings(), text_subject({"new": ["a b c", "d e f"], "old": ["", ()]}))
    assert shown(found["common_openings"], "new") == 0
    assert shown(found["common_openings"], "old") is None
    assert found["openings.new"].rows == found["openings.old"].rows == []
    assert np.isfinite(found["common_openings"].parts["old"]).all()
