"""How captions begin: models have favourite openings, and who trains on them learns to begin alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.measures import About, Additive, Floats, Listing, Result, mean_parts
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.corpus import Corpus, ranges, shared_corpora
from recaption.evaluation.text.excerpts import excerpt
from recaption.evaluation.text.ngrams import runs
from recaption.evaluation.tools import Tools

__all__ = ["Openings"]

_WORDS: Final = 3
_TOP: Final = 20
_SHOWN: Final = 60


class Openings:
    """The most frequent first three words, and how many captions begin with them."""

    name: ClassVar[str] = "openings"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> Mapping[str, Corpus]:
        """Return all texts as numbers of words."""
        return shared_corpora(subject, tools)

    def score(self, subject: Subject, facts: Mapping[str, Corpus]) -> Sequence[Result]:
        """Return the share of captions with one of their column's twenty openings, and the openings."""
        parts, listings = {}, []
        for column, texts in facts.items():
            parts[column], listing = _openings(column, texts, len(subject))
            listings.append(listing)
        about = About(
            name="common_openings",
            title=f"Captions with one of the {_TOP} commonest openings",
            group="sameness",
            better="lower",
            value_range=(0.0, 1.0),
            unit="share",
            note=f"the first {_WORDS} words, where at least two captions of the column share them; its own {_TOP} "
            "for each column",
        )
        return [Additive(about=about, parts=parts), *listings]


def _openings(column: str, corpus: Corpus, items: int) -> tuple[Floats, Listing]:
    openings = _first_words(corpus)
    codes = np.empty(len(openings), dtype=np.uint64)
    texts, found = runs(openings, _WORDS)
    codes[texts] = found
    _, first, kinds, counts = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -counts))[:_TOP]
    top = order[counts[order] > 1]
    common = np.zeros(len(counts))
    common[top] = 1.0
    total = len(openings)
    listing = Listing(
        name=f"openings.{column}",
        title=f"Commonest openings of {column}",
        header=("first words", "captions", "share"),
        rows=[
            (
                excerpt(openings.said(openings.text(int(first[i]))), _SHOWN),
                f"{counts[i]:,}",
                f"{counts[i] / total:.1%}",
            )
            for i in top
        ],
        note=f"{len(counts):,} different openings of {total:,} captions",
    )
    return mean_parts(common[kinds], items, openings.owners.tolist()), listing


def _first_words(corpus: Corpus) -> Corpus:
    """Return the first three words of every text that has words."""
    places = np.flatnonzero(corpus.lengths > 0)
    lengths = np.minimum(corpus.lengths[places], _WORDS)
    ids = corpus.ids[ranges(corpus.starts[places], lengths)]
    starts = np.concatenate(([0], np.cumsum(lengths)))
    return Corpus(corpus.vocabulary, corpus.values, ids, starts, corpus.owners[places])
