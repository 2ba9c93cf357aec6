"""What people said of items, and what it comes to for each: the last word of every auditor, then the majority."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["OUTCOMES", "Judgement", "Kind", "LastWords", "Outcome", "last_words", "outcomes"]

Kind: TypeAlias = Literal["accept", "edit", "reject", "skip", "prefer"]
Outcome: TypeAlias = Literal["accept", "edit", "reject"]

OUTCOMES: Final[tuple[Outcome, ...]] = ("accept", "edit", "reject")
"""From best to worst."""
_WORST_FIRST: Final[tuple[Outcome, ...]] = ("reject", "edit", "accept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one person said of one item."""

    key: str
    auditor: str
    kind: Kind
    reason: str = ""
    seconds: float | None = None
    """From seeing it to saying it; None where nobody measured."""
    shown: str = ""
    """The caption that was judged."""
    edited: str | None = None
    """What it was changed to, of an `edit` and of nothing else."""
    at: float = 0.0
    """Seconds since 1970, by the server's clock."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.at) or not (self.seconds is None or 0 <= self.seconds < math.inf):
            raise ValueError(f"not a time: said at {self.at}, after {self.seconds} s")
        if (self.edited is not None) != (self.kind == "edit"):
            raise ValueError(
                f"an edit, and nothing else, says what the text was changed to; this is {self.kind!r}"
            )


LastWords: TypeAlias = Mapping[str, Judgement]
"""The last word of each auditor on one item, by auditor."""


def last_words(judgements: Iterable[Judgement]) -> dict[str, LastWords]:
    """Return, by item, the last word of each auditor; of equal times the one that is given later.

    To prefer one text to another is to judge neither. A skip is no judgement either, and takes back what the same
    auditor had said.
    """
    last: dict[str, dict[str, Judgement]] = {}
    for judgement in judgements:
        if judgement.kind == "prefer":
            continue
        of_item = last.setdefault(judgement.key, {})
        before = of_item.get(judgement.auditor)
        if before is None or judgement.at >= before.at:
            of_item[judgement.auditor] = judgement
    kept = {
        key: {auditor: word for auditor, word in of_item.items() if word.kind != "skip"}
        for key, of_item in last.items()
    }
    return {key: of_item for key, of_item in kept.items() if of_item}


def outcomes(words: Mapping[str, LastWords]) -> dict[str, Outcome]:
    """Return what most auditors said of each item; where opinions balance, the worst: doubt is no praise."""
    return {key: _most(of_item) for key, of_item in words.items()}


def _most(of_item: LastWords) -> Outcome:
    counts = Counter(word.kind for word in of_item.values())
    return max(_WORST_FIRST, key=lambda kind: counts[kind])
