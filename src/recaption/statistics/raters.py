"""How far raters agree beyond chance: Cohen, Fleiss, Gwet; and how often each value is given at all.

Every coefficient is a formula of sums over rated units, so one matrix product resamples it (see `bootstrap`). None
says enough alone: where nearly all ratings are one value, raters may agree on 92 % of the units and have a kappa of
.29. Print agreement, prevalence and AC1 beside it. Krippendorff's alpha has a module of its own.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from recaption.statistics.estimates import RESAMPLES, Estimate, Floats, divided, estimate
from recaption.statistics.krippendorff import Ratings

__all__ = [
    "Agreement",
    "Weights",
    "agreement_by_key",
    "cohen_kappa",
    "cohen_kappa_of_table",
    "fleiss_kappa",
    "gwet_ac1",
    "percent_agreement",
    "prevalence",
]

Weights: TypeAlias = Literal["none", "linear", "quadratic"]

_ONE_VALUE: Final = "all ratings are one value, so agreement cannot be told from chance"
_NOBODY: Final = "no unit has two ratings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How two raters agree on the units that both have rated, each figure of which needs the others."""

    n: int
    agreement: Estimate
    kappa: Estimate
    ac1: Estimate
    prevalence: Mapping[Hashable, Estimate]
    """Share of each value in the ratings of both."""


