"""Pictures as data URIs: byte for byte where the model can use them so, else shrunk to what it looks at."""

from __future__ import annotations

import io
import math
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from PIL import Image as Pillow

from recaption.core.errors import ImageError, UserError, did_you_mean
from recaption.core.protocols import Picture
from recaption.media.images import read_header, sniff
from recaption.models.openai.settings import ImageSettings

__all__ = ["Grid", "grid_for", "picture_uri"]

_ORIENTATION_TAG: Final = 0x0112
_PASSED: Final = {"JPEG": b"image/jpeg", "PNG": b"image/png", "WEBP": b"image/webp"}
_PLAIN_MODES: Final = ("RGB", "L")
_LONGEST_TAIL: Final = 1024
_MOST_PIXELS_READ: Final = 178_956_970
"""Above this Pillow itself warns of a bomb; such a picture takes the guarded way."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The size at which a model looks at pictures."""

    max_side_px: int | None = None
    min_side_px: int | None = None
    """Sides are not shrunk below this, even if the picture is long: the model crops or tiles it."""
    max_pixels: int | None = None
    multiple_of: int = 1

    def fits(self, width: int, height: int) -> bool:
        """Return whether the model looks at all of a picture of this size."""
        return self._scale(width, height) >= 1

    def target(self, width: int, height: int) -> tuple[int, int]:
        """Return the size to send a picture at: never larger, sides rounded down to the grid where that is known."""
        scale = self._scale(width, height)
        if scale >= 1:
            return width, height
        return self._on_grid(width, scale), self._on_grid(height, scale)

    def _on_grid(self, side: int, scale: float) -> int:
        step = self.multiple_of
        if side < step:
            return side
        return max(step, math.floor(side * scale / step + 1e-9) * step)

    def _scale(self, width: int, height: int) -> float:
        scale = 1.0
        if self.max_side_px is not None:
            scale = self.max_side_px / max(width, height)
        if self.min_side_px is not None and self.max_side_px is not None:
            # The shorter side at the size the model wants, as long as the longer one stays within bounds.
            scale = min(scale, self.min_side_px / min(width, height))
        if self.max_pixels is not None:
            scale = min(scale, math.sqrt(self.max_pixels / (width * height)))
        return min(1.0, scale)


def grid_for(model: str, settings: ImageSettings) -> Grid:
    """Return the size at which a model looks at pictures.

    Raises:
        UserError: The settings name a family that is not known.
    """
    families = _families()
    if settings.grid is None:
        name = model.lower()
        family = next(f for f in families.values() if re.search(f["pattern"], name))
    elif settings.grid == "none":
        family = {}
    elif settings.grid in families:
        family = families[settings.grid]
    else:
        raise UserError(
            f"image.grid: unknown family {settings.grid!r}.{did_you_mean(settings.grid, [*families, 'none'])}"
        )
    max_side = settings.max_side_px or family.get("max_side_px")
    # What the user says about size replaces what the family wants, all of it.
    said = settings.max_side_px is not None or settings.max_pixels is not None
    return Grid(
        max_side_px=settings.max_side_px if said else max_side,
        min_side_px=None if said else family.get("min_side_px"),
        max_pixels=settings.max_pixels if said else family.get("max_pixels"),
        multiple_of=settings.multiple_of or family.get("multiple_of", 1),
    )


def picture_uri(picture: Picture, grid: Grid, settings: ImageSettings) -> tuple[bytes, tuple[int, int]]:
    """Return a picture as a data URI, and the size it was sent at.

    The bytes go out untouched where they are an upright JPEG, PNG or WebP in plain colours that the model looks at
    in full; else the picture is decoded, no larger than needed, and written anew.

    Raises:
        ImageError: It cannot be read or decoded.
    """
    data = picture.encoded()
    header = _plain_header(data)
    if header is not None:
        kind, size = header
        if len(data) <= settings.max_bytes and grid.fits(*size):
            return b"data:" + _PASSED[kind] + b";base64," + b64encode(data), size
    return _written_anew(picture, grid, settings)


def _plain_header(data: bytes) -> tuple[str, tuple[int, int]] | None:
    """Return format and size of a picture that every server sees as we do; None at the least doubt."""
    kind = sniff(data)
    if kind not in _PASSED or not _is_whole(kind, data):
        return None
    try:
        with Pillow.open(io.BytesIO(data), formats=(kind,)) as image:
            width, height = image.size
            plain = (
                image.mode in _PLAIN_MODES
                and not image.has_transparency_data
                and getattr(image, "n_frames", 1) == 1
                and 0 < width * height <= _MOST_PIXELS_READ
                and _upright(image, data)
            )
    except Exception:  # hostile bytes: the guarded way says what is wrong with them
        return None
    return (kind, (width, height)) if plain else None


def _is_whole(kind: str, data: bytes) -> bool:
    """Return whether a file seems to have its end; some carry a little more behind it."""
    if kind == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 <= len(data)
    return (b"\xff\xd9" if kind == "JPEG" else b"IEND") in data[-_LONGEST_TAIL:]


def _upright(image: Pillow.Image, data: bytes) -> bool:
    marks = {"JPEG": (b"Exif\x00",), "PNG": (b"eXIf", b"Raw profile", b"XML:com"), "WEBP": (b"EXIF", b"XMP ")}
    if not any(mark in data for mark in marks[image.format or "JPEG"]):
        return True
    # Elsewhere than in a JPEG, asking Pillow decodes the whole picture.
    return image.format == "JPEG" and image.getexif().get(_ORIENTATION_TAG, 1) == 1


def _written_anew(picture: Picture, grid: Grid, settings: ImageSettings) -> tuple[bytes, tuple[int, int]]:
    full = _upright_size(picture)
    target = grid.target(*full)
    enough = max(target[0] / full[0], target[1] / full[1])
    image = Pillow.fromarray(picture.shrunk(math.ceil(max(full) * enough)).array)
    # Smaller than asked for where the recipe decodes no larger; then it is sent as it is.
    if image.size != target and image.width >= target[0] and image.height >= target[1]:
        image = image.resize(target, Pillow.Resampling.BICUBIC)
    out = io.BytesIO()
    options: dict[str, Any] = {} if settings.format == "png" else {"quality": settings.quality}
    image.save(out, settings.format.upper(), **options)
    return f"data:image/{settings.format};base64,".encode() + b64encode(out.getbuffer()), image.size


def _upright_size(picture: Picture) -> tuple[int, int]:
    try:
        return read_header(picture.encoded())[1]
    except ImageError:
        return picture.shrunk(64).size  # the recipe may allow more than is usual; else this says what is wrong


@cache
def _families() -> dict[str, dict[str, Any]]:
    found = yaml.safe_load(Path(__file__).with_name("grids.yaml").read_text(encoding="utf-8"))
    return {family.pop("name"): family for family in found}
