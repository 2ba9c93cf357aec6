"""How hard the English texts are to read: words per sentence, long words, and two indices made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from recaption.evaluation.measures import About, Additive, Floats, Result, ratio
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.counts import LONG_WORD, TextCounts, column_counts
from recaption.evaluation.text.figures import sums_by_item
from recaption.evaluation.text.languages import ENGLISH
from recaption.evaluation.text.readability import automated_readability, lix
from recaption.evaluation.tools import Tools

__all__ = ["Readability", "ReadabilityFacts"]


@dataclass(frozen=True, slots=True, eq=False)
class ReadabilityFacts:
    """What every text is counted by, by column."""

    counts: Mapping[str, TextCounts]


@dataclass(frozen=True, slots=True)
class _Figure:
    name: str
    title: str
    unit: Literal["", "share", "words"]
    of: tuple[str, ...]
    """Names of the counts whose sums it is made of."""
    formula: Callable[[Floats], Floats]
    note: str


_FIGURES: Final = (
    _Figure(
        "words_per_sentence",
        "Words per sentence, English texts",
        "words",
        ("words", "sentences"),
        ratio,
        "all words over all sentences; a fragment is a sentence",
    ),
    _Figure(
        "long_word_share",
        f"Words of {LONG_WORD} letters or more, English texts",
        "share",
        ("long_words", "words"),
        ratio,
        "",
    ),
    _Figure(
        "readability.ari",
        "Automated Readability Index, English texts",
        "",
        ("letters", "words", "sentences"),
        automated_readability,
        "4.71 letters per word + 0.5 words per sentence - 21.43, of all texts together",
    ),
    _Figure(
        "readability.lix",
        "LIX, English texts",
        "",
        ("long_words", "words", "sentences"),
        lix,
        f"words per sentence + percentage of words of {LONG_WORD} letters or more, of all texts together",
    ),
)


class Readability:
    """Readability of the texts that are in English; neither easy nor hard is better in itself."""

    name: ClassVar[str] = "readability"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> ReadabilityFacts:
        """Return the counts of every text."""
        return ReadabilityFacts({column: column_counts(subject, tools, column) for column in subject.columns})

    def score(self, subject: Subject, facts: ReadabilityFacts) -> Sequence[Result]:
        """Return four figures of the English texts; the others count for nothing."""
        return [_figure(figure, subject, facts) for figure in _FIGURES]


def _figure(figure: _Figure, subject: Subject, facts: ReadabilityFacts) -> Additive:
    left_out = [
        f"{int((~counts.are(ENGLISH)).sum()):,} of {len(counts):,} texts of {column!r} are not known to be English"
        for column, counts in facts.counts.items()
    ]
    about = About(
        name=figure.name,
        title=figure.title,
        group="length",
        unit=figure.unit,
        note="; ".join(filter(None, [figure.note, *left_out])),
    )
    parts = {}
    for column, counts in facts.counts.items():
        english = counts.are(ENGLISH)
        values = (getattr(counts, name)[english] for name in figure.of)
        parts[column] = sums_by_item(counts.owners[english], len(subject), *values)
    return Additive(about=about, parts=parts, formula=figure.formula)
