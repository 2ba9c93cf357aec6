"""Runs of n words, counted: each is a 64-bit code, so that sorting numbers does what comparing words would.

Two of ten million different runs share a code with a chance of a few in a thousand; a count that is off by one among
so many changes no figure that is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from recaption.evaluation.text.corpus import Codes, Corpus, Ints, ranges

__all__ = [
    "BLOCK_TEXTS",
    "Tally",
    "distinct",
    "grams",
    "mixed",
    "occurrences",
    "repeated_share",
    "shortened",
    "tally",
]

BLOCK_TEXTS: Final = 2048
"""Texts that can be told apart in one `Tally`."""
CODE_BITS: Final = 53
"""Of a code in a `Tally`; eleven are left to say which text."""
_TEXT_PLACE: Final = np.uint64(CODE_BITS)
_CODE_MASK: Final = np.uint64((1 << CODE_BITS) - 1)
_SHORTER: Final = np.uint64(11)
_ORDER: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each n-gram stands in each text of a block. Sorted, so that it can be searched."""

    keys: Codes
    """Text and code in one number, rising."""
    counts: Ints

    @property
    def texts(self) -> Ints:
        """Text of each entry, counted from the first of the block."""
        return (self.keys >> _TEXT_PLACE).astype(np.int64)

    @property
    def codes(self) -> Codes:
        """Code of each entry's n-gram, cut to 53 bits."""
        return self.keys & _CODE_MASK

    def places(self, texts: Ints, codes: Codes) -> tuple[Ints, NDArray[np.bool_]]:
        """Return where (text, code) pairs stand, and which of them do; the place of others means nothing."""
        wanted = (texts.astype(np.uint64) << _TEXT_PLACE) | codes
        if not len(self.keys):
            return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
        found = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return found, self.keys[found] == wanted


def mixed(codes: Codes) -> Codes:
    """Return numbers whose bits all depend on all bits of those given (the finaliser of splitmix64)."""
    codes = (codes ^ (codes >> np.uint64(30))) * _FIRST
    codes = (codes ^ (codes >> np.uint64(27))) * _SECOND
    return codes ^ (codes >> np.uint64(31))


def grams(corpus: Corpus, n: int) -> tuple[Ints, Codes]:
    """Return the text and the code of every run of n words; none crosses from one text into the next."""
    counts = np.maximum(corpus.lengths - (n - 1), 0)
    places = ranges(corpus.starts[:-1], counts)
    values = corpus.values[corpus.ids]
    codes = values[places]
    for step in range(1, n):
        codes = _then(codes, values[places + step])
    return np.repeat(np.arange(len(corpus)), counts), codes


def runs(corpus: Corpus, n: int) -> tuple[Ints, Codes]:
    """Return the runs of n words as `grams` does, but of a shorter text the one run of all its words."""
    texts, codes = grams(corpus, n)
    for shorter in range(1, n):
        places = np.flatnonzero(corpus.lengths == shorter)
        short, theirs = grams(corpus.picked(places), shorter)
        texts, codes = np.concatenate((texts, places[short])), np.concatenate((codes, theirs))
    return texts, codes


def folded(rows: Codes) -> Codes:
    """Return one code for every row of numbers, shape (rows,), of an array (rows, k), k at least 1."""
    codes = rows[:, 0]
    for i in range(1, rows.shape[1]):
        codes = _then(codes, rows[:, i])
    return codes


def _then(codes: Codes, values: Codes) -> Codes:
    return mixed(codes * _ORDER + values)


def tally(texts: Ints, codes: Codes) -> Tally:
    """Count (text, code) pairs of a block of at most `BLOCK_TEXTS` texts."""
    keys = np.sort((texts.astype(np.uint64) << _TEXT_PLACE) | shortened(codes))
    return Tally(*occurrences(keys))


def shortened(codes: Codes) -> Codes:
    """Return the codes as a tally has them: their first 53 bits."""
    return codes >> _SHORTER


def occurrences(rising: Codes) -> tuple[Codes, Ints]:
    """Return the different numbers of a sorted array, and how often each stands there."""
    if not len(rising):
        return rising, np.zeros(0, dtype=np.int64)
    begins = np.flatnonzero(np.concatenate(([True], rising[1:] != rising[:-1])))
    return rising[begins], np.diff(np.append(begins, len(rising)))


def distinct(
    texts: Sequence[Sequence[str]], n: int, over: Literal["tokens", "ngrams"] = "tokens"
) -> float | None:
    """Return how many different n-grams texts have, over their tokens (Li et al. 2016) or over their n-grams.

    Both are in [0, 1] and fall as texts are added. None where there is nothing to divide by.
    """
    found = [run for text in texts for run in _runs(text, n)]
    total = len(found) if over == "ngrams" else sum(map(len, texts))
    return len(set(found)) / total if total else None


def repeated_share(text: Sequence[str], n: int = 4) -> float | None:
    """Return rep-n, the share of a text's n-grams that it has said before, in [0, 1) (Welleck et al. 2020).

    None where a text is shorter than n words. Models caught in a loop have a rep-4 above 0.3.
    """
    found = _runs(text, n)
    return 1 - len(set(found)) / len(found) if found else None


def _runs(text: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
