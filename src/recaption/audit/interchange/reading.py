"""Reading what other tools wrote: bounded, typed, and with one line for whatever is not as it should be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from recaption.core.digests import digest_bytes, digest_text
from recaption.core.errors import UserError
from recaption.datasets.readers.json_stream import BadItem, json_items

__all__ = ["MAX_ITEM_CHARS", "Part", "file_digest", "json_parts", "opened"]

MAX_ITEM_CHARS: Final = 8 * 1024 * 1024
"""Of one task or record; pictures may be inside."""
_CHUNK: Final = 1 << 20


class Part:
    """A JSON object of a file, and where it stands; to ask for what has another type raises UserError."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise UserError(f"{place} is {_kind(value)}, not an object")
        self.place = place
        self._value = value

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    def names(self) -> list[str]:
        return list(self._value)

    def text(self, name: str, default: str = "") -> str:
        """Return a text; the default where it lacks or is null."""
        value = self._value.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._wrong(name, value, "text")
        return value

    def name(self, name: str) -> str:
        """Return an id, a whole number or text, as text; empty where it lacks."""
        value = self._value.get(name)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise self._wrong(name, value, "an id")
        return str(value)

    def number(self, name: str) -> float | None:
        """Return a finite number; None where it lacks."""
        value = self._value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(name, value, "a number")
        if (isinstance(value, int) and abs(value) > 1 << 64) or not math.isfinite(value):
            raise UserError(f"{self.place}: `{name}` is not a finite number")
        return float(value)

    def flag(self, name: str) -> bool:
        """Return true or false; false where it lacks."""
        value = self._value.get(name)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(name, value, "true or false")
        return bool(value)

    def part(self, name: str) -> Part:
        """Return an object; an empty one where it lacks."""
        value = self._value.get(name)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self._wrong(name, value, "an object")
        return Part(value, self.place)

    def list(self, name: str) -> list[object]:
        """Return a list; an empty one where it lacks."""
        value = self._value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(name, value, "a list")
        return value

    def parts(self, name: str, called: str) -> Iterator[Part]:
        """Yield the objects of a list; `called` says what one of them is."""
        for number, value in enumerate(self.list(name), start=1):
            yield Part(value, f"{self.place}, {called} {number}")

    def value(self, name: str) -> object:
        """Return whatever is there; None where it lacks."""
        return self._value.get(name)

    def _wrong(self, name: str, value: object, wanted: str) -> UserError:
        return UserError(f"{self.place}: `{name[:60]}` is {_kind(value)}, not {wanted}")


def json_parts(source: Path, called: str) -> Iterator[Part]:
    """Yield the objects of a JSON file: of its list, or line by line.

    Raises:
        UserError: The file cannot be read, is damaged, or holds anything but objects.
    """
    opened(source)
    try:
        for number, item in enumerate(json_items(source, MAX_ITEM_CHARS), start=1):
            place = f"{called} {number}"
            if isinstance(item, BadItem):
                raise UserError(f"{source.name}: {place}: {item.reason}")
            yield Part(item.value, place)
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror or error}") from error


def opened(source: Path) -> None:
    """Raise UserError where there is no regular file."""
    try:
        regular = source.is_file()
    except (OSError, ValueError) as error:
        raise UserError(f"{str(source)[:200]!r} cannot be read: {error}") from error
    if not regular:
        what = "is a folder" if source.is_dir() else "does not exist, or is not a file"
        raise UserError(f"{source} {what}. Name the file that the other tool wrote.")


def file_digest(source: Path) -> str:
    """Return what tells a file's bytes from all others, a piece at a time; files that are alike are one source."""
    digest = ""
    try:
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest = digest_text(digest + digest_bytes(chunk))
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror or error}") from error
    return digest


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")
