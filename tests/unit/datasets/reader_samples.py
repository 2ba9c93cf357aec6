"""Small images, tars and shortcuts for the tests of readers."""

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from recaption.core.types import Record, Rejected
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.base import BaseReader
from recaption.datasets.readers.options import ReaderOptions


def png(shade: int = 0) -> bytes:
    """Return a tiny picture; different shades give different bytes."""
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (shade % 256, shade // 256 % 256, 0)).save(file, "PNG")
    return file.getvalue()


def read(source: Path | str, **options: Any) -> tuple[list[Record], list[Rejected], BaseReader]:
    """Read everything twice, check that both times are alike, and return records, rejects and the reader."""
    reader = open_dataset(str(source), options=ReaderOptions(**options))
    assert isinstance(reader, BaseReader)
    items = list(reader.records())
    notes = list(reader.notes)
    assert list(reader.records()) == items
    assert reader.notes == notes
    assert "\n" not in reader.description
    records = [item for item in items if isinstance(item, Record)]
    rejects = [item for item in items if isinstance(item, Rejected)]
    assert all(reject.stage == "read" and reject.reason for reject in rejects)
    return records, rejects, reader


def texts(record: Record) -> list[str]:
    """Return the texts of a record."""
    return [caption.text for caption in record.captions]


def tar_bytes(members: Iterable[tuple[str, bytes]], **options: Any) -> bytes:
    """Return a tar of these members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], **options: Any) -> Path:
    """Write a tar, compressed if its name says so."""
    data = tar_bytes(members, **options)
    path.write_bytes(gzip.compress(data) if path.name.endswith(("gz", "tgz")) else data)
    return path
