"""How colours and materials look: one square tile of paint for each pair."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recaption.demo.vocabulary import Colour

__all__ = ["TILE_PX", "Rgb", "dark_tone", "ink_tone", "tile"]

Rgb: TypeAlias = tuple[int, int, int]
Grid: TypeAlias = NDArray[np.float32]
TILE_PX = 160


def tile(colour: Colour, material: str) -> Image.Image:
    """Return a tile of TILE_PX × TILE_PX pixels that shows a colour in a material.

    Raises:
        ValueError: The material has no drawing.
    """
    body, accent = (np.asarray(c, dtype=np.float32) for c in (colour.rgb, colour.accent))
    y, x = np.mgrid[0:TILE_PX, 0:TILE_PX].astype(np.float32) / TILE_PX
    if material == "metallic":
        return _image(_metal(x, y, body))
    if material == "plain":
        return _image(body * (1.05 - 0.13 * y)[..., None])
    share = _pattern(material, x, y)[..., None]
    return _image(body * (1 - share) + accent * share)


def _pattern(material: str, x: Grid, y: Grid) -> Grid:
    """Return where the accent shows, 0 to 1."""
    if material == "striped":
        return np.asarray(((x + y) * 4.5) % 1 < 0.42, dtype=np.float32)
    if material == "checked":
        return np.asarray((np.floor(x * 7) + np.floor(y * 7)) % 2, dtype=np.float32)
    if material == "dotted":
        row = np.floor(y * 6.5)
        dx = (x * 6.5 + 0.5 * (row % 2)) % 1 - 0.5
        dy = (y * 6.5) % 1 - 0.5
        return np.asarray(dx**2 + dy**2 < 0.1, dtype=np.float32)
    raise ValueError(f"no drawing for the material {material!r}; add one to demo/materials.py")


def _metal(x: Grid, y: Grid, body: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a brushed sheen: a bright band with soft dark flanks, leaning a little."""
    along = x * 0.9 + y * 0.25
    light = np.interp(
        along, [0, 0.14, 0.3, 0.4, 0.5, 0.68, 0.86, 1.15], [0.55, 0.8, 1.0, 1.0, 0.95, 0.62, 0.9, 0.5]
    )
    gloss = 0.92 * np.exp(-(((along - 0.36) / 0.075) ** 2)) + 0.45 * np.exp(-(((along - 0.84) / 0.04) ** 2))
    mixed = body * light[..., None]
    return np.asarray(mixed + (255 - mixed) * gloss[..., None], dtype=np.float32)


def _image(values: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), "RGB")


def ink_tone(rgb: Rgb) -> Rgb:
    """Return the outline tone of a colour: much darker, or much lighter where the colour is nearly black."""
    if max(rgb) < 60:
        return (138, 138, 146)
    if min(rgb) > 230:
        return (92, 94, 104)
    return _scaled(rgb, 0.4)


def dark_tone(rgb: Rgb) -> Rgb:
    """Return the tone of a thing's secondary parts."""
    if max(rgb) < 60:
        return (72, 72, 80)
    return _scaled(rgb, 0.82 if min(rgb) > 230 else 0.68)


def _scaled(rgb: Rgb, factor: float) -> Rgb:
    red, green, blue = (round(v * factor) for v in rgb)
    return red, green, blue
