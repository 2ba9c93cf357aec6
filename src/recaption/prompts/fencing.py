"""Data inside prompts: cleaned, bounded, and between two lines that nothing inside them can imitate."""

from __future__ import annotations

import re
from collections.abc import Sequence

from recaption.core.digests import digest_text

__all__ = ["fenced", "harmless"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
# Marks by which chat templates tell speakers apart; data must not be able to change who is speaking.
_TURNS = re.compile(r"<\|[^<>|]{0,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_\w{1,20}>", re.IGNORECASE)


def harmless(text: str, most: int) -> str:
    """Return a text as one line of at most so many characters, without control characters and marks of a turn."""
    line = " ".join(_CONTROL.sub(" ", text[: most * 4]).split())
    return _TURNS.sub(" ", line)[:most].strip()


def fenced(lines: Sequence[str]) -> tuple[str, str]:
    """Return a mark, and the lines between two lines of it. The mark depends on them, so no data can hold its own."""
    mark = f"=={digest_text(' '.join(lines))[:10]}=="
    return mark, "\n".join([mark, *lines, mark])
