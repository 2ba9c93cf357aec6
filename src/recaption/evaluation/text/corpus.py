"""Many texts as numbers: one array of words for all, so that a hundred thousand captions are counted in seconds.

Corpora made together share one vocabulary. A word also has a 64-bit value that is the same in every corpus, on every
machine and in every run, so that what was counted in one place can be looked up in another.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.core.digests import digest_text
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.tokens import words
from recaption.evaluation.tools import Tools

__all__ = ["Codes", "Corpus", "Ints", "Splitter", "corpora", "ranges", "shared_corpora"]

Ints = NDArray[np.int64]
Codes = NDArray[np.uint64]
Splitter = Callable[[str], Sequence[str]]

_WORDS_AT_ONCE: Final = 500_000
"""Words of a block: what keeps the arrays made from it in the processor's cache, and memory in bounds."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts in a fixed order; `owners` never falls."""

    vocabulary: Sequence[str]
    """Word by number."""
    values: Codes
    """Value by number, shape (vocabulary,)."""
    ids: NDArray[np.int32]
    """Numbers of all words, text after text, shape (words,)."""
    starts: Ints
    """Where each text begins in `ids`, and the end of the last, shape (texts + 1,)."""
    owners: Ints
    """Item of each text, shape (texts,)."""

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def lengths(self) -> Ints:
        """Words of each text, shape (texts,)."""
        return np.diff(self.starts)

    def text(self, i: int) -> list[int]:
        """Return the numbers of one text's words."""
        numbers: list[int] = self.ids[self.starts[i] : self.starts[i + 1]].tolist()
        return numbers

    def said(self, numbers: Iterable[int]) -> str:
        """Return the words of some numbers as one text."""
        return " ".join(self.vocabulary[number] for number in numbers)

    def between(self, first: int, last: int) -> Corpus:
        """Return the texts from `first` up to, not with, `last`, without copying their words."""
        begin, end = int(self.starts[first]), int(self.starts[last])
        return Corpus(
            self.vocabulary,
            self.values,
            self.ids[begin:end],
            self.starts[first : last + 1] - begin,
            self.owners[first:last],
        )

    def of_items(self, first: int, last: int) -> Corpus:
        """Return the texts of the items from `first` up to, not with, `last`."""
        begin, end = np.searchsorted(self.owners, (first, last))
        return self.between(int(begin), int(end))

    def picked(self, places: Ints) -> Corpus:
        """Return some of the texts, in the order given."""
        lengths = self.lengths[places]
        ids = self.ids[ranges(self.starts[places], lengths)]
        starts = np.concatenate(([0], np.cumsum(lengths)))
        return Corpus(self.vocabulary, self.values, ids, starts, self.owners[places])

    def blocks(self, most_texts: int) -> Iterator[tuple[int, Corpus]]:
        """Yield the texts in blocks, each with the number of its first text; a block has one text at least."""
        first = 0
        while first < len(self):
            room = np.searchsorted(self.starts, self.starts[first] + _WORDS_AT_ONCE, side="right") - 1
            last = max(first + 1, min(int(room), first + most_texts, len(self)))
            yield first, self.between(first, last)
            first = last


def corpora(columns: Mapping[str, Iterable[tuple[int, str]]], split: Splitter = words) -> dict[str, Corpus]:
    """Return each column's texts as numbers, with one vocabulary for all.

    Args:
        columns: Texts with the number of their item, in the order of items. A text without words has length 0.
    """
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    read = {name: _read(texts, split, numbers) for name, texts in columns.items()}
    vocabulary = list(numbers)
    values = np.array([int(digest_text(word)[:16], 16) for word in vocabulary], dtype=np.uint64)
    return {name: Corpus(vocabulary, values, *arrays) for name, arrays in read.items()}


def shared_corpora(subject: Subject, tools: Tools) -> dict[str, Corpus]:
    """Return the texts of every column as numbers of words of any language, made once for all metrics."""
    return tools.once(
        "corpora of words",
        lambda: corpora({column: subject.flat(column) for column in subject.columns}),
    )


def ranges(starts: Ints, lengths: Ints) -> Ints:
    """Return `starts[0], starts[0] + 1, …` for as many places as `lengths[0]` says, then the next, in one array."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(total)


def _read(
    texts: Iterable[tuple[int, str]], split: Splitter, numbers: defaultdict[str, int]
) -> tuple[NDArray[np.int32], Ints, Ints]:
    ids, starts, owners = array("i"), array("q", [0]), array("q")
    for owner, text in texts:
        ids.extend(map(numbers.__getitem__, split(text)))
        starts.append(len(ids))
        owners.append(owner)
    return np.array(ids, dtype=np.int32), np.array(starts, dtype=np.int64), np.array(owners, dtype=np.int64)
