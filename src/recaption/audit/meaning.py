"""What an auditor's word comes to for the caption it was said of: one answer for quality, rulings and learning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from recaption.audit.types import Draft, Verdict

__all__ = ["UNUSABLE_PICTURE", "Meaning", "Said", "meaning_of", "of_the_picture", "standing_words"]

Said: TypeAlias = Literal["accept", "edit", "reject", "prefer"]

UNUSABLE_PICTURE: Final = "unusable picture"
"""The reason, among those of the page, that says nothing of the caption."""
_EMPTIED: Final = "edited to nothing"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word comes to. An edit that changes nothing accepts, one that leaves nothing rejects."""

    said: Said
    text: str | None = None
    """What the caption was changed to, of an `edit` and of nothing else."""
    reason: str = ""


def meaning_of(draft: Draft, caption: str) -> Meaning | None:
    """Return what a word comes to; None where it says nothing of the caption: skipped, undone, `of_the_picture`.

    Args:
        caption: The text that was judged.
    """
    reason = draft.reason or ""
    if draft.action == "skip" or draft.action == "undo" or of_the_picture(draft):
        return None
    if _left_nothing(draft):
        return Meaning("reject", reason=reason or _EMPTIED)
    if draft.action == "edit":
        unchanged = draft.text == caption
        return Meaning("accept", reason=reason) if unchanged else Meaning("edit", draft.text, reason)
    return Meaning(draft.action, reason=reason)


def of_the_picture(draft: Draft) -> bool:
    """Say whether a word tells that the picture cannot be judged, and so no caption of it."""
    return draft.reason == UNUSABLE_PICTURE and (draft.action == "reject" or _left_nothing(draft))


def standing_words(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Return, by item, what stands of a log, in the order of the log; skips are nobody's word.

    Of each auditor and item one verdict stands at most: the store sees to that.

    Args:
        verdicts: The log or what stands of it, in any order.
    """
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.standing and verdict.draft.action not in ("skip", "undo"):
            found.setdefault(verdict.key, []).append(verdict)
    return {key: sorted(words, key=lambda verdict: verdict.id) for key, words in found.items()}


def _left_nothing(draft: Draft) -> bool:
    return draft.action == "edit" and not (draft.text or "").strip()
