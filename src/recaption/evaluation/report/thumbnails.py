"""Small pictures of the items shown. Each is decoded within the usual limits and encoded anew, so that no byte of the
data and none of its metadata gets into a page, and named by its digest, so that a changed file is noticed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image as Pillow
from PIL import features

from recaption.core.digests import digest_bytes
from recaption.core.errors import ImageError, RunFolderError
from recaption.core.protocols import Images, Pixels
from recaption.core.types import Record
from recaption.datasets.atomic import make_folder, sync_folder, write_atomic
from recaption.evaluation.result import Example

__all__ = [
    "FOLDER",
    "MAX_BYTES",
    "MAX_SIDE_PX",
    "Thumbnail",
    "encoded",
    "read_thumbnails",
    "with_thumbnails",
]

FOLDER: Final = "evaluation/thumbnails"
"""Below the folder of `report.json`."""
MAX_SIDE_PX: Final = 320
MAX_BYTES: Final = 10_000
"""Aimed at for one picture, so that a page of sixty is about a megabyte at most; what needs more is made coarser."""
_LADDER: Final = ((MAX_SIDE_PX, 70), (MAX_SIDE_PX, 50), (256, 50), (192, 45), (128, 40))
"""Longest side and quality, from good to small; the last is taken whatever it gives."""
_MOST_READ: Final = 256 * 1024
"""Bytes of a file that is taken for a thumbnail."""
_NAME: Final = re.compile(r"([0-9a-f]{64})\.(webp|jpg)")

Thumbnail = tuple[str, bytes]
"""Media type and bytes."""


def with_thumbnails(
    examples: Iterable[Example],
    records: Mapping[str, Record | None],
    make_images: Callable[[], Images],
    folder: Path,
) -> Sequence[Example]:
    """Return the examples with a thumbnail each, written to `folder`, or with the reason why there is none.

    Thumbnails of an earlier evaluation go; whatever else lies in the folder stays.

    Args:
        records: By key; a key that is missing or None has no image.
        make_images: Gives the images of one batch a place. Each example is a batch: one picture is held at a time.

    Raises:
        RunFolderError: The folder cannot be written.
    """
    make_folder(folder)
    known: dict[str, tuple[str | None, str]] = {}
    found = []
    for example in examples:
        if example.key not in known:
            known[example.key] = _made(records.get(example.key), make_images, folder)
        name, reason = known[example.key]
        found.append(replace(example, thumbnail=name, no_thumbnail=reason))
    _remove_others(folder, kept={example.thumbnail for example in found})
    sync_folder(folder)
    return found


def encoded(pixels: Pixels, kind: str | None = None) -> bytes:
    """Return a picture as WebP, or as JPEG where this Pillow was built without it; no larger than it must be.

    Args:
        kind: `webp` or `jpg`; None: what there is.
    """
    kind = kind or _kind()
    data = b""
    for side, quality in _LADDER:
        picture = Pillow.fromarray(pixels.array)
        picture.thumbnail((side, side), Pillow.Resampling.LANCZOS)
        out = BytesIO()
        if kind == "webp":
            picture.save(out, "WEBP", quality=quality, method=4)
        else:
            picture.save(out, "JPEG", quality=quality, optimize=True)
        data = out.getvalue()
        if len(data) <= MAX_BYTES:
            break
    return data


def read_thumbnails(examples: Iterable[Example], folder: Path) -> dict[str, Thumbnail]:
    """Return the pictures that examples name, by name; one that is missing or not what its name says is left out."""
    found = {}
    for name in {e.thumbnail for e in examples if e.thumbnail}:
        thumbnail = _read(name, folder)
        if thumbnail is not None:
            found[name] = thumbnail
    return found


def _made(record: Record | None, make_images: Callable[[], Images], folder: Path) -> tuple[str | None, str]:
    if record is None or record.image is None:
        return None, ""
    try:
        pixels = make_images().picture(record).shrunk(MAX_SIDE_PX)
    except ImageError as error:
        return None, str(error)
    kind = _kind()
    data = encoded(pixels, kind)
    name = f"{digest_bytes(data)}.{kind}"
    write_atomic(folder / name, data, sync_parent=False)
    return name, ""


def _remove_others(folder: Path, kept: set[str | None]) -> None:
    try:
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name) and path.name not in kept:
                path.unlink()
    except OSError as error:
        raise RunFolderError(
            f"cannot remove old thumbnails from {folder}: {error.strerror or error}"
        ) from error


def _read(name: str, folder: Path) -> Thumbnail | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        with (folder / name).open("rb") as file:
            data = file.read(_MOST_READ)
    except OSError:  # the page says that the picture is gone
        return None
    if digest_bytes(data) != match[1]:
        return None
    return ("image/webp" if match[2] == "webp" else "image/jpeg"), data


def _kind() -> str:
    return "webp" if features.check("webp") else "jpg"
