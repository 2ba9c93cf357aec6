"""CrossCheckGPT's explicit check (Sun et al. 2024): do other texts about the image support what a sentence says?

Independent writers seldom invent the same thing. The other texts are the references, what the other columns say, and
the column's own other candidates. The judge reads texts alone; it need not see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.extract.answers import SUPPORT_VALUES, yes_no
from recaption.evaluation.extract.judging import (
    Question,
    Reply,
    Tally,
    judge_of,
    judged_items,
    read_replies,
    tally_listing,
)
from recaption.evaluation.measures import About, Additive, Floats, Listing, Result
from recaption.evaluation.metric import Need, Unavailable
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.text.figures import shortened
from recaption.evaluation.text.support import others_than
from recaption.evaluation.text.tokens import MAX_CHARS, words
from recaption.evaluation.tools import Tools
from recaption.media.sentences import stripped_sentences
from recaption.prompts.questions import question

__all__ = ["CrossCheck", "CrossCheckFacts", "suspicion"]

_MOST_SENTENCES: Final = 10
"""Of one text."""
_MOST_PASSAGES: Final = 3
"""Of one source."""
_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class Checked:
    """One sentence, and what the judge made of it: by source, one value a passage; None where it gave no answer."""

    item: int
    sentence: str
    replies: tuple[tuple[Reply[float], ...], ...]

    @property
    def value(self) -> float | None:
        return suspicion([[r.value for r in source] for source in self.replies])


@dataclass(frozen=True, slots=True, eq=False)
class CrossCheckFacts:
    """By column, the sentences of a sample of items."""

    checked: Mapping[str, Sequence[Checked]]
    judge: str


class CrossCheck:
    """How suspicious sentences are: 0 where all other texts support them, 1 where none does."""

    name: ClassVar[str] = "cross_check"
    needs: ClassVar[frozenset[Need]] = frozenset({"judge"})

    def extract(self, subject: Subject, tools: Tools) -> CrossCheckFacts:
        """Ask of each sentence and each other text of its image whether the text supports it."""
        judge = judge_of(tools, sees=False)
        sample = judged_items(subject, tools, _has_others)
        if not sample:
            raise Unavailable(
                "no item has another text to hold sentences against; give references or candidates"
            )
        work = {
            column: [
                (i, sentence, sources)
                for i in sample
                for text in subject.items[i].texts[number]
                if (sources := _sources(subject.items[i], number, text))
                for sentence in _sentences(text)
            ]
            for number, column in enumerate(subject.columns)
        }
        questions = [
            _question(subject.items[i], sentence, passage)
            for some in work.values()
            for i, sentence, sources in some
            for source in sources
            for passage in source
        ]
        replies = iter(read_replies(questions, _suspicious, tools, sees=False))
        return CrossCheckFacts(
            checked={
                column: [
                    Checked(i, sentence, tuple(tuple(next(replies) for _ in source) for source in sources))
                    for i, sentence, sources in some
                ]
                for column, some in work.items()
            },
            judge=judge.name,
        )

    def score(self, subject: Subject, facts: CrossCheckFacts) -> list[Result]:
        """Return the mean over sentences, the most suspicious ones, and what became of the questions."""
        about = About(
            name="cross_check",
            title="Suspicion of sentences, by the judge",
            group="judges",
            value_range=(0.0, 1.0),
            note=f"judge {facts.judge}, mean over sentences; 0: all other texts of the image support it, 1: none; "
            "what others leave unsaid is suspicious too, be it true, so that a longer text is not worse for it",
        )
        parts = {column: _parts(checked, len(subject)) for column, checked in facts.checked.items()}
        tallies = {
            column: Tally.of(r for one in checked for source in one.replies for r in source)
            for column, checked in facts.checked.items()
        }
        return [
            Additive(about=about, parts=parts),
            _suspects(subject, facts),
            tally_listing("cross_check.replies", "Replies to: does it support the sentence?", tallies),
        ]


def suspicion(sources: Sequence[Sequence[float | None]]) -> float | None:
    """Return how suspicious a sentence is: over sources the mean of the mean over each one's passages.

    Args:
        sources: 0 where a passage supports it, 1 where not, 0.5 where that is unclear, None where nobody said.

    Returns:
        In [0, 1]; None where nobody said anything.
    """
    known = [[v for v in source if v is not None] for source in sources]
    means = [sum(source) / len(source) for source in known if source]
    return sum(means) / len(means) if means else None


def _suspicious(text: str) -> float | None:
    said = yes_no(text)
    return None if said is None else SUPPORT_VALUES[said]


def _sources(item: Item, column: int, text: str) -> list[tuple[str, ...]]:
    """Return the texts that a text is held against, by who wrote them; never the text itself."""
    own = others_than(text, item.candidates[column]) if item.candidates else []
    others = [texts for number, texts in enumerate(item.texts) if number != column]
    found = []
    for source in (item.references, *others, own):
        distinct = [t for t in dict.fromkeys(source) if t.strip() and (source is own or t != text)]
        if distinct:
            found.append(tuple(distinct[:_MOST_PASSAGES]))
    return found


def _has_others(item: Item) -> bool:
    return any(_sources(item, column, text) for column, texts in enumerate(item.texts) for text in texts)


def _sentences(text: str) -> list[str]:
    spans, _ = stripped_sentences(text[:MAX_CHARS])
    said = (text[start:end] for start, end in spans)
    return [sentence for sentence in said if words(sentence)][:_MOST_SENTENCES]


def _question(item: Item, sentence: str, passage: str) -> Question:
    return Question(key=item.key, prompt=question("supported", {"sentence": sentence, "passage": passage}))


def _parts(checked: Sequence[Checked], n: int) -> Floats:
    parts = np.zeros((n, 2))
    for one in checked:
        if one.value is not None:
            parts[one.item] += (one.value, 1.0)
    return parts


def _suspects(subject: Subject, facts: CrossCheckFacts) -> Listing:
    rows = []
    for column, checked in facts.checked.items():
        known = [(value, one) for one in checked if (value := one.value) is not None and value > 0]
        for value, one in sorted(known, key=lambda entry: -entry[0])[:_LISTED]:
            rows.append(
                (column, shortened(subject.items[one.item].key), f"{value:.2f}", shortened(one.sentence))
            )
    return Listing(
        name="cross_check.suspects",
        title="Sentences that other texts support least",
        header=("column", "item", "suspicion", "sentence"),
        rows=rows,
        note="a good order to read captions in, when looking for mistakes",
    )
