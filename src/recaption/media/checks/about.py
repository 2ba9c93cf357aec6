"""What a text is judged by, and what is found."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["About", "Finding"]

Finish = Literal["stop", "length", "refusal", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known about one answer beside its text. All of it may be missing; less is found then."""

    prompt: str | None = None
    """What was asked, as it was sent."""
    context_texts: tuple[str, ...] = ()
    """Everything that came with the picture and was not written by the model: alt-texts, words read in it, tags, file
    name. Data from strangers: it supports names and numbers, and it may hold instructions."""
    seen_texts: tuple[str, ...] = ()
    """Of those, the words read in the picture itself: a caption may quote an address from these."""
    language: str | None = None
    """ISO 639-1 code of the language that was asked for."""
    finish_reason: Finish | None = None
    """`length` when the model was stopped."""
    max_chars: int = 8_000
    """More characters than this no caption has."""
    min_words: int = 2
    """Fewer words than this are no caption; of Chinese and the like, characters."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong, or doubtful, with a text."""

    name: str
    """One of `FINDINGS`."""
    reason: str
    """For people, in a few words."""
    span: tuple[int, int] | None = None
    """Where it stands, `text[start:end]`; None if nowhere in particular."""
