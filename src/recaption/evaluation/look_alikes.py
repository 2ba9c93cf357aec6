"""Images to bags of look-alikes: each with its nearest ones, no image in two bags, none with its own copy."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.evaluation.ranks import Integers, Vectors

__all__ = ["NEAR_DUPLICATE", "look_alikes"]

NEAR_DUPLICATE: Final = 0.98
"""Cosine from which two images are taken for copies of one, which no text could tell apart."""
_SEEDS_AT_ONCE: Final = 256
_SCORES_AT_ONCE: Final = 16_000_000
_TRIES: Final = 64
"""Neighbours looked at for each place in a bag; where all are copies of its members, there is no bag."""


def look_alikes(vectors: Vectors, size: int, *, seed: int, cap: float = NEAR_DUPLICATE) -> Integers:
    """Return disjoint bags of rows that are close to each other, shape (bags, size).

    Rows take turns in a seeded order: one that is in no bag yet makes one with the nearest rows that are in none.

    Args:
        vectors: Unit vectors, shape (n, d).
        size: Rows of a bag, 2 at least.
        cap: Two rows of a bag have a cosine below this.
    """
    n = len(vectors)
    free = np.ones(n, dtype=np.bool_)
    waiting = [int(i) for i in np.random.default_rng(seed).permutation(n)]
    waiting.reverse()
    bags: list[list[int]] = []
    while waiting:
        rest = np.flatnonzero(free)
        if len(rest) < size:
            break
        first: list[int] = []
        most = max(1, min(_SEEDS_AT_ONCE, _SCORES_AT_ONCE // len(rest)))
        while waiting and len(first) < most:
            row = waiting.pop()
            if free[row]:
                first.append(row)
        near = vectors[first] @ vectors[rest].T
        for row, cosines in zip(first, near, strict=True):
            bag = _bag(row, cosines, rest, free, vectors, size, cap) if free[row] else None
            if bag is not None:
                free[bag] = False
                bags.append(bag)
    return np.array(bags, dtype=np.int64).reshape(-1, size)


def _bag(
    row: int, cosines: Vectors, rest: Integers, free: NDArray[np.bool_], vectors: Vectors, size: int, cap: float
) -> list[int] | None:
    """Return a row with its nearest free ones; None where there are too few that are no copies."""
    left = np.where(free[rest] & (cosines < cap), cosines, -np.inf)
    bag = [row]
    for _ in range(_TRIES * size):
        if len(bag) == size:
            return bag
        nearest = int(np.argmax(left))
        if left[nearest] == -np.inf:
            return None
        left[nearest] = -np.inf
        mate = int(rest[nearest])
        if float((vectors[bag] @ vectors[mate]).max()) < cap:
            bag.append(mate)
    return bag if len(bag) == size else None
