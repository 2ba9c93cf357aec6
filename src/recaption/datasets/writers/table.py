"""One file, one row a record: parquet with everything in it, or JSONL that any tool reads."""

import base64
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from recaption.core.errors import ImageError
from recaption.core.types import Image, Record
from recaption.datasets.atomic import check_new, make_folder, write_atomic_stream
from recaption.datasets.schema import CAPTIONS, to_row, write_rows
from recaption.datasets.writers.content import (
    caption_json,
    chosen_text,
    encoded_image,
    json_bytes,
    with_metadata,
)
from recaption.media.evidence_json import evidence_to_json
from recaption.recipes.strict import StrictModel

__all__ = ["JsonlWriter", "ParquetWriter"]

_log = logging.getLogger(__name__)
_MEDIA_TYPES: Final = {"jpg": "jpeg", "tif": "tiff"}


class TableParams(StrictModel):
    """What both tables can be told."""

    images: Literal["reference", "embed"] = "reference"
    """Say where the images are, or put their bytes into the file."""
    overwrite: bool = False


class ParquetWriter:
    """Writes `CAPTIONS` rows: nothing is lost. `target` is the file, or a folder that gets `captions.parquet`."""

    Params = TableParams

    def __init__(self, params: TableParams) -> None:
        self.params = params

    def write(self, records: Iterable[Record], target: Path) -> Mapping[str, int]:
        """Write every record and return counts: `written`, `unreadable_image` (written without its bytes)."""
        counts = Counter({"written": 0})
        path = _file(target, "captions.parquet", self.params.overwrite)
        with write_atomic_stream(path) as file:
            counts["written"] = write_rows(file, self._rows(records, counts), CAPTIONS)
        return dict(counts)

    def _rows(self, records: Iterable[Record], counts: Counter[str]) -> Iterator[dict[str, Any]]:
        for record in records:
            if self.params.images == "embed" and record.image is not None:
                image = _embedded(record.key, record.image, counts)
                yield to_row(record if image is None else replace(record, image=image[0]))
            else:
                yield to_row(record)


class JsonlWriter:
    """Writes one JSON object a line. `target` is the file, or a folder that gets `captions.jsonl`.

    `caption` is the text that stands for the record, `image` a path, an address or a `data:` address; source columns
    stand beside them under their own names, with underscores behind a name that is taken. Embed small images only:
    our own reader, like many, refuses a line over 4 MB.
    """

    Params = TableParams

    def __init__(self, params: TableParams) -> None:
        self.params = params

    def write(self, records: Iterable[Record], target: Path) -> Mapping[str, int]:
        """Write every record and return counts: `written`, `unreadable_image`, `unnamed_image`.

        An image inside a tar or a parquet file has no name that a JSONL file could use; embed it to have it.
        """
        counts = Counter({"written": 0})
        path = _file(target, "captions.jsonl", self.params.overwrite)
        with write_atomic_stream(path) as file:
            for record in records:
                file.write(json_bytes(self._row(record, path.parent, counts)))
                counts["written"] += 1
        return dict(counts)

    def _row(self, record: Record, folder: Path, counts: Counter[str]) -> dict[str, Any]:
        width, height = record.size or (None, None)
        row = {
            "key": record.key,
            "image": self._image(record, folder, counts),
            "caption": chosen_text(record),
            "original_caption": record.original_text,
            "width": width,
            "height": height,
            "chosen": record.chosen,
            "captions": [caption_json(c) for c in record.captions],
            "evidence": [evidence_to_json(e) for e in record.evidence],
        }
        return with_metadata(row, record.metadata)

    def _image(self, record: Record, folder: Path, counts: Counter[str]) -> str | None:
        image = record.image
        if image is None:
            return None
        # Bytes that are nowhere else go along in any case.
        if self.params.images == "embed" or (image.path is None and image.data is not None):
            found = _embedded(record.key, image, counts)
            if found is not None:
                embedded, extension = found
                media_type = _MEDIA_TYPES.get(extension, extension)
                return f"data:image/{media_type};base64,{base64.b64encode(embedded.data or b'').decode()}"
        if image.path is not None and image.offset is None and image.row is None:
            return _shortest(image.path, folder)
        if image.url is None:
            counts["unnamed_image"] += 1
        return image.url


def _embedded(key: str, image: Image, counts: Counter[str]) -> tuple[Image, str] | None:
    """Return the image as bytes alone, and its extension; None, counted, where they cannot be had."""
    try:
        found = encoded_image(image)
    except ImageError as error:
        counts["unreadable_image"] += 1
        _log.info("%s: image not embedded: %s", key, error)
        return None
    return Image(data=found.data, name=image.name), found.extension


def _shortest(path: str, folder: Path) -> str:
    """Return a path relative to the table where it lies below it, so that both can move together."""
    full, root = Path(os.path.abspath(path)), Path(os.path.abspath(folder))  # noqa: PTH100 - links stay links
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else str(full)


def _file(target: Path, name: str, overwrite: bool) -> Path:
    path = target if target.suffix.lower() == Path(name).suffix else target / name
    make_folder(path.parent)
    if not overwrite:
        check_new(path)
    return path
