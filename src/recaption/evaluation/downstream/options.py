"""How the comparison is trained: few settings, the same for every column, and everything that decides a figure."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from recaption.recipes.strict import StrictModel

__all__ = ["LEARNING_RATE", "RECALL_AT", "DownstreamOptions"]

RECALL_AT: Final = (1, 5, 10)
LEARNING_RATE: Final = 2e-3
"""Peak. Fixed: a rate tuned on one column would favour it. On rendered scenes twice as much suits long captions and
harms noisy alt-texts."""


class DownstreamOptions(StrictModel):
    """The defaults take some 40 s of one core a training: 15,360 pictures of 48 px, in single precision.

    That is nine passes over 1,600 pairs. A budget belongs to its figures: on rendered scenes, three times the steps
    leave what noisy alt-texts teach where it was, and double what captions teach.
    """

    seeds: int = Field(default=3, ge=1, le=100)
    """Trainings of every column; seed s gives every column the same first weights and the same order of items."""
    steps: int = Field(default=120, ge=1)
    batch_size: int = Field(default=128, ge=2)
    """Pairs of a step; each picture is told from so many texts, and each text from so many pictures."""
    image_px: int = Field(default=48, ge=16, le=224, multiple_of=8)
    """Side of the square that every picture is squeezed into."""
    text_words: int = Field(default=64, ge=1, le=512)
    """Words of a text that the model reads; what is behind is cut, and counted."""
    vocabulary: int = Field(default=8192, ge=2)
    """Words that the model knows, at most; all others are one."""
    held_out: float = Field(default=0.2, gt=0, lt=1)
    """Share of the items that no model is trained on."""
    min_held_out: int = Field(default=100, ge=2)
    """Items held out, at least."""
    max_items: int = Field(default=20_000, ge=4)
    """Items used, at most, a seeded sample: their pictures are in memory, 7 kB each at 48 px, 150 kB at 224, and
    twice while they are split."""
    threads: int = Field(default=1, ge=1)
    """Of the processor. Another number adds in another order, and gives slightly other figures."""
