"""Columns against the baseline, paired by item: values, differences, intervals, wins. Pure: results in, rows out.

All figures see the same resamples of items. What an item adds to a figure is a few numbers, so that one matrix holds
what all figures of all columns need, each distinct vector once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.core.digests import digest_bytes
from recaption.evaluation.measures import Additive, Floats, Result, Value, Whole
from recaption.evaluation.result import Effect, Row
from recaption.evaluation.subject import Subject
from recaption.statistics.bootstrap import FEWEST_RESAMPLES, percentile_interval, resampled_sums
from recaption.statistics.intervals import sign_test

__all__ = ["compared", "effects_within", "item_values", "paired_values"]

Mask = NDArray[np.bool_]

_FEWEST: Final = 20
"""Items below which a percentile interval is far too narrow: of ten, one in eleven null effects would seem clear."""
_NO_DIFFERENCE: Final = 1e-12
"""Differences of two sums that should be equal come out as small as this."""


def compared(results: Iterable[Result], subject: Subject, *, resamples: int | None = None) -> list[Row]:
    """Return one row for every figure, in order.

    Args:
        resamples: Of the bootstrap; None for as many as a headline needs.
    """
    figures = [r for r in results if isinstance(r, Additive | Whole)]
    store = _Store(len(subject))
    plans = [_plan(f, subject, store) if isinstance(f, Additive) else None for f in figures]
    sums = store.resampled(subject.seed, resamples)
    return [
        _whole_row(figure, subject.columns)
        if isinstance(figure, Whole)
        else _row(figure, plan, store, sums, subject)
        for figure, plan in zip(figures, plans, strict=True)
        if isinstance(figure, Whole) or plan is not None
    ]


def item_values(figure: Additive, column: str) -> Floats:
    """Return every item's own value in a column, shape (items,); NaN where it has none."""
    return figure.formula(figure.parts[column])


def paired_values(figure: Additive, column: str, subject: Subject) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return the items on which the baseline and a column have a value each, and the two values."""
    before, after = item_values(figure, subject.columns[0]), item_values(figure, column)
    both = np.flatnonzero(~np.isnan(before) & ~np.isnan(after))
    return both, before[both], after[both]


def effects_within(
    figures: Sequence[Additive], subject: Subject, inside: Mask, seed: int
) -> list[Mapping[str, Effect]]:
    """Return every figure's effects over some of the items only, with intervals from fewer resamples."""
    chosen = np.flatnonzero(inside)
    part = replace(subject, items=tuple(subject.items[i] for i in chosen), seed=seed)
    cut = [
        replace(figure, parts={column: parts[chosen] for column, parts in figure.parts.items()})
        for figure in figures
    ]
    return [row.effects for row in compared(cut, part, resamples=FEWEST_RESAMPLES)]


class _Store:
    """Distinct vectors of what each item adds, and the sums over resamples of all of them."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._vectors: list[Floats] = []
        self._known: dict[str, int] = {}

    def places(self, parts: Floats) -> list[int]:
        """Return where the columns of (items, k) stand, adding those that are new."""
        return [self._place(np.ascontiguousarray(parts[:, i])) for i in range(parts.shape[1])]

    def resampled(self, seed: int, resamples: int | None) -> Floats:
        stacked = np.stack(self._vectors, axis=1) if self._vectors else np.zeros((self._n, 0))
        return resampled_sums(stacked, seed=seed, resamples=resamples)

    def total(self, places: Sequence[int]) -> Floats:
        return np.array([self._vectors[i].sum() for i in places])

    def _place(self, vector: Floats) -> int:
        digest = digest_bytes(vector.tobytes())
        if digest not in self._known:
            self._known[digest] = len(self._vectors)
            self._vectors.append(vector)
        return self._known[digest]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the sums of one figure stand: of each column on its own, and of each pair over the items of both."""

    alone: Mapping[str, list[int]]
    counts: Mapping[str, int]
    pairs: Mapping[str, tuple[list[int], list[int]]] = field(default_factory=dict)
    shared: Mapping[str, int] = field(default_factory=dict)


def _plan(figure: Additive, subject: Subject, store: _Store) -> _Plan:
    baseline = subject.columns[0]
    known = {column: _counting(figure, column, subject) for column in figure.parts}
    alone = {column: store.places(parts) for column, parts in figure.parts.items()}
    pairs, shared = {}, {}
    for column in figure.parts:
        if column == baseline or baseline not in figure.parts:
            continue
        both = known[baseline] & known[column]
        pairs[column] = (
            store.places(figure.parts[baseline] * both[:, None]),
            store.places(figure.parts[column] * both[:, None]),
        )
        shared[column] = int(both.sum())
    return _Plan(alone, {c: int(k.sum()) for c, k in known.items()}, pairs, shared)


def _counting(figure: Additive, column: str, subject: Subject) -> Mask:
    """Return the items that count in a column: with a value, or, for pooled figures, with a text."""
    if figure.pooled:
        return np.array([bool(texts) for texts in subject.texts(column)], dtype=np.bool_)
    return ~np.isnan(item_values(figure, column))


def _row(figure: Additive, plan: _Plan | None, store: _Store, sums: Floats, subject: Subject) -> Row:
    assert plan is not None  # noqa: S101 - by construction
    values, effects = {}, {}
    for column, places in plan.alone.items():
        value = _number(figure.formula(store.total(places)))
        enough = value is not None and plan.counts[column] >= _FEWEST
        interval = percentile_interval(figure.formula(sums[:, places])) if enough else None
        values[column] = Value(
            value=value,
            n=plan.counts[column],
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            reason="" if value is not None else "no item has a value",
        )
    for column, (before, after) in plan.pairs.items():
        effects[column] = _effect(figure, column, before, after, store, sums, subject, plan.shared[column])
    return Row(about=figure.about, values=values, effects=effects)


def _effect(
    figure: Additive,
    column: str,
    before: list[int],
    after: list[int],
    store: _Store,
    sums: Floats,
    subject: Subject,
    n: int,
) -> Effect:
    old, new = _number(figure.formula(store.total(before))), _number(figure.formula(store.total(after)))
    if old is None or new is None:
        return Effect(delta=None, n=n)
    drawn = figure.formula(sums[:, after]) - figure.formula(sums[:, before])
    interval = percentile_interval(drawn) if n >= _FEWEST else None
    _, first, second = paired_values(figure, column, subject)
    change = second - first if figure.about.better != "lower" else first - second
    wins, losses = int((change > _NO_DIFFERENCE).sum()), int((change < -_NO_DIFFERENCE).sum())
    return Effect(
        delta=new - old,
        before=old,
        after=new,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        n=n,
        wins=wins,
        ties=len(change) - wins - losses,
        losses=losses,
        p_value=sign_test(wins, losses),
    )


def _whole_row(figure: Whole, columns: Sequence[str]) -> Row:
    first = figure.values.get(columns[0])
    effects = {
        column: Effect(
            delta=value.value - first.value,
            before=first.value,
            after=value.value,
            n=min(value.n, first.n),
        )
        for column, value in figure.values.items()
        if column != columns[0] and first is not None and first.value is not None and value.value is not None
    }
    return Row(about=figure.about, values=dict(figure.values), effects=effects)


def _number(value: Floats) -> float | None:
    number = float(value)
    return None if np.isnan(number) else number
