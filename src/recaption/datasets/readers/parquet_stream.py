"""Parquet, a few rows at a time, whatever the size of its row groups."""

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from recaption.core.errors import DataError
from recaption.core.types import Image
from recaption.datasets.readers.accounting import Tally
from recaption.datasets.readers.rows import BadRow, Row

__all__ = ["ParquetFile"]

_BATCH_BYTES: Final = 8 * 1024 * 1024
_MAX_BATCH_ROWS: Final = 512
_BUFFER_BYTES: Final = 1 << 20
_MAX_SCHEMA_BYTES: Final = 4 * 1024 * 1024


class ParquetFile:
    """One parquet file: its columns, and its rows as a stream."""

    def __init__(self, path: Path) -> None:
        """Open a file. Raises DataError where it is not readable parquet."""
        self.path = path
        try:
            with self._open() as file:
                self.schema: Any = file.schema_arrow
                self._metadata: Any = file.metadata
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"{path.name} is not readable parquet: {_reason(error)}") from error
        self.columns: list[str] = list(self.schema.names)
        self.count: int = self._metadata.num_rows

    def _open(self) -> Any:
        return pq.ParquetFile(self.path, pre_buffer=False, buffer_size=_BUFFER_BYTES)

    def property(self, name: str) -> str | None:
        """Return one of the properties that the writer stored with the schema."""
        value = (self.schema.metadata or {}).get(name.encode())
        return None if value is None else bytes(value).decode("utf-8", "replace")

    def class_names(self) -> dict[str, list[str]]:
        """Return the class names that Hugging Face stored: column path (`objects.category`) to names."""
        text = self.property("huggingface")
        if text is None or len(text) > _MAX_SCHEMA_BYTES:
            return {}
        try:
            features = json.loads(text)["info"]["features"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return {}
        return dict(_class_names(features, ()))

    def rows(
        self, tally: Tally, *, image: str | None = None, with_bytes: bool = False, only: Sequence[str] = ()
    ) -> Generator[Row | BadRow, None, None]:
        """Yield the rows in order; binary columns other than `image` are left out.

        Args:
            image: Column of images; where it holds bytes, the row gets a place to read them from.
            with_bytes: Read those bytes too.
            only: Read these columns and no others.
        """
        column = self._image_column(image)
        place_only = column is not None and not with_bytes and self._has_no_nulls(column)
        names = [c for c in (only or self.columns) if c in self.columns]
        binary = [c for c in names if c != image and _holds_binary(self.schema.field(c).type)]
        for name in binary:
            tally.add("binary columns left out", repr(name))
        names = [c for c in names if c not in binary and not (place_only and c == column)]
        number = 0
        try:
            for batch in self._batches(names):
                cells = [_cells(batch.column(i), name, tally) for i, name in enumerate(names)]
                for index in range(len(batch)):
                    values = {
                        name: column_cells[index] for name, column_cells in zip(names, cells, strict=True)
                    }
                    if column is not None:
                        values[column] = self._image(number, column, values.get(column), place_only)
                    number += 1
                    yield Row(f"row {number}", values)
        except (pa.ArrowException, OSError, ValueError) as error:
            lost = self.count - number
            yield BadRow(f"row {number + 1}", f"damaged parquet, {lost:,} rows not read: {_reason(error)}")

    def _image(self, row: int, column: str, value: object, place_only: bool) -> object:
        """Return an image that can be read again from its cell; values that are no bytes stay as they are."""
        data = value.get("bytes") if isinstance(value, Mapping) else value
        path = str(self.path.absolute())
        if place_only:
            return Image(path=path, row=row, column=column)
        if isinstance(data, bytes) and data:
            return Image(data=data, path=path, row=row, column=column)
        return value

    def _image_column(self, image: str | None) -> str | None:
        """Return the image column where its cells hold bytes that can be read one by one."""
        if image is None or image not in self.columns:
            return None
        kind = self.schema.field(image).type
        if pa.types.is_struct(kind):
            index = kind.get_field_index("bytes")
            return image if index >= 0 and _is_binary(kind.field(index).type) else None
        return image if _is_binary(kind) else None

    def _has_no_nulls(self, column: str) -> bool:
        """Return whether the statistics say that every cell of an image column has bytes."""
        wanted = (column, f"{column}.bytes")
        for index in range(self._metadata.num_row_groups):
            group = self._metadata.row_group(index)
            leaves = [group.column(i) for i in range(group.num_columns)]
            leaf = next((leaf for leaf in leaves if leaf.path_in_schema in wanted), None)
            statistics = leaf.statistics if leaf is not None else None
            if statistics is None or not statistics.has_null_count or statistics.null_count:
                return False
        return True

    def _batches(self, names: Sequence[str]) -> Iterator[Any]:
        rows, size = max(1, self.count), 0
        for index in range(self._metadata.num_row_groups):
            group = self._metadata.row_group(index)
            for i in range(group.num_columns):
                leaf = group.column(i)
                if leaf.path_in_schema.split(".")[0] in names:
                    size += leaf.total_uncompressed_size
        batch_rows = max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES * rows // max(1, size)))
        with self._open() as file:
            yield from file.iter_batches(batch_size=batch_rows, columns=list(names), use_threads=False)


def _cells(column: Any, name: str, tally: Tally) -> list[object]:
    """Return a column's values; where one cannot be one, it alone is mended or becomes None."""
    try:
        values: list[object] = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        return [_cell(cell, name, tally) for cell in column]
    return values


def _cell(cell: Any, name: str, tally: Tally) -> object:
    try:
        value: object = cell.as_py()
    except (ValueError, OverflowError, pa.ArrowException):
        if isinstance(cell, pa.StringScalar | pa.LargeStringScalar):
            return bytes(cell.as_buffer()).decode("utf-8", "surrogateescape")
        tally.add("cells that hold no value that can be read", repr(name))
        return None
    return value


def _is_binary(kind: Any) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _holds_binary(kind: Any) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_binary(kind.value_type)
    return _is_binary(kind)


def _class_names(feature: object, path: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    if len(path) > 8:
        return
    if isinstance(feature, list):
        for item in feature[:1]:
            yield from _class_names(item, path)
    if not isinstance(feature, Mapping):
        return
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list):
        yield ".".join(path), [str(name) for name in names]
        return
    for name, inner in feature.items():
        yield from _class_names(inner, path if name == "feature" else (*path, str(name)))


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
