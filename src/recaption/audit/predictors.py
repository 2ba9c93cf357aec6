"""Which scores tell in advance what people reject, and where to cut, so that the next run can do it by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from recaption.audit.judgements import Outcome
from recaption.statistics.discrimination import Auc, Cut, Side, auc, cut_at_recall, cut_by_youden
from recaption.statistics.intervals import CONFIDENCE

__all__ = ["Predictor", "predictors"]

FEWEST: Final = 5
"""Items of each kind below which nothing is suggested: a threshold would be that of two or three accidents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """What one score knows of what people reject."""

    name: str
    auc: Auc
    """Chance that a rejected item has a higher score than one that was kept: below .5, low scores are rejected."""
    missing: int
    """Judged items without this score."""
    balanced: Cut | None = None
    """Most recall less false alarms."""
    catching: Cut | None = None
    """The least that must be flagged to catch so many of the rejected as were asked for."""
    reason: str = ""
    """Why nothing is suggested."""


def predictors(
    outcomes: Mapping[str, Outcome],
    weights: Mapping[str, float],
    scores: Mapping[str, Mapping[str, float]],
    *,
    recall: float,
) -> list[Predictor]:
    """Return what each score knows, the best first.

    A threshold is suggested where the score's area differs from chance, at 95 % over all scores together
    (Bonferroni): of twenty that know nothing, one would seem to know something.

    Args:
        outcomes: Of the fair sample, by key.
        weights: How many items of the whole each stands for.
        scores: By name, then by key; finite.
        recall: Share of the rejected that `catching` flags.
    """
    strict = 1 - (1 - CONFIDENCE) / max(1, len(scores))
    found = [
        _predictor(name, values, outcomes, weights, recall, strict) for name, values in sorted(scores.items())
    ]
    return sorted(found, key=lambda p: -abs((0.5 if p.auc.value is None else p.auc.value) - 0.5))


def _predictor(
    name: str,
    values: Mapping[str, float],
    outcomes: Mapping[str, Outcome],
    weights: Mapping[str, float],
    recall: float,
    strict: float,
) -> Predictor:
    keys = [key for key in outcomes if key in values]
    x = np.array([values[key] for key in keys], dtype=np.float64)
    rejected = np.array([outcomes[key] == "reject" for key in keys], dtype=np.bool_)
    w = np.array([weights[key] for key in keys], dtype=np.float64)
    area = auc(x, rejected, w)
    missing = len(outcomes) - len(keys)
    if min(area.positives, area.negatives) < FEWEST:
        few = f"{area.positives} rejected and {area.negatives} kept items have this score; it takes {FEWEST} of each"
        return Predictor(name=name, auc=area, missing=missing, reason=few)
    bounds = auc(x, rejected, w, confidence=strict)
    if bounds.low is None or bounds.high is None or bounds.low <= 0.5 <= bounds.high:
        return Predictor(name=name, auc=area, missing=missing, reason="it may well be chance")
    side: Side = "above" if bounds.low > 0.5 else "below"
    return Predictor(
        name=name,
        auc=area,
        missing=missing,
        balanced=cut_by_youden(x, rejected, w, side=side),
        catching=cut_at_recall(x, rejected, w, recall=recall, side=side),
    )
