"""Ranks: as counted by hand, whatever the blocks, and with ties that are ties to the last bit."""

from fractions import Fraction
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.evaluation.ranks import Integers, Ranks, Vectors, distinct_rows, hit_chance, rank_own

# The check of the design notes: rows are texts, columns are images.
SCORES = np.array(
    [[0.30, 0.10, 0.05], [0.20, 0.25, 0.05], [0.10, 0.40, 0.00], [0.35, 0.33, 0.10], [0.12, 0.11, 0.11]],
    dtype=np.float32,
)
OWNERS = np.array([0, 0, 1, 1, 2])
IMAGES, NUMBERS = np.eye(3, dtype=np.float32), np.arange(3)


def as_lists(ranks: Ranks) -> tuple[list[int], list[int], list[int]]:
    return ranks.greater.tolist(), ranks.equal.tolist(), ranks.own.tolist()


def test_the_toy_table_gives_its_known_values() -> None:
    to_image = rank_own(SCORES, OWNERS, IMAGES, NUMBERS)
    assert to_image.hits(1).mean() == pytest.approx(0.40)
    assert to_image.best_hits(2).mean() == pytest.approx(1.0)
    assert to_image.worst_hits(2).mean() == pytest.approx(0.80)
    assert to_image.hits(2).mean() == pytest.approx(0.90)
    to_text = rank_own(IMAGES, NUMBERS, SCORES, OWNERS)
    assert to_text.hits(1).mean() == pytest.approx(0.667, abs=5e-4)
    assert to_text.hits(2).mean() == pytest.approx(1.0)
    assert to_image.middle().tolist() == [1, 2, 1, 2, 2.5]


def by_hand(
    queries: Vectors, query_owners: Integers, candidates: Vectors, candidate_owners: Integers
) -> tuple[list[int], list[int], list[int]]:
    """Count pair by pair, in whole numbers."""
    greater, equal, own = [], [], []
    for query, owner in zip(queries.astype(int), query_owners, strict=True):
        scores = [int(query @ candidate) for candidate in candidates.astype(int)]
        mine = candidate_owners == owner
        best = max(score for score, is_mine in zip(scores, mine, strict=True) if is_mine)
        greater.append(sum(score > best for score in scores))
        own.append(sum(score == best and is_mine for score, is_mine in zip(scores, mine, strict=True)))
        equal.append(sum(score == best for score in scores) - own[-1])
    return greater, equal, own


@st.composite
def pools(draw: st.DrawFn) -> tuple[Vectors, Integers, Vectors, Integers]:
    """Vectors of few small whole numbers, so that ties abound and every product is exact."""
    items, width = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    owners = [*range(items), *draw(st.lists(st.integers(0, items - 1), max_size=8))]
    asked = draw(st.lists(st.integers(0, items - 1), max_size=10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    span = draw(st.integers(0, 2))

    def vectors(n: int) -> Vectors:
        return rng.integers(-span, span + 1, (n, width)).astype(np.float32)

    order = rng.permutation(len(owners))
    return vectors(len(asked)), np.array(asked, dtype=np.int64), vectors(len(owners)), np.array(owners)[order]


@given(pools(), st.integers(1, 60))
def test_blocks_of_any_size_count_as_one_does_by_hand(
    pool: tuple[Vectors, Integers, Vectors, Integers], block: int
) -> None:
    expected = by_hand(*pool)
    assert as_lists(rank_own(*pool)) == expected
    assert as_lists(rank_own(*pool, scores_at_once=block)) == expected


@pytest.mark.parametrize("block", [1, 1000, 7777, 50_000, 10**9])
def test_equal_candidates_tie_exactly_wherever_they_stand(block: int) -> None:
    rng = np.random.default_rng(1)
    distinct = rng.normal(size=(67, 512)).astype(np.float32)
    distinct /= np.linalg.norm(distinct, axis=1, keepdims=True)
    which = rng.integers(67, size=513)
    which[:67] = np.arange(67)
    queries = rng.normal(size=(513, 512)).astype(np.float32)
    ranks = rank_own(queries, np.arange(513), distinct[which], np.arange(513), scores_at_once=block)
    copies = np.bincount(which)[which]
    assert ranks.equal.tolist() == (copies - 1).tolist()
    assert ranks.own.tolist() == [1] * 513
    exact = queries.astype(np.float64) @ distinct.T.astype(np.float64)
    above = exact > exact[np.arange(513), which][:, None]
    assert ranks.greater.tolist() == (above @ np.bincount(which)).tolist()


def test_all_equal_is_all_tied() -> None:
    same = np.tile(np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32), (300, 1))
    ranks = rank_own(same, np.arange(300), same, np.arange(300), scores_at_once=1000)
    assert as_lists(ranks) == ([0] * 300, [299] * 300, [1] * 300)
    assert ranks.hits(1).sum() == pytest.approx(1.0)
    assert (ranks.best_hits(1).mean(), ranks.worst_hits(1).mean()) == (1.0, 0.0)
    assert ranks.middle().tolist() == [150.5] * 300


def test_the_best_of_several_own_candidates_counts() -> None:
    query = np.array([[1.0]], dtype=np.float32)
    candidates = np.array([[3], [2], [2], [5], [2], [1]], dtype=np.float32)
    owners = np.array([7, 4, 4, 7, 9, 4])
    ranks = rank_own(query, np.array([4]), candidates, owners)
    assert as_lists(ranks) == ([2], [1], [2])
    assert ranks.middle().tolist() == [2 + 4 / 3]


def test_a_query_without_a_candidate_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="no candidate of its own"):
        rank_own(IMAGES, np.array([0, 1, 5]), IMAGES, NUMBERS)


