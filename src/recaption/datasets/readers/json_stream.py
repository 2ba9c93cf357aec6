"""JSON of any size, item by item: lines, a top-level array, or objects one after the other.

Memory is bounded by the largest item allowed. One bad item costs that item, not the rest, wherever the next
one can be found again.
"""

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal

from recaption.core.errors import DataError
from recaption.datasets.readers.conventions import MAX_JSON_BYTES

__all__ = ["BadItem", "Item", "JsonScanner", "json_items", "open_text"]

_CHUNK: Final = 1 << 18
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NEXT_OBJECT: Final = re.compile(r"\n(?=\{)")
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Item:
    """A value, and its line or its number."""

    place: str
    value: object


@dataclass(frozen=True, slots=True)
class BadItem:
    """A piece that is no value."""

    place: str
    reason: str
    raw: str


def open_text(path: Path) -> IO[str]:
    """Open a text file as UTF-8; bytes that are not become lone surrogates, to be found and replaced later."""
    return path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="")


class JsonScanner:
    """Walks through one JSON text with a bounded buffer. Positions only ever go forward."""

    def __init__(self, file: IO[str], max_characters: int = MAX_JSON_BYTES) -> None:
        self._file = file
        self._max = max_characters
        self._buffer = ""
        self._at = 0
        self._ended = False

    def peek(self) -> str:
        """Return the next character that is not white space, empty at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill():
                return ""

    def take(self, character: str) -> None:
        """Step over a character. Raises DataError where another stands."""
        found = self.peek()
        if found != character:
            raise DataError(
                f"expected {character!r}, found {found!r}" if found else f"ends before {character!r}"
            )
        self._at += 1

    def value(self) -> object:
        """Return the next value.

        Raises:
            DataError: It is damaged, too long or nested too deep; the position is still at its start.
        """
        first = self.peek()
        if not first:
            raise DataError("ends where a value should be")
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except RecursionError as error:
                raise DataError("nested too deep") from error
            except json.JSONDecodeError as error:
                if self._ended or not self._may_be_cut(error):
                    raise DataError(f"not JSON: {error.msg}") from error
            except ValueError as error:
                raise DataError(f"not JSON: {str(error)[:100]}") from error
            else:
                # a number at the end of the buffer may go on; a closed string or bracket may not
                if end < len(self._buffer) or self._ended or first in '{["':
                    self._at = end
                    return value
            if len(self._buffer) - self._at > self._max:
                raise DataError(f"longer than {self._max:,} characters")
            self._fill()

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Return whether more text could mend an error: it stands at the end, or in a string that is open."""
        return error.msg.startswith("Unterminated string") or error.pos > len(self._buffer) - 16

    def skip_value(self) -> None:
        """Step over the next value, whatever its length. Raises DataError where the text ends first."""
        first = self.peek()
        if first not in ("{", "["):
            self.value()
            return
        depth = 0
        while True:
            depth = self._skip_some(depth)
            if depth == 0:
                return
            if not self._fill():
                raise DataError("ends in the middle of a value")

    def _skip_some(self, depth: int) -> int:
        """Step over whole strings and brackets as far as the buffer goes; return how many are still open."""
        while match := _STRUCTURE.search(self._buffer, self._at):
            piece = match.group()
            if piece == '"':  # an open string: read on from its start
                self._at = match.start()
                if len(self._buffer) - self._at > self._max:
                    raise DataError(f"a string longer than {self._max:,} characters")
                return depth
            self._at = match.end()
            depth += (piece in ("{", "[")) - (piece in ("}", "]"))
            if depth == 0:
                return 0
        self._at = len(self._buffer)
        return depth

    def excerpt(self) -> str:
        """Return the text at the position, for inspection."""
        return self._buffer[self._at : self._at + 2000]

    def resync(self) -> None:
        """Skip a bad piece, up to the next line that starts an object."""
        self._at += 1
        while True:
            match = _NEXT_OBJECT.search(self._buffer, self._at)
            if match:
                self._at = match.end()
                return
            self._at = max(self._at, len(self._buffer) - 1)
            if not self._fill():
                self._at = len(self._buffer)
                return

    def members(self) -> Iterator[str]:
        """Yield the names of the next value, an object; the caller reads or skips each value.

        Raises:
            DataError: It is no object, or a damaged one.
        """
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            name = self.value()
            self.take(":")
            yield str(name)
            if self.peek() != ",":
                break
            self.take(",")
        self.take("}")

    def elements(self) -> Iterator[int]:
        """Yield the numbers, from 0, of the elements of the next value, an array; the caller reads each.

        Raises:
            DataError: It is no array, or a damaged one.
        """
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        number = 0
        while True:
            yield number
            number += 1
            if self.peek() != ",":
                break
            self.take(",")
        self.take("]")

    def _fill(self) -> bool:
        """Read on; return whether there was more."""
        if self._ended:
            return False
        more = self._file.read(max(_CHUNK, len(self._buffer) - self._at))
        self._ended = not more
        self._buffer = self._buffer[self._at :] + more
        self._at = 0
        return bool(more)


