"""Pictures for the laws: blocks of colour, so that small models see a difference."""

from dataclasses import dataclass, field

import numpy as np

from recaption.core.digests import digest_bytes, digest_text
from recaption.core.errors import ImageError
from recaption.core.protocols import Pixels, Usage

__all__ = ["Blocks", "Broken", "CountingMeter", "blocks"]


@dataclass
class Blocks:
    """A picture of random blocks, 48 x 40 pixels unless said otherwise; it counts how often it is decoded."""

    seed: int
    size: tuple[int, int] = (48, 40)
    decodes: int = field(default=0, compare=False)

    @property
    def digest(self) -> str:
        return digest_text(f"{self.seed} {self.size}")

    def pixels(self) -> Pixels:
        self.decodes += 1
        width, height = self.size
        coarse = np.random.default_rng(self.seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
        return Pixels(coarse[rows][:, columns], 1.0, self.size)

    def shrunk(self, max_side_px: int) -> Pixels:
        pixels = self.pixels()
        step = -(-max(self.size) // max_side_px)
        return Pixels(pixels.array[::step, ::step], float(step), self.size)

    def encoded(self) -> bytes:
        from io import BytesIO

        from PIL import Image

        buffer = BytesIO()
        Image.fromarray(self.pixels().array).save(buffer, "PNG")
        return buffer.getvalue()


@dataclass(frozen=True)
class Broken:
    """A picture that cannot be decoded."""

    digest: str = digest_bytes(b"broken")

    def pixels(self) -> Pixels:
        raise ImageError("damaged JPEG header")

    def shrunk(self, max_side_px: int) -> Pixels:
        raise ImageError("damaged JPEG header")

    def encoded(self) -> bytes:
        raise ImageError("damaged JPEG header")


@dataclass
class CountingMeter:
    """A meter without a budget."""

    used: Usage = field(default_factory=Usage)

    def reserve(self, name: str, most: Usage) -> None:
        pass

    def settle(self, name: str, most: Usage, used: Usage) -> None:
        self.used = self.used + used


def blocks(count: int) -> list[Blocks]:
    """Return different pictures, of two shapes."""
    return [Blocks(seed, (48, 40) if seed % 2 else (40, 64)) for seed in range(count)]
