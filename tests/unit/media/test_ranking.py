"""Ranking by scores on different scales, diversity, disagreement."""

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.media.ranking import disagreement, diverse, overlap, ranking

SOME = [{"clip": 0.30, "ppl": 90.0}, {"clip": 0.31, "ppl": 900.0}, {"clip": 0.20, "ppl": 60.0}]
TIES = [0, 1, 2]


def order(some, weights, units, ties=TIES):
    return [r.position for r in ranking(some, weights, units, ties)]


def test_one_score_counts_as_it_stands():
    ranked = ranking(SOME, {"clip": 1.0}, {}, TIES)
    assert [(r.position, r.value) for r in ranked] == [(1, 0.31), (0, 0.30), (2, 0.20)]
    assert order(SOME, {"ppl": -1.0}, {}) == [2, 0, 1]


def test_several_scores_weigh_by_their_spread_and_not_by_their_scale():
    assert order(SOME, {"clip": 1.0, "ppl": -1.0}, {}) == [0, 1, 2]
    tenfold = [{"clip": s["clip"], "ppl": 10 * s["ppl"] + 5} for s in SOME]
    assert order(tenfold, {"clip": 1.0, "ppl": -1.0}, {}) == [0, 1, 2]
    by_hand = []
    for s in SOME:
        total = 0.0
        for label, weight in (("clip", 1.0), ("ppl", -1.0)):
            values = [x[label] for x in SOME]
            mean = fmean(values)
            total += weight * (s[label] - mean) / math.sqrt(fmean([(v - mean) ** 2 for v in values]))
        by_hand.append(total)
    ranked = {r.position: r.value for r in ranking(SOME, {"clip": 1.0, "ppl": -1.0}, {}, TIES)}
    assert [ranked[i] for i in range(3)] == pytest.approx(by_hand)


def test_a_unit_keeps_a_score_that_rarely_differs_from_deciding():
    some = [{"clip": 0.30, "repeats": 0.001}, {"clip": 0.29, "repeats": 0.0}]
    assert order(some, {"clip": 1.0, "repeats": -2.0}, {}, ties=[0, 1]) == [1, 0]
    assert order(some, {"clip": 1.0, "repeats": -2.0}, {"repeats": 0.1}, ties=[0, 1]) == [0, 1]


def test_equal_but_for_rounding_is_equal():
    some = [{"a": 0.3, "b": 1.0}, {"a": 0.3 + 1e-12, "b": 1.0}]
    assert [r.value for r in ranking(some, {"a": 1.0, "b": 1.0}, {}, [1, 0])] == [0.0, 0.0]
    assert order(some, {"a": 1.0, "b": 1.0}, {}, ties=[1, 0]) == [1, 0]


@pytest.mark.parametrize("ties", [[0, 1], [1, 0]])
def test_two_scores_at_odds_about_two_texts_are_a_tie(ties):
    at_odds = [{"clip": 0.9, "ppl": 0.1}, {"clip": 0.1, "ppl": 0.11}]
    ranked = ranking(at_odds, {"clip": 1.0, "ppl": 1.0}, {}, ties)
    assert [r.position for r in ranked] == ties
    assert ranked[0].value == ranked[1].value == 0


def test_who_lacks_a_score_stands_last_and_nothing_fails():
    some = [{}, {"ppl": 1.0}, {"clip": -5.0, "ppl": 1e9}]
    assert order(some, {"clip": 1.0, "ppl": -1.0}, {}) == [2, 1, 0]
    assert order([{}, {}], {"clip": 1.0}, {}, ties=[1, 0]) == [1, 0]
    assert ranking([], {"clip": 1.0}, {}, []) == []


def test_a_score_that_is_only_watched_decides_nothing():
    assert order([{"a": 1.0}, {"a": 2.0, "b": 9.0}, {"b": 5.0}], {"a": 1.0, "b": 0.0}, {}) == [1, 0, 2]


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1e6)), min_size=1, max_size=8), st.randoms())
def test_the_order_given_decides_nothing(pairs, random):
    some = [{"a": a, "b": b} for a, b in pairs]
    ties = list(range(len(some)))
    mixed = ties[:]
    random.shuffle(mixed)
    first = order(some, {"a": 1.0, "b": -0.5}, {}, ties=ties)
    second = order([some[i] for i in mixed], {"a": 1.0, "b": -0.5}, {}, ties=[ties[i] for i in mixed])
    assert [mixed[i] for i in second] == first


TEXTS = ["a red dog on grass", "A red dog on the grass", "two boats at sea", "x"]
VALUES = [{"s": 1.0}, {"s": 0.9}, {"s": 0.6}, {"s": 0.0}]


@pytest.mark.parametrize(
    ("diversity", "expected"), [(0.0, [0, 1]), (0.2, [0, 1]), (0.5, [0, 2]), (1.0, [0, 2])]
)
def test_diversity_trades_value_for_difference(diversity, expected):
    ranked = ranking(VALUES, {"s": 1.0}, {}, [0, 1, 2, 3])
    assert [r.position for r in diverse(ranked, TEXTS, 2, diversity)] == expected


def test_diversity_picks_without_end_or_gap():
    ranked = ranking(VALUES, {"s": 1.0}, {}, [0, 1, 2, 3])
    assert len(diverse(ranked, TEXTS, 9, 0.5)) == 4
    assert [r.position for r in diverse(ranked, TEXTS, 1, 1.0)] == [0]
    same = ranking([{"s": 1.0}] * 3, {"s": 1.0}, {}, [0, 1, 2])
    assert [r.position for r in diverse(same, TEXTS, 2, 0.5)] == [0, 2]
    unscored = ranking([{"s": 1.0}, {}, {"s": 0.5}], {"s": 1.0}, {}, [0, 1, 2])
    assert [r.position for r in diverse(unscored, TEXTS, 2, 0.0)] == [0, 2]
    assert len(diverse(unscored, TEXTS, 2, 1.0)) == 2


@pytest.mark.parametrize(
    ("first", "second", "share"),
    [
        ("A dog.", "a DOG", 1.0),
        ("a dog", "a cat", 1 / 3),
        ("一只狗", "一只猫", 0.5),
        ("", "", 1.0),
        ("", "a", 0.0),
    ],
)
def test_overlap_of_words(first, second, share):
    assert overlap(first, second) == pytest.approx(share)


def test_disagreement_is_the_share_of_pairs_ordered_differently():
    same = [{"a": 1.0, "b": 10.0}, {"a": 2.0, "b": 20.0}, {"a": 3.0, "b": 30.0}]
    assert disagreement(same, ["a", "b"]) == 0.0
    assert disagreement([{"a": -v["a"], "b": v["b"]} for v in same], ["a", "b"]) == 1.0
    one_swap = [{"a": 1.0, "b": 20.0}, {"a": 2.0, "b": 10.0}, {"a": 3.0, "b": 30.0}]
    assert disagreement(one_swap, ["a", "b"]) == pytest.approx(1 / 3)
    assert disagreement([{"a": 1.0}, {"b": 1.0}], ["a", "b"]) is None
    assert disagreement(same, ["a"]) is None
    assert disagreement([{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 2.0}], ["a", "b"]) is None