_STRUCTURE: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|["{}\[\]]', re.DOTALL)


def json_items(path: Path, max_characters: int = MAX_JSON_BYTES) -> Generator[Item | BadItem, None, None]:
    """Yield the items of a JSON file in order: of its top-level array, its lines, or its objects in a row.

    Raises:
        OSError: The file cannot be opened or read.
    """
    shape = _shape(path, max_characters)
    with open_text(path) as file:
        if shape == "lines":
            yield from _lines(file, max_characters)
        elif shape == "array":
            yield from _array(JsonScanner(file, max_characters))
        else:
            yield from _objects(JsonScanner(file, max_characters))


def _shape(path: Path, max_characters: int) -> Literal["lines", "array", "objects"]:
    with open_text(path) as file:
        scanner = JsonScanner(file, max_characters)
        if scanner.peek() == "[":
            return "array"
    with open_text(path) as file:
        line = next((text for text in iter(lambda: file.readline(max_characters), "") if text.strip()), "")
        try:
            json.loads(line)
        except (ValueError, RecursionError):
            file.seek(0)
            try:
                JsonScanner(file, max_characters).value()
            except DataError:
                return "lines"
            return "objects"
        return "lines"


def _lines(file: IO[str], max_characters: int) -> Generator[Item | BadItem, None, None]:
    number = 0
    while line := file.readline(max_characters + 1):
        number += 1
        place = f"line {number}"
        if len(line) > max_characters and not line.endswith("\n"):
            _skip_line(file)
            yield BadItem(place, f"longer than {max_characters:,} characters", line[:2000])
            continue
        if not line.strip():
            continue
        try:
            yield Item(place, json.loads(line))
        except RecursionError:
            yield BadItem(place, "nested too deep", line[:2000])
        except json.JSONDecodeError as error:
            yield BadItem(place, f"not JSON: {error.msg} at column {error.colno}", line[:2000])
        except ValueError as error:
            yield BadItem(place, f"not JSON: {str(error)[:100]}", line[:2000])


def _skip_line(file: IO[str]) -> None:
    while rest := file.readline(_CHUNK):
        if rest.endswith("\n"):
            return


def _array(scanner: JsonScanner) -> Generator[Item | BadItem, None, None]:
    place = "item 1"
    try:
        for number in scanner.elements():
            place = f"item {number + 1}"
            yield Item(place, scanner.value())
        if scanner.peek():
            yield BadItem(place, "text after the end of the array", scanner.excerpt())
    except DataError as error:
        yield BadItem(place, f"{error}; nothing after it was read", scanner.excerpt())


def _objects(scanner: JsonScanner) -> Generator[Item | BadItem, None, None]:
    number = 0
    while scanner.peek():
        number += 1
        try:
            yield Item(f"item {number}", scanner.value())
        except DataError as error:
            yield BadItem(f"item {number}", str(error), scanner.excerpt())
            scanner.resync()
