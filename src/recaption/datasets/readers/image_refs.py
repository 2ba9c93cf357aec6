"""What an image column holds, as a place to read the image from."""

import base64
import binascii
import os.path
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from recaption.core.digests import digest_bytes, digest_text
from recaption.core.errors import DataError
from recaption.core.types import Image
from recaption.datasets.readers.conventions import MAX_IMAGE_BYTES

__all__ = ["ImageRoot", "image_identity"]

_URL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://")
_DATA_URL: Final = re.compile(r"data:image/[\w.+-]{1,40};base64,")


@dataclass(frozen=True, slots=True)
class ImageRoot:
    """The folder that image paths start from and must stay in: a table is data, and may not point elsewhere."""

    folder: str
    """Absolute path."""
    home: str
    """Absolute path of the table's own folder, where they may lie too."""

    @staticmethod
    def of(home: Path, asked: Path | None = None) -> "ImageRoot":
        """Return the root for a table in the folder `home`, or the one that was asked for."""
        # resolve() would follow links
        return ImageRoot(os.path.abspath(asked or home), os.path.abspath(home))  # noqa: PTH100

    def image(self, value: object) -> Image | None:
        """Return what a cell holds as an image; None where it is empty.

        Bytes, a path, an address, a `data:` address, `{"bytes", "path"}`, or a list of these (the first counts).

        Raises:
            DataError: The cell holds something else, too much, or a path that leads out of the folder.
        """
        if value is None or isinstance(value, Image):
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            return _from_bytes(bytes(value), None)
        if isinstance(value, str):
            return self._from_text(value)
        if isinstance(value, Mapping):
            return self._from_struct(value)
        if isinstance(value, Sequence):
            return next((self.image(item) for item in value if item is not None), None)
        raise DataError(f"the image column holds {type(value).__name__}, not bytes, a path or an address")

    def _from_struct(self, value: Mapping[object, object]) -> Image | None:
        data, path = value.get("bytes"), value.get("path")
        name = path if isinstance(path, str) else None
        if isinstance(data, bytes | bytearray | memoryview) and len(data):
            return _from_bytes(bytes(data), name)
        return self._from_text(name) if name else None

    def _from_text(self, text: str) -> Image | None:
        if not text.strip():
            return None
        if text.startswith("data:"):
            return _from_data_url(text)
        if _URL.match(text):
            return Image(url=text)
        return Image(path=self.path(text), name=PurePosixPath(text.replace("\\", "/")).name)

    def path(self, text: str) -> str:
        """Return the absolute path that a table's path means. Raises DataError where it leads out."""
        if "\0" in text or len(text) > 4096:
            raise DataError("the image path is not usable: it holds a NUL or is longer than 4,096 characters")
        candidate = text if os.path.isabs(text) else text.replace("\\", "/")  # noqa: PTH117
        full = os.path.normpath(os.path.join(self.folder, candidate))  # noqa: PTH118
        if not any(full.startswith(root.rstrip("/") + "/") for root in (self.folder, self.home)):
            raise DataError(
                f"the image path {text[:200]!r} leads out of {self.folder}; "
                "if that is meant, name the folder that holds the images with --image-root"
            )
        return full


def _from_bytes(data: bytes, name: str | None) -> Image | None:
    if len(data) > MAX_IMAGE_BYTES:
        raise DataError(f"the image has {len(data):,} bytes, more than the limit of {MAX_IMAGE_BYTES:,}")
    return Image(data=data, name=PurePosixPath(name).name if name else None) if data else None


def _from_data_url(text: str) -> Image | None:
    head = _DATA_URL.match(text)
    if head is None:
        raise DataError("the image is a data: address that is not base64 image data")
    if len(text) > MAX_IMAGE_BYTES * 4 // 3 + 100:
        raise DataError(f"the image is longer than the limit of {MAX_IMAGE_BYTES:,} bytes")
    try:
        return _from_bytes(base64.b64decode(text[head.end() :], validate=True), None)
    except (binascii.Error, ValueError) as error:
        raise DataError("the image is a data: address whose base64 is damaged") from error


def image_identity(value: object, image: Image | None) -> str | None:
    """Return what tells an image from others wherever its table lies: its bytes, else how the table names it."""
    if image is None:
        return None
    if image.data is not None:
        return digest_bytes(image.data)
    if image.url is not None:
        return image.url
    if image.row is not None:
        return f"{image.name}, row {image.row}"
    return digest_text(value) if isinstance(value, str) else image.path
