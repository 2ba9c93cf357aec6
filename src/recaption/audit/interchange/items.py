"""What a file tells of an item, the same in every format, and how it is found again.

Files go through databases, browsers and spreadsheets. So an item has a name that none of them takes for a number, and
its texts hold nothing that one of them would drop: what comes back is compared with the text that went out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recaption.audit.project import About
from recaption.audit.sheets import Sheet, ShownCaption, sheet_of_item
from recaption.audit.types import AuditItem
from recaption.core.digests import digest_json, digest_text
from recaption.core.types import Image

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["ACCEPT", "EDIT", "NONE", "REJECT", "SKIP", "Outing", "Row", "item_name", "plain"]

ACCEPT: Final = "accept"
EDIT: Final = "edit"
REJECT: Final = "reject"
SKIP: Final = "skip"
NONE: Final = "none"
"""Where texts are compared: none of them is right."""

# Lone surrogates are no UTF-8, PostgreSQL takes no NUL, XML and spreadsheets no control characters.
_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LETTERS: Final = "ABCDEFGHI"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One item as a file shows it."""

    name: str
    """Stands for the key: ASCII, begins with a letter."""
    key: str
    """For people; what cannot be written is replaced."""
    version: str
    """Of the captions shown; begins with a letter."""
    texts: Sequence[str]
    """The caption to be judged, or those to be compared in the order of their letters."""
    original: str
    """What came with the image, where it is shown; may be empty."""
    image: Image | None


@dataclass(frozen=True, slots=True)
class Outing:
    """An audit as files know it."""

    store: AuditStore
    about: About

    @classmethod
    def of(cls, store: AuditStore) -> Outing:
        return cls(store, About.of(store.settings.about))

    @property
    def compares(self) -> bool:
        return self.about.task == "compare"

    @property
    def letters(self) -> str:
        """One for each text that is compared; empty where one caption is judged."""
        return _LETTERS[: self.about.captions] if self.compares else ""

    @property
    def choices(self) -> tuple[str, ...]:
        """What a verdict can be, beside not judging at all."""
        return (*self.letters, NONE) if self.compares else (ACCEPT, EDIT, REJECT)

    def rows(self) -> Iterator[Row]:
        """Yield all items in the order of the queue. Raises RunFolderError where one is no sheet."""
        for item in self.store.items():
            yield self.row(item, sheet_of_item(item))

    def row(self, item: AuditItem, sheet: Sheet) -> Row:
        """Return an item as files show it."""
        original = sheet.original
        return Row(
            name=item_name(item.key),
            key=plain(item.key),
            version=f"v{sheet.version}",
            texts=[plain(caption.text) for caption in self.shown(item, sheet)],
            original="" if self.compares or original is None else plain(original.text),
            image=sheet.image,
        )

    def shown(self, item: AuditItem, sheet: Sheet) -> Sequence[ShownCaption]:
        """Return the captions that a file shows; those that are compared in an order that says nothing."""
        if not self.compares:
            return sheet.captions[:1]
        return sorted(
            sheet.captions[: self.about.captions],
            key=lambda caption: digest_json(["cards", self.about.seed, item.key, caption.id]),
        )

    def meanings(self, item: AuditItem, sheet: Sheet) -> Mapping[str, str]:
        """Return the id of the caption that each letter stands for."""
        return {letter: c.id for letter, c in zip(self.letters, self.shown(item, sheet), strict=False)}


def item_name(key: str) -> str:
    """Return the name of an item in files: opaque, and never a number, which spreadsheets would round."""
    return f"i{digest_text(key)[:24]}"


def plain(text: str) -> str:
    """Return a text that JSON, XML, databases and spreadsheets hand on as it is; what they would not is replaced."""
    return _UNFIT.sub("\ufffd", text)
