"""Two captions of one image before the judge, in both orders; only what it says in both is its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from recaption.core.types import Record
from recaption.evaluation.extract.answers import Verdict, verdict
from recaption.evaluation.extract.judging import Question, Reply, read_replies
from recaption.evaluation.tools import Tools
from recaption.prompts.questions import question

__all__ = ["JudgedPair", "Pair", "judged_pairs"]

_FOR_THE_FIRST: Final[dict[Verdict, int]] = {"first": 1, "tie": 0, "second": -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two captions of an image; the judge is never told which is which."""

    item: int
    key: str
    record: Record
    one: str
    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPair:
    """What the judge said of a pair, for `one`: 1 it is better, 0 neither, -1 worse; None without an answer."""

    pair: Pair
    shown_first: int | None
    """With `one` before `other`."""
    shown_second: int | None
    replies: tuple[Reply[int], ...]
    """Both; empty where the captions are the same and nobody was asked."""

    @property
    def value(self) -> int | None:
        """1 or -1 if it wins or loses in both orders, 0 if not, None if an answer is missing."""
        if self.shown_first is None or self.shown_second is None:
            return None
        return self.shown_first if self.shown_first == self.shown_second else 0

    @property
    def both(self) -> tuple[int, int] | None:
        """What was said in the two orders, where the judge was asked and answered."""
        if not self.replies or self.shown_first is None or self.shown_second is None:
            return None
        return self.shown_first, self.shown_second


def judged_pairs(pairs: Sequence[Pair], tools: Tools, *, ask_about_equals: bool = False) -> list[JudgedPair]:
    """Return what the judge says of every pair, in order.

    Args:
        ask_about_equals: Ask about two equal captions too, to see what the judge makes of them; else they are a tie.

    Raises:
        Unavailable: There is no judge that sees images.
        BackendError: It is gone. What was paid for is remembered.
    """
    asked = [pair for pair in pairs if ask_about_equals or not _equal(pair)]
    questions = [q for pair in asked for q in (_question(pair, False), _question(pair, True))]
    replies = iter(read_replies(questions, _for_the_first, tools, sees=True))
    found = []
    for pair in pairs:
        if _equal(pair) and not ask_about_equals:
            found.append(JudgedPair(pair=pair, shown_first=0, shown_second=0, replies=()))
            continue
        ahead, behind = next(replies), next(replies)
        found.append(
            JudgedPair(
                pair=pair,
                shown_first=ahead.value,
                shown_second=None if behind.value is None else -behind.value,
                replies=(ahead, behind),
            )
        )
    return found


def _equal(pair: Pair) -> bool:
    return pair.one.split() == pair.other.split()


def _for_the_first(text: str) -> int | None:
    said = verdict(text)
    return None if said is None else _FOR_THE_FIRST[said]


def _question(pair: Pair, turned: bool) -> Question:
    first, second = (pair.other, pair.one) if turned else (pair.one, pair.other)
    prompt = question("better_caption", {"first": first, "second": second})
    return Question(key=pair.key, prompt=prompt, record=pair.record)
