"""What came of it: recall by column, test and training, and every column against the baseline, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.core.types import JsonValue
from recaption.evaluation.downstream.options import RECALL_AT
from recaption.evaluation.downstream.uncertainty import crossed_intervals
from recaption.evaluation.measures import About, Value
from recaption.evaluation.result import Effect
from recaption.evaluation.wording import change, interval, number
from recaption.statistics.intervals import Interval

__all__ = ["MEASURES", "Figure", "Outcome", "Trained", "figures"]

Floats = NDArray[np.float64]

_DIRECTIONS: Final = {"t2i": "text → image", "i2t": "image → text"}
_NOTE: Final = "of a small dual encoder trained on the column; ties by lot"
MEASURES: Final[Mapping[str, About]] = {
    f"recall_at_{k}.{way}": About(
        name=f"downstream.recall_at_{k}.{way}",
        title=f"Recall@{k}, {words}",
        group="retrieval",
        better="higher",
        value_range=(0.0, 1.0),
        unit="share",
        note=_NOTE,
    )
    for way, words in _DIRECTIONS.items()
    for k in RECALL_AT
}
"""By what a training calls them."""
HEADLINE: Final = "recall_at_1.t2i"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What is kept of one training."""

    hits: Mapping[str, Mapping[str, Sequence[float]]]
    """Test to measure to one figure in [0, 1] for each item held out that has a text in the test, in order."""
    loss: float
    """Mean of the last steps."""
    weights: int
    seconds: float
    """What it took, where it ran first."""

    def items_of(self, test: str) -> list[int]:
        """Return how many items each measure of a test has; 0 where it is not there."""
        return [len(self.hits.get(test, {}).get(measure, ())) for measure in MEASURES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measure of one test: every column's mean over trainings, and its difference from the baseline's."""

    test: str
    """Whose texts: a column's own, `references`, or another that all columns share."""
    measure: str
    """Of `MEASURES`."""
    pool: int
    """Items that are told from each other."""
    chance: float
    """What a model that knows nothing reaches on average, with one text an item."""
    values: Mapping[str, Value]
    seeds: Mapping[str, Sequence[float]]
    """Column to one figure for each training."""
    effects: Mapping[str, Effect]
    """Column to difference, the baseline left out; `wins` and `losses` count items, summed over trainings."""
    seed_deltas: Mapping[str, Sequence[float]]
    """Column to the difference of each pair of trainings from one seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Recall of a model trained on each column. `recaption.datasets.typed_json` writes and reads it."""

    columns: Sequence[str]
    """The first is the baseline."""
    headline: str
    """The test to look at first: the same texts for all columns, and, where there are any, of no column."""
    figures: Sequence[Figure]
    notes: Sequence[str]
    """What limits the figures, a sentence each."""
    trained_on: int
    held_out: int
    left_out: Mapping[str, int]
    losses: Mapping[str, Sequence[float]]
    """Column to the training loss at the end, by seed."""
    cut: Mapping[str, float]
    """Column to the share of its training texts whose end the model does not read."""
    unknown: Mapping[str, float]
    """Test to the share of its words that no column taught."""
    seconds: float
    """Of all trainings, also of those that an earlier call did."""
    recalled: int
    """Trainings that an earlier call did."""
    about: Mapping[str, JsonValue] = field(default_factory=dict)
    """Options, seed of the split, weights, library."""

    def figure(self, test: str, measure: str = HEADLINE) -> Figure:
        """Return one figure. Raises KeyError."""
        for figure in self.figures:
            if (figure.test, figure.measure) == (test, measure):
                return figure
        raise KeyError(f"{test}, {measure}")

    def header(self) -> tuple[str, ...]:
        """Return the heads of the columns of `rows`."""
        return (
            "tested with",
            "measure",
            "trained on",
            "recall",
            f"against {self.columns[0]}",
            "95 %",
            "by seed",
        )

    def rows(self, tests: Sequence[str] | None = None, at: Sequence[int] = RECALL_AT) -> list[tuple[str, ...]]:
        """Return a table of the figures, the headline's test first, with a row for each column.

        Args:
            tests: Only these; all if None.
            at: Only recall at these ranks.
        """
        order = sorted(self.figures, key=lambda figure: figure.test != self.headline)  # stable
        wanted = [f for f in order if (tests is None or f.test in tests) and _rank(f.measure) in at]
        return [_row(figure, column) for figure in wanted for column in self.columns]

    def lines(self) -> list[str]:
        """Return what the table is to be read with: the headline in words, the budget, and every caveat."""
        figure = self.figure(self.headline)
        about, said = MEASURES[HEADLINE], []
        for column, effect in figure.effects.items():
            before, after = figure.values[self.columns[0]].value, figure.values[column].value
            said.append(
                f"{about.title}, tested with {self.headline!r}: {number(before, about)} after training on "
                f"{self.columns[0]!r}, {number(after, about)} after training on {column!r}: "
                f"{change(effect.delta, about)} (95 % interval {interval(effect, about)}; "
                f"by seed {_by_seed(figure, column)})."
            )
        said.append(
            f"Trained on {self.trained_on:,} items, tested on {self.held_out:,} others; chance {figure.chance:.2%}. "
            f"{self.seconds:.0f} s of training{f', {self.recalled} recalled' if self.recalled else ''}."
        )
        return said + list(self.notes)


def figures(
    columns: Sequence[str], tests: Sequence[str], trained: Mapping[str, Sequence[Trained]], seed: int
) -> list[Figure]:
    """Return every figure of trainings, by column and seed. Pure: equal trainings give equal figures.

    Args:
        trained: Column to one training a seed, all tested alike.
        seed: Of the resamples.
    """
    return [figure for test in tests for figure in _figures(columns, test, trained, seed)]


def _figures(
    columns: Sequence[str], test: str, trained: Mapping[str, Sequence[Trained]], seed: int
) -> Iterator[Figure]:
    """Yield the figures of one test, all from the same resamples."""
    hits = np.array(
        [[[some.hits[test][m] for some in trained[c]] for m in MEASURES] for c in columns], dtype=np.float64
    ).transpose(3, 0, 1, 2)  # (items, columns, measures, trainings)
    items, _, _, trainings = hits.shape
    # Resampled as they are, not as differences of resampled means, so that equal hits differ by exactly nothing.
    deltas = hits[:, 1:] - hits[:, :1]
    parts = np.concatenate([hits, deltas], axis=1)
    found = crossed_intervals(parts.reshape(items, -1, trainings), seed)
    for i, measure in enumerate(MEASURES):
        ends = found[i :: len(MEASURES)]
        yield Figure(
            test=test,
            measure=measure,
            pool=items,
            chance=min(1.0, _rank(measure) / items),
            values={c: _value(hits[:, j, i], ends[j]) for j, c in enumerate(columns)},
            seeds={c: hits[:, j, i].mean(axis=0).tolist() for j, c in enumerate(columns)},
            effects={c: _effect(deltas[:, j, i], ends[len(columns) + j]) for j, c in enumerate(columns[1:])},
            seed_deltas={c: deltas[:, j, i].mean(axis=0).tolist() for j, c in enumerate(columns[1:])},
        )


def _value(hits: Floats, found: Interval | None) -> Value:
    low, high = _ends(found, 0.0)
    return Value(value=float(hits.mean()), n=len(hits), low=low, high=high)


def _effect(deltas: Floats, found: Interval | None) -> Effect:
    low, high = _ends(found, -1.0)
    return Effect(
        delta=float(deltas.mean()),
        low=low,
        high=high,
        n=len(deltas),
        wins=int((deltas > 0).sum()),
        ties=int((deltas == 0).sum()),
        losses=int((deltas < 0).sum()),
    )


def _ends(found: Interval | None, least: float) -> tuple[float | None, float | None]:
    """Return the ends of an interval, no further out than a share or a difference of shares can be."""
    return (max(least, found.low), min(1.0, found.high)) if found else (None, None)


def _row(figure: Figure, column: str) -> tuple[str, ...]:
    about, effect = MEASURES[figure.measure], figure.effects.get(column)
    start = (figure.test, about.title, column, number(figure.values[column].value, about))
    if effect is None:
        return (*start, "", "", "")
    return (*start, change(effect.delta, about), interval(effect, about), _by_seed(figure, column))


def _by_seed(figure: Figure, column: str) -> str:
    about = MEASURES[figure.measure]
    return ", ".join(change(delta, about).removesuffix(" points") for delta in figure.seed_deltas[column])


def _rank(measure: str) -> int:
    """Return the K of a measure."""
    return int(measure.removeprefix("recall_at_").partition(".")[0])
