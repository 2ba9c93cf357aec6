"""Questions to the judge, through the ledger: asked in batches, greedily, every failure a value with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np

from recaption.core.errors import ImageError
from recaption.core.protocols import Context, Generator, Sampling
from recaption.core.types import JsonValue, Record
from recaption.evaluation.measures import Listing
from recaption.evaluation.metric import Unavailable
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.evaluation.unreadable import Unreadable
from recaption.prompts.library import Prompt
from recaption.stages.asking import Ask, answer

__all__ = [
    "Question",
    "Reply",
    "Tally",
    "has_image",
    "judge_of",
    "judged_items",
    "read_replies",
    "tally_listing",
]

Read = TypeVar("Read")

ONE_WORD_TOKENS: Final = 64
"""Room for a judge that wraps its word in a sentence; what is cut after it is no answer."""
NO_ANSWER: Final = "no answer from the model"
NOT_READABLE: Final = "not in the form asked for"
NO_IMAGE: Final = "image cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, about an image or about texts alone."""

    key: str
    """The item's, for messages."""
    prompt: Prompt
    record: Record | None = None
    """Whose image is shown; None for none."""
    schema: Mapping[str, JsonValue] | None = None
    max_tokens: int = ONE_WORD_TOKENS


@dataclass(frozen=True, slots=True)
class Reply(Generic[Read]):
    """What was read from a reply, or why there is nothing."""

    value: Read | None
    failure: str = ""
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of questions: how many were asked, and by reason how many have no answer."""

    asked: int
    failures: Mapping[str, int]

    @classmethod
    def of(cls, replies: Iterable[Reply[Any]]) -> Tally:
        """Count replies."""
        counts = Counter(reply.failure for reply in replies)
        return cls(counts.total(), {reason: n for reason, n in counts.items() if reason})

    @property
    def failed(self) -> int:
        return sum(self.failures.values())


def judge_of(tools: Tools, *, sees: bool) -> Generator:
    """Return the judge.

    Args:
        sees: It must see images.

    Raises:
        Unavailable: There is none, it takes no instructions, or it does not see.
    """
    judge = tools.judge
    if judge is None:
        raise Unavailable("no judge; name one with --judge, say http://127.0.0.1:8000/v1#MODEL")
    if judge.prompt_style != "chat":
        raise Unavailable(
            f"{judge.name} takes no instructions and cannot judge; name a chat model with --judge"
        )
    if sees and "images" not in judge.capabilities:
        raise Unavailable(f"{judge.name} does not see images; name a judge that does with --judge")
    return judge


def judged_items(
    subject: Subject, tools: Tools, fit: Callable[[Item], bool] = lambda item: True
) -> tuple[int, ...]:
    """Return the items to ask about, in order: a seeded sample of those that fit, the same for all metrics.

    Items are ranked once by the seed, so that metrics with different demands share as many as they can, and with
    them the judge's replies.
    """
    ranks = np.random.default_rng([tools.options.seed, 11]).permutation(len(subject))
    chosen = [int(i) for i in ranks if fit(subject.items[i])][: tools.options.judged]
    return tuple(sorted(chosen))


def has_image(item: Item) -> bool:
    """Say whether an item has an image that can be shown."""
    return item.record is not None and item.record.has_image


def read_replies(
    questions: Sequence[Question], read: Callable[[str], Read | None], tools: Tools, *, sees: bool
) -> list[Reply[Read]]:
    """Ask the judge and return what `read` makes of every reply, in order. What was answered before costs nothing.

    Raises:
        Unavailable: There is no such judge.
        BackendError: It is gone. What was paid for is remembered.
        BudgetError: The budget is spent. What was paid for is remembered.
    """
    judge = judge_of(tools, sees=sees)
    step = max(tools.options.batch_size, judge.in_flight)
    replies: list[Reply[Read]] = []
    for start in range(0, len(questions), step):
        replies += _batch(questions[start : start + step], read, judge, tools)
    return replies


def _batch(
    questions: Sequence[Question], read: Callable[[str], Read | None], judge: Generator, tools: Tools
) -> list[Reply[Read]]:
    context = tools.context()
    asks = [_ask(question, context, tools.unreadable) for question in questions]
    answer([ask for ask in asks if ask is not None], judge, context)
    return [Reply(None, NO_IMAGE) if ask is None else _reply(ask, read) for ask in asks]


def _ask(question: Question, context: Context, unreadable: Unreadable) -> Ask | None:
    """Return what to ask; None where the image cannot be read, which is noted with its reason."""
    try:
        picture = context.images.picture(question.record) if question.record is not None else None
    except ImageError as error:
        unreadable.add(question.key, str(error), question.record)
        return None
    sampling = Sampling(max_tokens=question.max_tokens)
    return Ask(question.key, question.prompt.text, picture, sampling, question.schema)


def _reply(ask: Ask, read: Callable[[str], Read | None]) -> Reply[Read]:
    draw = ask.draws[0]
    if draw.text is None:
        return Reply(None, NO_ANSWER)
    value = read(draw.text)
    return Reply(value, "" if value is not None else NOT_READABLE, draw.text)


def tally_listing(name: str, title: str, tallies: Mapping[str, Tally], note: str = "") -> Listing:
    """Return how many questions were asked, answered, and left without an answer, and why."""
    reasons = (NOT_READABLE, NO_ANSWER, NO_IMAGE)
    return Listing(
        name=name,
        title=title,
        header=("questions", "asked", "answered", *reasons),
        rows=[
            (
                what,
                f"{t.asked:,}",
                f"{t.asked - t.failed:,}",
                *(f"{(t.failures or {}).get(r, 0):,}" for r in reasons),
            )
            for what, t in tallies.items()
        ],
        note=note,
    )
