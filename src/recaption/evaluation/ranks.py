"""Where a query's own candidate stands among all, by inner products, with its ties counted and nothing sorted.

Scores are made in blocks of queries, each against all candidates in one matrix product, so that memory stays flat. A
product of floats may differ in its last bit with its place in a block; two things keep ties exact all the same. Equal
candidates are one column of the product, and count as many times as there are of them. And the score a query's own
candidate has is read from the same product that the others are read from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ranks", "Vectors", "distinct_rows", "hit_chance", "rank_own"]

Vectors: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

_SCORES_AT_ONCE: Final = 16_000_000
"""Of a block, 4 bytes each."""
_ROWS_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True)
class Ranks:
    """For every query, how many candidates stand before its own, and beside it. All of shape (queries,).

    Of several own candidates the best counts: the query is answered once one of them is found.
    """

    greater: Integers
    """Candidates of others with a higher score than the best own one."""
    equal: Integers
    """Candidates of others with the same score."""
    own: Integers
    """Own candidates with that score, 1 at least."""

    def __len__(self) -> int:
        return len(self.greater)

    def hits(self, k: int) -> Floats:
        """Return the chance that an own candidate is among the first k, ties broken by lot. In [0, 1]."""
        return hit_chance(self.greater, self.equal, self.own, k)

    def best_hits(self, k: int) -> Floats:
        """Return whether an own candidate is among the first k if it wins every tie: 0 or 1."""
        return (self.greater < k).astype(np.float64)

    def worst_hits(self, k: int) -> Floats:
        """Return whether an own candidate is among the first k if it loses every tie: 0 or 1."""
        return (self.greater + self.equal < k).astype(np.float64)

    def middle(self) -> Floats:
        """Return the mean rank of the first own candidate over all orders of its ties; 1 is the best.

        With one own candidate it is the mid-rank: 1 + those before it + half of those beside it.
        """
        result: Floats = self.greater + (self.equal + self.own + 1) / (self.own + 1)
        return result


def hit_chance(greater: Integers, equal: Integers, own: Integers, k: int) -> Floats:
    """Return the chance that one of `own` tied candidates is among the first k, with `equal` others beside them.

    That is 1 - C(equal, s) / C(equal + own, s), where s places are left to those that are tied (hypergeometric).
    """
    tied = equal + own
    places = np.clip(k - greater, 0, tied)
    missed = np.ones(len(greater))
    for i in range(int(own.max(initial=0))):  # C(e, s) / C(e + o, s) is a product of o factors
        more = own > i
        missed[more] *= np.maximum(0, tied[more] - places[more] - i) / (tied[more] - i)
    result: Floats = 1.0 - missed
    return result


def rank_own(
    queries: Vectors,
    query_owners: Integers,
    candidates: Vectors,
    candidate_owners: Integers,
    *,
    scores_at_once: int = _SCORES_AT_ONCE,
) -> Ranks:
    """Return where each query finds its own candidates, those with its owner's number, among all.

    Args:
        queries: Shape (q, d).
        query_owners: Shape (q,), at least one candidate each.
        candidates: Shape (c, d).
        candidate_owners: Shape (c,).
        scores_at_once: Bounds the memory: scores in a block.

    Raises:
        ValueError: A query has no candidate of its own.
    """
    counts = np.zeros((3, len(queries)), dtype=np.int64)
    if len(queries):
        first, count = _places(query_owners, candidate_owners)
        columns = _Columns(candidates)
        own = columns.of[np.argsort(candidate_owners, kind="stable")]
        step = max(1, scores_at_once // max(1, len(columns.vectors)))
        for start in range(0, len(queries), step):
            block = slice(start, start + step)
            scores = queries[block] @ columns.vectors.T
            best, tied = _best_own(scores, own, first[block], count[block])
            counts[0, block], counts[1, block] = columns.compared(scores, best)
            counts[2, block] = tied
    return Ranks(counts[0], counts[1] - counts[2], counts[2])


class _Columns:
    """The distinct candidates, those that there are several of last."""

    def __init__(self, candidates: Vectors) -> None:
        first, of, times = _distinct(candidates)
        if len(first) == len(candidates):
            self.vectors, self.of = candidates, np.arange(len(candidates))
        else:
            order = np.argsort(times, kind="stable")
            place = np.empty_like(order)
            place[order] = np.arange(len(order))
            self.vectors, self.of, times = candidates[first[order]], place[of], times[order]
        self._single = int(np.searchsorted(times, 2))
        self._more = times[self._single :]

    def compared(self, scores: Vectors, best: Vectors) -> tuple[Integers, Integers]:
        """Return how many candidates have a higher score than `best`, row by row, and how many the same."""
        flags = np.empty(scores.shape[1], dtype=np.bool_)
        found = np.empty((2, len(scores)), dtype=np.int64)
        # Row by row, so that a row stays in the cache; counting flags is what numpy does fastest.
        for i, row in enumerate(scores):
            for j, compare in enumerate((np.greater, np.equal)):
                compare(row, best[i], out=flags)
                found[j, i] = np.count_nonzero(flags[: self._single]) + flags[self._single :] @ self._more
        return found[0], found[1]


def distinct_rows(rows: Vectors) -> tuple[Vectors, Integers]:
    """Return the distinct rows of (n, d), and which of them each row is, shape (n,)."""
    first, of, _ = _distinct(rows)
    return rows[first], of


def _distinct(rows: Vectors) -> tuple[Integers, Integers, Integers]:
    """Return where each distinct row is first, which of these each row is, and how many rows each stands for."""
    plain = np.ascontiguousarray(rows, dtype=np.float32)
    n, width = plain.shape
    if not n or not width:  # rows without a number are all the same
        return np.arange(min(n, 1)), np.zeros(n, dtype=np.int64), np.full(min(n, 1), n)
    order = np.argsort(plain.view(np.dtype((np.void, width * plain.itemsize))).ravel(), kind="stable")
    begins = np.ones(n, dtype=np.bool_)
    for start in range(
        1, n, _ROWS_AT_ONCE
    ):  # a block of copies is held at a time, which np.unique would make of all
        left, right = order[start - 1 : start - 1 + _ROWS_AT_ONCE], order[start : start + _ROWS_AT_ONCE]
        begins[start : start + _ROWS_AT_ONCE] = (plain[left[: len(right)]] != plain[right]).any(axis=1)
    of = np.empty(n, dtype=np.int64)
    of[order] = np.cumsum(begins) - 1
    return order[begins], of, np.bincount(of)


def _places(query_owners: Integers, candidate_owners: Integers) -> tuple[Integers, Integers]:
    """Return where each query's own candidates begin among all, sorted by owner, and how many they are."""
    ordered = np.sort(candidate_owners, kind="stable")
    first = np.searchsorted(ordered, query_owners, side="left")
    count = np.searchsorted(ordered, query_owners, side="right") - first
    if not count.all():
        raise ValueError("a query has no candidate of its own")
    return first.astype(np.int64), count.astype(np.int64)


def _best_own(scores: Vectors, own: Integers, first: Integers, count: Integers) -> tuple[Vectors, Integers]:
    """Return each row's best score of an own candidate, and how many own candidates have it."""
    rows = np.arange(len(scores))
    best = np.full(len(scores), -np.inf, dtype=np.float32)
    for values, some in _own_scores(scores, own, first, count, rows):
        best[some] = np.maximum(best[some], values)
    tied = np.zeros(len(scores), dtype=np.int64)
    for values, some in _own_scores(scores, own, first, count, rows):
        tied[some] += values == best[some]
    return best, tied


def _own_scores(
    scores: Vectors, own: Integers, first: Integers, count: Integers, rows: Integers
) -> Iterator[tuple[Vectors, Integers]]:
    """Yield the scores of every row's first own candidate, then of its second where it has one, and so on."""
    for i in range(int(count.max(initial=0))):
        some = rows[count > i]
        yield scores[some, own[first[some] + i]], some
