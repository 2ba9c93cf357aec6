"""How a sample of given size is spread over strata, and how a score is cut into bins that can be strata."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

__all__ = ["allocate", "score_edges"]

K = TypeVar("K", bound=Hashable)


def allocate(sizes: Mapping[K, int], total: int, least: int) -> dict[K, int]:
    """Return how many of each stratum to draw: in proportion to its size, but `least` or all of it at any rate.

    The sum is `total`, or all items, or more where `least` of every stratum comes to more; what is left over by
    rounding goes to the largest remainders, the first stratum first among equals.
    """
    floors = {key: min(least, size) for key, size in sizes.items()}
    fixed: dict[K, int] = {}
    while True:
        open_sizes = {key: size for key, size in sizes.items() if key not in fixed}
        left, whole = total - sum(fixed.values()), sum(open_sizes.values())
        wanted = {key: left * size / whole for key, size in open_sizes.items()} if whole else {}
        short = {key: floors[key] for key, part in wanted.items() if part < floors[key]}
        if not short:
            return {key: fixed.get(key, 0) for key in sizes} | _rounded(wanted, left, open_sizes)
        fixed |= short


def _rounded(wanted: Mapping[K, float], left: int, sizes: Mapping[K, int]) -> dict[K, int]:
    if left >= sum(sizes.values()):
        return dict(sizes)
    found = {key: math.floor(part) for key, part in wanted.items()}
    by_remainder = sorted(wanted, key=lambda key: found[key] - wanted[key])  # sort is stable
    for key in by_remainder[: max(0, left - sum(found.values()))]:
        found[key] += 1
    return found


def score_edges(values: Sequence[float], bins: int = 4) -> tuple[float, ...]:
    """Return the inner edges of bins that hold about equally many values; fewer where many values are equal.

    A bin holds its lower edge, and none is empty: `bisect_right(edges, value)` is the place of a value's bin.

    Args:
        values: Finite scores: all, or a sample of them.

    Raises:
        ValueError: Fewer than two bins, or a value that is not finite.
    """
    if bins < 2:
        raise ValueError(f"two bins or more, not {bins}")
    if not len(values):
        return ()
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("scores must be finite; leave out those that are missing")
    # Edges are values that occur, so that what is printed is what was cut by.
    edges = np.quantile(array, [i / bins for i in range(1, bins)], method="higher")
    return tuple(sorted({float(edge) for edge in edges if edge > array.min()}))
