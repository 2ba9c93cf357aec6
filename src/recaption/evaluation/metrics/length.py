"""How long texts are: words, sentences, characters, and tokens as CLIP counts them, whole and never cut off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import numpy as np

from recaption.core.errors import UserError
from recaption.evaluation.measures import About, Additive, Floats, Listing, Result
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.counts import TextCounts, column_counts, spoken
from recaption.evaluation.text.figures import Owners, mean_over_texts, nothing
from recaption.evaluation.text.tokens import MAX_CHARS
from recaption.evaluation.tools import Tools
from recaption.media.budgets import clip77

__all__ = ["CLIP_LIMITS", "Length", "LengthFacts"]

CLIP_LIMITS: Final = (77, 248)
"""Tokens that CLIP and LongCLIP (Zhang et al. 2024) read, start and end included."""
_WORDS_NOTE: Final = (
    f"words of letters and digits, each Chinese character one; in the first {MAX_CHARS:,} characters"
)


def _about(name: str, title: str, unit: Literal["", "words", "tokens"], note: str, plot: bool) -> About:
    return About(name=name, title=title, group="length", unit=unit, value_range=(0, None), plot=plot, note=note)


_ABOUT: Final = {
    "words": _about("words", "Words per text", "words", _WORDS_NOTE, True),
    "sentences": _about("sentences", "Sentences per text", "", "", False),
    "characters": _about("characters", "Characters per text", "", "code points", False),
    "CLIP tokens": _about(
        "clip_tokens", "CLIP tokens per text", "tokens", "start and end included, whole", True
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class LengthFacts:
    """Counts of every text, by column."""

    counts: Mapping[str, TextCounts]
    clip_tokens: Mapping[str, Floats]
    """One value a text, specials included; no columns where no tokenizer is here."""
    counted_by: str
    """Which tokenizer, or why there is none."""


class Length:
    """Words, sentences, characters and CLIP tokens of a text, and the share that encoders would cut off."""

    name: ClassVar[str] = "length"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> LengthFacts:
        """Return the counts of every text. A missing tokenizer costs the figures that need it, and no other."""
        counts = {column: column_counts(subject, tools, column) for column in subject.columns}
        try:
            budget = clip77()
        except UserError as error:
            return LengthFacts(counts, {}, str(error))
        tokens = {
            column: np.array(budget.count_many([text for _, text in spoken(subject, column)]), dtype=np.float64)
            for column in subject.columns
        }
        return LengthFacts(counts, tokens, budget.source)

    def score(self, subject: Subject, facts: LengthFacts) -> Sequence[Result]:
        """Return means per text, shares over CLIP's limits, the share of items without a text, and the spread."""
        owners = {column: counts.owners for column, counts in facts.counts.items()}
        measures = _measures(facts)
        results: list[Result] = [
            mean_over_texts(about, measures[title], owners, len(subject))
            for title, about in _ABOUT.items()
            if title in measures
        ]
        if facts.clip_tokens:
            results += _over_limits(subject, facts, owners)
        else:
            results.append(nothing(_ABOUT["CLIP tokens"], subject.columns, facts.counted_by))
        return [*results, _no_text(subject), _spread(subject, facts, measures)]


def _measures(facts: LengthFacts) -> dict[str, dict[str, Floats]]:
    """Return what is counted to column to one value a text."""
    found = {
        "words": {column: counts.words for column, counts in facts.counts.items()},
        "sentences": {column: counts.sentences for column, counts in facts.counts.items()},
        "characters": {column: counts.characters for column, counts in facts.counts.items()},
    }
    return {**found, "CLIP tokens": dict(facts.clip_tokens)} if facts.clip_tokens else found


def _over_limits(subject: Subject, facts: LengthFacts, owners: Mapping[str, Owners]) -> Iterator[Additive]:
    for limit in CLIP_LIMITS:
        about = About(
            name=f"over_{limit}_clip_tokens",
            title=f"Texts of more than {limit} CLIP tokens",
            group="length",
            unit="share",
            value_range=(0, 1),
            note=f"an encoder with room for {limit} does not see how they end; {facts.counted_by}",
        )
        over = {c: (tokens > limit).astype(np.float64) for c, tokens in facts.clip_tokens.items()}
        yield mean_over_texts(about, over, owners, len(subject))


def _no_text(subject: Subject) -> Additive:
    about = About(
        name="no_text",
        title="Items without a text",
        group="length",
        better="lower",
        unit="share",
        value_range=(0, 1),
        note="of all items; every other figure leaves them out",
    )
    parts = {}
    for column in subject.columns:
        missing = [not any(text.strip() for text in texts) for texts in subject.texts(column)]
        parts[column] = np.stack([np.array(missing, dtype=np.float64), np.ones(len(subject))], axis=1)
    return Additive(about=about, parts=parts)


def _spread(subject: Subject, facts: LengthFacts, measures: Mapping[str, Mapping[str, Floats]]) -> Listing:
    """Return how lengths spread: mean, standard deviation, percentiles."""
    rows = []
    for measure, columns in measures.items():
        for column in subject.columns:
            values = columns[column]
            if len(values):
                low, middle, high = np.percentile(values, (5, 50, 95))
                numbers = [values.mean(), values.std(), low, middle, high, values.max()]
                rows.append((measure, column, f"{len(values):,}", *(f"{v:,.1f}" for v in numbers)))
            else:
                rows.append((measure, column, "0", *("–",) * 6))
    return Listing(
        name="length_spread",
        title="How long the texts are",
        header=("counted in", "column", "texts", "mean", "sd", "5 %", "median", "95 %", "longest"),
        rows=rows,
        note=f"Words: {_WORDS_NOTE}. CLIP tokens: {facts.counted_by}.",
    )
