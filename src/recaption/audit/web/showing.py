"""What the page is told of an item, in both tasks; of texts compared nothing that gives away which is which."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from recaption.audit.project import About
from recaption.audit.sheets import Sheet, ShownCaption
from recaption.audit.types import Assignment, Draft
from recaption.core.digests import digest_json, seed_from
from recaption.media.sentences import stripped_sentences

__all__ = ["Showing", "picture_id", "picture_place", "sentences_of"]

_PLACE: Final = struct.Struct(">QQ")
_MAC_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """How the items of one audit look to one auditor in one session."""

    about: About
    auditor: int
    token: str
    """Of the session; the key of the pictures' ids."""

    def item_json(self, assignment: Assignment) -> dict[str, Any]:
        """Return an item as the page gets it."""
        item, lease = assignment.item, assignment.lease
        sheet = Sheet.from_payload(item.payload)
        blind = self.about.task == "compare"
        return {
            "item": lease.item,
            "fence": lease.fence,
            "left_ms": lease.left_ms,
            "key": item.key,
            "shown": sheet.version,
            "why": "" if blind else sheet.why,
            "size": list(sheet.size) if sheet.size else None,
            "image": f"/image/{picture_id(self.token, lease.fence, lease.item)}" if sheet.image else None,
            "captions": self.cards(lease.item, sheet) if blind else [asdict(c) for c in sheet.captions],
            "sentences": [] if blind else sentences_of(sheet.subject.text),
            "evidence": item.payload["evidence"],
        }

    def cards(self, item: int, sheet: Sheet) -> list[dict[str, Any]]:
        """Return the texts to be compared under names that say nothing, in an order of this auditor's own."""
        return [{"id": self.card(item, c), "text": c.text} for c in self._dealt(item, sheet)]

    def card(self, item: int, caption: ShownCaption) -> str:
        """Return the name of a caption on a card."""
        return digest_json(["card", self.about.seed, self.auditor, item, caption.id])[:12]

    def caption_of(self, item: int, sheet: Sheet, name: str) -> str | None:
        """Return the id of the caption that a page names; None where it names none."""
        if self.about.task == "judge":
            return name if any(c.id == name for c in sheet.captions) else None
        return next((c.id for c in self._dealt(item, sheet) if self.card(item, c) == name), None)

    def draft_json(self, draft: Draft, item: int, sheet: Sheet) -> dict[str, Any]:
        """Return what somebody said of an item as the page shows it."""
        preferred = next((c for c in sheet.captions if c.id == draft.preferred), None)
        blind = self.about.task == "compare"
        return {
            "action": draft.action,
            "text": draft.text,
            "reason": draft.reason,
            "preferred": self.card(item, preferred) if preferred is not None and blind else draft.preferred,
            "facts": list(draft.facts),
            "note": draft.note,
        }

    def _dealt(self, item: int, sheet: Sheet) -> Sequence[ShownCaption]:
        cards = list(sheet.captions[: self.about.captions])
        # Not for secrecy: two auditors of one item see different orders, so that what stands first wins nothing.
        random.Random(seed_from(self.about.seed, "cards", self.auditor, item)).shuffle(cards)  # noqa: S311
        return cards


def sentences_of(text: str) -> list[str]:
    """Return the sentences that a fact check goes through, without the blanks around them."""
    return [text[start:end] for start, end in stripped_sentences(text)[0]]


def picture_id(token: str, fence: int, item: int) -> str:
    """Return a name for an item's picture that holds in this session alone and that nobody can guess.

    It needs no table, so that it outlives a restart of the server.
    """
    place = _PLACE.pack(fence, item)
    return base64.urlsafe_b64encode(place + _mac(token, place)).decode("ascii").rstrip("=")


def picture_place(token: str, name: str) -> int | None:
    """Return the position of the item that a picture's name stands for; None where it was not given out."""
    try:
        told = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4))
    except ValueError:
        return None
    place, mac = told[: _PLACE.size], told[_PLACE.size :]
    if not hmac.compare_digest(mac, _mac(token, place)):
        return None
    return int(_PLACE.unpack(place)[1])


def _mac(token: str, place: bytes) -> bytes:
    key = token.encode("utf-8", "surrogatepass")
    return hmac.digest(key, b"picture" + place, hashlib.sha256)[:_MAC_BYTES]