def cohen_kappa(
    pairs: Sequence[tuple[Hashable, Hashable]],
    *,
    weights: Weights = "none",
    categories: Sequence[Hashable] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Return Cohen's kappa (1960) of two raters, or the weighted one (1968), in [-1, 1].

    Args:
        pairs: What the one and the other said of each unit.
        weights: For values in order: how a disagreement grows with the places between two values.
        categories: All values in their order; needed with weights unless they sort as they should.
    """
    known = _categories([value for pair in pairs for value in pair], categories)
    k = len(known)
    cells = np.zeros((len(pairs), k * k))
    for unit, (one, other) in enumerate(pairs):
        cells[unit, known[one] * k + known[other]] = 1.0

    def formula(sums: Floats) -> Floats:
        return _kappa(sums.reshape(*sums.shape[:-1], k, k), weights)

    return estimate(cells, formula, seed=seed, resamples=resamples, undefined=_ONE_VALUE if pairs else _NOBODY)


def cohen_kappa_of_table(table: Sequence[Sequence[float]] | Floats, weights: Weights = "none") -> float | None:
    """Return kappa of a square table of counts, first rater by row; None where both always say the same one value."""
    value = float(_kappa(np.asarray(table, dtype=np.float64), weights))
    return None if math.isnan(value) else value


def fleiss_kappa(counts: Sequence[Sequence[int]], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Return Fleiss' kappa (1971) of units that were all rated equally often, by whomever.

    Args:
        counts: How many ratings of each value a unit got, shape (units, values).

    Raises:
        ValueError: Units differ in their number of ratings, or have fewer than two.
    """
    if not counts:
        return Estimate(value=None, n=0, reason=_NOBODY)
    table = np.asarray(counts, dtype=np.float64)
    raters = table.sum(axis=1)
    if raters.min() != raters.max() or raters[0] < 2:
        raise ValueError("every unit needs the same number of ratings, two at least; use Krippendorff's alpha")
    m = float(raters[0])
    within = (table * (table - 1)).sum(axis=1, keepdims=True) / (m * (m - 1))
    parts = np.hstack([np.ones((len(table), 1)), within, table / m])

    def formula(sums: Floats) -> Floats:
        n = sums[..., :1]
        shares = divided(sums[..., 2:], n)
        return _beyond(divided(sums[..., 1], n[..., 0]), (shares**2).sum(axis=-1))

    return estimate(parts, formula, seed=seed, resamples=resamples, undefined=_ONE_VALUE)


def percent_agreement(ratings: Ratings, *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Return the share of pairs of ratings of a unit that are equal, averaged over units, in [0, 1]."""
    agreeing = [share for row in ratings if (share := _agreeing(row)) is not None]
    parts = np.array([[share, 1.0] for share in agreeing]).reshape(-1, 2)
    return estimate(parts, _mean, seed=seed, resamples=resamples, undefined=_NOBODY)


def prevalence(ratings: Ratings, *, seed: int = 0, resamples: int = RESAMPLES) -> dict[Hashable, Estimate]:
    """Return the share of every value among all ratings, in [0, 1]; most frequent first."""
    known = _categories([value for row in ratings for value in row if value is not None], None)
    counts = _counts(ratings, known)
    total = counts.sum(axis=1, keepdims=True)
    found = {
        value: estimate(
            np.hstack([counts[:, [i]], total]), _mean, seed=seed, resamples=resamples, undefined=_NOBODY
        )
        for value, i in known.items()
    }
    return dict(sorted(found.items(), key=lambda entry: -(entry[1].value or 0.0)))


def gwet_ac1(
    ratings: Ratings,
    *,
    categories: Sequence[Hashable] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Return Gwet's AC1 (2008), which stays near the agreement where nearly all ratings are one value.

    Args:
        categories: All values that could be given; those that were, if left out.
    """
    known = _categories([value for row in ratings for value in row if value is not None], categories)
    rows = [row for row in ratings if any(value is not None for value in row)]
    counts = _counts(rows, known)
    agreeing = np.array([_agreeing(row) if _agreeing(row) is not None else np.nan for row in rows], dtype=float)
    paired = ~np.isnan(agreeing)
    parts = np.column_stack(
        [
            np.where(paired, agreeing, 0.0),
            paired.astype(float),
            np.ones(len(rows)),
            counts / np.maximum(counts.sum(axis=1, keepdims=True), 1),
        ]
    )
    k = len(known)

    def formula(sums: Floats) -> Floats:
        shares = divided(sums[..., 3:], sums[..., 2:3])
        chance = (shares * (1 - shares)).sum(axis=-1) / (k - 1) if k > 1 else np.full(sums.shape[:-1], np.nan)
        return _beyond(divided(sums[..., 0], sums[..., 1]), chance)

    return estimate(
        parts, formula, seed=seed, resamples=resamples, undefined=_ONE_VALUE if paired.any() else _NOBODY
    )


def agreement_by_key(
    one: Mapping[str, Hashable],
    other: Mapping[str, Hashable],
    *,
    weights: Weights = "none",
    categories: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Agreement:
    """Return how two raters agree on the units both have rated, by key: a judge and a person, say."""
    keys = [key for key in one if key in other]
    pairs = [(one[key], other[key]) for key in keys]
    return Agreement(
        n=len(keys),
        agreement=percent_agreement(pairs, seed=seed),
        kappa=cohen_kappa(pairs, weights=weights, categories=categories, seed=seed),
        ac1=gwet_ac1(pairs, categories=categories, seed=seed),
        prevalence=prevalence(pairs, seed=seed),
    )


def _mean(sums: Floats) -> Floats:
    return divided(sums[..., 0], sums[..., 1])


def _kappa(table: Floats, weights: Weights) -> Floats:
    k = table.shape[-1]
    places = np.arange(k, dtype=np.float64)
    apart = np.abs(places[:, None] - places[None, :])
    penalty = {"none": (apart > 0).astype(np.float64), "linear": apart, "quadratic": apart**2}[weights]
    n = table.sum(axis=(-2, -1))
    rows, columns = table.sum(axis=-1), table.sum(axis=-2)
    expected = np.einsum("...i,ij,...j->...", rows, penalty, columns)
    observed = (table * penalty).sum(axis=(-2, -1)) * n
    return 1 - divided(observed, expected)


def _categories(given: Sequence[Hashable], stated: Sequence[Hashable] | None) -> dict[Hashable, int]:
    """Return the place of every value: as stated, else in their own order, else in that of how they are written."""
    if stated is not None:
        places = {value: i for i, value in enumerate(stated)}
        strangers = [value for value in given if value not in places]
        if strangers:
            raise ValueError(f"{strangers[0]!r:.60} is none of the categories stated")
        return places
    distinct = list(set(given))
    numbers = [value for value in distinct if isinstance(value, int | float)]
    ordered: list[Hashable] = (
        [*sorted(numbers)] if len(numbers) == len(distinct) else sorted(distinct, key=repr)
    )
    return {value: i for i, value in enumerate(ordered)}


def _counts(ratings: Ratings, known: Mapping[Hashable, int]) -> Floats:
    counts = np.zeros((len(ratings), len(known)))
    for row, unit in zip(counts, ratings, strict=True):
        for value in unit:
            if value is not None:
                row[known[value]] += 1
    return counts


def _agreeing(row: Sequence[Hashable | None]) -> float | None:
    """Return the share of equal pairs in a unit's ratings; None where there is no pair."""
    given = [value for value in row if value is not None]
    pairs = len(given) * (len(given) - 1)
    if not pairs:
        return None
    return sum(given.count(value) - 1 for value in given) / pairs


def _beyond(observed: Floats, chance: Floats) -> Floats:
    """Return agreement beyond chance over what there could be; NaN where chance explains all."""
    return 1 - divided(1 - observed, 1 - chance)
