"""The paired bootstrap over items (Efron & Tibshirani 1993), for any figure that is a formula of sums over items.

A mean is the ratio of two sums; corpus BLEU is a formula of ten. So a resample is a vector of how often each item was
drawn, and one matrix product gives the sums of all figures at once: every figure, and both sides of every comparison,
sees the same resamples.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.statistics.intervals import CONFIDENCE, Interval

__all__ = ["FEWEST_RESAMPLES", "percentile_interval", "resampled_sums", "resamples_for"]

Floats = NDArray[np.float64]

MOST_RESAMPLES: Final = 10_000
FEWEST_RESAMPLES: Final = 1_000
_DRAWS: Final = 100_000_000
"""Draws of items in all, at about 30 million a second: what keeps a large sample's interval to seconds."""
_DRAWS_AT_ONCE: Final = 4_000_000
"""Draws held in memory at a time, 8 bytes each, twice."""


def resamples_for(n: int) -> int:
    """Return how many resamples to draw of n items: 10,000 up to 10,000 items, then fewer, 1,000 at least."""
    return max(FEWEST_RESAMPLES, min(MOST_RESAMPLES, _DRAWS // max(1, n)))


def resampled_sums(parts: Floats, *, seed: int, resamples: int | None = None) -> Floats:
    """Return the sums over resampled items, shape (resamples, k).

    Args:
        parts: What each item adds to each sum, shape (items, k).
        seed: Equal seeds and equal numbers of items give equal resamples.
    """
    n, k = parts.shape
    count = resamples_for(n) if resamples is None else resamples
    if n == 0 or k == 0:
        return np.zeros((count, k))
    rng = np.random.default_rng(seed)
    sums = np.empty((count, k))
    step = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, count, step):
        rows = min(step, count - start)
        drawn = rng.integers(n, size=(rows, n))
        drawn += np.arange(rows)[:, None] * n  # each row its own range, so that one count serves all
        weights = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        sums[start : start + rows] = weights.astype(np.float64) @ parts
    return sums


def percentile_interval(values: Floats, confidence: float = CONFIDENCE) -> Interval | None:
    """Return the percentile interval of a figure's resampled values; those that are undefined (NaN) do not count.

    None where fewer than half are defined: the figure hangs on a handful of items.
    """
    defined = values[~np.isnan(values)]
    if len(defined) * 2 < len(values) or not len(defined):
        return None
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(defined, (tail, 100 - tail))
    return Interval(float(low), float(high))
