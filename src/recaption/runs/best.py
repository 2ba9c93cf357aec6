"""The best share of a run by a score: which records a training set should hold, where not all are wanted.

Two passes: the first reads the scores of chosen captions alone and takes 17 bytes a record, the second hands on the
records. Exact, and the same for the same run: of records with equal scores those come first that stand first.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recaption.core.errors import RunFolderError, UserError
from recaption.core.types import Record
from recaption.datasets.run_folder import RunFolder, stored_rows
from recaption.datasets.stored import read_text, stored_text

__all__ = ["Best", "best_share"]

SHOWN_LABELS: Final = 20
_COLUMNS: Final = ("chosen", "captions.list.element.id", "captions.list.element.scores")
_ROUNDING: Final = 1e-9
"""0.1 × 30 is a little more than 3 in binary, and does not mean 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The records whose chosen caption is among the best, and how many are left out."""

    by: str
    kept: int
    worse: int
    lacking: int
    """Records whose chosen caption has no such score: they are neither good nor bad, and left out."""
    limit: float
    """Score of the last one kept."""
    _mask: NDArray[np.bool_]
    _folder: RunFolder

    def records(self) -> Iterator[Record]:
        """Yield the records kept, in the order of the run. Raises RunFolderError where the run has changed since."""
        number = -1
        for number, record in enumerate(self._folder.records()):
            if number >= len(self._mask):
                break
            if self._mask[number]:
                yield record
        if number + 1 != len(self._mask):
            raise RunFolderError(f"{self._folder.root} has changed while it was read; do this again")


def best_share(folder: RunFolder, by: str, share: float, *, lowest: bool = False) -> Best:
    """Find the records whose chosen caption is in the best share by a score, rounded up to whole records.

    Args:
        share: Of those that have the score, in (0, 1].
        lowest: Less is better, as with perplexity or repetition.

    Raises:
        UserError: The share is none, or no chosen caption has the score; the message names those there are.
        RunFolderError: A file of the run is damaged.
    """
    if not 0 < share <= 1:
        raise UserError(f"the best {share:g} of a run is no share: give more than 0, up to 1")
    found, labels = _scores(folder, by)
    values = np.frombuffer(found, dtype=np.float64)
    has = ~np.isnan(values)
    scored = int(has.sum())
    if not scored:
        there = ", ".join(sorted(labels)[:SHOWN_LABELS]) or "none"
        raise UserError(f"no chosen caption in {folder.root} has a score {by!r:.100}; there are: {there}")
    goodness = np.where(has, -values if lowest else values, -np.inf)
    wanted = math.ceil(share * scored - _ROUNDING)
    limit = float(np.partition(goodness, len(goodness) - wanted)[len(goodness) - wanted])
    mask = goodness > limit
    ties = np.flatnonzero(goodness == limit)
    mask[ties[: wanted - int(mask.sum())]] = True
    return Best(
        by=by,
        kept=wanted,
        worse=scored - wanted,
        lacking=len(values) - scored,
        limit=-limit if lowest else limit,
        _mask=mask,
        _folder=folder,
    )


def _scores(folder: RunFolder, by: str) -> tuple[array[float], set[str]]:
    """Return the score of every record's chosen caption, NaN where it has none, and what scores there are."""
    values, labels, wanted = array("d"), set[str](), stored_text(by)
    for marker in folder.committed():
        for row in stored_rows(folder.captions / f"{marker.shard:05d}.parquet", _COLUMNS):
            scores = {s["name"]: s["value"] for s in _of_the_chosen(row)}
            if len(labels) < SHOWN_LABELS:
                labels.update(map(read_text, scores))
            value = scores.get(wanted)
            values.append(value if value is not None and math.isfinite(value) else math.nan)
    return values, labels


def _of_the_chosen(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    chosen = row["chosen"]
    return next((c["scores"] for c in row["captions"] if c["id"] == chosen), []) if chosen is not None else []