def test_no_queries_have_no_ranks() -> None:
    none = rank_own(np.zeros((0, 3), dtype=np.float32), np.zeros(0, dtype=np.int64), IMAGES, NUMBERS)
    assert len(none) == 0
    assert len(none.hits(1)) == len(none.middle()) == 0


@given(st.integers(0, 4), st.integers(0, 4), st.integers(1, 3), st.integers(1, 9))
@settings(max_examples=60)
def test_a_tie_counts_as_its_chance_over_all_orders(greater: int, equal: int, own: int, k: int) -> None:
    tied = [True] * own + [False] * equal
    orders = set(permutations(range(len(tied))))
    firsts = [greater + 1 + min(i for i, who in enumerate(order) if tied[who]) for order in orders]
    ranks = Ranks(np.array([greater]), np.array([equal]), np.array([own]))
    expected = Fraction(sum(first <= k for first in firsts), len(firsts))
    assert ranks.hits(k)[0] == pytest.approx(float(expected), abs=1e-12)
    assert ranks.middle()[0] == pytest.approx(float(Fraction(sum(firsts), len(firsts))), abs=1e-12)
    assert ranks.worst_hits(k)[0] <= ranks.hits(k)[0] <= ranks.best_hits(k)[0]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 4)), max_size=20))
def test_more_places_are_no_worse_and_all_places_are_a_hit(counts: list[tuple[int, int, int]]) -> None:
    greater, equal, own = (np.array([c[i] for c in counts], dtype=np.int64) for i in range(3))
    chances = [hit_chance(greater, equal, own, k) for k in range(1, 105)]
    assert all((more >= fewer - 1e-12).all() for fewer, more in pairwise(chances))
    assert (chances[-1] == 1).all()


@given(st.lists(st.lists(st.integers(-1, 1), min_size=2, max_size=2), max_size=12))
def test_distinct_rows_give_the_rows_back(rows: list[list[int]]) -> None:
    given_rows = np.array(rows, dtype=np.float32).reshape(-1, 2)
    distinct, which = distinct_rows(given_rows)
    assert np.array_equal(distinct[which], given_rows)
    assert len({tuple(row) for row in distinct.tolist()}) == len(distinct)


def test_rows_without_numbers_are_all_the_same() -> None:
    nothing = np.zeros((3, 0), dtype=np.float32)
    assert as_lists(rank_own(nothing, np.arange(3), nothing, np.arange(3))) == ([0] * 3, [2] * 3, [1] * 3)
