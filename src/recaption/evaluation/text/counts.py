"""What a column's texts are counted by, in one pass: words, sentences, letters, language. Metrics share it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recaption.evaluation.measures import Floats
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.figures import Owners
from recaption.evaluation.text.languages import language_of
from recaption.evaluation.text.tokens import MAX_CHARS, words
from recaption.evaluation.tools import Tools
from recaption.media.sentences import stripped_sentences

__all__ = ["LONG_WORD", "TextCounts", "column_counts", "count_texts", "spoken"]

LONG_WORD = 7
"""Letters from which a word is long, as in LIX (Björnsson 1968)."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TextCounts:
    """Counts of every text of a column that holds anything, in order; each array has one value a text."""

    owners: Owners
    """The item of each text."""
    words: Floats
    """As `tokens.words` finds them, in the first `MAX_CHARS` characters."""
    sentences: Floats
    """At least 1 where there is a word."""
    letters: Floats
    """Letters and digits of those words."""
    long_words: Floats
    """Words of `LONG_WORD` letters or more."""
    characters: Floats
    """Code points of the whole text."""
    languages: tuple[str, ...]
    """As `language_of` tells them."""

    def __len__(self) -> int:
        return len(self.owners)

    def are(self, language: str) -> NDArray[np.bool_]:
        """Say of each text whether it is in a language."""
        return np.array([found == language for found in self.languages], dtype=np.bool_)


def spoken(subject: Subject, column: str) -> Iterator[tuple[int, str]]:
    """Yield every text of a column that is not blank, with the number of its item."""
    return ((owner, text) for owner, text in subject.flat(column) if text and not text.isspace())


def count_texts(texts: Iterable[tuple[int, str]]) -> TextCounts:
    """Return the counts of texts, each with the number of its item."""
    owners: list[int] = []
    rows: list[tuple[int, int, int, int, int]] = []
    languages: list[str] = []
    for owner, text in texts:
        found = words(text)
        lengths = [len(word) for word in found]
        owners.append(owner)
        rows.append(
            (
                len(found),
                _sentences(text[:MAX_CHARS]) if found else 0,
                sum(lengths),
                sum(n >= LONG_WORD for n in lengths),
                len(text),
            )
        )
        languages.append(language_of(text, found))
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 5)
    return TextCounts(
        owners=np.array(owners, dtype=np.int64),
        words=table[:, 0],
        sentences=table[:, 1],
        letters=table[:, 2],
        long_words=table[:, 3],
        characters=table[:, 4],
        languages=tuple(languages),
    )


def column_counts(subject: Subject, tools: Tools, column: str) -> TextCounts:
    """Return the counts of a column, made once for all metrics."""
    return tools.once(("text counts", column), lambda: count_texts(spoken(subject, column)))


def _sentences(text: str) -> int:
    # Most captions are one sentence: without a mark inside there is nothing to look for.
    inside = text.rstrip()[:-1]
    if inside.isascii() and not any(mark in inside for mark in ".!?\n"):
        return 1
    return max(1, len(stripped_sentences(text)[0]))
