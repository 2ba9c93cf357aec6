"""Every text of a column held against every image, and the other way round: made once for all metrics that ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from recaption.evaluation.extract.embeddings import Embeddings, ImageVectors, TextVectors, embeddings
from recaption.evaluation.ranks import Integers, Ranks, rank_own
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools

__all__ = ["MOST_IMAGES", "Pool", "Pools", "pool", "pools"]

MOST_IMAGES: Final = 50_000
"""In a pool: the work grows with its square, and takes a core about a minute at this size, by column and direction.
Of more, a seeded sample."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """One column's texts among all images that could be read, with the items' numbers for owners."""

    images: Integers
    """Shape (n,): the items whose images are in the pool, texts or not."""
    texts: Integers
    """Shape (q,): places in the column's `TextVectors` of the texts of these items."""
    owners: Integers
    """Shape (q,): the item of each."""
    asked: Integers
    """Shape (a,): the items that have both an image and a text."""
    to_image: Ranks
    """Of each text's own image among the images, (q,)."""
    to_text: Ranks
    """Of each image's best own text among the texts, (a,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pools:
    """The pools of all columns, as one encoder sees them. The images are the same for all columns."""

    embeddings: Embeddings
    columns: Mapping[str, Pool]

    @property
    def size(self) -> int:
        """Images in the pool."""
        return len(next(iter(self.columns.values())).images)

    @property
    def note(self) -> str:
        """What decides a figure made of these: for the footer of a table."""
        known = int(self.embeddings.images.known.sum())
        sampled = f", a seeded sample of {known:,}" if known > self.size else ""
        return f"{self.embeddings.note}; among {self.size:,} images{sampled}"


def pools(subject: Subject, label: str, tools: Tools) -> Pools:
    """Return where texts and images find each other, by the encoder of that label.

    Raises:
        As `embeddings`.
    """

    def make() -> Pools:
        found = embeddings(subject, label, tools)
        columns = {
            column: pool(found.images, texts, seed=subject.seed) for column, texts in found.texts.items()
        }
        return Pools(embeddings=found, columns=columns)

    return tools.once(("pools", label), make)


def pool(images: ImageVectors, texts: TextVectors, *, seed: int, most: int = MOST_IMAGES) -> Pool:
    """Return where texts find their own image, and images their own texts.

    Args:
        seed: Decides the sample where there are more images than `most`; the same for texts of any column.
    """
    known = np.flatnonzero(images.known)
    if len(known) > most:
        known = np.sort(np.random.default_rng(seed).choice(known, most, replace=False))
    inside = np.zeros(len(images.known), dtype=np.bool_)
    inside[known] = True
    places = np.flatnonzero(inside[texts.owners])
    owners = texts.owners[places]
    asked = np.unique(owners)
    written, seen = texts.vectors[places], images.vectors
    return Pool(
        images=known,
        texts=places,
        owners=owners,
        asked=asked,
        to_image=rank_own(written, owners, seen[known], known),
        to_text=rank_own(seen[asked], asked, written, owners),
    )
