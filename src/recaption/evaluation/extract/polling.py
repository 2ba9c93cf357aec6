"""POPE's questions (Li et al. 2023): of each image some classes that are in it, and as many that are not.

Those that are not there are drawn in three ways: at random; the most frequent of the data; those that most often come
with what is there. Whoever guesses by what usually goes together fails at the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from recaption.evaluation.measures import Floats

__all__ = [
    "ALWAYS_YES",
    "SPLITS",
    "Poll",
    "Split",
    "accuracy",
    "f1",
    "poll_row",
    "polls",
    "precision",
    "recall",
    "yes_share",
]

Split: TypeAlias = Literal["random", "popular", "adversarial"]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)

_OF_EACH: Final = 3
"""Questions about what is there, and about what is not, for one image and split."""
_AT_ONCE: Final = 4_096
"""Images of a block."""
ALWAYS_YES: Final = (1, 1, 0, 0)
"""Right yes, wrong yes, right no and wrong no of whoever always says yes, up to a factor: as many there as not."""


@dataclass(frozen=True, slots=True)
class Poll:
    """What is asked about one image."""

    present: tuple[str, ...]
    absent: Mapping[Split, tuple[str, ...]]
    """As many as `present`, of each split."""


def polls(there: Sequence[frozenset[str] | None], classes: Sequence[str], seed: int) -> list[Poll | None]:
    """Return what to ask about each image; None where nobody knows what is there, or nothing or everything is.

    Args:
        there: By image, the classes in it.
        classes: All that may be asked for. Those that are in no image are asked for only at random.
    """
    names = sorted(classes)
    place = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(there), len(names)), dtype=np.bool_)
    for row, labels in zip(table, there, strict=True):
        row[[place[label] for label in labels or () if label in place]] = True
    often = table.sum(axis=0).astype(np.float64)
    weights = table.astype(np.float32)
    together = (weights.T @ weights).astype(np.float64)
    rng = np.random.default_rng([seed, len(names)])
    found: list[Poll | None] = []
    for start in range(0, len(there) if names else 0, _AT_ONCE):
        has = table[start : start + _AT_ONCE]
        chance = rng.random(has.shape)
        near = has @ together
        wanted: dict[Split, Floats] = {
            "random": chance,
            "popular": often + chance,
            "adversarial": near * (len(there) + 1) + often + chance,
        }
        absent = {split: _first(np.where(has, -np.inf, rank)) for split, rank in wanted.items()}
        present = _first(np.where(has, chance, -np.inf))
        counts = np.minimum(_OF_EACH, np.minimum(has.sum(axis=1), (~has).sum(axis=1)))
        for i, k in enumerate(counts):
            asked = Poll(
                present=tuple(names[j] for j in present[i, :k]),
                absent={split: tuple(names[j] for j in order[i, :k]) for split, order in absent.items()},
            )
            found.append(asked if k and there[start + i] is not None else None)
    return found or [None] * len(there)


def _first(ranks: Floats) -> NDArray[np.int64]:
    """Return the places of the largest numbers of each row, largest first, shape (rows, 3 or fewer)."""
    k = min(_OF_EACH, ranks.shape[1])
    top = np.argpartition(-ranks, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(ranks, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1).astype(np.int64)


def accuracy(counts: Floats) -> Floats:
    """Return the share of right answers of counts (..., 4): right yes, wrong yes, right no, wrong no."""
    return _share(counts[..., 0] + counts[..., 2], counts.sum(axis=-1))


def precision(counts: Floats) -> Floats:
    """Return the share of right ones among answers of yes."""
    return _share(counts[..., 0], counts[..., 0] + counts[..., 1])


def recall(counts: Floats) -> Floats:
    """Return the share of what is there that yes was said to."""
    return _share(counts[..., 0], counts[..., 0] + counts[..., 3])


def f1(counts: Floats) -> Floats:
    """Return the harmonic mean of precision and recall; NaN where nothing was there and no yes was said."""
    return _share(2 * counts[..., 0], 2 * counts[..., 0] + counts[..., 1] + counts[..., 3])


def yes_share(counts: Floats) -> Floats:
    """Return the share of yes among all answers; half of what is asked is there."""
    return _share(counts[..., 0] + counts[..., 1], counts.sum(axis=-1))


def poll_row(counts: Floats, counted: bool = True) -> tuple[str, ...]:
    """Return what a table says of four counts: questions, accuracy, precision, recall, F1, share of yes."""
    values = [float(formula(counts)) for formula in (accuracy, precision, recall, f1, yes_share)]
    told = ["–" if np.isnan(value) else f"{100 * value:.1f} %" for value in values]
    return (f"{int(counts.sum()):,}" if counted else "", *told)


def _share(top: Floats, bottom: Floats) -> Floats:
    result: Floats = np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom != 0)
    return result
