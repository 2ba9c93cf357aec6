"""Scenes with known answers, drawn by lot: which things, what they look like, where they are."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from recaption.core.digests import seed_from
from recaption.core.errors import DataError
from recaption.core.types import Box, JsonValue
from recaption.demo.vocabulary import Vocabulary, drawings, vocabulary

__all__ = ["WORLD_VERSION", "Scene", "Sign", "Thing", "sample_scene", "sample_scenes"]

T = TypeVar("T")
VARIANTS = 64
"""How many looks a background has, counting flips and brightness."""
WORLD_VERSION = 1
"""Raised whenever the same seed gives other scenes or other pictures."""
SIGN_HEIGHT = (0.13, 0.155)
MARGIN = 0.015


@dataclass(frozen=True, slots=True)
class Thing:
    """One object; `box` is tight around the drawing, outline included."""

    shape: str
    colour: str
    material: str
    size: str
    box: Box
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Sign:
    """A white board with one word on it."""

    word: str
    box: Box


@dataclass(frozen=True, slots=True)
class Scene:
    """All there is to know about one square picture, in pixels of that picture.

    `things` are of distinct shapes. `look` picks one of the background's variants and says nothing else.
    """

    background: str
    things: tuple[Thing, ...]
    sign: Sign | None
    size_px: int
    look: int = 0

    def to_json(self) -> dict[str, JsonValue]:
        """Return the scene as plain JSON; `from_json` is its inverse."""
        return {
            "size_px": self.size_px,
            "background": self.background,
            "look": self.look,
            "objects": [
                {
                    "shape": t.shape,
                    "colour": t.colour,
                    "material": t.material,
                    "size": t.size,
                    "box": _box_to_json(t.box),
                    "mirrored": t.mirrored,
                }
                for t in self.things
            ],
            "sign": {"word": self.sign.word, "box": _box_to_json(self.sign.box)} if self.sign else None,
        }

    @classmethod
    def from_json(cls, value: object) -> "Scene":
        """Return the scene that JSON facts describe.

        Raises:
            DataError: The value is not the facts of a scene of this world.
        """
        try:
            return _scene(value)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"not the facts of a scene: {type(error).__name__}: {error}"[:300]) from error


def sample_scenes(n: int, seed: int, size_px: int = 192) -> Iterator[Scene]:
    """Yield n scenes; scene i depends on the seed and on i alone."""
    for i in range(n):
        yield sample_scene(seed_from("scene", seed, i), size_px)


def sample_scene(seed: int, size_px: int = 192) -> Scene:
    """Return one scene drawn by lot. The same seed gives the same facts at every `size_px`, up to rounding."""
    if size_px < 48:
        raise ValueError(f"size_px must be at least 48 to be legible, not {size_px}")
    known, rng = vocabulary(), np.random.default_rng(seed)
    rules = known.scene
    background = _pick(rng, list(known.backgrounds))
    look = int(rng.integers(VARIANTS))
    sign = None
    taken: list[tuple[float, float, float, float]] = []
    if rng.random() < rules.sign_share:
        word = _pick(rng, known.words)
        spot = _sign_spot(rng, word)
        taken.append(spot)
        sign = Sign(word, _to_pixels(spot, size_px))
    count = int(rng.integers(rules.objects[0], rules.objects[1] + 1))
    shapes = [list(known.shapes)[int(i)] for i in rng.permutation(len(known.shapes))[:count]]
    sizes = sorted((_size(rng, known) for _ in shapes), key=list(known.sizes).index, reverse=True)
    things: list[tuple[float, Thing]] = []
    for shape, wanted in zip(shapes, sizes, strict=True):
        colour, material = _pick(rng, list(known.colours)), _pick(rng, list(known.materials))
        mirrored = bool(rng.random() < 0.5)
        placed = _place(rng, known, shape, wanted, taken, sign is not None)
        if placed is None:
            continue
        size, spot = placed
        taken.append(spot)
        things.append((spot[3], Thing(shape, colour, material, size, _to_pixels(spot, size_px), mirrored)))
    # Lower in the picture is nearer, so it is drawn later.
    things.sort(key=lambda pair: pair[0])
    return Scene(background, tuple(thing for _, thing in things), sign, size_px, look)


def _pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


def _size(rng: np.random.Generator, known: Vocabulary) -> str:
    weights = known.scene.size_weights
    mark = float(rng.random()) * sum(weights.values())
    for name, weight in weights.items():
        mark -= weight
        if mark < 0:
            return name
    return next(iter(weights))


def _sign_spot(rng: np.random.Generator, word: str) -> tuple[float, float, float, float]:
    height = float(rng.uniform(*SIGN_HEIGHT))
    width = min(height * (0.62 * len(word) + 0.7), 1 - 2 * MARGIN)
    return _spot(rng, width, height)


def _spot(rng: np.random.Generator, width: float, height: float) -> tuple[float, float, float, float]:
    left = float(rng.uniform(MARGIN, 1 - MARGIN - width)) if width < 1 - 2 * MARGIN else MARGIN
    top = float(rng.uniform(MARGIN, 1 - MARGIN - height))
    return left, top, left + width, top + height


def _place(
    rng: np.random.Generator,
    known: Vocabulary,
    shape: str,
    wanted: str,
    taken: Sequence[tuple[float, float, float, float]],
    has_sign: bool,
) -> tuple[str, tuple[float, float, float, float]] | None:
    """Find a free spot, shrinking the thing to the next smaller size whenever there is none."""
    names = list(known.sizes)
    for size in reversed(names[: names.index(wanted) + 1]):
        side = float(rng.uniform(*known.sizes[size].side))
        stretch = math.sqrt(drawings()[shape].aspect)
        for _ in range(known.scene.tries):
            spot = _spot(rng, side * stretch, side / stretch)
            limits = [0.0 if has_sign and i == 0 else known.scene.overlap for i in range(len(taken))]
            if all(_shared(spot, other) <= limit for other, limit in zip(taken, limits, strict=True)):
                return size, spot
    return None


def _shared(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Return the shared area in parts of the smaller box."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def _to_pixels(spot: tuple[float, float, float, float], size_px: int) -> Box:
    left, top, right, bottom = (round(v * size_px) for v in spot)
    return Box(left, top, right, bottom)


def _box_to_json(box: Box) -> list[JsonValue]:
    return [box.left, box.top, box.right, box.bottom]


def _scene(value: object) -> Scene:
    facts, known = _mapping(value), vocabulary()
    size_px, look = facts["size_px"], facts["look"]
    if not isinstance(size_px, int) or not isinstance(look, int) or not 48 <= size_px <= 4096:
        raise ValueError("size_px and look must be whole numbers, size_px in 48…4096")
    objects = facts["objects"]
    if not isinstance(objects, list) or len(objects) > len(known.shapes):
        raise ValueError(f"objects must be a list of at most {len(known.shapes)}")
    things = tuple(_thing(o, size_px) for o in objects)
    if len({t.shape for t in things}) < len(things):
        raise ValueError("a shape stands twice in the scene")
    sign = None
    if facts["sign"] is not None:
        board = _mapping(facts["sign"])
        sign = Sign(_known(board["word"], known.words, "word"), _box(board["box"], size_px))
    background = _known(facts["background"], known.backgrounds, "background")
    return Scene(background, things, sign, size_px, look % VARIANTS)


def _thing(value: object, size_px: int) -> Thing:
    item, known = _mapping(value), vocabulary()
    return Thing(
        _known(item["shape"], known.shapes, "shape"),
        _known(item["colour"], known.colours, "colour"),
        _known(item["material"], known.materials, "material"),
        _known(item["size"], known.sizes, "size"),
        _box(item["box"], size_px),
        bool(item["mirrored"]),
    )


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return value


def _known(value: object, names: object, what: str) -> str:
    if not isinstance(value, str) or not isinstance(names, (Mapping, list)) or value not in names:
        raise ValueError(f"unknown {what} {str(value)[:40]!r}")
    return value


def _box(value: object, size_px: int) -> Box:
    if not isinstance(value, list) or len(value) != 4 or not all(isinstance(v, (int, float)) for v in value):
        raise ValueError("a box is four numbers: left, top, right, bottom")
    box = Box(*value)
    if min(value) < 0 or max(value) > size_px:
        raise ValueError(f"a box lies outside the picture of {size_px} pixels")
    return box
