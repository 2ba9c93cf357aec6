"""How much of a text was changed: the word edit distance of two captions, bounded in time for texts of any length."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_WORDS", "edit_ratio"]

MOST_WORDS: Final = 512
"""Of each text; what is beyond does not count, 512² steps being some ten milliseconds."""
_MOST_CHARS: Final = 20_000
# A script written without spaces counts by character: one changed sign is not the whole sentence.
_WORD: Final = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+|[^\w\s]"
)


def edit_ratio(before: str, after: str) -> float:
    """Return the words added, dropped and replaced over the words of the longer text, in [0, 1] (Levenshtein 1966).

    Case and punctuation count: an auditor who mends a comma has edited.
    """
    if before == after:
        return 0.0
    one, other = _words(before), _words(after)
    longest = max(len(one), len(other))
    return _distance(one, other) / longest if longest else 0.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text[:_MOST_CHARS])[:MOST_WORDS]


def _distance(one: list[str], other: list[str]) -> int:
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    if not one or not other:
        return max(len(one), len(other))
    numbers: dict[str, int] = {}
    a = np.array([numbers.setdefault(word, len(numbers)) for word in one])
    b = np.array([numbers.setdefault(word, len(numbers)) for word in other])
    places = np.arange(len(b) + 1)
    row: NDArray[np.int64] = places.copy()
    for i, word in enumerate(a, start=1):
        fresh = np.empty_like(row)
        fresh[0] = i
        np.minimum(row[1:] + 1, row[:-1] + (b != word), out=fresh[1:])
        # Additions run along the row: the least of any earlier cell and the steps from there.
        row = np.minimum.accumulate(fresh - places) + places
    return int(row[-1])
