"""Does a score tell two kinds of items apart? The area under the ROC curve with an interval, and where to cut."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recaption.statistics.intervals import CONFIDENCE, Interval, wilson

__all__ = ["Auc", "Cut", "Side", "auc", "cut_at_recall", "cut_by_youden"]

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Side: TypeAlias = Literal["above", "below"]
"""On which side of a threshold, itself included, an item is flagged."""

_BISECTIONS: Final = 60
_CLOSE: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Auc:
    """How well a score tells positives from negatives: .5 not at all, 1 and 0 without fail."""

    value: float | None
    """Chance that a positive has a higher score than a negative; equal scores are half a chance."""
    low: float | None = None
    high: float | None = None
    positives: int
    negatives: int
    reason: str = ""
    """Why there is no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A threshold, and what it does to the items that it was chosen on; on new ones it will do a little worse."""

    threshold: float
    side: Side
    recall: float
    """Share of positives that are flagged."""
    recall_interval: Interval
    """Wilson's."""
    false_alarms: float
    """Share of negatives that are flagged."""
    flagged: float
    """Share of all that are flagged."""
    precision: float
    """Share of positives among what is flagged."""


def auc(
    scores: Floats, positive: Bools, weights: Floats | None = None, *, confidence: float = CONFIDENCE
) -> Auc:
    """Return the area under the ROC curve by ranks, ties counted half (Mann & Whitney), with its interval.

    The interval is Newcombe's fifth (2006, part 2), a score interval of the variance of Hanley and McNeil: it has
    width where the classes are wholly apart, which DeLong's and the bootstrap's have not. Many ties make it wider
    than it need be.

    Args:
        scores: Finite, shape (n,).
        positive: Which kind an item is, shape (n,).
        weights: How many items of the whole each stands for, above 0; all alike if left out. The interval is then of
            as many items as equal weights would need for such a variance (Kish 1965).

    Raises:
        ValueError: A score or a weight that cannot be, or shapes that differ.
    """
    scores, positive, weights = _checked(scores, positive, weights)
    p, n = int(positive.sum()), int((~positive).sum())
    if not p or not n:
        kind = "positive" if not p else "negative"
        return Auc(value=None, positives=p, negatives=n, reason=f"there is no {kind} item")
    pos, neg, _ = _by_score(scores, positive, weights)
    below = np.cumsum(neg) - neg
    value = float((pos * (below + neg / 2)).sum() / (pos.sum() * neg.sum()))
    value = min(1.0, max(0.0, value))
    found = _newcombe(value, _effective(weights[positive]), _effective(weights[~positive]), confidence)
    return Auc(value=value, low=found.low, high=found.high, positives=p, negatives=n)


def cut_by_youden(
    scores: Floats, positive: Bools, weights: Floats | None = None, *, side: Side = "above"
) -> Cut | None:
    """Return the threshold with most recall less false alarms (Youden 1950), that which flags least among equals.

    None where one kind is missing. Arguments as for `auc`.
    """
    return _cut(scores, positive, weights, side, lambda recall, alarms: _first_best(recall - alarms))


def cut_at_recall(
    scores: Floats,
    positive: Bools,
    weights: Floats | None = None,
    *,
    recall: float,
    side: Side = "above",
) -> Cut | None:
    """Return the threshold that flags least, and yet so large a share of the positives.

    None where one kind is missing. Other arguments as for `auc`.

    Raises:
        ValueError: A recall outside (0, 1].
    """
    if not 0 < recall <= 1:
        raise ValueError(f"a recall is above 0 and at most 1, not {recall}")
    return _cut(scores, positive, weights, side, lambda found, alarms: int(np.argmax(found >= recall - _CLOSE)))


def _cut(
    scores: Floats,
    positive: Bools,
    weights: Floats | None,
    side: Side,
    choose: Callable[[Floats, Floats], int],
) -> Cut | None:
    scores, positive, weights = _checked(scores, positive, weights)
    p = int(positive.sum())
    if not p or p == len(positive):
        return None
    sign = 1.0 if side == "above" else -1.0
    pos, neg, values = _by_score(sign * scores, positive, weights)
    pos, neg, values = np.cumsum(pos[::-1]), np.cumsum(neg[::-1]), values[::-1]
    recall, alarms = pos / pos[-1], neg / neg[-1]
    at = choose(recall, alarms)
    flagged = pos[at] + neg[at]
    return Cut(
        threshold=float(sign * values[at]),
        side=side,
        recall=float(recall[at]),
        recall_interval=wilson(float(recall[at]) * p, p),
        false_alarms=float(alarms[at]),
        flagged=float(flagged / (pos[-1] + neg[-1])),
        precision=float(pos[at] / flagged),
    )


def _first_best(values: Floats) -> int:
    """Return the first place of the maximum, rounding apart."""
    return int(np.argmax(values >= values.max() - _CLOSE))


def _by_score(scores: Floats, positive: Bools, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the weight of positives and of negatives at each distinct score, and the scores, rising."""
    values, place = np.unique(scores, return_inverse=True)
    pos = np.bincount(place, weights=np.where(positive, weights, 0.0), minlength=len(values))
    neg = np.bincount(place, weights=np.where(positive, 0.0, weights), minlength=len(values))
    return pos.astype(np.float64), neg.astype(np.float64), values


def _checked(scores: Floats, positive: Bools, weights: Floats | None) -> tuple[Floats, Bools, Floats]:
    x = np.asarray(scores, dtype=np.float64)
    y = np.asarray(positive, dtype=np.bool_)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or x.shape != w.shape:
        raise ValueError(f"one score, kind and weight an item, not {x.shape}, {y.shape} and {w.shape}")
    if not np.isfinite(x).all() or not (np.isfinite(w) & (w > 0)).all():
        raise ValueError("scores are finite, and weights above 0")
    return x, y, w


def _effective(weights: Floats) -> float:
    return float(weights.sum() ** 2 / (weights**2).sum())


def _newcombe(value: float, m: float, n: float, confidence: float) -> Interval:
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    other = (m + n) / 2 - 1

    def is_far(area: float) -> bool:
        spread = 1 + other * ((1 - area) / (2 - area) + area / (1 + area))
        return abs(value - area) > z * math.sqrt(area * (1 - area) / (m * n) * spread)

    return Interval(_edge(value, 0.0, is_far), _edge(value, 1.0, is_far))


def _edge(near: float, far: float, is_far: Callable[[float], bool]) -> float:
    """Return where `is_far`, false near the one and true near the other, changes."""
    if near == far:
        return far
    for _ in range(_BISECTIONS):
        middle = (near + far) / 2
        near, far = (near, middle) if is_far(middle) else (middle, far)
    return (near + far) / 2
