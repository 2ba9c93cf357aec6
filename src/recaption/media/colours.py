"""Names of colours, by nearness in a space where distance is about what the eye sees.

sRGB to XYZ: IEC 61966-2-1. XYZ to L*a*b*: CIE 1976 (CIE 15:2004), white point D65. Distance: Euclidean, CIE76.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray

from recaption.core.types import Box

__all__ = ["colour_in_box", "colour_names", "dominant_colours", "name_of", "object_colours", "sample", "to_lab"]

_SRGB_TO_XYZ: Final = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float64
)
_SAMPLE_SIDE_PX: Final = 64
_MIN_CHROMA: Final = 30.0
_DARK: Final = 20.0
"""Mean CIE lightness of an image below which black says nothing."""
_EVERYWHERE: Final = 0.6


@dataclass(frozen=True)
class _Palette:
    names: tuple[str, ...]
    neutral: frozenset[str]
    unstated: frozenset[str]
    owners: NDArray[np.intp]
    """Index of the name of each sample."""
    lab: NDArray[np.float64]
    """The samples, of shape (n, 3)."""


@cache
def _palette() -> _Palette:
    text = resources.files("recaption.media").joinpath("colours.yaml").read_text("utf-8")
    data = yaml.safe_load(text)
    table: dict[str, list[str]] = data["samples"]
    owners = np.array([i for i, hexes in enumerate(table.values()) for _ in hexes], np.intp)
    rgb = np.array([list(bytes.fromhex(h.lstrip("#"))) for hexes in table.values() for h in hexes], np.uint8)
    return _Palette(tuple(table), frozenset(data["neutral"]), frozenset(data["unstated"]), owners, to_lab(rgb))


def colour_names() -> tuple[str, ...]:
    """Return every name there is, in the order of the data file."""
    return _palette().names


@cache
def _linear() -> NDArray[np.float64]:
    level = np.arange(256) / 255
    curve: NDArray[np.float64] = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return curve


def to_lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return uint8 sRGB of shape (..., 3) as L*a*b*: L* in [0, 100], a* and b* about [-110, 110]."""
    relative = _linear()[rgb] @ _SRGB_TO_XYZ.T / _SRGB_TO_XYZ.sum(axis=1)
    cubic = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = cubic[..., 0], cubic[..., 1], cubic[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def sample(array: NDArray[np.uint8], side_px: int = _SAMPLE_SIDE_PX) -> NDArray[np.uint8]:
    """Return at most `side_px` squared evenly spaced pixels of an image, unmixed."""
    rows, columns = _spread(array.shape[0], side_px), _spread(array.shape[1], side_px)
    return array[np.ix_(rows, columns)]


def _spread(length: int, most: int) -> NDArray[np.intp]:
    if length <= most:
        return np.arange(length)
    return ((np.arange(most) + 0.5) * length / most).astype(np.intp)


def _nearest(rgb: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return the index of the name of each pixel of shape (n, 3)."""
    palette = _palette()
    samples, lab = palette.lab, to_lab(rgb)
    # |p - s|² without |p|², which is the same for every sample
    distance = (samples**2).sum(axis=1) - 2 * lab @ samples.T
    nearest: NDArray[np.intp] = palette.owners[np.argmin(distance, axis=1)]
    return nearest


@cache
def _coarse() -> NDArray[np.intp]:
    """Return the index of the name of every colour of 5 bits a channel, shape (32, 32, 32): 20 times faster."""
    levels = np.arange(32, dtype=np.uint8) * 8 + 4
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return _nearest(cube.reshape(-1, 3)).reshape(32, 32, 32)


def name_of(rgb: Sequence[int]) -> str:
    """Return the name of one sRGB colour, each channel 0-255."""
    return colour_names()[int(_nearest(np.array([rgb], np.uint8))[0])]


def dominant_colours(
    array: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None, n: int = 3
) -> list[tuple[str, float]]:
    """Return the `n` commonest colour names with their share of the pixels, commonest first.

    Args:
        array: uint8 RGB of shape (height, width, 3).
        mask: Where to look, of shape (height, width); everywhere if None.
    """
    pixels = sample(array).reshape(-1, 3)
    if mask is not None:
        chosen = mask[np.ix_(_spread(mask.shape[0], _SAMPLE_SIDE_PX), _spread(mask.shape[1], _SAMPLE_SIDE_PX))]
        pixels = pixels[chosen.reshape(-1)]
    if not len(pixels):
        return []
    names = colour_names()
    red, green, blue = (pixels >> 3).T
    counts = np.bincount(_coarse()[red, green, blue], minlength=len(names))
    ranked = sorted(range(len(names)), key=lambda i: (-counts[i], i))
    return [(names[i], round(float(counts[i]) / len(pixels), 4)) for i in ranked[:n] if counts[i]]


def object_colours(
    array: NDArray[np.uint8], boxes: Sequence[Box], min_share: float = 0.6, min_neutral_share: float = 0.9
) -> list[tuple[str, float] | None]:
    """Return the colour of what each box holds, as `colour_in_box` finds it, where the light can be trusted.

    In the dark everything is black, and under coloured light everything has its colour: a dark image gives no
    colours, and a colour that covers most of the image is not stated of a thing.
    """
    if to_lab(sample(array))[..., 0].mean() < _DARK:
        return [None] * len(boxes)
    everywhere = {name for name, share in dominant_colours(array, n=1) if share >= _EVERYWHERE}
    found = [colour_in_box(array, box, min_share, min_neutral_share) for box in boxes]
    return [None if colour and colour[0] in everywhere else colour for colour in found]


def colour_in_box(
    array: NDArray[np.uint8],
    box: Box,
    min_share: float = 0.6,
    min_neutral_share: float = 0.9,
    inner: float = 0.6,
) -> tuple[str, float] | None:
    """Return the colour of what a box holds with its share, if one colour clearly dominates.

    Args:
        box: In pixels of `array`.
        min_share: The least share of the looked-at pixels, in (0, 1].
        min_neutral_share: The same for names that shadow and glare give to anything: black, white, brown, beige.
        inner: How much of the box's width and height to look at, around its centre; its corners show
            background, so an ellipse is looked at, not a rectangle.
    """
    x, y = box.centre
    half_width, half_height = box.width * inner / 2, box.height * inner / 2
    left, right = _inside(x - half_width, x + half_width, array.shape[1])
    top, bottom = _inside(y - half_height, y + half_height, array.shape[0])
    crop = array[top:bottom, left:right]
    if not crop.size:
        return None
    down = (np.arange(top, bottom) + 0.5 - y) / max(half_height, 0.5)
    across = (np.arange(left, right) + 0.5 - x) / max(half_width, 0.5)
    mask = down[:, None] ** 2 + across[None, :] ** 2 <= 1
    if not mask.any():
        mask[:] = True
    found = dominant_colours(crop, mask, n=1)
    name, share = found[0] if found else ("", 0.0)
    if name in _palette().unstated:
        return None
    if name in _palette().neutral:
        return (name, share) if share >= min_neutral_share else None
    return (name, share) if share >= min_share and _chroma(crop, mask) >= _MIN_CHROMA else None


def _chroma(crop: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Return the median CIE chroma: a faint tint is the colour of the light, not of the thing."""
    rows, columns = _spread(crop.shape[0], _SAMPLE_SIDE_PX), _spread(crop.shape[1], _SAMPLE_SIDE_PX)
    at = np.ix_(rows, columns)
    lab = to_lab(crop[at][mask[at]])
    return float(np.median(np.hypot(lab[:, 1], lab[:, 2]))) if len(lab) else 0.0


def _inside(low: float, high: float, length: int) -> tuple[int, int]:
    """Return a range of whole pixels within [0, length), at least one pixel wide where it overlaps."""
    if high <= 0 or low >= length:
        return 0, 0
    first = max(int(low), 0)
    return first, min(max(int(np.ceil(high)), first + 1), length)
