"""In which languages a column is, and how often an item changed its language against the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.measures import About, Additive, Listing, Result
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.counts import TextCounts, column_counts
from recaption.evaluation.text.figures import mean_over_texts
from recaption.evaluation.text.languages import ENGLISH, NO_LANGUAGE
from recaption.evaluation.tools import Tools

__all__ = ["Language", "LanguageFacts"]

_MOST_LISTED: Final = 20
_NOTE: Final = "by script; among Latin letters English by its function words, no other by name; else unclear"


@dataclass(frozen=True, slots=True, eq=False)
class LanguageFacts:
    """What every text is counted by, its language among it, by column."""

    counts: Mapping[str, TextCounts]


class Language:
    """Shares of languages, and the share of items that changed theirs."""

    name: ClassVar[str] = "language"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> LanguageFacts:
        """Return the language of every text."""
        return LanguageFacts({column: column_counts(subject, tools, column) for column in subject.columns})

    def score(self, subject: Subject, facts: LanguageFacts) -> Sequence[Result]:
        """Return the share of English, of items that changed their language, and a table of languages."""
        english = About(
            name="english_share",
            title="Texts known to be English",
            group="length",
            unit="share",
            value_range=(0, 1),
            note=_NOTE,
        )
        values = {column: counts.are(ENGLISH).astype(np.float64) for column, counts in facts.counts.items()}
        owners = {column: counts.owners for column, counts in facts.counts.items()}
        return [
            mean_over_texts(english, values, owners, len(subject)),
            _changed(subject, facts),
            _table(subject, facts),
        ]


def _changed(subject: Subject, facts: LanguageFacts) -> Additive:
    about = About(
        name="language_changed",
        title="Items in another language than the baseline",
        group="length",
        unit="share",
        value_range=(0, 1),
        note=f"of items whose languages can both be told, by most of their texts; {_NOTE}",
    )
    told = {column: _of_items(subject, counts) for column, counts in facts.counts.items()}
    before = told[subject.columns[0]]
    parts = {}
    for column, after in told.items():
        both = np.array([a is not None and b is not None for a, b in zip(before, after, strict=True)])
        differ = np.array([a != b for a, b in zip(before, after, strict=True)])
        parts[column] = np.stack([both & differ, both], axis=1).astype(np.float64).reshape(len(subject), 2)
    return Additive(about=about, parts=parts)


def _of_items(subject: Subject, counts: TextCounts) -> list[str | None]:
    """Return the language that most texts of each item are told to be in; of several the first."""
    votes: list[Counter[str]] = [Counter() for _ in range(len(subject))]
    for owner, language in zip(counts.owners.tolist(), counts.languages, strict=True):
        if language not in NO_LANGUAGE:
            votes[owner][language] += 1
    return [vote.most_common(1)[0][0] if vote else None for vote in votes]


def _table(subject: Subject, facts: LanguageFacts) -> Listing:
    found = {column: Counter(counts.languages) for column, counts in facts.counts.items()}
    every: Counter[str] = Counter()
    for counter in found.values():
        every.update(counter)
    rows = [
        (language, *(_share(found[column], language) for column in subject.columns))
        for language, _ in sorted(every.items(), key=lambda item: (-item[1], item[0]))[:_MOST_LISTED]
    ]
    return Listing(
        name="languages",
        title="Languages of the texts",
        header=("language", *subject.columns),
        rows=rows,
        note=f"{_NOTE}.",
    )


def _share(counter: Counter[str], language: str) -> str:
    total = counter.total()
    return f"{counter[language]:,} ({counter[language] / total:.1%})" if total else "–"
