"""The effect within subsets: by how much longer the text became, and by the values of subset columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.core.digests import seed_from
from recaption.evaluation.comparison import effects_within
from recaption.evaluation.measures import Additive
from recaption.evaluation.result import Slice
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.tokens import words

__all__ = ["LENGTH_RATIO", "slices"]

LENGTH_RATIO: Final = "length against the baseline"
_RATIOS: Final = (
    (0.0, 0.5, "less than half"),
    (0.5, 0.8, "0.5 to 0.8 times"),
    (0.8, 1.25, "about the same"),
    (1.25, 2.0, "1.25 to 2 times"),
    (2.0, 4.0, "2 to 4 times"),
    (4.0, float("inf"), "4 times or more"),
)
_MOST_VALUES: Final = 12
"""Of a subset column, the most frequent."""
_MOST_MEASURES: Final = 4
_FEWEST_ITEMS: Final = 20
"""A smaller subset says nothing."""


def slices(figures: Sequence[Additive], subject: Subject) -> list[Slice]:
    """Return the effects on the primary measures within every subset."""
    chosen = [figure for figure in figures if figure.about.primary][:_MOST_MEASURES]
    found = []
    for column in subject.columns[1:]:
        for by, value, inside in _subsets(subject, column):
            if inside.sum() < _FEWEST_ITEMS:
                continue
            effects = effects_within(chosen, subject, inside, seed_from(subject.seed, by, value))
            for figure, effect in zip(chosen, (of.get(column) for of in effects), strict=True):
                if effect is not None and effect.delta is not None and effect.n >= _FEWEST_ITEMS:
                    found.append(
                        Slice(by=by, value=value, measure=figure.about.name, column=column, effect=effect)
                    )
    return found


def _subsets(subject: Subject, column: str) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    ratios = _length_ratios(subject, column)
    for low, high, name in _RATIOS:
        yield LENGTH_RATIO, name, (ratios >= low) & (ratios < high)
    for by in sorted({name for item in subject.items for name in item.slices}):
        values = [item.slices.get(by) for item in subject.items]
        for value, _ in Counter(v for v in values if v is not None).most_common(_MOST_VALUES):
            yield by, value, np.array([v == value for v in values], dtype=np.bool_)


def _length_ratios(subject: Subject, column: str) -> NDArray[np.float64]:
    """Return words of the column over words of the baseline; NaN, in no bin, where one has none."""
    before, after = (np.array(_lengths(subject, name)) for name in (subject.columns[0], column))
    ratios: NDArray[np.float64] = np.divide(
        after, before, out=np.full(len(subject), np.nan), where=(before > 0) & (after > 0)
    )
    return ratios


def _lengths(subject: Subject, column: str) -> list[float]:
    """Return the mean number of words of each item's texts; 0 where there is none."""
    return [sum(len(words(t)) for t in texts) / len(texts) if texts else 0.0 for texts in subject.texts(column)]
