"""CIDEr-D (Vedantam et al. 2015): n-grams shared with people's texts, the rarer in them the more they count.

How rare an n-gram is, is counted in the references of all images; so a subset has other values than the whole unless
it is told the frequencies of the whole, which is why these can be kept in a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from recaption.evaluation.measures import Floats
from recaption.evaluation.text.code_index import CodeIndex
from recaption.evaluation.text.corpus import Codes, Corpus, Ints, corpora
from recaption.evaluation.text.ngrams import BLOCK_TEXTS, Tally, grams, occurrences, shortened, tally
from recaption.evaluation.text.overlaps import ORDERS, Block, Shared, blocks, item_blocks

__all__ = ["Frequencies", "block_cider", "cider_d", "frequencies", "frequency_names", "named_frequencies"]

_SIGMA: Final = 6.0
"""Width of the penalty on lengths that differ, in bigrams."""
_SCALE: Final = 10.0


class Frequencies:
    """In the references of how many images an n-gram stands. One that is not here stands in one or in none."""

    def __init__(self, images: int, codes: Codes, counts: Ints) -> None:
        """Take different codes, rising, and the number of images of each, 2 at least."""
        self.images = images
        self.counts = counts
        self._index = CodeIndex(codes)

    def places(self, codes: Codes) -> Ints:
        """Return where n-grams are, -1 for those that are not."""
        return self._index.places(codes)

    def rarities(self, codes: Codes) -> Floats:
        """Return the natural logarithm of images over the images with each n-gram."""
        places = self.places(codes)
        known = places >= 0
        counts = np.ones(len(codes))
        counts[known] = self.counts[places[known]]
        rarities: Floats = np.log(max(self.images, 1)) - np.log(counts)
        return rarities


def frequencies(references: Corpus, items: int) -> Frequencies:
    """Count every n-gram of up to four words once for each image whose references have it."""
    codes, counts = [], []
    for n in ORDERS:
        seen = [np.zeros(0, dtype=np.uint64)]
        for first, last in item_blocks((references,), items):
            some = references.of_items(first, last)
            texts, found = grams(some, n)
            seen.append(tally(some.owners[texts] - first, found).codes)
        different, times = occurrences(np.sort(np.concatenate(seen)))
        codes.append(different[times > 1])
        counts.append(times[times > 1])
    images = len(np.unique(references.owners[references.lengths > 0]))
    return _ordered(images, np.concatenate(codes), np.concatenate(counts))


def named_frequencies(images: int, counts: Mapping[str, int]) -> Frequencies:
    """Return frequencies of n-grams given as words with spaces between."""
    names = corpora({"": enumerate(counts)}, split=str.split)[""]
    given = np.fromiter(counts.values(), dtype=np.int64, count=len(counts))
    codes = np.zeros(len(names), dtype=np.uint64)
    for n in ORDERS:
        places = np.flatnonzero(names.lengths == n)
        codes[places] = shortened(grams(names.picked(places), n)[1])
    kept = (given > 1) & np.isin(names.lengths, ORDERS)
    return _ordered(images, codes[kept], given[kept])


def frequency_names(known: Frequencies, references: Corpus) -> dict[str, int]:
    """Return the frequencies that were counted in some references by n-gram, as words with spaces between."""
    named: dict[str, int] = {}
    missing = np.ones(len(known.counts), dtype=np.bool_)
    for n in ORDERS:
        for _, some in references.blocks(BLOCK_TEXTS):
            texts, codes = grams(some, n)
            entries = known.places(shortened(codes))
            met = np.flatnonzero(entries >= 0)
            new, firsts = np.unique(entries[met], return_index=True)
            wanted = missing[new]
            before = np.searchsorted(texts, texts)
            for entry, place in zip(new[wanted], met[firsts[wanted]], strict=True):
                begin = int(some.starts[texts[place]] + place - before[place])
                named[some.said(some.ids[begin : begin + n])] = int(known.counts[entry])
            missing[new] = False
    return named


def cider_d(texts: Corpus, references: Corpus, known: Frequencies, items: int) -> Floats:
    """Return the CIDEr-D of every text, in [0, 10], shape (texts,); NaN where its item has no references.

    As COCO's tools have it: counts clipped to the reference's, a Gaussian penalty of width 6 on the difference in
    bigrams, the mean over four orders and over references, times ten.
    """
    scores = np.full(len(texts), np.nan)
    for block in blocks(texts, references, items):
        shared = [block.shared(n) for n in ORDERS]
        scores[block.first : block.first + len(block.texts)] = block_cider(block, shared, known)
    return scores


def block_cider(block: Block, shared: Sequence[Shared], known: Frequencies) -> Floats:
    """Return the CIDEr-D of the texts of one block, shape (texts,)."""
    pairs = len(block.pair_texts)
    total = np.zeros(pairs)
    for at in shared:
        own = at.of_texts.counts * known.rarities(at.of_texts.codes)
        theirs = at.of_references.counts * known.rarities(at.of_references.codes)
        weights = np.minimum(own[at.in_texts], theirs[at.in_references]) * theirs[at.in_references]
        product = np.bincount(at.pairs, weights=weights, minlength=pairs)
        norms = (
            _norms(at.of_texts, own, len(block.texts))[block.pair_texts]
            * _norms(at.of_references, theirs, len(block.references))[block.pair_references]
        )
        total += np.divide(product, norms, out=np.zeros(pairs), where=norms > 0)
    bigrams = np.maximum(block.texts.lengths - 1, 0)[block.pair_texts]
    apart = bigrams - np.maximum(block.references.lengths - 1, 0)[block.pair_references]
    values = _SCALE * total / len(ORDERS) * np.exp(-(apart**2) / (2 * _SIGMA**2))
    sums = np.bincount(block.pair_texts, weights=values, minlength=len(block.texts))
    compared = np.bincount(block.pair_texts, minlength=len(block.texts))
    scores: Floats = np.divide(sums, compared, out=np.full(len(sums), np.nan), where=compared > 0)
    return scores


def _norms(of: Tally, weights: Floats, size: int) -> Floats:
    norms: Floats = np.sqrt(np.bincount(of.texts, weights=weights**2, minlength=size))
    return norms


def _ordered(images: int, codes: Codes, counts: Ints) -> Frequencies:
    different, first = np.unique(codes, return_index=True)
    return Frequencies(images, different, counts[first])
