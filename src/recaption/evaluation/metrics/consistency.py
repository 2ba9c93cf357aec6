"""Self-consistency: does what a text says stand in the other candidates of its image too? No model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.extract.objects import class_words
from recaption.evaluation.measures import About, Additive, Listing, Result, mean_parts
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.figures import shortened
from recaption.evaluation.text.scenes import is_function_word
from recaption.evaluation.text.support import others_than, support, surprise
from recaption.evaluation.text.tokens import words
from recaption.evaluation.tools import Tools
from recaption.media.labels import LabelMatcher

__all__ = ["Consistency", "ConsistencyFacts"]

_MOST_ITEMS: Final = 20_000
_LISTED: Final = 20
_NOTE: Final = (
    "against the other candidates of the same image; what all invent alike is borne out too; a seeded sample of "
    f"{_MOST_ITEMS:,} items where there are more"
)


@dataclass(frozen=True, slots=True)
class _Borne:
    """How far the other candidates bear one text out."""

    item: int
    text: str
    words: float | None
    objects: float | None
    surprise: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ConsistencyFacts:
    """One entry for each text that has other candidates beside it, by column."""

    borne: Mapping[str, Sequence[_Borne]]
    words_note: str


class Consistency:
    """Share of a text's content words, and of the objects it names, that the other candidates have too."""

    name: ClassVar[str] = "consistency"
    needs: ClassVar[frozenset[Need]] = frozenset({"candidates"})

    def extract(self, subject: Subject, tools: Tools) -> ConsistencyFacts:
        """Return how far each text is borne out.

        Raises:
            UserError: The file of words for classes is not what it should be.
        """
        known = class_words(subject, tools.options.class_words)
        borne = {c: _of_column(subject, c, known.matcher) for c in subject.columns}
        return ConsistencyFacts(borne=borne, words_note=known.note)

    def score(self, subject: Subject, facts: ConsistencyFacts) -> list[Result]:
        """Return support of words and of objects, surprise, and the texts least borne out."""

        def figure(name: str, title: str, more: str = "") -> Additive:
            higher = name != "surprise"
            about = About(
                name=f"consistency.{name}",
                title=title,
                group="faithfulness",
                better="higher" if higher else "lower",
                value_range=(0.0, 1.0 if higher else None),
                unit="share" if higher else "nats",
                note=f"{_NOTE}{more}",
            )
            parts = {
                column: mean_parts([getattr(b, name) for b in some], len(subject), [b.item for b in some])
                for column, some in facts.borne.items()
            }
            return Additive(about=about, parts=parts)

        return [
            figure("words", "Content words that other candidates have too"),
            figure("objects", "Objects named that other candidates name too", f"; {facts.words_note}"),
            figure("surprise", "Surprise at a word, given all candidates", "; unigrams, unsmoothed"),
            _least(subject, facts),
        ]


def _of_column(subject: Subject, column: str, matcher: LabelMatcher) -> list[_Borne]:
    found = []
    candidates = subject.candidates(column)
    texts = subject.texts(column)
    for i in _sample([len(some) > 1 for some in candidates], subject.seed):
        split = {text: words(text) for text in {*candidates[i], *texts[i]}}
        named = {text: matcher.labels_in(text) for text in split}
        content = {text: {w for w in some if not is_function_word(w)} for text, some in split.items()}
        for text in texts[i]:
            others = others_than(text, candidates[i])
            found.append(
                _Borne(
                    item=i,
                    text=text,
                    words=support(content[text], [content[other] for other in others]),
                    objects=support(named[text], [named[other] for other in others]),
                    surprise=surprise(split[text], [split[other] for other in others]),
                )
            )
    return found


def _sample(fits: Sequence[bool], seed: int) -> list[int]:
    places = np.flatnonzero(np.array(fits, dtype=np.bool_))
    if len(places) > _MOST_ITEMS:
        places = np.sort(np.random.default_rng([seed, 29]).permutation(places)[:_MOST_ITEMS])
    return [int(i) for i in places]


def _least(subject: Subject, facts: ConsistencyFacts) -> Listing:
    rows = []
    for column, some in facts.borne.items():
        known = sorted((b.words, b.item, b.text) for b in some if b.words is not None)
        rows += [
            (column, shortened(subject.items[item].key), f"{100 * value:.0f} %", shortened(text))
            for value, item, text in known[:_LISTED]
        ]
    return Listing(
        name="consistency.least",
        title="Texts least borne out by the other candidates",
        header=("column", "item", "words borne out", "text"),
        rows=rows,
        note="a good order to read captions in, when looking for mistakes",
    )
