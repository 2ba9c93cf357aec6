"""Every text of a column held against every image, and the other way round: made once for all metrics that ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.evaluation.ceilings import share_with_others
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
    """Shape (a,): the items that have an image and a text in every column."""
    searched: Integers
    """Places in `texts` of those that images look for their own among."""
    to_image: Ranks
    """Of each text's own image among the images, (q,)."""
    to_text: Ranks
    """Of each image's best own text among the texts, (a,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pools:
    """The pools of all columns, as one encoder sees them. The images are the same for all columns."""

    embeddings: Embeddings
    columns: Mapping[str, Pool]
    one_each: bool = False
    """An image looks for the first text of its item among the first texts of others."""

    @property
    def size(self) -> int:
        """Images in the pool."""
        return len(next(iter(self.columns.values())).images)

    @property
    def note(self) -> str:
        """What decides a figure made of these: for the footer of a table."""
        known = int(self.embeddings.images.known.sum())
        sampled = f", a seeded sample of {known:,}" if known > self.size else ""
        asked = len(next(iter(self.columns.values())).asked)
        each = ", image to text the first text of each" if self.one_each else ""
        copies = f", of which {self.copies:,} share their picture with another" if self.copies else ""
        return (
            f"{self.embeddings.note}; among {self.size:,} images{sampled}{copies}; asked are the {asked:,} items "
            f"with a text in every column{each}"
        )

    @cached_property
    def copies(self) -> int:
        """Images in the pool whose picture, by its bytes, stands there under another key as well."""
        images = next(iter(self.columns.values())).images
        return len(share_with_others(self.embeddings.images.ids[images], images))


def pools(subject: Subject, label: str, tools: Tools) -> Pools:
    """Return where texts and images find each other, by the encoder of that label.

    Raises:
        As `embeddings`.
    """

    def make() -> Pools:
        found = embeddings(subject, label, tools)
        shared = found.images.known.copy()
        for texts in found.texts.values():
            shared &= np.bincount(texts.owners, minlength=len(shared)) > 0
        counts = {np.bincount(t.owners, minlength=len(shared))[shared].tobytes() for t in found.texts.values()}
        columns = {
            column: pool(found.images, texts, shared, seed=subject.seed, one_each=len(counts) > 1)
            for column, texts in found.texts.items()
        }
        return Pools(embeddings=found, columns=columns, one_each=len(counts) > 1)

    return tools.once(("pools", label), make)


def pool(
    images: ImageVectors,
    texts: TextVectors,
    shared: NDArray[np.bool_] | None = None,
    *,
    seed: int,
    most: int = MOST_IMAGES,
    one_each: bool = False,
) -> Pool:
    """Return where texts find their own image, and images their own texts.

    Fewer texts to search are easier to find in, and several texts of one image are easier to find; so that no column
    gains by what others lack, only items with a text in all of them are asked, and where their numbers of texts
    differ, an image looks for its first text among the first texts.

    Args:
        shared: Items, shape (items,), that have a text in every column; None for all that have one here.
        one_each: Search the first text of each item only, image to text.
        seed: Decides the sample where there are more images than `most`; the same for texts of any column.
    """
    known = np.flatnonzero(images.known)
    if len(known) > most:
        known = np.sort(np.random.default_rng(seed).choice(known, most, replace=False))
    inside = np.zeros(len(images.known), dtype=np.bool_)
    inside[known] = True
    wanted = inside if shared is None else inside & shared
    places = np.flatnonzero(wanted[texts.owners])
    owners = texts.owners[places]
    asked, first = np.unique(owners, return_index=True)
    written, seen = texts.vectors[places], images.vectors
    searched = first if one_each else np.arange(len(owners))
    return Pool(
        images=known,
        texts=places,
        owners=owners,
        asked=asked,
        searched=searched,
        to_image=rank_own(written, owners, seen[known], known),
        to_text=rank_own(seen[asked], asked, written[searched], owners[searched]),
    )
