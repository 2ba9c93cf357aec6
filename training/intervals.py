"""Shares and differences with their 95 % intervals."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000


def share(values: Iterable[Any]) -> dict[str, float]:
    """Return the share of true values with its interval."""
    found = [bool(v) for v in values]
    return wilson(sum(found), len(found))


def wilson(right: int, n: int) -> dict[str, float]:
    """Return a share with Wilson's 95 % interval."""
    if not n:
        return {"n": 0}
    z, p = 1.96, right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return {"share": short(p), "low": short(middle - half), "high": short(middle + half), "n": n}


def precision_interval(rows: list[NDArray[np.int64]]) -> dict[str, float]:
    """Return the share of right claims, over all of them; the interval is over scenes."""
    right, decided = np.array(rows).T
    if not decided.sum():
        return {"n": 0}
    draws = _draws(len(rows))
    low, high = np.percentile(right[draws].sum(1) / np.maximum(1, decided[draws].sum(1)), (2.5, 97.5))
    return {
        "share": short(right.sum() / decided.sum()),
        "low": short(low),
        "high": short(high),
        "n": int(decided.sum()),
    }


def gain_interval(after: list[NDArray[np.int64]], before: list[NDArray[np.int64]]) -> dict[str, float]:
    """Return by how much precision rises from one set of captions of the scenes to another."""
    a, b, draws = np.array(after).T, np.array(before).T, _draws(len(after))
    gains = a[0][draws].sum(1) / np.maximum(1, a[1][draws].sum(1)) - b[0][draws].sum(1) / np.maximum(
        1, b[1][draws].sum(1)
    )
    low, high = np.percentile(gains, (2.5, 97.5))
    gain = a[0].sum() / max(1, a[1].sum()) - b[0].sum() / max(1, b[1].sum())
    return {"gain": short(gain), "low": short(low), "high": short(high), "scenes": len(after)}


def _draws(n: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(n, size=(RESAMPLES, n))


def short(value: float) -> float:
    return round(float(value), 4)
