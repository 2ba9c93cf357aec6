"""How many items to look at: for a share within a margin, and for showing by none found that few have a defect."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

from recaption.statistics.intervals import CONFIDENCE
from recaption.statistics.tails import hypergeometric_cdf

__all__ = ["CORRECT_ABOVE", "sample_size", "zero_defect_size"]

CORRECT_ABOVE: Final = 0.05
"""A sample that is a larger part of its population is corrected for being drawn without replacement."""


def sample_size(
    margin: float, *, share: float = 0.5, confidence: float = CONFIDENCE, population: int | None = None
) -> int:
    """Return how many items say a share within ± `margin`: 385 for 0.05, whatever the share is.

    Args:
        margin: Half the interval's width, in (0, 1).
        share: What it is expected to be; a half needs most.
        population: How many items there are. Where the sample would be more than 5 % of them, fewer will do.

    Raises:
        ValueError: A margin or share outside (0, 1), or nobody to sample from.
    """
    if not 0 < margin < 1 or not 0 < share < 1:
        raise ValueError(f"margin and share are between 0 and 1, not {margin} and {share}")
    if population is not None and population < 1:
        raise ValueError(f"there is nothing to sample from: population {population}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    needed = z * z * share * (1 - share) / margin**2
    if population is not None and needed > CORRECT_ABOVE * population:
        needed = needed / (1 + (needed - 1) / population)
    return math.ceil(needed) if population is None else min(population, math.ceil(needed))


def zero_defect_size(share: float, *, confidence: float = CONFIDENCE, lot: int | None = None) -> int:
    """Return how many items, none with a defect, show that less than `share` have one: 299 for 1 %.

    Args:
        lot: How many items there are; fewer will do in a small lot (without replacement).

    Raises:
        ValueError: A share outside (0, 1), or an empty lot.
    """
    if not 0 < share < 1 or (lot is not None and lot < 1):
        raise ValueError(f"a share is between 0 and 1 and a lot not empty, not {share} and {lot}")
    tail = 1 - confidence
    if lot is None:
        return math.ceil(math.log(tail) / math.log1p(-share))
    marked = math.ceil(share * lot)
    low, high = 1, lot
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if hypergeometric_cdf(0, middle, marked, lot) <= tail else (middle + 1, high)
    return low
