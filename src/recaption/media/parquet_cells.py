"""Single cells out of parquet files, in bounded memory whatever the size of the row groups.

A writer may put a million images into one row group, so a row group is never held whole: a few cursors, each
with one small batch of rows, walk through the files. Rows asked for in about their order are found at once or
a few batches further on; going back restarts a row group.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from recaption.core.errors import ImageError

__all__ = ["CellReader", "read_cell"]

_BATCH_BYTES = 8 * 1024 * 1024


def read_cell(path: str, row: int, column: str) -> bytes:
    """Return the bytes in one cell of a parquet file, through a reader shared by the whole process.

    Raises:
        ImageError: The cell is empty, is not binary, or is not there; the file is damaged.
        OSError: The file cannot be opened.
    """
    return _shared_reader().read(path, row, column)


@cache
def _shared_reader() -> CellReader:
    return CellReader()


class _File(NamedTuple):
    """One column of one version of a file."""

    path: str
    modified_ns: int
    size: int
    column: str


@dataclass
class _Cursor:
    """A place in one row group: a batch of rows, and the iterator that gives the next."""

    file: _File
    start: int
    group_end: int
    rows: Any
    following: Iterator[Any]

    def can_reach(self, file: _File, row: int) -> bool:
        return self.file == file and self.start <= row < self.group_end

    def value_at(self, row: int) -> object:
        while row >= self.start + len(self.rows):
            self.start += len(self.rows)
            self.rows = next(self.following)
        return self.rows[row - self.start].as_py()


class CellReader:
    """Reads cells, remembering where the last few reads were. Safe in several threads."""

    def __init__(self, max_cursors: int = 8) -> None:
        self._max_cursors = max_cursors
        self._cursors: list[_Cursor] = []
        self._lock = threading.Lock()

    def read(self, path: str, row: int, column: str) -> bytes:
        """Return the bytes in one cell. Raises ImageError, and OSError where the file cannot be opened."""
        import pyarrow as pa

        where = f"row {row} of column {column!r}"
        status = Path(path).stat()
        file = _File(path, status.st_mtime_ns, status.st_size, column)
        try:
            with self._lock:
                value = self._value(file, row)
        except (pa.ArrowException, LookupError, ValueError, StopIteration, MemoryError) as error:
            raise ImageError(f"{where}: the parquet file cannot be read ({type(error).__name__})") from error
        if isinstance(value, dict):
            value = value.get("bytes")
        if value is None:
            raise ImageError(f"{where} is empty")
        if not isinstance(value, bytes):
            raise ImageError(f"{where} holds {type(value).__name__}, not bytes")
        return value

    def _value(self, file: _File, row: int) -> object:
        behind = [cursor for cursor in self._cursors if cursor.can_reach(file, row)]
        cursor = max(behind, key=lambda c: c.start) if behind else _open(file, row)
        self._cursors = [c for c in self._cursors if c is not cursor][-self._max_cursors + 1 :]
        value = cursor.value_at(row)
        self._cursors.append(cursor)
        return value


def _open(file: _File, row: int) -> _Cursor:
    """Return a cursor at the start of the row group that holds `row`."""
    import pyarrow.parquet as pq

    parquet = pq.ParquetFile(file.path)
    start, end, index = _group_of(parquet.metadata, row)
    group = parquet.metadata.row_group(index)
    leaves = [group.column(i) for i in range(group.num_columns)]
    size = sum(
        leaf.total_uncompressed_size for leaf in leaves if leaf.path_in_schema.split(".")[0] == file.column
    )
    rows = max(1, min(1024, _BATCH_BYTES * (end - start) // max(1, size)))
    batches = parquet.iter_batches(
        batch_size=rows, row_groups=[index], columns=[file.column], use_threads=False
    )
    following = (batch.column(file.column) for batch in batches)
    return _Cursor(file, start, end, next(following), following)


def _group_of(metadata: Any, row: int) -> tuple[int, int, int]:
    """Return the first row, the row after the last, and the index of the row group that holds `row`."""
    end = 0
    for index in range(metadata.num_row_groups):
        start, end = end, end + metadata.row_group(index).num_rows
        if 0 <= row < end:
            return start, end, index
    raise IndexError(row)
