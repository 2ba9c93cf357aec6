"""What people said of items, and what it comes to for each: the last word of every auditor, then the majority."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["OUTCOMES", "Judgement", "LastWords", "Outcome", "last_words", "outcomes"]

Outcome: TypeAlias = Literal["accept", "edit", "reject"]

OUTCOMES: Final[tuple[Outcome, ...]] = ("accept", "edit", "reject")
"""From best to worst."""
_WORST_FIRST: Final[tuple[Outcome, ...]] = ("reject", "edit", "accept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one person said of one item."""

    key: str
    auditor: str
    kind: Outcome
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
    """Return, by item, the judgement of each auditor; of several the one that is given last."""
    words: dict[str, dict[str, Judgement]] = {}
    for judgement in judgements:
        words.setdefault(judgement.key, {})[judgement.auditor] = judgement
    return dict(words)


def outcomes(words: Mapping[str, LastWords]) -> dict[str, Outcome]:
    """Return what most auditors said of each item; where opinions balance, the worst: doubt is no praise."""
    return {key: _most(of_item) for key, of_item in words.items()}


def _most(of_item: LastWords) -> Outcome:
    counts = Counter(word.kind for word in of_item.values())
    return max(_WORST_FIRST, key=lambda kind: counts[kind])
