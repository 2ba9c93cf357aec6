"""Pictures and captions to be scored."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow

from recaption.core.types import Caption, Image, Provenance, Record


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> bytes:
    """A PNG of coloured fields."""
    drawn = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(drawn).resize(size, Pillow.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def record(seed: int, size: tuple[int, int] = (96, 64)) -> Record:
    return Record(key=f"r{seed}", image=Image(data=picture(seed, size)))


def caption(text: str) -> Caption:
    return Caption(text=text, origin="model", provenance=Provenance(stage="caption"))


def pairs(records: Sequence[Record], texts: Sequence[str]) -> list[tuple[Record, Caption]]:
    """Every record with every text."""
    return [(r, caption(text)) for r in records for text in texts]
