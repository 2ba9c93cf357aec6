"""Pictures for other tools: linked, copied or embedded.

What is copied or embedded was decoded within the usual limits and encoded anew: no byte of the data, none of its
metadata and no path of this machine goes along.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from PIL import Image as Pillow

from recaption.audit.interchange.items import Row, plain
from recaption.audit.interchange.options import ExportOptions, ImageMode, Tell
from recaption.core.errors import ImageError, UserError
from recaption.core.printable import printable
from recaption.core.types import Image
from recaption.datasets.atomic import make_folder, sync_folder, write_atomic
from recaption.media.images import Limits, decode, read_bytes

__all__ = ["Gallery", "beside"]

QUALITY: Final = 88
MOST_TOLD: Final = 10
MAX_URL_CHARS: Final = 8_000


@dataclass(slots=True)
class Gallery:
    """Gives the rows of one export their pictures."""

    mode: ImageMode
    prefix: str
    """Before every path."""
    folder: Path
    """For `copy`: where the pictures go."""
    below: str
    """For `copy`: that folder as seen from where the prefix points."""
    options: ExportOptions
    tell: Tell
    pictures: int = 0
    missing: int = 0
    _limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.mode == "link" and self.options.image_root is None:
            raise UserError(
                "to link images, say which folder the other tool serves (image root); or have them copied"
            )
        if self.mode == "copy":
            make_folder(self.folder)

    def address(self, row: Row) -> str:
        """Return where a row's picture is to be found, as text for the file; empty where there is none."""
        if self.mode == "none":
            return ""
        try:
            address = self._address(row)
        except ImageError as error:
            self.missing += 1
            if self.missing <= MOST_TOLD:
                self.tell(printable(f"no picture of {row.key[:80]!r}: {error}"))
            return ""
        self.pictures += 1
        return address

    def finish(self) -> dict[str, int]:
        """Make the copies durable, and return the counts."""
        if self.mode == "copy":
            sync_folder(self.folder)
        if self.missing > MOST_TOLD:
            self.tell(f"and {self.missing - MOST_TOLD:,} more without a picture")
        return {"pictures": self.pictures, "without a picture": self.missing}

    def _address(self, row: Row) -> str:
        image = row.image
        if image is None:
            raise ImageError("the record has no image")
        if self.mode == "link":
            return self._link(image)
        data = _encoded(image, self._limits, self.options.max_side_px)
        if self.mode == "embed":
            return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
        name = f"{row.name}.jpg"
        write_atomic(self.folder / name, data, sync_parent=False)
        return f"{self.prefix}{quote(f'{self.below}{name}')}"

    def _link(self, image: Image) -> str:
        if image.path is not None and image.data is None and image.offset is None and image.row is None:
            root = os.path.abspath(self.options.image_root or ".")  # noqa: PTH100 - links stay links
            path = os.path.relpath(os.path.abspath(image.path), root)  # noqa: PTH100
            if path.split(os.sep, 1)[0] == os.pardir:
                raise ImageError("lies outside the folder that is served")
            return f"{self.prefix}{quote(path, errors='replace')}"
        if image.url is not None and _is_web(image.url):
            return plain(image.url)
        raise ImageError("is no file that could be linked; have it copied")


def beside(target: Path) -> Path:
    """Return the folder for the pictures of a file."""
    return target.with_name(f"{target.stem}_images")


def _encoded(image: Image, limits: Limits, max_side_px: int) -> bytes:
    pixels = decode(read_bytes(image, limits.max_bytes), limits, max_side_px)
    out = BytesIO()
    Pillow.fromarray(pixels.array).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _is_web(url: str) -> bool:
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable():
        return False
    try:
        return urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).netloc)
    except ValueError:
        return False
