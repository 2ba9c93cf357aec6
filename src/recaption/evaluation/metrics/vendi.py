"""The Vendi score under n-grams: how many different captions there are in effect, no model asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.measures import About, Floats, Result, Value, Whole
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.corpus import Codes, Corpus, Ints, shared_corpora
from recaption.evaluation.text.draws import common_size, one_per_item
from recaption.evaluation.text.ngrams import occurrences, runs
from recaption.evaluation.tools import Tools
from recaption.statistics.vendi import vendi_score

__all__ = ["Vendi", "ngram_kernel"]

_SAMPLE: Final = 1000
_AT_ONCE: Final = 4096
"""Different n-grams whose counts are held as a table at a time: 32 MB for a thousand texts."""


class Vendi:
    """Effective number of different captions, as a share of their number."""

    name: ClassVar[str] = "vendi"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> Mapping[str, Corpus]:
        """Return all texts as numbers of words."""
        return shared_corpora(subject, tools)

    def score(self, subject: Subject, facts: Mapping[str, Corpus]) -> Sequence[Result]:
        """Return the score over equally many texts of each column."""
        drawn = {c: one_per_item(t, len(subject), subject.seed, "Vendi") for c, t in facts.items()}
        size = common_size(map(len, drawn.values()), _SAMPLE, least=2)
        values = {}
        for column, places in drawn.items():
            if len(places) < 2:
                values[column] = Value(value=None, n=len(places), reason="fewer than two items have a text")
            else:
                score = vendi_score(ngram_kernel(facts[column].picked(places[:size])))
                values[column] = Value(value=score / size, n=size)
        about = About(
            name="vendi_ngram",
            title="Vendi score of n-grams, per text",
            group="sameness",
            better="higher",
            value_range=(0.0, 1.0),
            unit="share",
            note=f"effective number of different texts among {size:,} of different items; cosine of counts of "
            "words and of pairs of words, their mean; falls with the number of texts",
        )
        return [Whole(about=about, values=values)]


def ngram_kernel(corpus: Corpus, orders: Sequence[int] = (1, 2)) -> Floats:
    """Return the mean over orders of the cosines between the texts' counts of n-grams, shape (texts, texts).

    A text shorter than n words has itself for its only n-gram: it is like texts that say just the same. All texts
    need words.
    """
    size = len(corpus)
    kernel = np.zeros((size, size))
    for n in orders:
        kernel += _cosines(*runs(corpus, n), size)
    kernel /= len(orders)
    np.fill_diagonal(kernel, 1.0)  # to the last digit
    return kernel


def _cosines(texts: Ints, codes: Codes, size: int) -> Floats:
    different, places = np.unique(codes, return_inverse=True)
    keys, counts = occurrences(np.sort(places.astype(np.uint64) * np.uint64(size) + texts.astype(np.uint64)))
    where, which = (keys % np.uint64(size)).astype(np.int64), (keys // np.uint64(size)).astype(np.int64)
    products = np.zeros((size, size))
    for first in range(0, len(different), _AT_ONCE):
        begin, end = np.searchsorted(which, (first, first + _AT_ONCE))
        table = np.zeros((size, min(_AT_ONCE, len(different) - first)))
        table[where[begin:end], which[begin:end] - first] = counts[begin:end]
        products += table @ table.T
    lengths = np.sqrt(np.diagonal(products))
    cosines: Floats = products / np.outer(lengths, lengths)
    return cosines
