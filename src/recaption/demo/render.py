"""Scenes to pictures: drawn at twice the size, then halved."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from recaption.demo.backgrounds import background
from recaption.demo.materials import TILE_PX, Rgb, dark_tone, ink_tone, tile
from recaption.demo.vocabulary import Part, drawings, vocabulary
from recaption.demo.world import Scene, Sign, Thing

__all__ = ["Renderer"]

OVERSAMPLING = 2
BACKDROPS = 8
BRIGHTNESS = (0.95, 0.98, 1.01, 1.04)
PALE = (248, 246, 240)
BOARD = (255, 255, 255)
BOARD_INK = (28, 28, 34)
LIT, SHADE = (255, 255, 255, 105), (0, 0, 0, 80)


class Renderer:
    """Draws scenes of one size. Keeps the backgrounds, tiles and letters it has made; use one per thread."""

    def __init__(self, size_px: int = 192) -> None:
        self.size_px = size_px
        self._side = size_px * OVERSAMPLING
        self._stroke = max(2, round(self._side * 0.0075))
        self._backdrop = lru_cache(maxsize=None)(self._make_backdrop)
        self._tile = lru_cache(maxsize=None)(self._make_tile)
        self._letters = lru_cache(maxsize=1024)(self._make_letters)

    def render(self, scene: Scene) -> Image.Image:
        """Return the scene as an RGB picture of `size_px` × `size_px`, whatever size its facts are in."""
        variant, flipped, light = scene.look % BACKDROPS, scene.look // 8 % 2, scene.look // 16 % 4
        canvas = self._backdrop(scene.background, variant, bool(flipped), light).copy()
        scale = self._side / scene.size_px
        if scene.sign is not None:
            self._put_sign(canvas, scene.sign, scale)
        for thing in scene.things:
            patch, mask = self._patch(thing, scale)
            canvas.paste(patch, (round(thing.box.left * scale), round(thing.box.top * scale)), mask)
        return canvas.reduce(OVERSAMPLING)

    def instances(self, scene: Scene) -> NDArray[np.uint8]:
        """Return which thing owns each pixel, shape (size_px, size_px): 0 background, i + 1 thing i, 255 sign."""
        canvas = Image.new("L", (self._side, self._side), 0)
        scale = self._side / scene.size_px
        if scene.sign is not None:
            box = scene.sign.box.scaled(scale)
            canvas.paste(255, (round(box.left), round(box.top), round(box.right), round(box.bottom)))
        for index, thing in enumerate(scene.things):
            mask = self._patch(thing, scale)[1]
            canvas.paste(index + 1, (round(thing.box.left * scale), round(thing.box.top * scale)), mask)
        half = canvas.resize((self.size_px, self.size_px), Image.Resampling.NEAREST)
        return np.asarray(half, dtype=np.uint8)

    def _make_backdrop(self, name: str, variant: int, flipped: bool, light: int) -> Image.Image:
        image = background(name, variant, self._side)
        if flipped:
            image = ImageOps.mirror(image)
        return ImageEnhance.Brightness(image).enhance(BRIGHTNESS[light])

    def _make_tile(self, colour: str, material: str) -> Image.Image:
        return tile(vocabulary().colours[colour], material)

    def _patch(self, thing: Thing, scale: float) -> tuple[Image.Image, Image.Image]:
        """Return the thing's pixels and the mask of its silhouette, both as large as its box."""
        box = thing.box.scaled(scale)
        left, top = round(box.left), round(box.top)
        size = (max(4, round(box.right) - left), max(4, round(box.bottom) - top))
        parts = drawings()[thing.shape].parts
        pen = _Pen(size, self._stroke, thing.mirrored)
        rgb = vocabulary().colours[thing.colour].rgb
        patch = Image.new("RGB", size, ink_tone(rgb))
        draw = ImageDraw.Draw(patch, "RGBA")
        body = pen.mask([p for p in parts if p.paint in ("body", "hole")], fat=False)
        painted = False
        for part in parts:
            if part.paint in ("body", "hole"):
                if not painted:
                    patch.paste(self._fill(thing, size), (0, 0), body)
                painted = True
            else:
                pen.paint(draw, part, rgb)
        return patch, pen.mask(parts, fat=True)

    def _fill(self, thing: Thing, size: tuple[int, int]) -> Image.Image:
        """Return the thing's paint; the pattern of a small thing is coarser, so that it can still be seen."""
        width, height = size
        longest = max(size)
        crop = TILE_PX * (1.0 if thing.material == "metallic" else min(1.0, 0.5 + longest / self._side))
        box = (0.0, 0.0, crop * width / longest, crop * height / longest)
        return self._tile(thing.colour, thing.material).resize(size, Image.Resampling.BILINEAR, box=box)

    def _put_sign(self, canvas: Image.Image, sign: Sign, scale: float) -> None:
        box = sign.box.scaled(scale)
        corners = (round(box.left), round(box.top), round(box.right) - 1, round(box.bottom) - 1)
        draw = ImageDraw.Draw(canvas)
        draw.rounded_rectangle(
            corners, radius=self._side // 60, fill=BOARD, outline=BOARD_INK, width=self._stroke
        )
        letters = self._letters(sign.word, corners[2] - corners[0], corners[3] - corners[1])
        spot = (
            (corners[0] + corners[2] - letters.width) // 2,
            (corners[1] + corners[3] - letters.height) // 2,
        )
        canvas.paste(BOARD_INK, spot, letters)

    def _make_letters(self, word: str, width: int, height: int) -> Image.Image:
        """Return the word as a mask, as large as fits a board."""
        for points in range(max(8, height), 7, -1):
            font = ImageFont.load_default(points)
            left, top, right, bottom = (round(v) for v in font.getbbox(word))
            if right - left <= width - 6 * self._stroke and bottom - top <= height - 5 * self._stroke:
                break
        mask = Image.new("L", (right - left, bottom - top), 0)
        # Thin letters vanish when the picture is halved, so they get a stroke of their own.
        ImageDraw.Draw(mask).text((-left, -top), word, fill=255, font=font, stroke_width=self._stroke // 3)
        return mask


class _Pen:
    """Draws parts in the unit square of a box of pixels."""

    def __init__(self, size: tuple[int, int], stroke: int, mirrored: bool) -> None:
        self._size, self._stroke, self._mirrored = size, stroke, mirrored
        self._span = (max(1, size[0] - 1 - 2 * stroke), max(1, size[1] - 1 - 2 * stroke))

    def mask(self, parts: list[Part], *, fat: bool) -> Image.Image:
        """Return the union of parts; `fat` adds the outline around it."""
        mask = Image.new("L", self._size, 0)
        draw = ImageDraw.Draw(mask)
        grow = self._stroke if fat else 0
        for part in parts:
            if part.paint == "hole":
                self._shape(draw, part, 0, -grow)
            elif part.paint not in ("lit", "shade"):
                self._shape(draw, part, 255, grow)
        return mask

    def paint(self, draw: ImageDraw.ImageDraw, part: Part, rgb: Rgb) -> None:
        """Draw one part that is not body."""
        ink = ink_tone(rgb)
        if part.paint in ("dark", "pale"):
            self._shape(draw, part, ink, self._stroke * 0.6)
        tones = {"ink": ink, "dark": dark_tone(rgb), "pale": PALE, "lit": LIT, "shade": SHADE}
        self._shape(draw, part, tones[part.paint], 0)

    def _shape(self, draw: ImageDraw.ImageDraw, part: Part, fill: int | tuple[int, ...], grow: float) -> None:
        xy = self._points(part)
        if part.draw == "ellipse":
            (left, top), (right, bottom) = min(xy), max(xy)
            top, bottom = min(top, bottom), max(top, bottom)
            if right - left + 2 * grow >= 1 and bottom - top + 2 * grow >= 1:
                draw.ellipse([left - grow, top - grow, right + grow, bottom + grow], fill=fill)
        elif part.draw == "polygon":
            draw.polygon(xy, fill=fill)
            if grow > 0:
                draw.line([*xy, xy[0], xy[1]], fill=fill, width=round(2 * grow) + 1, joint="curve")
        else:
            width = max(self._stroke, round(part.width * self._size[0]))
            draw.line(xy, fill=fill, width=round(width + 2 * grow), joint="curve")

    def _points(self, part: Part) -> list[tuple[float, float]]:
        xs, ys = part.at[0::2], part.at[1::2]
        if self._mirrored:
            xs = [1 - x for x in xs]
        return [
            (self._stroke + x * self._span[0], self._stroke + y * self._span[1])
            for x, y in zip(xs, ys, strict=True)
        ]
