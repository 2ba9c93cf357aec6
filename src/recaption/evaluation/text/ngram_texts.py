"""Texts to bits under the built-in language model, each judged by a model that has not seen its item.

A word that the model does not know costs what `UNKNOWN` costs; what its spelling costs, under a model of the bytes
of rare words, is told apart. The first alone says how usual the order of words is; both together are the length of a
code for the whole text in lower case, by which a text full of unknown words is no cheap one.
"""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import count
from typing import Final

import numpy as np

from recaption.evaluation.measures import Floats
from recaption.evaluation.text.ngram_model import MAX_VOCABULARY, UNKNOWN, Ints, NgramModel, Rows
from recaption.evaluation.text.tokens import MAX_CHARS
from recaption.media.checks.reading import CJK

__all__ = ["MOST_LEARNED", "Bits", "Encoder", "WordModel", "cross_fitted", "folds_of", "sampled"]

MOST_LEARNED: Final = 2_000_000
"""Words that a model learns from; of more texts a seeded sample."""
_LEAST_SEEN: Final = 2
"""Times a word must have been seen to be known."""
_TOKEN: Final = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:['’-][^\W_{CJK}]+)*|[^\w\s]|_")
_FIRST_BYTE: Final = 2
"""Bytes stand behind `UNKNOWN` and `END`."""


@dataclass(frozen=True, slots=True, eq=False)
class Bits:
    """What a model makes of texts; one value each."""

    bits: Floats
    """Of the words and marks in their order, unknown ones as one class."""
    spelling: Floats
    """Of the spelling of the unknown ones."""
    tokens: Floats
    """Words, marks, and the end."""
    unknown: Floats
    """Words that the model does not know."""


class Encoder:
    """Numbers words as they come; the same word has the same number in every text."""

    def __init__(self) -> None:
        numbers: defaultdict[str, int] = defaultdict(count().__next__)
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def words(self) -> list[str]:
        """The words, by number."""
        return list(self._numbers)

    def rows(self, texts: Iterable[str]) -> Rows:
        """Return texts as numbers of their words, in lower case, marks among them."""
        symbols, lengths = array("q"), array("q")
        number = self._numbers.__getitem__
        for text in texts:
            found = _TOKEN.findall(text[:MAX_CHARS].lower())
            symbols.extend(map(number, found))
            lengths.append(len(found))
        return Rows(np.array(symbols, dtype=np.int64), np.array(lengths, dtype=np.int64))


class WordModel:
    """A trigram model of the words of some texts, with the spelling of those it does not know."""

    def __init__(self, words: Sequence[str], rows: Rows) -> None:
        """Learn from texts.

        Args:
            words: What the numbers in `rows`, and in all that will be judged, stand for.
        """
        self._words = words
        seen = np.bincount(rows.symbols, minlength=len(self._words))
        known = np.flatnonzero(seen >= _LEAST_SEEN)
        known = known[np.argsort(-seen[known], kind="stable")][: MAX_VOCABULARY - _FIRST_BYTE]
        self._local = np.full(len(self._words), UNKNOWN, dtype=np.int64)
        self._local[known] = np.arange(len(known)) + _FIRST_BYTE
        self.known = len(known)
        self._model = NgramModel(Rows(self._local[rows.symbols], rows.lengths), len(known) + _FIRST_BYTE)
        rare = np.flatnonzero((seen > 0) & (self._local == UNKNOWN))
        self._spelling = NgramModel(self._spelled(rare), 256 + _FIRST_BYTE)

    def judge(self, rows: Rows) -> Bits:
        """Return the bits of texts."""
        local = self._local[rows.symbols]
        owners = np.repeat(np.arange(len(rows)), rows.lengths)
        strange = np.flatnonzero(local == UNKNOWN)
        words, places = np.unique(rows.symbols[strange], return_inverse=True)
        spelled = self._spelling.bits(self._spelled(words))[places]
        return Bits(
            bits=self._model.bits(Rows(local, rows.lengths)),
            spelling=np.bincount(owners[strange], weights=spelled, minlength=len(rows)).astype(np.float64),
            tokens=rows.lengths.astype(np.float64) + 1.0,
            unknown=np.bincount(owners[strange], minlength=len(rows)).astype(np.float64),
        )

    def _spelled(self, words: Ints) -> Rows:
        spelled = [self._words[word].encode("utf-8", "surrogatepass") for word in words.tolist()]
        flat = np.frombuffer(b"".join(spelled), dtype=np.uint8).astype(np.int64) + _FIRST_BYTE
        return Rows(flat, np.array([len(word) for word in spelled], dtype=np.int64))


def folds_of(items: int, learned: Ints, folds: int, seed: int) -> Ints:
    """Return the fold of each item, such that what is learned from spreads evenly over them.

    Args:
        items: How many items there are.
        learned: The items that texts are learned from, each once.
    """
    rng = np.random.default_rng(seed)
    found = rng.integers(folds, size=items)
    found[learned] = rng.permutation(len(learned)) % folds
    return found


def sampled(rows: Rows, candidates: Ints, seed: int) -> Ints:
    """Return which of the texts to learn from: all, or a seeded sample of `MOST_LEARNED` words, in order."""
    if int(rows.lengths[candidates].sum()) <= MOST_LEARNED:
        return candidates
    drawn = np.random.default_rng(seed).permutation(candidates)
    return np.sort(drawn[np.cumsum(rows.lengths[drawn]) <= MOST_LEARNED])


def cross_fitted(
    words: Sequence[str],
    learned: tuple[Rows, Ints],
    judged: Sequence[tuple[Rows, Ints]],
    folds: Ints,
    seed: int,
) -> list[Bits]:
    """Return what is made of texts by models that learned from the texts of other items only.

    Args:
        words: What the numbers of the texts stand for.
        learned: Texts to learn from, and the item of each.
        judged: Several columns of texts, and the item of each text.
        folds: The fold of each item; a text is judged by the model of the other folds.
    """
    results = [Bits(*(np.zeros(len(texts)) for _ in fields(Bits))) for texts, _ in judged]
    rows, owners = learned
    for fold in range(int(folds.max(initial=-1)) + 1):
        chosen = sampled(rows, np.flatnonzero(folds[owners] != fold), seed)
        model = WordModel(words, rows.take(chosen))
        for (texts, items), result in zip(judged, results, strict=True):
            here = np.flatnonzero(folds[items] == fold)
            found = model.judge(texts.take(here))
            for field in fields(Bits):
                getattr(result, field.name)[here] = getattr(found, field.name)
    return results
