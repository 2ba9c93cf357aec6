"""A folder that `load_dataset("imagefolder", data_dir=…)` of Hugging Face loads as it is."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, Literal

import pyarrow as pa

from recaption.core.types import Record
from recaption.datasets.atomic import make_folder, staged_folder, write_atomic_stream
from recaption.datasets.schema import write_rows
from recaption.datasets.writers.content import (
    caption_json,
    chosen_text,
    copied_image,
    json_bytes,
    utf8_text,
    with_metadata,
)
from recaption.datasets.writers.names import GivenNames
from recaption.recipes.strict import StrictModel

__all__ = ["ImageFolderWriter"]

_MEMORY_BYTES: Final = 16 << 20
_TYPES: Final = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}


class ImageFolderWriter:
    """Writes `SPLIT/NAME.jpg` and `SPLIT/metadata.jsonl` into a new folder.

    Columns: `file_name`, `text`, `original_caption`, `key`, and the source's own. A column whose values are lists,
    objects or of several types is written as JSON text, because the loader wants one type per column.
    """

    class Params(StrictModel):
        """How the folder is laid out."""

        split: Literal["train", "validation", "test"] = "train"
        metadata: Literal["jsonl", "parquet"] = "jsonl"
        """Types of JSONL are guessed from its first 10 MB; choose parquet where a column may be empty that long."""
        all_captions: bool = False
        """Add the columns `captions`, every caption with its scores and provenance as JSON text, and `chosen`."""

    def __init__(self, params: Params) -> None:
        self.params = params

    def write(self, records: Iterable[Record], target: Path) -> Mapping[str, int]:
        """Write every record with an image and a text; return counts.

        `written`, and what was left out: `no_image`, `unreadable_image`, `no_text`, `duplicate_key`.
        """
        counts = Counter({"written": 0})
        given = GivenNames()
        with staged_folder(target) as stage, tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as spool:
            folder = stage / self.params.split
            make_folder(folder)
            columns = _Columns()
            for record in records:
                row = self._row(record, folder, given)
                if isinstance(row, str):
                    counts[row] += 1
                    continue
                columns.see(row)
                spool.write(json_bytes(row))
                counts["written"] += 1
            spool.seek(0)
            rows = (columns.fit(json.loads(line)) for line in spool)
            with write_atomic_stream(folder / f"metadata.{self.params.metadata}") as file:
                self._write_rows(file, rows, columns)
        return dict(counts)

    def _row(self, record: Record, folder: Path, given: GivenNames) -> dict[str, Any] | str:
        """Write the image and return its row, or the count that says why it was left out."""
        text = chosen_text(record)
        if text is None or not text.strip():
            return "no_text"
        copied = copied_image(record, folder, given)
        if isinstance(copied, str):
            return copied
        name, _ = copied
        row = {"file_name": name, "text": text, "original_caption": record.original_text, "key": record.key}
        if self.params.all_captions:
            row["chosen"] = record.chosen
            row["captions"] = _json_text([caption_json(c) for c in record.captions])
        return with_metadata(row, record.metadata, _means_an_image)

    def _write_rows(self, file: IO[bytes], rows: Iterator[dict[str, Any]], columns: "_Columns") -> None:
        if self.params.metadata == "parquet":
            write_rows(file, rows, columns.schema())
            return
        for row in rows:
            file.write(json_bytes(row))


def _means_an_image(column: str) -> bool:
    """Return whether the loader would take a column for images, or make one of that name itself."""
    return column in ("image", "images", "file_name", "file_names") or column.endswith(
        ("_file_name", "_file_names")
    )


class _Columns:
    """The type each column can have in all rows."""

    def __init__(self) -> None:
        self._kinds: dict[str, set[str]] = {}

    def see(self, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            kinds = self._kinds.setdefault(utf8_text(name), set())
            if value is not None:
                kinds.add(_kind(value))

    def fit(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row with every column there is, each value in its column's type."""
        return {name: _fitted(row.get(name), self._type(name)) for name in self._kinds}

    def schema(self) -> Any:
        return pa.schema([(name, _TYPES.get(self._type(name), pa.string())) for name in self._kinds])

    def _type(self, name: str) -> str:
        kinds = self._kinds[name]
        if len(kinds) <= 1:
            return next(iter(kinds), "str")
        return "float" if kinds == {"int", "float"} else "json"


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if value.bit_length() < 64 else "json"
    return {float: "float", str: "str"}.get(type(value), "json")


def _fitted(value: Any, kind: str) -> Any:
    if value is None or kind in ("bool", "int", "str"):
        return value
    return float(value) if kind == "float" else _json_text(value)


def _json_text(value: object) -> str:
    return json_bytes({"_": value}).decode()[5:-2]
