"""Files with rows, whatever their format."""

from collections.abc import Generator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from recaption.core.errors import DataError
from recaption.datasets.readers.accounting import Tally
from recaption.datasets.readers.csv_stream import csv_columns, csv_rows
from recaption.datasets.readers.json_stream import BadItem, Item, json_items
from recaption.datasets.readers.parquet_stream import ParquetFile
from recaption.datasets.readers.rows import BadRow, Row

__all__ = ["TableFile", "open_table"]

_PEEKED_ITEMS: Final = 64


class TableFile(Protocol):
    """A file with rows; may be read any number of times."""

    path: Path
    columns: list[str]
    """As far as they are known before reading: of the first rows where every row has its own."""
    format: str

    @property
    def count(self) -> int | None:
        """The number of rows, where that is cheap to know."""

    def class_names(self) -> Mapping[str, Sequence[str]]:
        """Return names for categories that are numbers: column path to names."""

    def rows(
        self, tally: Tally, *, image: str | None = None, with_bytes: bool = False
    ) -> Generator[Row | BadRow, None, None]:
        """Yield the rows in order; see `ParquetFile.rows`. Raises DataError, OSError."""


class _Text:
    """CSV, TSV and JSON, whose rows hold no bytes."""

    count: int | None = None

    def __init__(self, path: Path, table_format: str) -> None:
        self.path = path
        self.format = table_format
        self.columns = _json_columns(path) if table_format == "JSON" else csv_columns(path)

    def class_names(self) -> Mapping[str, Sequence[str]]:
        return {}

    def rows(
        self, tally: Tally, *, image: str | None = None, with_bytes: bool = False
    ) -> Generator[Row | BadRow, None, None]:
        if self.format != "JSON":
            yield from csv_rows(self.path)
            return
        for item in json_items(self.path):
            yield _json_row(item)


class _Parquet(ParquetFile):
    format = "parquet"


def open_table(path: Path) -> TableFile:
    """Open a table by its extension. Raises DataError where it cannot be read."""
    extension = path.suffix.lower().lstrip(".")
    try:
        if extension == "parquet":
            return _Parquet(path)
        if extension in ("csv", "tsv"):
            return _Text(path, extension.upper())
        if extension in ("jsonl", "ndjson", "json"):
            return _Text(path, "JSON")
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}") from error
    raise DataError(f"{path.name} is no table: known are .parquet, .jsonl, .ndjson, .json, .csv, .tsv")


def _json_columns(path: Path) -> list[str]:
    names: dict[str, None] = {}
    with_rows = (_json_row(item) for item in islice(json_items(path), _PEEKED_ITEMS))
    for row in with_rows:
        if isinstance(row, Row):
            names.update(dict.fromkeys(row.values))
    if not names:
        raise DataError(f"{path.name} holds no JSON objects in its first {_PEEKED_ITEMS} items")
    return list(names)


def _json_row(item: Item | BadItem) -> Row | BadRow:
    """Return a JSON item as a row; a bare string is a text."""
    if isinstance(item, BadItem):
        return BadRow(item.place, item.reason, item.raw)
    if isinstance(item.value, dict):
        return Row(item.place, item.value)
    if isinstance(item.value, str):
        return Row(item.place, {"text": item.value})
    return BadRow(item.place, f"{type(item.value).__name__}, not an object", str(item.value)[:2000])
