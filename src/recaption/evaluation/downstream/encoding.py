"""Texts as numbers of words, in one vocabulary that favours no column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recaption.core.digests import digest_bytes, digest_json
from recaption.evaluation.text.tokens import words

__all__ = ["FIRST_WORD", "Texts", "encoded", "vocabulary"]

Integers: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = NDArray[np.int32]
Wording: TypeAlias = "Sequence[Sequence[str]]"
"""Texts, item by item."""

_UNKNOWN: Final = 1
"""Number of every word that the vocabulary lacks; 0 is padding."""
FIRST_WORD: Final = 2
"""Number of the first word there is."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts of some items as numbers of words; those of one item stand together, in the order of the items."""

    ids: Numbers
    """Shape (texts, text_words), 0 behind the end; the first is never 0."""
    owners: Integers
    """Shape (texts,): the place of each text's item, ascending."""
    cut: float
    """Share of the texts whose end is not read."""
    unknown: float
    """Share of the words read that the vocabulary lacks."""

    @property
    def digest(self) -> str:
        """Digest of numbers and owners."""
        return digest_json(
            [self.ids.shape, digest_bytes(self.ids.tobytes()), digest_bytes(self.owners.tobytes())]
        )

    def places(self) -> tuple[Integers, Integers]:
        """Return where the texts of each item that has any begin, and how many they are."""
        _, first, count = np.unique(self.owners, return_index=True, return_counts=True)
        return first.astype(np.int64), count.astype(np.int64)


def vocabulary(columns: Sequence[Wording], most: int) -> dict[str, int]:
    """Return the numbers of at most `most` words that two items or more of one column have.

    If there are more, those stay that the largest share of the items has, each column weighing the same: else the
    column with the longer texts would decide which words there are. Numbers follow the alphabet, so that a column
    that brings no new words leaves them, and with them the first weights, as they are.
    """
    # Every column has the same items, so that a count of items is a share of the column.
    weight: Counter[str] = Counter()
    known: set[str] = set()
    for column in columns:
        items = Counter(word for texts in column for word in {word for text in texts for word in words(text)})
        weight.update(items)
        known.update(word for word, n in items.items() if n > 1)
    chosen = sorted(known, key=lambda word: (-weight[word], word))[:most]
    return {word: FIRST_WORD + i for i, word in enumerate(sorted(chosen))}


def encoded(texts: Wording, known: Mapping[str, int], text_words: int) -> Texts:
    """Return texts as numbers of words; a text without a word is one unknown word."""
    flat = [(owner, text) for owner, some in enumerate(texts) for text in some]
    ids = np.zeros((len(flat), text_words), dtype=np.int32)
    cut = 0
    for row, (_, text) in enumerate(flat):
        read = words(text)
        numbers = [known.get(word, _UNKNOWN) for word in read[:text_words]] or [_UNKNOWN]
        ids[row, : len(numbers)] = numbers
        cut += len(read) > text_words
    there = int(np.count_nonzero(ids))
    return Texts(
        ids=ids,
        owners=np.array([owner for owner, _ in flat], dtype=np.int64),
        cut=cut / max(1, len(flat)),
        unknown=float(np.count_nonzero(ids == _UNKNOWN)) / max(1, there),
    )
