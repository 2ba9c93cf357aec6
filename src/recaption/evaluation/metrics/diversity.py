"""Distinct n-grams and compression: how much a column as a whole repeats itself, on equally much text of each."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.measures import About, Floats, Result, Value, Whole
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.corpus import Corpus, shared_corpora
from recaption.evaluation.text.draws import common_size, shuffled
from recaption.evaluation.text.ngrams import grams, occurrences
from recaption.evaluation.text.tokens import MAX_CHARS
from recaption.evaluation.tools import Tools

__all__ = ["Diversity", "DiversityFacts", "compression_ratio", "distinct_draws"]

_ORDERS: Final = (1, 2, 3)
_DRAWS: Final = 20
_LEAST_GRAMS: Final = 30
_MOST_BYTES: Final = 1_000_000
_LEAST_BYTES: Final = 1_000
"""Of less, the header and the tables of the compressor are what is measured."""


@dataclass(frozen=True, slots=True)
class DiversityFacts:
    """Texts as numbers by column, and how many tokens to draw."""

    texts: Mapping[str, Corpus]
    budget: int


class Diversity:
    """Distinct-1 to distinct-3, and the compression ratio."""

    name: ClassVar[str] = "diversity"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> DiversityFacts:
        """Return all texts as numbers of words."""
        return DiversityFacts(shared_corpora(subject, tools), tools.options.budget_tokens)

    def score(self, subject: Subject, facts: DiversityFacts) -> Sequence[Result]:
        """Return the figures, each over as much text as the column that has least can give."""
        return [*(_distinct(n, facts, subject.seed) for n in _ORDERS), _compression(subject)]


def distinct_draws(corpus: Corpus, n: int, size: int, *, seed: int, draws: int = _DRAWS) -> Floats:
    """Return the share of different n-grams among `size` of them, once for every draw, shape (draws,).

    A draw takes whole texts in random order until it has enough; the last is cut.
    """
    counts = np.maximum(corpus.lengths - (n - 1), 0)
    shares = np.empty(draws)
    for draw in range(draws):
        order = shuffled(len(corpus), seed, "distinct", draw)
        enough = int(np.searchsorted(np.cumsum(counts[order]), size)) + 1
        _, codes = grams(corpus.picked(order[:enough]), n)
        shares[draw] = len(occurrences(np.sort(codes[:size]))[0]) / size
    return shares


def compression_ratio(text: bytes) -> float:
    """Return bytes over bytes once compressed (zlib, level 9): about 1 for noise, the higher the more is repeated."""
    return len(text) / len(zlib.compress(text, 9))


def _distinct(n: int, facts: DiversityFacts, seed: int) -> Whole:
    totals = {c: int(np.maximum(texts.lengths - (n - 1), 0).sum()) for c, texts in facts.texts.items()}
    size = common_size(totals.values(), facts.budget, _LEAST_GRAMS)
    what = "words" if n == 1 else f"runs of {n} words"
    values, spread = {}, 0.0
    for column, texts in facts.texts.items():
        items = len(np.unique(texts.owners[texts.lengths >= n]))
        if totals[column] < _LEAST_GRAMS:
            reason = f"{totals[column]} {what}; at least {_LEAST_GRAMS} are needed"
            values[column] = Value(value=None, n=items, reason=reason)
            continue
        shares = distinct_draws(texts, n, size, seed=seed)
        values[column] = Value(value=float(shares.mean()), n=items)
        spread = max(spread, float(shares.max() - shares.min()))
    return Whole(
        about=About(
            name=f"distinct_{n}",
            title=f"Distinct-{n}",
            group="sameness",
            better="higher",
            value_range=(0.0, 1.0),
            note=f"different ones among {size:,} {what} of each column, drawn as whole texts; mean of {_DRAWS} "
            f"draws, which differ by {spread:.4f} at most",
        ),
        values=values,
    )


def _compression(subject: Subject) -> Whole:
    texts = {c: _bytes(subject, c) for c in subject.columns}
    size = common_size((len(t) for t in texts.values()), _MOST_BYTES, _LEAST_BYTES)
    values = {}
    for column, said in texts.items():
        items = sum(any(text.strip() for text in some) for some in subject.texts(column))
        if len(said) < _LEAST_BYTES:
            reason = f"{len(said)} bytes of text; at least {_LEAST_BYTES:,} are needed"
            values[column] = Value(value=None, n=items, reason=reason)
        else:
            values[column] = Value(value=compression_ratio(said[:size]), n=items)
    return Whole(
        about=About(
            name="compression_ratio",
            title="Compression ratio",
            group="sameness",
            better="lower",
            value_range=(0.0, None),
            note=f"bytes over bytes compressed by zlib, of the first {size:,} bytes of each column in random order",
        ),
        values=values,
    )


def _bytes(subject: Subject, column: str) -> bytes:
    """Return texts in random order, a line each, until there are enough."""
    flat = [text for _, text in subject.flat(column)]
    said: list[bytes] = []
    size = 0
    for i in shuffled(len(flat), subject.seed, "compression"):
        if size >= _MOST_BYTES:
            break
        said.append(flat[i][:MAX_CHARS].encode("utf-8", "replace"))
        size += len(said[-1]) + 1
    return b"\n".join(said)
