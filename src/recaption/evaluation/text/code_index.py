"""Codes looked up by the million: evenly spread numbers need no halving, their first bits say where to look."""

from __future__ import annotations

from typing import Final

import numpy as np

from recaption.evaluation.text.corpus import Codes, Ints
from recaption.evaluation.text.ngrams import CODE_BITS

__all__ = ["CodeIndex"]

_MOST_SHELF_BITS: Final = 22
"""Four million shelves, 16 MB: more would not stay in the processor's cache."""


class CodeIndex:
    """Different codes of 53 bits, rising."""

    def __init__(self, rising: Codes) -> None:
        bits = min(_MOST_SHELF_BITS, max(1, (4 * len(rising)).bit_length()))
        self._shift = np.uint64(CODE_BITS - bits)
        edges = np.arange(1 << bits, dtype=np.uint64) << self._shift
        self._begins = np.searchsorted(rising, edges).astype(np.int32)
        self._codes = np.append(rising, np.uint64(np.iinfo(np.uint64).max))  # so that a search ends

    def places(self, codes: Codes) -> Ints:
        """Return where codes of 53 bits are, -1 for those that are not."""
        at = self._begins[codes >> self._shift].astype(np.int64)
        while (behind := self._codes[at] < codes).any():
            at += behind
        return np.where(self._codes[at] == codes, at, -1)
