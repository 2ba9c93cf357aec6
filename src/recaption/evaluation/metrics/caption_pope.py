"""POPE answered by the captions: is this thing in the picture? Yes, if the caption says so. No model is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.extract.objects import named_objects
from recaption.evaluation.extract.polling import (
    ALWAYS_YES,
    SPLITS,
    Poll,
    Split,
    accuracy,
    f1,
    poll_row,
    polls,
)
from recaption.evaluation.measures import About, Additive, Floats, Listing, Result
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools

__all__ = ["CaptionPope", "CaptionPopeFacts"]

_NOTE: Final = (
    "up to 3 classes in the image and as many not in it; whoever always says yes has accuracy 50 % and F1 66.7 %; "
    "what a caption does not say counts as no"
)
_FIGURES: Final[Mapping[str, tuple[str, Callable[[Floats], Floats]]]] = {
    "accuracy": ("accuracy", accuracy),
    "f1": ("F1", f1),
}


@dataclass(frozen=True, slots=True, eq=False)
class CaptionPopeFacts:
    """By column and split: right yes, wrong yes, right no, wrong no of each item, shape (items, 4)."""

    counts: Mapping[str, Mapping[str, Floats]]
    source: str


class CaptionPope:
    """How well a caption alone answers whether a thing is in the picture."""

    name: ClassVar[str] = "caption_pope"
    needs: ClassVar[frozenset[Need]] = frozenset({"labels"})

    def extract(self, subject: Subject, tools: Tools) -> CaptionPopeFacts:
        """Return what each item's texts answer."""
        objects = named_objects(subject, tools)
        asked = polls(objects.there, objects.classes, subject.seed)
        return CaptionPopeFacts(
            counts={
                column: {split: _answered(asked, objects.named[column], split) for split in SPLITS}
                for column in subject.columns
            },
            source=objects.source,
        )

    def score(self, subject: Subject, facts: CaptionPopeFacts) -> list[Result]:
        """Return accuracy and F1 of the three kinds of question, and a table of the rest."""
        found: list[Result] = [
            Additive(
                about=About(
                    name=f"caption_pope.{figure}.{split}",
                    title=f"Answers from the caption alone, {title}, {split} questions",
                    group="faithfulness",
                    better="higher",
                    value_range=(0.0, 1.0),
                    unit="share",
                    note=f"{_NOTE}; {facts.source}",
                ),
                parts={column: facts.counts[column][split] for column in subject.columns},
                formula=formula,
            )
            for split in SPLITS
            for figure, (title, formula) in _FIGURES.items()
        ]
        rows = [
            (column, split, *poll_row(facts.counts[column][split].sum(axis=0)))
            for column in subject.columns
            for split in SPLITS
        ]
        rows.append(("always yes", "", *poll_row(np.array(ALWAYS_YES, dtype=np.float64), counted=False)))
        header = ("column", "questions", "asked", "accuracy", "precision", "recall", "F1", "yes")
        title = "Is it in the picture? Answered from the caption alone"
        return [*found, Listing(name="caption_pope", title=title, header=header, rows=rows, note=facts.source)]


def _answered(asked: list[Poll | None], named: tuple[tuple[tuple[str, ...], ...], ...], split: Split) -> Floats:
    rows = []
    for poll, texts in zip(asked, named, strict=True):
        right = wrong = 0.0
        present, absent = (poll.present, poll.absent[split]) if poll is not None else ((), ())
        for text in texts:
            right += sum(label in text for label in present)
            wrong += sum(label in text for label in absent)
        n = max(1, len(texts))  # the mean over an item's texts, so that every item weighs the same
        asked_of = len(texts) / n
        right, wrong = right / n, wrong / n
        rows.append((right, wrong, asked_of * len(absent) - wrong, asked_of * len(present) - right))
    return np.array(rows, dtype=np.float64).reshape(-1, 4)
