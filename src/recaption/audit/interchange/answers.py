"""What a file says of an item, and what that comes to as a verdict.

Whoever was given an item elsewhere had a choice to make and a text that could be changed, and the two may disagree:

- `accept` with a text that was changed is an edit: nobody changes what is right.
- A changed text without a choice is an edit too; an `edit` that changed nothing says nothing, and is refused.
- `reject` holds whatever became of the text; a changed one is kept as a note.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from recaption.audit.interchange.items import ACCEPT, EDIT, NONE, REJECT, Row
from recaption.audit.types import Draft
from recaption.core.errors import did_you_mean

__all__ = ["MAX_WORDS_CHARS", "Answer", "Aside", "Outcome", "Refused", "Understood", "understood"]

MAX_TEXT_CHARS: Final = 20_000
"""Of a corrected caption; as much as is ever shown of one."""
MAX_WORDS_CHARS: Final = 2_000
"""Of a reason or a note."""
MAX_MS: Final = 24 * 3600 * 1000

Kind: TypeAlias = Literal["skipped", "drafts", "not judged", "other answers", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one person said of one item, as the file has it; nothing is checked but the types."""

    place: str
    """`line 7`, `task 12, annotation 3`."""
    item: str
    version: str
    auditor: str
    """As the file calls them; empty where it does not."""
    choice: str
    text: str | None = None
    """As it was left; None or empty where it was not touched."""
    reason: str = ""
    note: str = ""
    seconds: float | None = None
    source: str
    """What tells this answer from all others, of this file and of others: a new one for every change."""
    at: str = ""
    """When it was given, as text whose order is that of time; empty where nobody says."""


@dataclass(frozen=True, slots=True)
class Aside:
    """What is in the file and is no answer, to be counted; `why` is told."""

    kind: Kind
    place: str = ""
    why: str = ""


Outcome: TypeAlias = Answer | Aside


@dataclass(frozen=True, slots=True)
class Understood:
    """A verdict, and whether an `accept` was taken for an edit."""

    draft: Draft
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an answer cannot be taken."""

    why: str


def understood(
    answer: Answer, row: Row, meanings: Mapping[str, str], guideline: str | None
) -> Understood | Refused:
    """Return what an answer comes to.

    Args:
        row: The item as files show it now.
        meanings: Where texts were compared, the caption that each letter stands for; empty where one was judged.
        guideline: The version of the guideline that was handed out with the items.
    """
    if answer.version != row.version:
        return Refused("was given on other captions than the audit has now")
    text = _changed(answer.text, row.texts[0]) if not meanings else None
    if len(text or "") > MAX_TEXT_CHARS:
        return Refused(f"the text has {len(text or ''):,} characters; at most {MAX_TEXT_CHARS:,} are taken")
    if max(len(answer.reason), len(answer.note)) > MAX_WORDS_CHARS:
        return Refused(f"a reason or note of more than {MAX_WORDS_CHARS:,} characters")
    choice = answer.choice.strip()
    chosen = _compared(choice, meanings) if meanings else _judged(choice.lower(), text)
    if isinstance(chosen, Refused):
        return chosen
    note = answer.note.strip() or None
    if chosen.action == REJECT and text is not None:
        note = "\n".join(part for part in (note, f"The text was changed to: {text}") if part)
    return Understood(
        Draft(
            action=chosen.action,
            text=text if chosen.action == EDIT else None,
            preferred=chosen.preferred,
            reason=answer.reason.strip() or None,
            note=note,
            shown=row.version[1:],
            guideline=guideline,
            took_ms=_milliseconds(answer.seconds),
        ),
        corrected=choice.lower() == ACCEPT and chosen.action == EDIT,
    )


def _changed(text: str | None, shown: str) -> str | None:
    """Return a text where it is another one; line ends and blanks around it are the tool's, not the auditor's."""
    if text is None or not text.strip() or _even(text) == _even(shown):
        return None
    return _even(text)


def _even(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _judged(choice: str, text: str | None) -> Draft | Refused:
    if choice == REJECT:
        return Draft(action="reject")
    if text is not None and choice in ("", ACCEPT, EDIT):
        return Draft(action="edit")
    if choice == ACCEPT:
        return Draft(action="accept")
    if choice == EDIT:
        return Refused("says `edit`, but the text is as it was")
    return _unknown(choice, (ACCEPT, EDIT, REJECT))


def _compared(choice: str, meanings: Mapping[str, str]) -> Draft | Refused:
    if choice.lower() == NONE:
        return Draft(action="reject")
    letter = choice.upper()
    if letter in meanings:
        return Draft(action="prefer", preferred=meanings[letter])
    return _unknown(choice, (*meanings, NONE))


def _unknown(choice: str, known: tuple[str, ...]) -> Refused:
    if not choice:
        return Refused("says nothing of the item")
    return Refused(f"unknown verdict {choice[:40]!r}.{did_you_mean(choice[:40], known)}")


def _milliseconds(seconds: float | None) -> int | None:
    """Return a time as the store takes it; None where it is none anybody can have spent on one item."""
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds * 1000 <= MAX_MS:
        return None
    return round(seconds * 1000)
