"""What lies behind the things. Pale and low in contrast, so that things stand out."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["background"]

Pixels = NDArray[np.float32]


def background(name: str, variant: int, side_px: int) -> Image.Image:
    """Return a square background; the same name, variant and side give the same pixels.

    Raises:
        ValueError: There is no drawing of that name.
    """
    draw = _DRAWINGS.get(name)
    if draw is None:
        raise ValueError(f"no drawing for the background {name!r}; add one to demo/backgrounds.py")
    return draw(np.random.default_rng([variant, *name.encode()]), side_px)


def _noise(rng: np.random.Generator, side: int, cells_x: int, cells_y: int) -> Pixels:
    """Return smooth noise in −1…1."""
    coarse = rng.uniform(-1, 1, (cells_y, cells_x)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32)


def _flat(colour: tuple[int, int, int], light: Pixels) -> Image.Image:
    values = np.asarray(colour, dtype=np.float32) + light[..., None]
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), "RGB")


def _grass(rng: np.random.Generator, side: int) -> Image.Image:
    image = _flat((150, 192, 112), 9 * _noise(rng, side, 7, 7) + 3 * _noise(rng, side, 60, 60))
    draw, unit = ImageDraw.Draw(image), side / 100
    for x, y, lean, tall in rng.uniform(0, 1, (420, 4)):
        tone = (120, 168, 84) if lean < 0.6 else (178, 214, 136)
        foot, top = (
            (x * 104 * unit, y * 108 * unit),
            ((x * 104 + 3 * lean - 1.5) * unit, (y * 108 - 2 - 4 * tall) * unit),
        )
        draw.line([foot, top], fill=tone, width=max(1, round(0.7 * unit)))
    return image


def _sand(rng: np.random.Generator, side: int) -> Image.Image:
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    bend = 0.05 * _noise(rng, side, 4, 4)
    ripples = 6 * np.sin(2 * np.pi * (9 * (y + bend) + rng.uniform() + 0.6 * x))
    grain = rng.normal(0, 5, (side // 2 + 1, side // 2 + 1)).repeat(2, 0).repeat(2, 1)[:side, :side]
    return _flat((233, 213, 168), (ripples + grain + 5 * _noise(rng, side, 5, 5)).astype(np.float32))


def _sky(rng: np.random.Generator, side: int) -> Image.Image:
    y = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    top, low = np.array((138, 192, 240)), np.array((206, 230, 250))
    image = Image.fromarray(np.rint((top * (1 - y) + low * y) * np.ones((1, side, 1))).astype(np.uint8), "RGB")
    clouds = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(clouds)
    for middle_x, middle_y in rng.uniform(0, 1, (5, 2)):
        for dx, dy, radius in rng.uniform(-1, 1, (6, 3)):
            x, y0 = middle_x + 0.11 * dx, middle_y + 0.025 * dy
            r = 0.045 + 0.02 * radius
            draw.ellipse([(x - r) * side, (y0 - r) * side, (x + r) * side, (y0 + r * 0.8) * side], fill=225)
    image.paste((255, 255, 255), (0, 0), clouds.filter(ImageFilter.GaussianBlur(side / 110)))
    return image


def _brick_wall(rng: np.random.Generator, side: int) -> Image.Image:
    image = Image.new("RGB", (side, side), (222, 214, 206))
    draw, height = ImageDraw.Draw(image), side / 10
    width, gap = 2.3 * height, max(1.0, height * 0.07)
    start = rng.uniform(-1, 0)
    for row in range(11):
        for column in range(-1, 7):
            shift = (start + column + 0.5 * (row % 2)) * width
            tone = rng.uniform(-13, 13)
            left, top = shift + gap, row * height + gap
            box = [left, top, shift + width - gap, (row + 1) * height - gap]
            draw.rectangle(box, fill=tuple(round(v + tone) for v in (196, 132, 112)))
    return image


def _wooden_floor(rng: np.random.Generator, side: int) -> Image.Image:
    y = (np.mgrid[0:side, 0:side][0] / side).astype(np.float32)
    rows = 6
    row = np.floor(y * rows).astype(int)
    tone = rng.uniform(-11, 11, rows)[row]
    offset = rng.uniform(0, 9, rows)[row]
    wave = _noise(rng, side, 5, 12)
    grain = 6 * np.sin(2 * np.pi * (y * rows * 3.2 + 0.55 * wave + offset))
    light = (tone + grain + 3 * _noise(rng, side, 6, 90)).astype(np.float32)
    image = _flat((206, 166, 118), light)
    draw, seam = ImageDraw.Draw(image), (150, 112, 72)
    thick = max(1, round(side / 160))
    for index, joint in enumerate(rng.uniform(0.1, 0.9, rows)):
        top, low = index * side / rows, (index + 1) * side / rows
        draw.line([(0, top), (side, top)], fill=seam, width=thick)
        draw.line([(joint * side, top), (joint * side, low)], fill=seam, width=thick)
    return image


def _snow(rng: np.random.Generator, side: int) -> Image.Image:
    y = np.linspace(0, 1, side, dtype=np.float32)[:, None]
    ridges = (y * 4.5 + 0.55 * _noise(rng, side, 4, 3) + rng.uniform()) % 1
    shade = 30 * ridges**3 + 3 * _noise(rng, side, 50, 50)
    values = np.array((243, 248, 255)) - shade[..., None] * np.array((1.5, 0.9, 0.25))
    image = Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), "RGB")
    draw, unit = ImageDraw.Draw(image), side / 192
    for x, y0, big in rng.uniform(0, 1, (34, 3)):
        r = (0.9 + 1.1 * big) * unit
        draw.ellipse([x * side - r, y0 * side - r, x * side + r, y0 * side + r], fill=(192, 212, 242))
    return image


_DRAWINGS = {
    "grass": _grass,
    "sand": _sand,
    "sky": _sky,
    "brick wall": _brick_wall,
    "wooden floor": _wooden_floor,
    "snow": _snow,
}
