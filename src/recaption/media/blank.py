"""Pictures with nothing on them, to find out whether a model looks at pictures at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image as Pillow

from recaption.core.digests import digest_bytes
from recaption.core.protocols import Pixels

__all__ = ["MadePicture", "blank_pictures"]

_SIDE_PX = 224
_BLOCK_PX = 16


@dataclass(frozen=True, slots=True)
class MadePicture:
    """A picture that was made and not read; satisfies `Picture`."""

    data: bytes
    """Encoded as PNG."""

    @property
    def digest(self) -> str:
        """Sha256 of the encoded bytes."""
        return digest_bytes(self.data)

    def pixels(self) -> Pixels:
        """Return the decoded image."""
        return _pixels(Pillow.open(BytesIO(self.data), formats=["PNG"]))

    def shrunk(self, max_side_px: int) -> Pixels:
        """Return the image with no side longer than that."""
        image = Pillow.open(BytesIO(self.data), formats=["PNG"])
        full = image.size
        image.thumbnail((max_side_px, max_side_px))
        return _pixels(image, full)

    def encoded(self) -> bytes:
        """Return the PNG."""
        return self.data

    @classmethod
    def of(cls, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> MadePicture:
        """Return a picture of uint8 RGB values of shape (height, width, 3)."""
        out = BytesIO()
        Pillow.fromarray(array).save(out, "PNG")
        return cls(out.getvalue())


@cache
def blank_pictures() -> tuple[MadePicture, MadePicture]:
    """Return an even grey and coarse noise, the same bytes whenever numpy and Pillow are the same."""
    grey = np.full((_SIDE_PX, _SIDE_PX, 3), 128, dtype=np.uint8)
    blocks = np.random.default_rng(0).integers(0, 256, (_SIDE_PX // _BLOCK_PX, _SIDE_PX // _BLOCK_PX, 3))
    noise = blocks.astype(np.uint8).repeat(_BLOCK_PX, axis=0).repeat(_BLOCK_PX, axis=1)
    return MadePicture.of(grey), MadePicture.of(noise)


def _pixels(image: Pillow.Image, full: tuple[int, int] | None = None) -> Pixels:
    array = np.asarray(image.convert("RGB"))
    size = full or image.size
    return Pixels(array, max(size) / max(array.shape[:2]), size)
