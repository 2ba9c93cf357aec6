"""CSV and TSV, row by row, in bounded memory."""

import csv
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Final

from recaption.core.errors import DataError
from recaption.datasets.readers.conventions import MAX_JSON_BYTES
from recaption.datasets.readers.json_stream import open_text
from recaption.datasets.readers.rows import BadRow, Row

__all__ = ["csv_columns", "csv_rows"]

_MAX_COLUMNS: Final = 10_000


class _Lines:
    """The lines of a file, remembering those of the row that is being read."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.row: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_JSON_BYTES)
        if not line:
            raise StopIteration
        self.number += 1
        self.row.append(line)
        return line


def csv_columns(path: Path) -> list[str]:
    """Return the names in the first line.

    Raises:
        DataError: There is no first line, or it is not text.
    """
    with open_text(path) as file:
        return _header(path, _Lines(file))[0]


def _header(path: Path, lines: _Lines) -> tuple[list[str], str]:
    first = next(lines, "")
    if first.startswith(("\udcff\udcfe", "\udcfe\udcff")) or "\0" in first:
        raise DataError(f"{path.name} is not UTF-8 text (UTF-16?); save it as UTF-8")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",\t;", key=lambda c: (first.count(c), c == ","))
    try:
        names = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as error:
        raise DataError(f"{path.name}: the first line cannot be read: {error}") from error
    if not any(name.strip() for name in names) or len(names) > _MAX_COLUMNS:
        raise DataError(f"{path.name}: the first line does not name columns")
    return names, delimiter


def csv_rows(path: Path) -> Generator[Row | BadRow, None, None]:
    """Yield the rows below the first line; empty lines are skipped, cells that are missing at the end are None.

    Raises:
        DataError: The first line does not name columns.
        OSError: The file cannot be opened or read.
    """
    # The limit belongs to the whole process; it is only ever raised, and never to more than a line may hold.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_JSON_BYTES))
    with open_text(path) as file:
        lines = _Lines(file)
        names, delimiter = _header(path, lines)
        parser = csv.reader(lines, delimiter=delimiter)
        while True:
            start = lines.number + 1
            lines.row.clear()
            try:
                cells = next(parser, None)
            except csv.Error as error:
                yield BadRow(
                    f"line {start}", f"{error} (a quote that is never closed?); nothing after it was read"
                )
                return
            if cells is None:
                return
            if cells:
                yield _row(names, cells, delimiter, lines, start)


def _row(names: list[str], cells: list[str], delimiter: str, lines: _Lines, start: int) -> Row | BadRow:
    place = f"line {start}"
    raw = "".join(lines.row[:20])
    if len(lines.row) > 1 and _is_open(lines.row, delimiter):
        return BadRow(place, f"a quote is never closed: lines {start} to {lines.number} were not read", raw)
    if len(cells) > len(names):
        return BadRow(place, f"{len(cells)} cells under {len(names)} columns", raw)
    padded: list[str | None] = [*cells, *[None] * (len(names) - len(cells))]
    return Row(place, dict(zip(names, padded, strict=True)))


def _is_open(row: list[str], delimiter: str) -> bool:
    """Return whether a row ends inside quotes; csv takes that for a row unless it is strict."""
    try:
        list(csv.reader(row, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "end of data" in str(error)
    return False
