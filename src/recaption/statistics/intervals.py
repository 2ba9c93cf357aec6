"""Shares with their intervals, and the exact sign test. Pure numbers: nothing here knows what was counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from recaption.statistics.tails import binomial_cdf

__all__ = ["CONFIDENCE", "Interval", "clopper_pearson", "sign_test", "wilson"]

CONFIDENCE: Final = 0.95
"""Of every interval, where nothing else is said."""
_BISECTIONS: Final = 60
"""Halvings of [0, 1]: more than a float can tell apart."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies, with the confidence asked for."""

    low: float
    high: float


def wilson(successes: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return Wilson's score interval of a share (Wilson 1927); [0, 1] where nothing was counted.

    Args:
        successes: In [0, n]; a half for a tie is fine.
    """
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def clopper_pearson(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the exact interval of a share (Clopper & Pearson 1934): it covers at least as often as it says."""
    if n == 0:
        return Interval(0.0, 1.0)
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _root(lambda p: 1 - binomial_cdf(successes - 1, n, p) < tail)
    high = 1.0 if successes == n else _root(lambda p: binomial_cdf(successes, n, p) > tail)
    return Interval(low, high)


def sign_test(wins: int, losses: int) -> float:
    """Return the two-sided exact p-value of so many wins against losses, were both as likely; ties do not count."""
    n = wins + losses
    return min(1.0, 2 * binomial_cdf(min(wins, losses), n, 0.5)) if n else 1.0


def _root(below: Callable[[float], bool]) -> float:
    """Return where `below`, true up to some share and false after it, changes."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2
