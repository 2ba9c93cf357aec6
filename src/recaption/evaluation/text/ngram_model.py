"""A small language model that needs no library: n-grams with interpolated modified Kneser-Ney smoothing.

Chen & Goodman 1998 (TR-10-98), section 3: every order is discounted by one of three amounts, and what that frees goes
to the order below, whose counts are those of distinct contexts; the lowest goes on to the uniform distribution. All
tables are sorted arrays of packed integers, so that a million tokens take a fraction of a second.

Of word trigrams and byte n-grams of orders 4 to 7, with this smoothing or Witten and Bell's, this one tells captions
from their corruptions best (`benchmarks/grammar_metrics.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.evaluation.measures import Floats

__all__ = ["END", "MAX_VOCABULARY", "ORDER", "UNKNOWN", "NgramModel", "Rows"]

Ints = NDArray[np.int64]

ORDER: Final = 3
UNKNOWN: Final = 0
END: Final = 1
_BITS: Final = 21
"""Of a symbol in a packed n-gram; three fit into a signed 64-bit integer."""
MAX_VOCABULARY: Final = (1 << _BITS) - 1
_LARGEST: Final = np.array([0.0, 0.95, 1.95, 2.95])
_SMALLEST: Final = 0.01
_PLAIN: Final = 0.5
"""The discount where there are too few counts to estimate one."""
_AT_ONCE: Final = 2_000_000
"""Symbols held as packed n-grams at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Texts as symbols, one after the other."""

    symbols: Ints
    lengths: Ints
    """Symbols of each text."""

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, rows: Ints) -> Rows:
        """Return some of the texts."""
        starts = np.cumsum(self.lengths) - self.lengths
        lengths = self.lengths[rows]
        shift = np.repeat(starts[rows] - (np.cumsum(lengths) - lengths), lengths)
        return Rows(self.symbols[np.arange(len(shift)) + shift], lengths)


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """One order of n-grams: what each adds to its probability, and what each context hands to the order below."""

    grams: Ints
    own: Floats
    contexts: Ints
    handed: Floats


class NgramModel:
    """Trigrams over the symbols 0 … size - 1, of which `UNKNOWN` and `END` are two. Every text ends with `END`."""

    def __init__(self, rows: Rows, size: int) -> None:
        """Learn from texts.

        Args:
            rows: Symbols in [0, size), `END` not among them.
            size: At most `MAX_VOCABULARY`.
        """
        if not 2 <= size <= MAX_VOCABULARY:
            raise ValueError(f"a vocabulary has 2 to {MAX_VOCABULARY} symbols, not {size}")
        self.size = size
        grams, counts = np.unique(self._packed(rows), return_counts=True)
        orders = [_order(grams, counts)]
        for length in range(ORDER - 1, 0, -1):
            # Counts of the orders below are those of distinct symbols before.
            grams, counts = np.unique(grams & ((1 << (_BITS * length)) - 1), return_counts=True)
            orders.append(_order(grams, counts))
        self._orders = orders[::-1]

    def bits(self, rows: Rows) -> Floats:
        """Return the bits of each text, its end included: minus the logarithm to base 2 of its probability."""
        found = np.zeros(len(rows))
        ends = np.cumsum(rows.lengths + 1)
        start = 0
        while start < len(rows):
            stop = max(start + 1, int(np.searchsorted(ends, (ends[start - 1] if start else 0) + _AT_ONCE)))
            part = rows.take(np.arange(start, stop))
            grams, places = np.unique(self._packed(part), return_inverse=True)
            each = -np.log2(self._probabilities(grams))[places]
            owners = np.repeat(np.arange(stop - start), part.lengths + 1)
            found[start:stop] = np.bincount(owners, weights=each, minlength=stop - start)
            start = stop
        return found

    def probabilities(self, before: tuple[int, ...]) -> Floats:
        """Return the probability of every symbol after some others, shape (size,); they add up to 1."""
        context = [self.size] * ORDER + list(before)
        first, second = context[-2:]
        return self._probabilities((first << 2 * _BITS) | (second << _BITS) | np.arange(self.size))

    def _packed(self, rows: Rows) -> Ints:
        """Return the trigram that ends in each symbol and in the end of each text; before a text stands `size`."""
        padding = ORDER - 1
        widths = rows.lengths + padding + 1
        starts = np.cumsum(widths) - widths
        flat = np.full(int(widths.sum()), self.size, dtype=np.int64)
        inside = np.ones(len(flat), dtype=np.bool_)
        for i in range(padding):
            inside[starts + i] = False
        flat[starts + widths - 1] = END
        is_symbol = inside.copy()
        is_symbol[starts + widths - 1] = False
        flat[is_symbol] = rows.symbols
        places = np.flatnonzero(inside)
        return (flat[places - 2] << 2 * _BITS) | (flat[places - 1] << _BITS) | flat[places]

    def _probabilities(self, grams: Ints) -> Floats:
        found = np.full(len(grams), 1.0 / self.size)
        for length, order in enumerate(self._orders, start=1):
            short = grams & ((1 << (_BITS * length)) - 1)
            own = _looked_up(order.grams, order.own, short, 0.0)
            found = own + found * _looked_up(order.contexts, order.handed, short >> _BITS, 1.0)
        return found


def _order(grams: Ints, counts: Ints) -> _Order:
    contexts, places = np.unique(grams >> _BITS, return_inverse=True)
    taken = _discounts(counts)[np.minimum(counts, 3)]
    totals = np.bincount(places, weights=counts.astype(np.float64))
    handed = np.bincount(places, weights=taken) / totals
    return _Order(grams, (counts - taken) / totals[places], contexts, handed)


def _discounts(counts: Ints) -> Floats:
    """Return what is taken from counts of 0, 1, 2, and 3 or more."""
    one, two, three, four = (int((counts == n).sum()) for n in (1, 2, 3, 4))
    if not (one and two and three):
        return np.array([0.0, _PLAIN, _PLAIN, _PLAIN])
    share = one / (one + 2 * two)
    estimated = [0.0, 1 - 2 * share * two / one, 2 - 3 * share * three / two, 3 - 4 * share * four / three]
    return np.clip(estimated, [0.0, _SMALLEST, _SMALLEST, _SMALLEST], _LARGEST)


def _looked_up(keys: Ints, values: Floats, asked: Ints, absent: float) -> Floats:
    if not len(keys):
        return np.full(len(asked), absent)
    places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    result: Floats = np.where(keys[places] == asked, values[places], absent)
    return result
