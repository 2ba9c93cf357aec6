"""What the rendered world is made of: shapes, colours, materials, sizes, backgrounds, words. All of it is data."""

from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal

import yaml
from pydantic import Field

from recaption.recipes.strict import StrictModel, validated

__all__ = ["Background", "Colour", "Material", "Part", "Shape", "Size", "Vocabulary", "read_data", "vocabulary"]

Rgb = tuple[int, int, int]
Range = tuple[float, float]


class Part(StrictModel):
    """One stroke of a drawing, in the unit square of its box."""

    draw: Literal["ellipse", "polygon", "line"]
    paint: Literal["body", "hole", "ink", "dark", "pale", "lit", "shade"]
    at: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=4)]
    width: float = 0.0


class Drawing(StrictModel):
    """How a shape is drawn; `aspect` is width divided by height."""

    aspect: Annotated[float, Field(gt=0)]
    parts: list[Part]


class Drawings(StrictModel):
    """All drawings, by shape."""

    shapes: dict[str, Drawing]


class Shape(StrictModel):
    """The words for a shape."""

    plural: str
    also: list[str]
    also_plural: list[str]


class Colour(StrictModel):
    """A body colour, and the second tone its patterns use."""

    rgb: Rgb
    accent: Rgb
    also: list[str]


class Material(StrictModel):
    """A pattern or finish; `nouns` are the words that follow "with"."""

    also: list[str]
    nouns: list[str]


class Size(StrictModel):
    """`side` is the range of the square root of the box's area, in parts of the picture's side."""

    side: Range
    also: list[str]


class Background(StrictModel):
    """What fills the picture, and how a caption says so."""

    phrases: list[str]
    also: list[str]


class SceneRules(StrictModel):
    """How scenes are drawn by lot."""

    objects: tuple[int, int]
    sign_share: Annotated[float, Field(ge=0, le=1)]
    size_weights: dict[str, float]
    overlap: Annotated[float, Field(ge=0, le=1)]
    tries: Annotated[int, Field(gt=0)]


class Absent(StrictModel):
    """Words for what this world never shows; things with their plurals."""

    things: dict[str, str]
    colours: list[str]
    materials: list[str]


class Vocabulary(StrictModel):
    """Everything the world can hold."""

    shapes: dict[str, Shape]
    colours: dict[str, Colour]
    materials: dict[str, Material]
    sizes: dict[str, Size]
    backgrounds: dict[str, Background]
    words: list[str]
    scene: SceneRules
    level: Annotated[float, Field(gt=0, lt=1)]
    absent: Absent


def read_data(name: str) -> dict[str, object]:
    """Return the mapping in one of this package's YAML files."""
    value = yaml.safe_load(files(__package__).joinpath("data", name).read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise TypeError(f"{name}: expected a mapping, got {type(value).__name__}")
    return value


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Return the world's vocabulary, read once."""
    return validated(Vocabulary, read_data("vocabulary.yaml"), "vocabulary.yaml")


@lru_cache(maxsize=1)
def drawings() -> dict[str, Drawing]:
    """Return how each shape is drawn, read once."""
    return validated(Drawings, {"shapes": read_data("shapes.yaml")}, "shapes.yaml").shapes
