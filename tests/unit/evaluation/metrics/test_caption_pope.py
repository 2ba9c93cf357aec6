"""Polls of what is there and what is not, and captions that answer them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.evaluation.extract.polling import (
    ALWAYS_YES,
    SPLITS,
    accuracy,
    f1,
    poll_row,
    polls,
    precision,
    recall,
    yes_share,
)
from recaption.evaluation.metrics.caption_pope import CaptionPope
from recaption.evaluation.subject import Item, Subject
from tests.unit.evaluation.text_subject import scored, shown

NAMES = ["bench", "bus", "car", "cat", "dog", "kite", "person"]


def test_always_saying_yes_gets_what_the_paper_says():
    counts = np.array(ALWAYS_YES, dtype=float)
    rates = [float(rate(counts)) for rate in (accuracy, precision, recall, yes_share)]
    assert rates == [0.5, 0.5, 1.0, 1.0]
    assert f1(counts) == pytest.approx(2 / 3)
    assert poll_row(counts) == ("2", "50.0 %", "50.0 %", "100.0 %", "66.7 %", "100.0 %")


def test_the_four_rates_by_hand_and_of_nothing():
    counts = np.array([6.0, 2.0, 8.0, 4.0])
    assert accuracy(counts) == 0.7
    assert precision(counts) == 0.75
    assert recall(counts) == 0.6
    assert f1(counts) == pytest.approx(2 * 0.75 * 0.6 / 1.35)
    assert yes_share(counts) == 0.4
    assert all(np.isnan(rate(np.zeros(4))) for rate in (accuracy, precision, recall, f1, yes_share))
    assert poll_row(np.zeros(4)) == ("0", *"–––––")


def test_popular_and_adversarial_ask_for_what_is_frequent_and_what_goes_with_it():
    # Cars are everywhere; kites fly where there are dogs.
    there = [frozenset({"dog", "kite"})] * 3 + [frozenset({"car"})] * 5 + [frozenset({"dog"})]
    *_, last = polls(there, NAMES, seed=1)
    assert last is not None
    assert last.present == ("dog",)
    assert last.absent["popular"] == ("car",)
    assert last.absent["adversarial"] == ("kite",)


def test_images_of_which_nobody_knows_or_that_hold_nothing_or_all_are_not_asked_about():
    found = polls([None, frozenset(), frozenset(NAMES), frozenset({"dog"})], NAMES, seed=0)
    assert [poll is None for poll in found] == [True, True, True, False]
    assert polls([None, frozenset()], [], seed=0) == [None, None]
    assert polls([], NAMES, seed=0) == []


labels = st.none() | st.frozensets(st.sampled_from(NAMES))


@settings(deadline=None)
@given(st.lists(labels, max_size=12), st.integers(0, 3))
def test_a_poll_is_balanced_and_true_and_seeded(there, seed):
    found = polls(there, NAMES, seed)
    assert found == polls(there, NAMES, seed)
    for poll, has in zip(found, there, strict=True):
        if poll is None:
            continue
        assert 1 <= len(poll.present) <= 3
        assert set(poll.present) <= has
        for split in SPLITS:
            assert len(poll.absent[split]) == len(set(poll.absent[split])) == len(poll.present)
            assert not set(poll.absent[split]) & has


def subject(texts, there):
    items = tuple(
        Item(key=str(i), texts=tuple((c,) for c in said), labels=labels)
        for i, (said, labels) in enumerate(zip(texts, there, strict=True))
    )
    return Subject(columns=("a", "b"), items=items, label_source="coco")


def test_a_caption_that_says_all_and_one_that_says_nothing():
    there = [frozenset({"dog", "person"}), frozenset({"car", "bus", "bench"}), frozenset({"cat"})]
    texts = [("a dog and a man", ""), ("a car, a bus and a bench", "-"), ("a cat", "x")]
    found = scored(CaptionPope(), subject(texts, there))
    for split in SPLITS:
        assert shown(found[f"caption_pope.accuracy.{split}"], "a") == 1.0
        assert shown(found[f"caption_pope.f1.{split}"], "a") == 1.0
        assert shown(found[f"caption_pope.accuracy.{split}"], "b") == 0.5
        assert shown(found[f"caption_pope.f1.{split}"], "b") == 0.0
        assert found[f"caption_pope.accuracy.{split}"].parts["a"].sum() == 12
    rows = found["caption_pope"].rows
    assert rows[-1] == ("always yes", "", "", "50.0 %", "50.0 %", "100.0 %", "66.7 %", "100.0 %")
    assert len(rows) == 7


def test_a_caption_that_invents_what_usually_goes_with_it_fails_there():
    there = [frozenset({"dog", "kite"})] * 4 + [frozenset({"dog"})]
    texts = [("a dog with a kite", "a dog")] * 5
    found = scored(CaptionPope(), subject(texts, there))
    figure = found["caption_pope.accuracy.adversarial"]
    assert figure.parts["a"][4].tolist() == [1, 1, 0, 0]
    assert figure.parts["b"][4].tolist() == [1, 0, 1, 0]
