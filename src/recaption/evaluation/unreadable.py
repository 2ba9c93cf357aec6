"""Items whose image and records that could not be had: which, and why, so that nobody has to wonder what a figure
left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from recaption.core.types import Record, Rejected
from recaption.evaluation.measures import Listing
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.excerpts import excerpt

__all__ = ["Refusals", "Unreadable"]

_MOST_REASONS: Final = 20
_MOST_KEYS: Final = 5
_REASONS_SAID: Final = 5
_KEYS_SAID: Final = 3
_LONGEST_KEY: Final = 60
_LONGEST_REASON: Final = 120
_LONGEST_REFUSAL: Final = 400
"""Longer, since a reader's reason ends in how to mend it."""
_MOST_CAUSES: Final = 200
_PARTICULARS: Final = re.compile(r"""(?<!\w)(['"]).*?\1(?!\w)|\d+""")
"""What differs between two reasons of one cause: names in quotes, and numbers of lines."""


@dataclass(slots=True)
class _Cause:
    reason: str
    count: int = 0
    keys: list[str] = field(default_factory=list)
    """Of the first records for which it was so."""


class Refusals:
    """Filled while records are read; in bounded memory, however many there are that cannot be."""

    def __init__(self) -> None:
        self._causes: dict[str, _Cause] = {}

    def add(self, item: Rejected) -> None:
        """Note that a record could not be read."""
        kind, reason = _PARTICULARS.sub("…", item.reason), excerpt(item.reason, _LONGEST_REFUSAL)
        if kind not in self._causes and len(self._causes) >= _MOST_CAUSES:
            kind = reason = "other reasons"
        cause = self._causes.setdefault(kind, _Cause(reason))
        cause.count += 1
        if len(cause.keys) <= _KEYS_SAID:  # one more than is named, which shows that there are more
            cause.keys.append(item.key)

    def first(self) -> str:
        """Return why the first of them could not be read, after its key; empty where all could."""
        cause = next(iter(self._causes.values()), None)
        return f"{_keys(cause.keys[:1], 1)}: {cause.reason}" if cause else ""

    def commonest(self) -> dict[str, str]:
        """Return a few reasons and how often each was met, the most frequent first, to the first keys."""
        causes = sorted(self._causes.values(), key=lambda cause: -cause.count)[:_REASONS_SAID]
        return {f"{cause.count:,} × {cause.reason}": _keys(cause.keys, _KEYS_SAID) for cause in causes}


class Unreadable:
    """Filled while metrics extract; of several reasons for one item the first one stays."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def add(self, key: str, reason: str, record: Record | None = None) -> None:
        """Note that an item's image could not be had.

        Args:
            record: Where its image was looked for: its place is no part of the reason, or no two would be alike.
        """
        image = record.image if record is not None else None
        name = PurePath(image.path).name if image is not None and image.path else ""
        place = reason.find(f"{name}: ") if name else -1
        self._reasons.setdefault(key, reason[place + len(name) + 2 :] if place >= 0 else reason)

    def by_reason(self, subject: Subject) -> Mapping[str, Sequence[str]]:
        """Return the keys of the items by reason, in their order; the most frequent reason first."""
        found: dict[str, list[str]] = {}
        for item in subject.items:
            if item.key in self._reasons:
                found.setdefault(self._reasons[item.key], []).append(item.key)
        return dict(sorted(found.items(), key=lambda one: -len(one[1])))

    def count(self, subject: Subject) -> int:
        """Return how many items there are of which the image could not be had."""
        return sum(map(len, self.by_reason(subject).values()))

    def listing(self, subject: Subject) -> Listing | None:
        """Return the reasons as a table; None where there is nothing to tell."""
        found = self.by_reason(subject)
        if not found:
            return None
        more = len(found) - _MOST_REASONS
        return Listing(
            name="missing_images",
            title="Images that could not be read",
            header=("why", "items", "first of them"),
            rows=[
                (excerpt(reason, _LONGEST_REASON), f"{len(keys):,}", _keys(keys, _MOST_KEYS))
                for reason, keys in list(found.items())[:_MOST_REASONS]
            ],
            note=f"and {more:,} reason{'s' if more > 1 else ''} more" if more > 0 else "",
        )

    def told(self, subject: Subject) -> str:
        """Return the same in a sentence; empty where there is nothing to tell."""
        found = self.by_reason(subject)
        if not found:
            return ""
        parts = [
            f"{len(keys):,} × {excerpt(reason, _LONGEST_REASON)} ({_keys(keys, _KEYS_SAID)})"
            for reason, keys in list(found.items())[:_REASONS_SAID]
        ]
        if (more := len(found) - _REASONS_SAID) > 0:
            parts.append(f"{more:,} reason{'s' if more > 1 else ''} more")
        return (
            f"{sum(map(len, found.values())):,} of {len(subject):,} items have no image that could be read, "
            f"and no figure that looks at images counts them: {'; '.join(parts)}."
        )


def _keys(keys: Sequence[str], most: int) -> str:
    named = ", ".join(excerpt(key, _LONGEST_KEY) for key in keys[:most])
    return f"{named}, …" if len(keys) > most else named
