"""POPE (Li et al. 2023) of the judge: does it see what is in the images? One that does not is not to be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.extract.answers import YesNo, pope_answer, yes_no
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
from recaption.evaluation.extract.objects import named_objects
from recaption.evaluation.extract.polling import ALWAYS_YES, SPLITS, Poll, Split, accuracy, poll_row, polls
from recaption.evaluation.measures import Control, Floats, Listing, Result
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.media.words import counted
from recaption.prompts.questions import question
from recaption.statistics.intervals import wilson

__all__ = ["Pope", "PopeFacts"]

_ENOUGH: Final = 30
"""Answers below which no verdict on the judge is given."""


@dataclass(frozen=True, slots=True, eq=False)
class PopeFacts:
    """What the judge answered."""

    counts: Mapping[Split, Floats]
    """Right yes, wrong yes, right no, wrong no, shape (4,)."""
    tally: Tally
    loose: int
    """Replies taken for an answer as POPE does, though they are neither a clear yes nor a clear no."""
    images: int
    judge: str
    source: str


class Pope:
    """How well the judge answers whether a thing is in the picture; it speaks of no column, but of the judge."""

    name: ClassVar[str] = "pope"
    needs: ClassVar[frozenset[Need]] = frozenset({"judge", "images", "labels"})

    def extract(self, subject: Subject, tools: Tools) -> PopeFacts:
        """Ask about classes that are in a sample of images, and about as many that are not."""
        judge = judge_of(tools, sees=True)
        objects = named_objects(subject, tools)
        every = polls(objects.there, objects.classes, subject.seed)
        sample = judged_items(subject, tools, lambda item: has_image(item) and bool(item.labels))
        asked = [(subject.items[i], poll) for i in sample if (poll := every[i]) is not None]
        labels = [(item, label) for item, poll in asked for label in _labels(poll)]
        questions = [_question(*pair) for pair in labels]
        replies: list[Reply[YesNo]] = read_replies(questions, pope_answer, tools, sees=True)
        said = {(item.key, label): reply for (item, label), reply in zip(labels, replies, strict=True)}
        return PopeFacts(
            counts={split: _counts(asked, said, split) for split in SPLITS},
            tally=Tally.of(replies),
            loose=sum(r.text is not None and r.value is not None and yes_no(r.text) is None for r in replies),
            images=len(asked),
            judge=judge.name,
            source=objects.source,
        )

    def score(self, subject: Subject, facts: PopeFacts) -> list[Result]:
        """Return a table of the three kinds of question, and whether the judge does better than a blind one."""
        rows = [(split, *poll_row(counts)) for split, counts in facts.counts.items()]
        rows.append(("always yes", *poll_row(np.array(ALWAYS_YES, dtype=np.float64), counted=False)))
        note = (
            f"judge {facts.judge}, {facts.images:,} images; {facts.source}; replies read as POPE does: no where the "
            f"first sentence says no or not, else yes ({facts.loose:,} were neither a clear yes nor a clear no)"
        )
        found: list[Result] = [
            Listing(
                name="pope",
                title="Does the judge see what is there?",
                header=("questions", "answered", "accuracy", "precision", "recall", "F1", "yes"),
                rows=rows,
                note=note,
            ),
            tally_listing("pope.replies", "Replies to: is it in the picture?", {"is it there": facts.tally}),
        ]
        counts = facts.counts["random"]
        n = int(counts.sum())
        if n >= _ENOUGH:
            right = float(accuracy(counts))
            found.append(
                Control(
                    name="pope.judge_sees",
                    title=f"right answers of the judge on what is in the picture, {n:,} questions",
                    value=right,
                    expected="clearly above 0.5, which always saying yes gets",
                    holds=wilson(right * n, n).low > 0.5,
                )
            )
        return found


def _labels(poll: Poll) -> list[str]:
    return list(dict.fromkeys([*poll.present, *(label for split in SPLITS for label in poll.absent[split])]))


def _question(item: Item, label: str) -> Question:
    return Question(
        key=item.key, prompt=question("object_in_picture", thing=counted(label, 1)), record=item.record
    )


def _counts(
    asked: Sequence[tuple[Item, Poll]], said: Mapping[tuple[str, str], Reply[YesNo]], split: Split
) -> Floats:
    counts = np.zeros(4)
    for item, poll in asked:
        for label, there in [(c, True) for c in poll.present] + [(c, False) for c in poll.absent[split]]:
            value = said[item.key, label].value
            if value is not None:
                yes = value == "yes"
                counts[(0 if there else 1) if yes else (3 if there else 2)] += 1
    return counts
