"""How many prompt tokens a picture takes, by model, as far as that is known."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml
from pydantic import Field

from recaption.recipes.strict import StrictModel, validated

__all__ = ["ImageTokens", "image_tokens"]


class _Entry(StrictModel):
    name: str
    tokens: int | None = Field(default=None, gt=0)
    cell: int | None = Field(default=None, gt=0)


@dataclass(frozen=True, slots=True)
class ImageTokens:
    """Either a number of tokens, or the side in pixels of the square that one token stands for."""

    tokens: int | None
    cell: int | None

    def of(self, size: tuple[int, int]) -> int:
        """Return the tokens of a picture of (width, height) pixels, as it is sent."""
        if self.tokens is not None or self.cell is None:
            return self.tokens or 0
        return max(1, round(size[0] / self.cell)) * max(1, round(size[1] / self.cell))


def image_tokens(model: str) -> ImageTokens | None:
    """Return how a model counts pictures, None where that is not known."""
    for entry in _entries():
        if re.search(entry.name, model, re.IGNORECASE):
            return ImageTokens(entry.tokens, entry.cell)
    return None


@cache
def _entries() -> Sequence[_Entry]:
    text = resources.files("recaption.runs").joinpath("image_tokens.yaml").read_text("utf-8")
    return [validated(_Entry, entry, "image_tokens.yaml") for entry in yaml.safe_load(text)]
