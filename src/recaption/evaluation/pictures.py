"""What is drawn of the figures: histograms of all columns in common bins, and the baseline against the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from recaption.evaluation.comparison import item_values, paired_values
from recaption.evaluation.measures import Additive
from recaption.evaluation.result import Histogram, Scatter
from recaption.evaluation.subject import Subject

__all__ = ["histograms", "scatters"]

_BINS: Final = 30
_MOST_POINTS: Final = 600
_TAIL: Final = 0.5
"""Percent at either end that is put into the outermost bins, so that one outlier does not flatten the rest."""


def histograms(figures: Sequence[Additive], subject: Subject) -> list[Histogram]:
    """Return a histogram for every figure that is worth one."""
    found = []
    for figure in figures:
        if not figure.about.plot:
            continue
        values = {c: v[~np.isnan(v)] for c in subject.columns if len(v := item_values(figure, c))}
        pooled = np.concatenate(list(values.values())) if values else np.zeros(0)
        if not len(pooled):
            continue
        low, high = np.percentile(pooled, (_TAIL, 100 - _TAIL))
        if low == high:
            continue
        edges = np.linspace(low, high, _BINS + 1)
        counts = {c: np.histogram(np.clip(v, low, high), edges)[0].tolist() for c, v in values.items()}
        found.append(
            Histogram(measure=figure.about.name, title=figure.about.title, edges=edges.tolist(), counts=counts)
        )
    return found


def scatters(figures: Sequence[Additive], subject: Subject) -> list[Scatter]:
    """Return the baseline against every other column, of a seeded sample of items."""
    found = []
    rng = np.random.default_rng(subject.seed)
    for figure in figures:
        for column in subject.columns[1:] if figure.about.plot else ():
            _, before, after = paired_values(figure, column, subject)
            if len(before) < 2:
                continue
            chosen = np.sort(rng.permutation(len(before))[:_MOST_POINTS])
            points = [(float(before[i]), float(after[i])) for i in chosen]
            found.append(
                Scatter(
                    measure=figure.about.name,
                    title=figure.about.title,
                    column=column,
                    points=points,
                )
            )
    return found
