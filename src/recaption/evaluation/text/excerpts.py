"""Texts as tables show them: short, on one line, and fit for UTF-8 whatever they hold."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["excerpt"]

_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def excerpt(text: str, limit: int = 120) -> str:
    """Return the beginning of a text on one line, at most `limit` characters; what cannot be shown is left out."""
    line = " ".join(_UNSEEN.sub(" ", text[: limit * 4]).split())
    return line if len(line) <= limit and len(text) <= limit * 4 else line[: limit - 1] + "…"
