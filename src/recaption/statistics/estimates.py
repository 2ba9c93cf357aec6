"""Coefficients that are formulas of sums over units, each with its bootstrap interval or a reason for having none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recaption.statistics.bootstrap import percentile_interval, resampled_sums

__all__ = ["MOST_NUMBERS", "RESAMPLES", "Estimate", "divided", "estimate"]

Floats: TypeAlias = NDArray[np.float64]

RESAMPLES: Final = 2_000
MOST_NUMBERS: Final = 30_000_000
"""In the matrix that is resampled; beyond it there is a value and no interval."""
_ZERO: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A coefficient with the ends of its 95 % bootstrap interval over units."""

    value: float | None
    n: int
    """Units behind it."""
    low: float | None = None
    high: float | None = None
    reason: str = ""
    """Why there is no value, or no interval."""


def estimate(
    parts: Floats,
    formula: Callable[[Floats], Floats],
    *,
    seed: int,
    undefined: str,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Return a formula of sums over units, and its interval over resampled units.

    Args:
        parts: What each unit adds to each sum, shape (units, k).
        formula: Turns sums (..., k) into values (...), NaN where undefined.
        undefined: The reason to give where the value is undefined.
    """
    n = len(parts)
    value = float(formula(parts.sum(axis=0))) if n else math.nan
    if math.isnan(value):
        return Estimate(value=None, n=n, reason=undefined)
    if parts.size > MOST_NUMBERS:
        return Estimate(value=value, n=n, reason="too many units and values to resample")
    interval = percentile_interval(formula(resampled_sums(parts, seed=seed, resamples=resamples)))
    if interval is None:
        return Estimate(value=value, n=n, reason="undefined on most resamples: it hangs on a handful of units")
    return Estimate(value=value, n=n, low=interval.low, high=interval.high)


def divided(top: Floats, bottom: Floats, where_zero: float = np.nan) -> Floats:
    """Return a quotient, and `where_zero` where the divisor is (all but) 0."""
    shape = np.broadcast_shapes(np.shape(top), np.shape(bottom))
    there = np.abs(np.broadcast_to(bottom, shape)) > _ZERO
    result: Floats = np.divide(top, bottom, out=np.full(shape, where_zero), where=there)
    return result
