"""Krippendorff's alpha: agreement of any number of raters, who need not have rated all, on four kinds of scale."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Final, Literal, TypeAlias

import numpy as np

from recaption.statistics.estimates import MOST_NUMBERS, RESAMPLES, Estimate, Floats, divided, estimate

__all__ = ["Level", "Ratings", "krippendorff_alpha"]

Ratings: TypeAlias = "Sequence[Sequence[Hashable | None]]"
"""One row a unit, one place a rater; None where a rater did not rate it. Rows may differ in length."""
Level: TypeAlias = Literal["nominal", "ordinal", "interval", "ratio"]

_ONE_VALUE: Final = "all ratings are one value, so agreement cannot be told from chance"


def krippendorff_alpha(
    ratings: Ratings, level: Level = "nominal", *, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """Return Krippendorff's alpha (2011), at most 1: 1 is full agreement, 0 chance; .8 is reliable, .667 tentative.

    Units with fewer than two ratings do not count.

    Args:
        level: `nominal`: values differ or do not. `ordinal`: they have an order. `interval`: differences mean
            something. `ratio`: so does zero.

    Raises:
        ValueError: A value of an ordered scale is no finite number, or negative on a ratio scale; or there are too
            many distinct ones.
    """
    units = [kept for row in ratings if len(kept := [value for value in row if value is not None]) > 1]
    if not units:
        return Estimate(value=None, n=0, reason="no unit has two ratings")
    values = _ordered({value for unit in units for value in unit}, level)
    if level == "interval":
        parts, formula = _moments(units), _alpha_of_moments
        return estimate(parts, formula, seed=seed, resamples=resamples, undefined=_ONE_VALUE)
    k = len(values)
    if len(units) * k * (k if level == "ordinal" else 1) > MOST_NUMBERS:
        raise ValueError(f"{k:,} distinct values are too many for the {level} alpha of {len(units):,} units")
    counts = _counts(units, values)
    if level == "ordinal":
        parts = np.hstack([counts, _coincidences(counts)])

        def of_sums(sums: Floats) -> Floats:
            return _alpha_ordinal(sums, k)
    else:
        distance = _distances(values, level)
        parts = np.hstack([counts, _disagreement(counts, distance)])

        def of_sums(sums: Floats) -> Floats:
            expected = np.einsum("...i,...i->...", sums[..., :k] @ distance, sums[..., :k])
            return _alpha(sums[..., :k].sum(axis=-1), sums[..., k], expected)

    return estimate(parts, of_sums, seed=seed, resamples=resamples, undefined=_ONE_VALUE)


def _alpha(n: Floats, observed: Floats, expected: Floats) -> Floats:
    """Return alpha from the number of ratings, and the disagreement summed over pairs that are, and that could be."""
    return 1 - (n - 1) * divided(observed, expected)


def _alpha_ordinal(sums: Floats, k: int) -> Floats:
    """Return alpha of values in order: two are as far apart as there are ratings between their mid-ranks."""
    counts, pairs = sums[..., :k], sums[..., k:].reshape(*sums.shape[:-1], k, k)
    ranks = np.cumsum(counts, axis=-1) - counts / 2
    distance = (ranks[..., :, None] - ranks[..., None, :]) ** 2
    expected = np.einsum("...i,...ij,...j->...", counts, distance, counts)
    return _alpha(counts.sum(axis=-1), (pairs * distance).sum(axis=(-2, -1)), expected)


def _moments(units: Sequence[Sequence[Hashable]]) -> Floats:
    """Return each unit's number of ratings, their sum, sum of squares and disagreement, shape (units, 4).

    Squared differences need no more; so there may be as many distinct values as there are ratings.
    """
    rows = [np.array(unit, dtype=np.float64) for unit in units]
    every = np.concatenate(rows)
    middle = every.mean()
    scale = np.abs(every - middle).max() or 1.0  # lest sums of squares of large numbers lose their last digits
    parts = np.empty((len(rows), 4))
    for part, row in zip(parts, rows, strict=True):
        x = (row - middle) / scale
        part[:] = len(x), x.sum(), (x * x).sum(), 2 * ((x - x.mean()) ** 2).sum() * len(x) / (len(x) - 1)
    return parts


def _alpha_of_moments(sums: Floats) -> Floats:
    n, total, squares, observed = (sums[..., i] for i in range(4))
    variance = squares / n - (total / n) ** 2
    return 1 - (n - 1) / n * divided(observed / n, 2 * variance)


def _counts(units: Sequence[Sequence[Hashable]], values: Sequence[Hashable]) -> Floats:
    place = {value: i for i, value in enumerate(values)}
    counts = np.zeros((len(units), len(values)))
    for row, unit in zip(counts, units, strict=True):
        for value in unit:
            row[place[value]] += 1
    return counts


def _coincidences(counts: Floats) -> Floats:
    """Return each unit's matrix of coincidences, flat: ordered pairs of its ratings over one less than it has."""
    k = counts.shape[1]
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, np.arange(k), np.arange(k)] -= counts
    found: Floats = (pairs / (counts.sum(axis=1) - 1)[:, None, None]).reshape(len(counts), k * k)
    return found


def _disagreement(counts: Floats, distance: Floats) -> Floats:
    """Return each unit's part of the observed disagreement, shape (units, 1)."""
    found: Floats = ((counts @ distance) * counts).sum(axis=1) / (counts.sum(axis=1) - 1)
    return found[:, None]


def _distances(values: Sequence[Hashable], level: Level) -> Floats:
    if level == "nominal":
        return 1 - np.eye(len(values))
    v = np.array(values, dtype=np.float64)
    share: Floats = divided(v[:, None] - v[None, :], v[:, None] + v[None, :], where_zero=0.0) ** 2
    return share


def _ordered(values: set[Hashable], level: Level) -> list[Hashable]:
    """Return values in order, having seen that they are what a level needs."""
    if level == "nominal":
        return sorted(values, key=repr)
    numbers: list[float] = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{level} ratings must be finite numbers, not {value!r:.60}")
        if level == "ratio" and value < 0:
            raise ValueError(f"ratings on a ratio scale must not be negative: {value!r}")
        numbers.append(value)
    return [*sorted(numbers)]
