"""Recall@1: does a caption find its own picture among others, and the picture its caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recaption.core.protocols import Scorer
from recaption.core.types import Caption, Provenance, Record
from recaption.media.images import BatchImages
from recaption.recipes.backends import backend

__all__ = ["Retrieval", "retrieval"]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well texts and pictures find each other in one pool."""

    mean_score: float
    """Of each text with its own picture."""
    to_text: float
    """Share of pictures whose own text scores above all others; of several equal ones, the chance to draw it."""
    to_image: float
    """Share of texts whose own picture scores above all others."""


def retrieval(
    records: Sequence[Record], columns: Mapping[str, Sequence[str]], scorer: str = "embedded"
) -> dict[str, Retrieval]:
    """Hold every text of each column against every picture.

    Args:
        columns: Name to texts, one for each record; an empty text scores below everything.
        scorer: How a recipe would name it.
    """
    model: Scorer = backend("scorers", scorer, "demo").build()
    images = BatchImages(max_side_px=1024)
    return {name: _of(_scores(records, texts, model, images)) for name, texts in columns.items()}


def _scores(
    records: Sequence[Record], texts: Sequence[str], scorer: Scorer, images: BatchImages
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the scores, shape (pictures, texts)."""
    captions = [Caption(text=text, origin="model", provenance=Provenance(stage="demo")) for text in texts]
    scores = scorer.score([(record, caption) for record in records for caption in captions], images)
    values = [-1.0 if score.value is None else score.value for score in scores]
    return np.array(values, dtype=np.float64).reshape(len(records), len(texts))


def _of(scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Retrieval:
    own = np.diagonal(scores)
    return Retrieval(float(own.mean()), _first(scores, own[:, None], 1), _first(scores, own[None, :], 0))


def _first(
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    own: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    axis: int,
) -> float:
    better, equal = (scores > own).sum(axis=axis), (scores == own).sum(axis=axis)
    return float(np.where(better == 0, 1 / equal, 0.0).mean())
