"""Does a text tell its own image from its look-alikes (after TrueMatch, "No Detail Left Behind", TMLR 2024)?

The bags are made by another encoder than the one that scores, or its own blind spots would decide who looks alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from recaption.evaluation.cosines import paired
from recaption.evaluation.extract.embeddings import Embeddings, TextVectors, embeddings
from recaption.evaluation.look_alikes import NEAR_DUPLICATE, look_alikes
from recaption.evaluation.measures import About, Additive, Floats, Listing, Result, mean_parts
from recaption.evaluation.metric import Need
from recaption.evaluation.ranks import Integers, Vectors, hit_chance
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools

__all__ = ["Bags", "BagsFacts", "hits_within"]

MOST_IMAGES: Final = 20_000
"""That bags are made of; of more, a seeded sample."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BagsFacts:
    """One encoder that scores, and the bags that another one made."""

    embeddings: Embeddings
    maker: str
    """Model, revision and precision of the other one."""
    bags: Mapping[int, Integers]
    """Size to items, shape (bags, size)."""
    closeness: Mapping[int, float]
    """Size to the mean cosine of two images of a bag, by the other one."""


class Bags:
    """Recall@1 within bags of `options.bag_sizes` look-alikes."""

    name: ClassVar[str] = "bags"
    needs: ClassVar[frozenset[Need]] = frozenset({"images", "image_text", "second_image_text"})

    def extract(self, subject: Subject, tools: Tools) -> tuple[BagsFacts, ...]:
        """Return every encoder with the bags of the next one. Raises Unavailable, UserError, BackendError."""
        labels = list(tools.image_text)
        if len(labels) < 2:
            return ()
        return tuple(
            _facts(subject, label, other, tools)
            for label, other in zip(labels, [*labels[1:], labels[0]], strict=True)
        )

    def score(self, subject: Subject, facts: Any) -> list[Result]:
        """Return one figure an encoder and size, the first encoder's without a suffix, and what the bags are like."""
        given: Sequence[BagsFacts] = facts
        results: list[Result] = []
        for one in given:
            results += [_figure(subject, one, size) for size, bags in one.bags.items() if len(bags)]
            results.append(_listing(one))
        return results


def _facts(subject: Subject, label: str, other: str, tools: Tools) -> BagsFacts:
    scorer, maker = embeddings(subject, label, tools), embeddings(subject, other, tools)

    def make() -> tuple[dict[int, Integers], dict[int, float]]:
        known = np.flatnonzero(maker.images.known)
        if len(known) > MOST_IMAGES:
            known = np.sort(np.random.default_rng(subject.seed).choice(known, MOST_IMAGES, replace=False))
        vectors = maker.images.vectors[known]
        made = {s: look_alikes(vectors, s, seed=subject.seed) for s in tools.options.bag_sizes if s > 1}
        return {s: known[rows] for s, rows in made.items()}, {
            s: _closeness(vectors, r) for s, r in made.items()
        }

    bags, closeness = tools.once(("bags", other), make)
    return BagsFacts(embeddings=scorer, maker=maker.encoder, bags=bags, closeness=closeness)


def _closeness(vectors: Vectors, bags: Integers) -> float:
    if not len(bags):
        return 0.0
    some = vectors[bags]
    within = np.einsum("bid,bjd->bij", some, some)
    size = bags.shape[1]
    return float((within.sum(axis=(1, 2)) - np.trace(within, axis1=1, axis2=2)).mean() / (size * (size - 1)))


def _figure(subject: Subject, facts: BagsFacts, size: int) -> Additive:
    found, bags = facts.embeddings, facts.bags[size]
    bags = bags[found.images.known[bags].all(axis=1)]
    parts = {}
    for column, texts in found.texts.items():
        hits, owners = hits_within(texts, found.images.vectors, bags, len(subject))
        parts[column] = mean_parts(hits, len(subject), owners.tolist())
    about = About(
        name=f"bag{size}_recall_at_1{found.suffix}",
        title=found.titled(f"Own image told from {size - 1} look-alikes"),
        group="retrieval",
        better="higher",
        value_range=(0.0, 1.0),
        unit="share",
        note=(
            f"{found.note}; {bags.size:,} of {len(subject):,} items in {len(bags):,} bags made by {facts.maker}; "
            f"chance is {100 / size:.1f} %; ties broken by lot"
        ),
    )
    return Additive(about=about, parts=parts)


def _listing(facts: BagsFacts) -> Listing:
    rows = [
        (f"{size}", f"{len(bags):,}", f"{bags.size:,}", f"{facts.closeness[size]:.3f}" if len(bags) else "–")
        for size, bags in facts.bags.items()
    ]
    return Listing(
        name=f"bags{facts.embeddings.suffix}",
        title=facts.embeddings.titled("Bags of look-alikes"),
        header=("images a bag", "bags", "items", "mean cosine within"),
        rows=rows,
        note=(
            f"Made by {facts.maker}, which is not the encoder that scores. No item is in two bags of one size; two "
            f"images with a cosine from {NEAR_DUPLICATE} are copies, and not put together."
        ),
    )


def hits_within(texts: TextVectors, images: Vectors, bags: Integers, n: int) -> tuple[Floats, Integers]:
    """Return for each text whose item is in a bag the chance that its own image comes first there, and the item.

    Args:
        images: Shape (items, d).
        bags: Items, shape (bags, size); none is in two.
        n: Number of items.
    """
    bag_of, place_of = np.full(n, -1), np.zeros(n, dtype=np.int64)
    bag_of[bags] = np.arange(len(bags))[:, None]
    place_of[bags] = np.arange(bags.shape[1])
    asked = np.flatnonzero(bag_of[texts.owners] >= 0)
    owners = texts.owners[asked]
    members = bags[bag_of[owners]]
    scores = np.stack(
        [paired(texts.vectors, asked, images, members[:, i]) for i in range(bags.shape[1])], axis=1
    )
    own = scores[np.arange(len(asked)), place_of[owners]][:, None]
    greater, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1) - 1
    return hit_chance(greater, equal, np.ones_like(greater), 1), owners
