"""Text from anywhere, made fit for a terminal."""

import unicodedata

__all__ = ["printable"]

_JOINER = "\u200d"
"""Holds emoji together; it moves nothing."""


def printable(text: str) -> str:
    """Return a text that cannot drive a terminal: control, bidi and undefined characters become escapes.

    Line ends and tabs too, so the result is one line. What has been through once is not changed again.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or _is_harmless(c) else _escaped(c) for c in text)


def _is_harmless(character: str) -> bool:
    return character == _JOINER or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
