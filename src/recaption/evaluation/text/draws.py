"""Seeded draws of texts, equally large in every column: what falls or rises with the size of the text needs them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recaption.core.digests import seed_from
from recaption.evaluation.text.corpus import Corpus, Ints

__all__ = ["common_size", "one_per_item", "shuffled"]


def common_size(sizes: Iterable[int], most: int, least: int = 1) -> int:
    """Return the most that all columns can give, those left out that have less than `least`; 0 if none has that."""
    enough = [size for size in sizes if size >= least]
    return min(most, *enough) if enough else 0


def shuffled(n: int, *parts: object) -> Ints:
    """Return 0 to n - 1 in an order that depends on the parts of the seed alone."""
    return np.random.default_rng(seed_from(*parts)).permutation(n)


def one_per_item(corpus: Corpus, items: int, *parts: object) -> Ints:
    """Return the first text with words of every item that has one, items in an order decided by the seed.

    Columns that have texts for the same items get the same items first.
    """
    worded = np.flatnonzero(corpus.lengths > 0)
    rank = np.empty(items, dtype=np.int64)
    rank[shuffled(items, *parts)] = np.arange(items)
    owners, first = np.unique(corpus.owners[worded], return_index=True)
    return worded[first[np.argsort(rank[owners])]]
