"""The most that Recall@1 can be on data where pictures or texts stand more than once: no model tells copies apart."""

from __future__ import annotations

import numpy as np

from recaption.evaluation.measures import Floats
from recaption.evaluation.ranks import Integers

__all__ = ["best_recall_at_one", "share_with_others"]


def best_recall_at_one(queries: Integers, candidates: Integers, weights: Floats, times: Integers) -> float:
    """Return the highest weighted Recall@1 that any scores can give, ties broken by lot. Exact, and can be reached.

    Equal queries have equal scores, so all of a kind put the same kind of candidate first; and of that, each query
    finds its own with the chance that its own have among all of the kind. So every kind of query does best with the
    one kind of candidate that gives it most, and to tie several kinds gives no more than the best of them.

    Args:
        queries: Kind of the query, for each pair of a query and a candidate of its own, shape (pairs,).
        candidates: Kind of that candidate, likewise.
        weights: Of the query, likewise; they add up to 1 over the queries.
        times: How many candidates of that kind there are in all, likewise.
    """
    if not len(queries):
        return 0.0
    pairs, of = np.unique(np.stack([queries, candidates], axis=1), axis=0, return_inverse=True)
    gains = np.bincount(of.ravel(), weights=weights / times, minlength=len(pairs))
    best = np.zeros(int(pairs[:, 0].max()) + 1)
    np.maximum.at(best, pairs[:, 0], gains)
    return float(best.sum())


def share_with_others(kinds: Integers, owners: Integers) -> Integers:
    """Return, rising, the owners that have a kind which another owner has as well."""
    if not len(kinds):
        return np.zeros(0, dtype=np.int64)
    pairs = np.unique(np.stack([kinds, owners], axis=1), axis=0)
    several = np.bincount(pairs[:, 0])[pairs[:, 0]] > 1
    return np.unique(pairs[several, 1])
