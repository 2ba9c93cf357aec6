"""How long a server asks us to wait, in every form that servers say it.

RFC 9110 §10.2.3 knows whole seconds and a date. Seen beside these: fractions, `retry-after-ms`, units
("6m0s", "250ms"), nonsense, and dates by a clock that is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["duration_s", "wait_s"]

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d)[a-z]*\s*", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_EPOCH_FLOOR: Final = 1e8
"""A reset "in" more seconds than that (three years) is a time of day in seconds since 1970."""
_LONGEST_TEXT: Final = 64
_RESETS: Final = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-ratelimit-reset")


def wait_s(headers: Mapping[str, str], now_unix: float, cap_s: float) -> float | None:
    """Return the seconds to wait, within [0, cap_s]; None where the server says nothing that can be used.

    `retry-after-ms` is the more precise and goes first. A date is read against the server's own `Date`, so a wrong
    clock on either side does not matter. A negative wait says nothing (Azure sends -1).

    Args:
        headers: Names in any case, if the mapping does not care for case; else in lower case.
        now_unix: Seconds since 1970, for a server that sends no `Date`.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None and milliseconds >= 0:
        return min(milliseconds / 1000, cap_s)
    said = (headers.get("retry-after") or "").strip()[:_LONGEST_TEXT]
    wait = duration_s(said)
    if wait is None and said:
        wait = _until(said, headers.get("date"), now_unix)
    if wait is None:
        wait = _first_reset(headers, now_unix)
    return None if wait is None or wait < 0 else min(wait, cap_s)


def duration_s(text: str | None) -> float | None:
    """Return a duration in seconds: "20", "1.5", "250ms", "1s", "6m0s", "1h2m3.5s"; None for anything else."""
    number = _number(text)
    if number is not None or not text:
        return number
    rest, total = text.strip().lower()[:_LONGEST_TEXT], 0.0
    if not rest:
        return None
    while rest:
        piece = _PIECE.match(rest)
        if piece is None:
            return None
        total += float(piece[1]) * _UNITS[piece[2]]
        rest = rest[piece.end() :]
    return total


def _number(text: str | None) -> float | None:
    clean = (text or "").strip()[:_LONGEST_TEXT]
    if not _NUMBER.fullmatch(clean):
        return None
    value = float(clean)
    return value if math.isfinite(value) else None


def _until(said: str, server_date: str | None, now_unix: float) -> float | None:
    then = _moment(said)
    if then is None:
        return None
    now = _moment(server_date or "")
    return max(0.0, then - (now_unix if now is None else now))


def _moment(text: str) -> float | None:
    found: datetime | None
    try:
        found = parsedate_to_datetime(text[:_LONGEST_TEXT])
    except (TypeError, ValueError, IndexError, OverflowError):
        found = _iso(text)
    if found is None:
        return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip()[:_LONGEST_TEXT])
    except ValueError:
        return None


def _first_reset(headers: Mapping[str, str], now_unix: float) -> float | None:
    """Return the soonest reset of a limit, for servers that say nothing else."""
    found = [duration_s(headers.get(name)) for name in _RESETS]
    waits = [s - now_unix if s > _EPOCH_FLOOR else s for s in found if s is not None]
    return min((w for w in waits if w >= 0), default=None)
