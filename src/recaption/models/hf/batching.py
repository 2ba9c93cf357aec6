"""Which rows run together: like with like, one picture's rows side by side, fewer at once where memory is short."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, TypeVar

__all__ = ["BatchSize", "OutOfMemoryError", "Row", "in_batches", "in_order"]

Result = TypeVar("Result")
_CALM = 8
"""Batches that must fit before a larger one is tried again."""


class OutOfMemoryError(Exception):
    """A batch did not fit into memory."""


@dataclass(frozen=True, slots=True)
class Row:
    """One text to be drawn."""

    request: int
    """Position of the request."""
    draw: int
    """Which of the request's texts."""
    mode: Hashable
    """Rows of different modes never share a batch."""
    picture: str
    """Digest of the picture; empty without one."""
    length: int
    """Tokens of the prompt, the picture's included."""


class BatchSize:
    """How many rows run at once: half as many when memory ran out, and twice as many again when all is calm.

    Belongs to whoever holds the lock of the model.
    """

    def __init__(self, most: int) -> None:
        self.most, self.now, self._calm = most, most, 0

    def too_many(self, rows: int) -> bool:
        """Note that so many rows did not fit; return whether fewer can be tried."""
        self._calm = 0
        self.now = max(1, rows // 2)
        return rows > 1

    def fitted(self, rows: int) -> None:
        """Note that so many rows fitted."""
        if self.now < self.most and rows >= self.now:
            self._calm += 1
            if self._calm >= _CALM:
                self._calm, self.now = 0, min(self.most, self.now * 2)


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Return rows by mode and length, those of one picture together: neighbours waste little and share much."""
    pictures = sorted(rows, key=lambda row: (repr(row.mode), row.picture, row.length))
    groups = [list(group) for _, group in groupby(pictures, key=lambda row: (row.mode, row.picture))]
    groups.sort(key=lambda group: (repr(group[0].mode), max(row.length for row in group), group[0].request))
    return [row for group in groups for row in group]


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """A batch and what came of it; None where not even one row fitted."""

    rows: Sequence[Row]
    results: Sequence[Result] | None


def in_batches(
    rows: Sequence[Row], size: BatchSize, run: Callable[[Sequence[Row]], Sequence[Result]]
) -> Iterator[Done[Result]]:
    """Run rows in their order, in batches of one mode, and yield each batch as it is done."""
    start = 0
    while start < len(rows):
        batch = _next(rows, start, size.now)
        try:
            results = run(batch)
        except OutOfMemoryError:
            if size.too_many(len(batch)):
                continue
            yield Done(batch, None)
        else:
            size.fitted(len(batch))
            yield Done(batch, results)
        start += len(batch)


def _next(rows: Sequence[Row], start: int, most: int) -> Sequence[Row]:
    """Return the next batch; a picture whose rows would fit into one batch is not torn."""
    end = start
    while end < len(rows) and end - start < most and rows[end].mode == rows[start].mode:
        end += 1
    if end < len(rows) and rows[end].mode == rows[start].mode and rows[end].picture == rows[end - 1].picture:
        first = end
        while first > start and rows[first - 1].picture == rows[end].picture:
            first -= 1
        end = first if first > start else end
    return rows[start:end]
