"""Strings as data sets hold them, made fit to be written again; what was mended is said."""

import re
from typing import Final

from recaption.core.digests import digest_text

__all__ = ["clean_text", "decode", "safe_key", "without_tokens"]

_MAX_KEY_CHARACTERS: Final = 400
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TOKEN: Final = re.compile(r"<\|?__dj__\w{1,20}?\|?>")
"""data-juicer marks images and chunk ends inside its texts: `<__dj__image>`, `<|__dj__eoc|>`."""


def decode(data: bytes) -> tuple[str, bool]:
    """Return bytes as text, without a byte order mark, and whether damaged characters were replaced."""
    try:
        return data.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return data.decode("utf-8-sig", "replace"), True


def clean_text(text: str) -> tuple[str, bool]:
    """Return a text that UTF-8 can hold, and whether lone surrogates had to be replaced by U+FFFD."""
    if text.isascii() or not _SURROGATE.search(text):
        return text, False
    mended = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return mended, "\ufffd" in mended


def without_tokens(text: str) -> str:
    """Return a text without data-juicer's special tokens; a text that has none is returned as it is."""
    if "__dj__" not in text:
        return text
    parts = _TOKEN.split(text)
    return text if len(parts) == 1 else " ".join(part for part in map(str.strip, parts) if part)


def safe_key(text: str) -> str:
    """Return a key fit for a column and a log line.

    Too long a name, or one with control or undecodable characters, is shortened or mended and told apart from
    its likes by 16 digits of its digest.
    """
    if len(text) <= _MAX_KEY_CHARACTERS and not _SURROGATE.search(text) and not _CONTROL.search(text):
        return text
    shown = _CONTROL.sub("_", _SURROGATE.sub("_", text))[:_MAX_KEY_CHARACTERS]
    return f"{shown}~{digest_text(text)[:16]}"
