"""Arithmetic on cosines of images and texts: pairs, extremes within a text, CLIPScore, and wrong pairings."""

from __future__ import annotations

from typing import Final

import numpy as np

from recaption.evaluation.measures import Floats
from recaption.evaluation.ranks import Integers, Vectors
from recaption.models.hf.dual_encoder import CLIPSCORE_WEIGHT

__all__ = [
    "best_of_own",
    "clipscore",
    "deranged",
    "greatest_within",
    "least_within",
    "mean_within",
    "paired",
    "ref_clipscore",
]

_ROWS_AT_ONCE: Final = 8192


def paired(left: Vectors, left_rows: Integers, right: Vectors, right_rows: Integers) -> Floats:
    """Return the cosines of pairs of rows of unit vectors, in [-1, 1], shape of `left_rows`.

    Every pair is summed in the same order, so that equal rows have equal cosines. A block is copied at a time.
    """
    found = np.empty(len(left_rows))
    for start in range(0, len(found), _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        found[block] = np.einsum("ij,ij->i", left[left_rows[block]], right[right_rows[block]])
    return np.clip(found, -1.0, 1.0)


def best_of_own(left: Vectors, left_owners: Integers, right: Vectors, right_owners: Integers) -> Floats:
    """Return each left row's best cosine with a right row of its owner, NaN where that has none.

    Args:
        right_owners: Rising.
    """
    first = np.searchsorted(right_owners, left_owners, side="left")
    count = np.searchsorted(right_owners, left_owners, side="right") - first
    best = np.full(len(left_owners), np.nan)
    for i in range(int(count.max(initial=0))):
        some = np.flatnonzero(count > i)
        best[some] = np.fmax(best[some], paired(left, some, right, first[some] + i))
    return best


def mean_within(values: Floats, owners: Integers, alone: Floats) -> Floats:
    """Return the mean of the values that each owner has; one without any keeps its own, `alone`. NaN stays."""
    count = np.bincount(owners, minlength=len(alone))
    total = np.bincount(owners, weights=values, minlength=len(alone))
    return np.where(count > 0, total / np.maximum(count, 1), alone)


def least_within(values: Floats, owners: Integers, alone: Floats) -> Floats:
    """Return the least of the values that each owner has; one without any keeps its own, `alone`. NaN stays."""
    has_values = np.bincount(owners, minlength=len(alone)) > 0
    least = np.where(has_values, np.inf, alone)
    with np.errstate(invalid="ignore"):  # NaN is meant
        np.minimum.at(least, owners, values)
    return least


def greatest_within(values: Floats, owners: Integers, alone: Floats) -> Floats:
    """Return the greatest of the values that each owner has; one without any keeps its own, `alone`. NaN stays."""
    return -least_within(-values, owners, -alone)


def clipscore(cosines: Floats) -> Floats:
    """Return 2.5 max(cosine, 0), in [0, 2.5] (Hessel et al. 2021, arXiv:2104.08718). NaN stays."""
    result: Floats = CLIPSCORE_WEIGHT * np.maximum(cosines, 0.0)
    return result


def ref_clipscore(scores: Floats, references: Floats) -> Floats:
    """Return the harmonic mean of CLIPScore, weight included, and the best cosine with a reference, at least 0.

    0 where both are 0, of which the formula says nothing. In [0, 10/7]. NaN stays.
    """
    best = np.maximum(references, 0.0)
    total = scores + best
    result: Floats = np.divide(2 * scores * best, total, out=np.zeros_like(total), where=total != 0)
    return result


def deranged(items: Integers, seed: int) -> Integers:
    """Return another one of the items for each, a seeded cycle through all; two at least."""
    order = np.random.default_rng(seed).permutation(len(items))
    others = np.empty_like(items)
    others[order] = items[np.roll(order, 1)]
    return others
