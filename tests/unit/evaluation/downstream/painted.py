"""Pictures of two colours side by side, and texts that say which, or say nothing."""

from io import BytesIO

import numpy as np
from PIL import Image as Pillow

from recaption.core.types import Image, Record
from recaption.evaluation.downstream.options import DownstreamOptions
from recaption.evaluation.subject import Item, Subject
from recaption.media.images import BatchImages

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 180, 60),
    "blue": (30, 60, 220),
    "yellow": (240, 220, 40),
    "black": (20, 20, 20),
    "white": (245, 245, 245),
}
TINY = DownstreamOptions(
    seeds=2, steps=3, batch_size=24, image_px=16, text_words=8, min_held_out=24, held_out=0.2, vocabulary=64
)


def painted_items(n: int, seed: int = 0) -> list[Item]:
    """Return items with two columns: what is there, and a text that is the same for all; references say it again."""
    rng = np.random.default_rng(seed)
    items = []
    for i in range(n):
        left, right = (list(COLOURS)[int(v)] for v in rng.integers(len(COLOURS), size=2))
        items.append(
            Item(
                key=f"{i:04d}",
                texts=((f"{left} beside {right}",), ("a picture",)),
                record=Record(key=f"{i:04d}", image=Image(data=png(left, right, i))),
                references=(f"the left is {left} the right is {right}",),
            )
        )
    return items


def painted(n: int = 120, columns: tuple[str, str] = ("says", "silent"), seed: int = 0) -> Subject:
    """Return a subject of such items."""
    return Subject(columns=columns, items=tuple(painted_items(n)), seed=seed)


def png(left: str, right: str, mark: int) -> bytes:
    """Return a picture of 16 × 16 pixels; `mark` makes its bytes unlike all others."""
    array = np.empty((16, 16, 3), dtype=np.uint8)
    array[:, :8], array[:, 8:] = COLOURS[left], COLOURS[right]
    array[0, 0] = (mark % 256, mark // 256, 0)
    file = BytesIO()
    Pillow.fromarray(array).save(file, "PNG")
    return file.getvalue()


def images() -> BatchImages:
    """Return a place for the images of a batch."""
    return BatchImages(max_side_px=64)
