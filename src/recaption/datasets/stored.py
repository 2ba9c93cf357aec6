"""Single values as parquet holds them: text that UTF-8 may have no bytes for, JSON that may hold what JSON cannot.

Texts of the web are not always text: JSON and file names can hold lone surrogates, which UTF-8 has no bytes for.
They are stored one to one in the last private-use block, U+10F800–U+10FFFF; a character of that block that was
there before is marked by U+10F7FF. Every other text is stored as it stands, so nobody who reads the files without
this module ever meets the escape in ordinary data.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from recaption.core.digests import canonical_json
from recaption.core.errors import DataError
from recaption.core.types import JsonValue

__all__ = [
    "plain_json",
    "read_json",
    "read_or_none",
    "read_text",
    "stored_json",
    "stored_or_none",
    "stored_text",
]

MAX_DEPTH: Final = 64
MAX_INTEGER_BITS: Final = 8192
"""Above about 14,000 bits Python refuses to write an integer in decimal."""
MAX_FOREIGN_CHARACTERS: Final = 1000
_ESCAPE: Final = "\U0010f7ff"
_SHIFT: Final = 0x10F800 - 0xD800
_UNSTORABLE: Final = re.compile("[\ud800-\udfff\U0010f7ff-\U0010ffff]")
_STORED: Final = re.compile("\U0010f7ff([\U0010f7ff-\U0010ffff])|([\U0010f800-\U0010ffff])")


def stored_text(text: str) -> str:
    """Return a text as parquet holds it; `read_text` gives the same text back."""
    return text if text.isascii() else _UNSTORABLE.sub(_escape, text)


def stored_or_none(text: str | None) -> str | None:
    """Return `stored_text` of a text, None of None."""
    return None if text is None else stored_text(text)


def read_text(text: str) -> str:
    """Return the text that `stored_text` was given."""
    return text if text.isascii() else _STORED.sub(_unescape, text)


def read_or_none(text: str | None) -> str | None:
    """Return `read_text` of a text, None of None."""
    return None if text is None else read_text(text)


def stored_json(value: Mapping[str, Any]) -> str:
    """Return canonical JSON as parquet holds it; what JSON cannot hold goes through `plain_json` first."""
    if not value:
        return "{}"
    try:
        text = canonical_json(value)
    except (DataError, RecursionError):
        text = canonical_json(plain_json(value))
    return stored_text(text)


def read_json(text: str) -> dict[str, JsonValue]:
    """Return the object that `stored_json` was given. Raises ValueError where there is none, or a NaN in it."""
    if text == "{}":
        return {}
    value = json.loads(read_text(text), parse_constant=_no_constant)
    if not isinstance(value, dict):
        raise ValueError(f"JSON {type(value).__name__} where an object belongs")
    return value


def plain_json(value: object, depth: int = MAX_DEPTH) -> JsonValue:
    """Return a value as JSON can hold it; what it cannot hold becomes the text that names it."""
    if depth == 0:
        return "nested too deep"
    if isinstance(value, Mapping):
        return {str(name): plain_json(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item, depth - 1) for item in value]
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)[:MAX_FOREIGN_CHARACTERS]


def _escape(match: re.Match[str]) -> str:
    found = match.group()
    return chr(ord(found) + _SHIFT) if ord(found) < 0xE000 else _ESCAPE + found


def _unescape(match: re.Match[str]) -> str:
    return match.group(1) or chr(ord(match.group(2)) - _SHIFT)


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON holds {name}")
