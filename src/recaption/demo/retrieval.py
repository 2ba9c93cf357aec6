"""Recall@1: does a caption find its own picture among others, and the picture its caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recaption.core.protocols import Embedder
from recaption.core.types import Record
from recaption.evaluation.measures import Floats
from recaption.evaluation.ranks import distinct_rows, hit_chance
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
    records: Sequence[Record], columns: Mapping[str, Sequence[str]], encoder: str = "embedded"
) -> dict[str, Retrieval]:
    """Hold every text of each column against every picture.

    Args:
        columns: Name to texts, one for each record; an empty text scores below everything.
        encoder: How a recipe would name it.
    """
    model: Embedder = backend("scorers", encoder, "demo").build()
    pictures = np.array(model.embed_images(records, BatchImages(max_side_px=1024)))
    return {name: _of(_scores(pictures, texts, model)) for name, texts in columns.items()}


def _scores(pictures: Floats, texts: Sequence[str], model: Embedder) -> Floats:
    """Return the scores, shape (pictures, texts)."""
    vectors, which = distinct_rows(np.array([text.vector for text in model.embed_texts(texts)]))
    scores: Floats = (pictures @ vectors.T).astype(np.float64)[:, which]  # so that equal texts score the same
    scores[:, [not text.strip() for text in texts]] = -1.0
    return scores


def _of(scores: Floats) -> Retrieval:
    own = np.diagonal(scores)
    return Retrieval(float(own.mean()), _first(scores), _first(scores.T))


def _first(scores: Floats) -> float:
    """Return the share of rows whose entry on the diagonal is the greatest, ties broken by lot."""
    own = np.diagonal(scores)[:, None]
    greater, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1) - 1
    return float(hit_chance(greater, equal, np.ones_like(greater), 1).mean())
