"""Which items to look at: the largest changes for better and worse, and some at random, lest extremes mislead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from recaption.evaluation.comparison import item_values, paired_values
from recaption.evaluation.measures import Additive
from recaption.evaluation.result import Example
from recaption.evaluation.subject import Subject

__all__ = ["examples"]

_OF_A_KIND: Final = 8
_MOST_VALUES: Final = 8


def examples(figures: Sequence[Additive], subject: Subject) -> list[Example]:
    """Return up to 8 items that gained most, 8 that lost most and 8 at random, without thumbnails.

    Gain and loss are of the first figure that differs from item to item and has a direction; the random ones are
    drawn from all items, whatever was measured.
    """
    column = subject.columns[-1]
    shown = [f for f in figures if f.about.plot or f.about.primary][:_MOST_VALUES]
    judged = next((f for f in figures if f.about.plot and f.about.better is not None), None)
    found: list[Example] = []
    if judged is not None:
        where, before, after = paired_values(judged, column, subject)
        gain = (after - before) * (1 if judged.about.better == "higher" else -1)
        order = np.argsort(gain, kind="stable")
        best = [int(where[i]) for i in order[::-1][:_OF_A_KIND] if gain[i] > 0]
        worst = [int(where[i]) for i in order[:_OF_A_KIND] if gain[i] < 0]
        found += [_example("best", judged.about.name, i, shown, subject) for i in best]
        found += [_example("worst", judged.about.name, i, shown, subject) for i in worst]
    drawn = np.random.default_rng(subject.seed).permutation(len(subject))[:_OF_A_KIND]
    return found + [_example("random", None, int(i), shown, subject) for i in sorted(drawn)]


def _example(kind: str, measure: str | None, i: int, shown: Sequence[Additive], subject: Subject) -> Example:
    item = subject.items[i]
    values = {}
    for figure in shown:
        own = {c: float(v) for c in figure.parts if not np.isnan(v := item_values(figure, c)[i])}
        if own:
            values[figure.about.name] = own
    texts = dict(zip(subject.columns, item.texts, strict=True))
    return Example(kind=kind, measure=measure, key=item.key, texts=texts, values=values)
