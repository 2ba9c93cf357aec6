"""How likely it is to find at most so many of a kind: drawn with replacement, and without."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["binomial_cdf", "hypergeometric_cdf"]

Floats = NDArray[np.float64]


def binomial_cdf(k: int, n: int, share: float) -> float:
    """Return the chance of at most k hits in n independent draws that each hit with a chance of `share`."""
    if k < 0:
        return 0.0
    if k >= n or share <= 0.0:
        return 1.0
    if share >= 1.0:
        return 0.0
    hits = np.arange(1, k + 1, dtype=np.float64)
    steps = np.log((n - hits + 1) / hits) + math.log(share) - math.log1p(-share)
    return _summed(n * math.log1p(-share), steps)


def hypergeometric_cdf(k: int, n: int, marked: int, lot: int) -> float:
    """Return the chance of at most k marked ones in a sample of n, drawn without replacement.

    Args:
        marked: How many there are in the lot.
        lot: Size of the lot; n at least.
    """
    fewest, most = max(0, n - (lot - marked)), min(n, marked)
    if k < fewest:
        return 0.0
    if k >= most:
        return 1.0
    first = _log_choose(marked, fewest) + _log_choose(lot - marked, n - fewest) - _log_choose(lot, n)
    i = np.arange(fewest, k, dtype=np.float64)
    steps = np.log((marked - i) * (n - i) / ((i + 1) * (lot - marked - n + i + 1)))
    return _summed(first, steps)


def _summed(first: float, steps: Floats) -> float:
    """Return the sum of chances whose logarithms begin with `first` and differ by `steps`."""
    logs = np.concatenate([[first], first + np.cumsum(steps)])
    return min(1.0, float(np.exp(logs).sum()))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
