"""A share of the whole from samples of its strata, weighted back by their sizes, with an interval.

The interval is that of a simple sample of effective size: of as many items as would have the weighted estimate's
variance; Wilson's for one that covers as often as it says (Kott & Carr 1997), Clopper and Pearson's for one that
covers at least so often (Korn & Graubard 1998). Of one stratum they are the plain ones. The variance within a stratum
is taken of its share drawn a little towards the share of the whole, by two made-up items: a stratum in which all were
accepted, the usual case in an audit, has variance all the same. By simulation (12 designs, 1 to 50 strata of 5 to 300
judged, shares .5 to .999) the Wilson form covers in 94.5 to 98.9 %. Adding up the strata's own limits (MOVER, Zou et
al. 2009) covers in 87 % where there are many small strata, and the percentile bootstrap gives no width where all were
accepted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal, TypeAlias

from recaption.statistics.intervals import CONFIDENCE, Interval, clopper_pearson
from recaption.statistics.sample_size import CORRECT_ABOVE

__all__ = ["Limits", "Stratum", "WeightedShare", "stratum_interval", "weighted_share"]

Limits: TypeAlias = Literal["wilson", "exact"]

_MADE_UP: Final = 2.0
"""Items with the share of the whole that are added to each stratum for its variance, not for its share."""
_ZERO: Final = 1e-12
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Stratum:
    """What was found in one part of the whole."""

    successes: int
    n: int
    """Drawn at random from the stratum and judged."""
    size: int
    """Items in the stratum, n at least."""

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.n <= self.size:
            raise ValueError(f"{self.successes} of {self.n} judged of {self.size} items: counts that cannot be")


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedShare:
    """A share of the whole."""

    value: float | None
    """Of the strata that were looked at; None where none was."""
    low: float
    high: float
    """Of the whole: what was not looked at may be anything."""
    n: int
    covered: float
    """Share of the whole that lies in strata that were looked at."""
    reason: str = ""
    """Why there is no value, or what it leaves out."""


def weighted_share(
    strata: Sequence[Stratum], *, confidence: float = CONFIDENCE, limits: Limits = "wilson"
) -> WeightedShare:
    """Return the share of successes in the whole, and its interval.

    Strata of which more than 5 % was judged count with the part of their variance that sampling without replacement
    leaves: what is known of a finite whole is more than what is known of where it came from.

    Args:
        strata: Together the whole; each with a random sample of its own.
    """
    total = sum(stratum.size for stratum in strata)
    seen = [stratum for stratum in strata if stratum.n]
    size = sum(stratum.size for stratum in seen)
    if not size:
        return WeightedShare(value=None, low=0.0, high=1.0, n=0, covered=0.0, reason="nothing was judged")
    value = min(1.0, math.fsum(s.size / size * s.successes / s.n for s in seen))
    spread, left = _spread(seen, size, value)
    found = _limits(value, 1 / spread, confidence, limits)
    shorter = math.sqrt(left / spread)
    covered = size / total
    missing = len(strata) - len(seen)
    return WeightedShare(
        value=value,
        low=(value - (value - found.low) * shorter) * covered,
        high=(value + (found.high - value) * shorter) * covered + (1 - covered),
        n=sum(stratum.n for stratum in seen),
        covered=covered,
        reason=f"nothing was judged in {missing} of {len(strata)} strata" if covered < 1 else "",
    )


def _spread(seen: Sequence[Stratum], size: int, value: float) -> tuple[float, float]:
    """Return the variance of the estimate over that of one item, and as much of it as sampling a finite whole leaves.

    The first is one over the effective size.
    """
    whole = value * (1 - value)
    lost = (len(seen) - 1) / len(seen)  # degrees of freedom, for estimating a share in each stratum
    spread = left = 0.0
    for s in seen:
        part = (s.size / size) ** 2 / s.n
        if whole > _ZERO:
            smoothed = (s.successes + _MADE_UP * value) / (s.n + _MADE_UP)
            part *= smoothed * (1 - smoothed) / whole * s.n / max(s.n - lost, 0.5)
        spread += part
        left += part * (1 - s.n / s.size if s.n > CORRECT_ABOVE * s.size else 1.0)
    return spread, left


def _limits(value: float, n: float, confidence: float, limits: Limits) -> Interval:
    """Return the interval of a share among n items, which need not be a whole number of them."""
    if limits == "exact":
        # Rounded to the wider side; the mirror image sums the shorter tail.
        if value > 0.5:
            other = _limits(1 - value, n, confidence, limits)
            return Interval(1 - other.high, 1 - other.low)
        items = max(1, math.floor(n + _ZERO))
        low = clopper_pearson(math.floor(value * items + _ROUNDING), items, confidence).low
        return Interval(low, clopper_pearson(math.ceil(value * items - _ROUNDING), items, confidence).high)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def stratum_interval(stratum: Stratum, confidence: float = CONFIDENCE, limits: Limits = "wilson") -> Interval:
    """Return the interval of the share in one stratum, corrected for its finite size; [0, 1] of none judged."""
    found = weighted_share([stratum], confidence=confidence, limits=limits)
    return Interval(found.low, found.high)
