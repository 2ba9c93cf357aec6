"""The Vendi score under an encoder's text embeddings: how many different captions there are in effect, by meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.extract.embeddings import TextVectors, text_vectors
from recaption.evaluation.measures import About, Result, Value, Whole
from recaption.evaluation.metric import Need
from recaption.evaluation.ranks import Integers
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools
from recaption.statistics.vendi import vendi_of_vectors

__all__ = ["EmbeddingVendi", "SpreadFacts"]

_SAMPLE: Final = 5_000


@dataclass(frozen=True, slots=True)
class SpreadFacts:
    """Texts by column as one encoder knows them."""

    suffix: str
    encoder: str
    texts: Mapping[str, TextVectors]


class EmbeddingVendi:
    """Effective number of different captions as a share of their number (Friedman & Dieng 2023), by embeddings."""

    name: ClassVar[str] = "embedding_vendi"
    needs: ClassVar[frozenset[Need]] = frozenset({"image_text"})

    def extract(self, subject: Subject, tools: Tools) -> list[SpreadFacts]:
        """Return the texts' vectors by every encoder. Raises Unavailable, UserError, BackendError."""
        return [
            SpreadFacts(tools.suffix(label), scorer.name, text_vectors(subject, label, tools))
            for label, scorer in tools.image_text.items()
        ]

    def score(self, subject: Subject, facts: list[SpreadFacts]) -> Sequence[Result]:
        """Return one figure for each encoder, over equally many texts of each column, one an item."""
        return [_figure(subject, one) for one in facts]


def _figure(subject: Subject, facts: SpreadFacts) -> Whole:
    order = np.random.default_rng(subject.seed).permutation(len(subject))
    drawn = {column: _one_an_item(texts, order) for column, texts in facts.texts.items()}
    size = min([_SAMPLE, *(len(places) for places in drawn.values() if len(places) > 1)])
    values = {}
    for column, places in drawn.items():
        if len(places) < 2:
            values[column] = Value(value=None, n=len(places), reason="fewer than two items have a text")
        else:
            score = vendi_of_vectors(facts.texts[column].vectors[places[:size]])
            values[column] = Value(value=score / size, n=size)
    label = facts.suffix.removeprefix("@")
    about = About(
        name=f"vendi_embedding{facts.suffix}",
        title=f"Vendi score of embeddings, per text{f' ({label})' if label else ''}",
        group="sameness",
        better="higher",
        value_range=(0.0, 1.0),
        unit="share",
        note=f"{facts.encoder}; effective number of different texts among {size:,} of different items; it depends on "
        "the encoder, and falls with the number of texts",
    )
    return Whole(about=about, values=values)


def _one_an_item(texts: TextVectors, order: Integers) -> Integers:
    """Return the first text of each item, by the items' place in an order that all columns share."""
    owners, first = np.unique(texts.owners, return_index=True)
    return first[np.argsort(order[owners], kind="stable")]
