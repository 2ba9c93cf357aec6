"""OpenCHAIR (Ben-Kish et al. 2024): things a text names that the judge does not find, whatever they are.

Its arithmetic, with nouns found by word lists and not rated for concreteness. The judge looks at the image if it can;
else, as in the paper, it goes by the reference texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.extract.answers import YesNo, open_chair_answer
from recaption.evaluation.extract.judging import (
    Question,
    Reply,
    Tally,
    has_image,
    judge_of,
    judged_items,
    read_replies,
    tally_listing,
)
from recaption.evaluation.measures import About, Additive, Floats, Listing, Result, Value, Whole
from recaption.evaluation.metric import Need, Unavailable
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.text.scenes import scene
from recaption.evaluation.tools import Tools
from recaption.media.words import counted
from recaption.prompts.questions import question

__all__ = ["OpenChair", "OpenChairFacts", "open_chair"]

_MOST_THINGS: Final = 20
"""Of one text."""
_MOST_REFERENCES: Final = 10
_LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class Named:
    """The things one text names, and what the judge said of each."""

    item: int
    things: tuple[str, ...]
    replies: tuple[Reply[YesNo], ...]


@dataclass(frozen=True, slots=True, eq=False)
class OpenChairFacts:
    """By column, one entry for each text of the sample."""

    named: Mapping[str, Sequence[Named]]
    note: str


class OpenChair:
    """Share of things named that are not there, by the judge."""

    name: ClassVar[str] = "open_chair"
    needs: ClassVar[frozenset[Need]] = frozenset({"judge"})

    def extract(self, subject: Subject, tools: Tools) -> OpenChairFacts:
        """Ask about every thing that the texts of a sample of items name."""
        judge = judge_of(tools, sees=False)
        looks = "images" in judge.capabilities and any(has_image(item) for item in subject.items)
        sample = judged_items(subject, tools, has_image if looks else _has_references)
        if not sample:
            raise Unavailable(
                f"{judge.name} can go neither by images, which it does not see, nor by references"
            )
        named = {
            column: [
                (i, tuple(sorted(scene(text).objects)[:_MOST_THINGS]))
                for i in sample
                for text in subject.items[i].texts[number]
            ]
            for number, column in enumerate(subject.columns)
        }
        questions = [
            _question(subject.items[i], thing, looks)
            for texts in named.values()
            for i, things in texts
            for thing in things
        ]
        every: list[Reply[YesNo]] = read_replies(questions, open_chair_answer, tools, sees=looks)
        replies = iter(every)
        return OpenChairFacts(
            named={
                column: [Named(i, things, tuple(next(replies) for _ in things)) for i, things in texts]
                for column, texts in named.items()
            },
            note=f"judge {judge.name}, going by {'images' if looks else 'references'}; nouns by word lists, English",
        )

    def score(self, subject: Subject, facts: OpenChairFacts) -> list[Result]:
        """Return the share of things not there, of answers that are unsure, and the things most often invented."""
        n = len(subject)
        about = About(
            name="open_chair",
            title="Named things not there, by the judge",
            group="judges",
            better="lower",
            value_range=(0.0, 1.0),
            unit="share",
            note=f"{facts.note}; unsure and unreadable replies left out; 0 where a text names nothing",
        )
        parts = {column: _parts(named, n) for column, named in facts.named.items()}
        tallies = {c: Tally.of(r for text in named for r in text.replies) for c, named in facts.named.items()}
        return [
            Additive(about=about, parts=parts, formula=open_chair),
            _unsure(facts),
            _invented(facts),
            tally_listing("open_chair.replies", "Replies to: is this thing there?", tallies, facts.note),
        ]


def open_chair(sums: Floats) -> Floats:
    """Return #no / (#yes + #no) of sums (..., 3): no, yes or no, texts judged.

    0 where texts were judged and name nothing; NaN where none was.
    """
    no, answered, texts = sums[..., 0], sums[..., 1], sums[..., 2]
    share = np.divide(no, answered, out=np.zeros(np.shape(no)), where=answered > 0)
    result: Floats = np.where(texts > 0, share, np.nan)
    return result


def _has_references(item: Item) -> bool:
    return bool(item.references)


def _question(item: Item, thing: str, looks: bool) -> Question:
    noun = counted(thing, 1)
    if looks:
        return Question(key=item.key, prompt=question("object_in_picture", thing=noun), record=item.record)
    passages = item.references[:_MOST_REFERENCES]
    return Question(key=item.key, prompt=question("object_in_text", {"passages": passages}, thing=noun))


def _parts(named: Sequence[Named], n: int) -> Floats:
    parts = np.zeros((n, 3))
    for text in named:
        said = Counter(reply.value for reply in text.replies)
        answered = said["yes"] + said["no"]
        # A text all of whose things the judge is silent or unsure about was not judged.
        parts[text.item] += (said["no"], answered, answered > 0 or not text.things)
    return parts


def _unsure(facts: OpenChairFacts) -> Whole:
    values = {}
    for column, named in facts.named.items():
        said = Counter(reply.value for text in named for reply in text.replies if reply.value is not None)
        n = said.total()
        values[column] = Value(
            value=said["unsure"] / n if n else None, n=n, reason="" if n else "nothing was answered"
        )
    about = About(
        name="open_chair.unsure",
        title="Named things the judge is unsure of",
        group="judges",
        value_range=(0.0, 1.0),
        unit="share",
        note=facts.note,
    )
    return Whole(about=about, values=values)


def _invented(facts: OpenChairFacts) -> Listing:
    rows = []
    for column, named in facts.named.items():
        pairs = [(t, r.value) for text in named for t, r in zip(text.things, text.replies, strict=True)]
        wrong, said = Counter(t for t, v in pairs if v == "no"), Counter(t for t, _ in pairs)
        top = sorted(wrong.items(), key=lambda entry: (-entry[1], entry[0]))[:_LISTED]
        rows += [(column, thing, f"{count:,}", f"{said[thing]:,}") for thing, count in top]
    return Listing(
        name="open_chair.invented",
        title="Things named that the judge does not find",
        header=("column", "thing", "texts where it is not there", "texts that name it"),
        rows=rows,
        note=facts.note,
    )
