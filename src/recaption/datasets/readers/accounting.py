"""Nothing vanishes: what was ignored is counted, what was refused has a reason, what repeats is found."""

from collections import Counter
from typing import Final, Literal

from recaption.core.digests import digest_text
from recaption.core.types import Rejected
from recaption.datasets.readers.source_text import clean_text, safe_key

__all__ = ["Seen", "Tally", "rejected"]

_MAX_RAW_CHARACTERS: Final = 2048
_MAX_DETAILS: Final = 200
_SHOWN_DETAILS: Final = 8


class Tally:
    """Counts by heading and detail, in bounded memory whatever the data."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def add(self, heading: str, detail: str = "", times: int = 1) -> None:
        """Count something under a heading like `files ignored`."""
        counts = self._counts.setdefault(heading, Counter())
        detail = clean_text(detail[:100])[0]
        counts[detail if detail in counts or len(counts) < _MAX_DETAILS else "…"] += times

    def notes(self) -> list[str]:
        """Return one line per heading: `files ignored: 12 (7 .md, 5 .py)`."""
        return [_line(heading, counts) for heading, counts in self._counts.items()]


def _line(heading: str, counts: Counter[str]) -> str:
    parts = [f"{n} {detail}" for detail, n in sorted(counts.items(), key=lambda c: (-c[1], c[0])) if detail]
    more = [f"{len(parts) - _SHOWN_DETAILS} more kinds"] if len(parts) > _SHOWN_DETAILS else []
    tail = f" ({', '.join(parts[:_SHOWN_DETAILS] + more)})" if parts else ""
    return f"{heading}: {counts.total():,}{tail}"


class Seen:
    """The keys met so far, each with the number of the place where it was met first.

    Holds 64 bits of each key's digest: about 120 bytes a key, and at a million keys a false alarm has odds
    of about 1 in 37 million.
    """

    def __init__(self) -> None:
        self._places: dict[int, int] = {}

    def first(self, key: str, place: int) -> int | None:
        """Remember a key; return where it was seen before, None the first time."""
        short = _short_digest(key)
        before = self._places.get(short)
        if before is None:
            self._places[short] = place
        return before

    def __contains__(self, key: str) -> bool:
        return _short_digest(key) in self._places


def _short_digest(key: str) -> int:
    return int(digest_text(key)[:16], 16)


def rejected(
    key: str,
    reason: str,
    *,
    raw: str | None = None,
    kind: Literal["dropped", "failed"] = "failed",
    retryable: bool = False,
) -> Rejected:
    """Return an item that could not be read; `raw` is cut to a size fit for inspection."""
    shown = None if raw is None else clean_text(raw[:_MAX_RAW_CHARACTERS])[0]
    return Rejected(
        key=safe_key(key) or "?", stage="read", kind=kind, reason=reason, retryable=retryable, raw=shown
    )
