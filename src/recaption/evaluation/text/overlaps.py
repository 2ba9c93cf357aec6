"""Which n-grams a text shares with each of its references: what BLEU and CIDEr-D are both made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from recaption.evaluation.text.corpus import Corpus, Ints, ranges
from recaption.evaluation.text.ngrams import BLOCK_TEXTS, Tally, grams, tally

__all__ = ["ORDERS", "Block", "Shared", "blocks", "item_blocks"]

ORDERS: Final = (1, 2, 3, 4)
_WORDS_AT_ONCE: Final = 200_000
"""Words of a block, references included: what keeps its arrays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The n-grams of one order, of texts and references, and where they meet."""

    of_texts: Tally
    of_references: Tally
    pairs: Ints
    """Of each meeting, the number of its (text, reference) pair."""
    in_texts: Ints
    """Of each meeting, its entry in `of_texts`."""
    in_references: Ints
    """Of each meeting, its entry in `of_references`."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some texts, all references of their items, and every pair of the two."""

    first: int
    """Number of the first text in the whole corpus."""
    texts: Corpus
    references: Corpus
    pair_texts: Ints
    """Text of each pair, rising."""
    pair_references: Ints

    def shared(self, n: int) -> Shared:
        """Count the n-grams of one order."""
        of_texts = tally(*grams(self.texts, n))
        of_references = tally(*grams(self.references, n))
        sizes = np.bincount(of_references.texts, minlength=len(self.references))
        begins = np.cumsum(sizes) - sizes
        pairs = np.repeat(np.arange(len(self.pair_texts)), sizes[self.pair_references])
        entries = ranges(begins[self.pair_references], sizes[self.pair_references])
        places, met = of_texts.places(self.pair_texts[pairs], of_references.codes[entries])
        return Shared(of_texts, of_references, pairs[met], places[met], entries[met])


def blocks(texts: Corpus, references: Corpus, items: int) -> Iterator[Block]:
    """Yield the texts in blocks of whole items, each with its references; pairs are in the order of texts.

    Raises:
        ValueError: An item has more than `BLOCK_TEXTS` texts or references.
    """
    for first, last in item_blocks((texts, references), items):
        some, theirs = texts.of_items(first, last), references.of_items(first, last)
        lows = np.searchsorted(theirs.owners, some.owners, side="left")
        sizes = np.searchsorted(theirs.owners, some.owners, side="right") - lows
        yield Block(
            first=int(np.searchsorted(texts.owners, first)),
            texts=some,
            references=theirs,
            pair_texts=np.repeat(np.arange(len(some)), sizes),
            pair_references=ranges(lows, sizes),
        )


def item_blocks(corpora: Sequence[Corpus], items: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of items, few enough for the texts of each corpus to be told apart in a tally.

    Raises:
        ValueError: An item has more than `BLOCK_TEXTS` texts in one corpus.
    """
    edges = np.arange(items + 1)
    before = [np.searchsorted(corpus.owners, edges) for corpus in corpora]
    words = sum((corpus.starts[b] for corpus, b in zip(corpora, before, strict=True)), np.zeros_like(edges))
    first = 0
    while first < items:
        last = min(_reach(b, first, BLOCK_TEXTS) for b in before)
        if last == first:
            raise ValueError(f"item {first} has more than {BLOCK_TEXTS} texts")
        last = min(last, max(first + 1, _reach(words, first, _WORDS_AT_ONCE)))
        yield first, last
        first = last


def _reach(before: Ints, first: int, most: int) -> int:
    """Return the last item edge that lies within so much of an item edge."""
    return int(np.searchsorted(before, before[first] + most, side="right")) - 1
