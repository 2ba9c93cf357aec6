"""Encoded image bytes from wherever a record says they are: memory, a file, a tar member, a parquet cell."""

import re
import stat
from pathlib import Path

from recaption.core.errors import ImageError
from recaption.core.types import Image
from recaption.media.parquet_cells import read_cell

__all__ = ["one_line", "read_bytes"]

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")
_OBJECT = re.compile(r"<[\w.]+ object(?: at [^>]*)?>")
_PATH = re.compile(r"(?:[A-Za-z]:\\|/)[^\s'\":,;<>|]+[/\\][^\s'\":,;<>|]*")


def one_line(text: str, limit: int = 200) -> str:
    """Return a text fit for a reason: one line, no control characters, no memory addresses, no paths."""
    text = _OBJECT.sub("the data", _UNPRINTABLE.sub(" ", text[: limit * 20]))
    text = _PATH.sub("…", _ADDRESS.sub("0x…", text))
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def read_bytes(image: Image, max_bytes: int = 64 * 1024 * 1024) -> bytes:
    """Return the encoded bytes of an image.

    Raises:
        ImageError: There are none, they are too many, or the place cannot be read; `retryable` where the file
            system may be to blame.
    """
    if image.data is not None:
        return _bounded(image.data, max_bytes)
    if image.path is not None:
        try:
            if image.row is not None and image.column is not None:
                return _bounded(read_cell(image.path, image.row, image.column), max_bytes)
            return _read_file(image, max_bytes)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ImageError(f"{_shown(image.path)}: {one_line(reason)}", retryable=True) from error
        except ValueError as error:
            raise ImageError(f"{_shown(image.path)}: not a usable path") from error
    if image.url is not None:
        raise ImageError("URLs are not fetched; download with img2dataset first")
    raise ImageError("the record has no image")


def _shown(path: str) -> str:
    """Return a path as part of a message: its end, on one line, whatever bytes it is made of."""
    clean = _UNPRINTABLE.sub("?", path)
    return clean if len(clean) <= 200 else "…" + clean[-199:]


def _bounded(data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise ImageError(f"more bytes than the limit of {max_bytes:,}")
    return data


def _read_file(image: Image, max_bytes: int) -> bytes:
    path = Path(image.path or "")
    if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe or a device may never end
        raise ImageError(f"{_shown(str(path))}: not a regular file")
    with path.open("rb") as file:
        if image.offset is None:
            return _bounded(file.read(max_bytes + 1), max_bytes)
        length = image.length
        if image.offset < 0 or length is None or length < 0:
            raise ImageError(f"{_shown(str(path))}: a member needs an offset and a length of 0 or more")
        if length > max_bytes:
            raise ImageError(f"{length:,} bytes are more than the limit of {max_bytes:,}")
        file.seek(image.offset)
        data = file.read(length)
    if len(data) != length:
        raise ImageError(
            f"{_shown(str(path))}: member at {image.offset:,} ends after {len(data):,} of {length:,} bytes"
        )
    return data
