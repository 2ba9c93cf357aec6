"""Facts that the pixels show without any model: colours, brightness, greyscale, orientation."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from recaption.core.digests import digest_json
from recaption.core.protocols import Pixels
from recaption.core.types import Evidence, JsonValue
from recaption.media.colours import dominant_colours, sample, to_lab
from recaption.recipes.strict import StrictModel

__all__ = ["PixelExpert"]


class PixelExpert:
    """States pixel facts as evidence of kind `pixel`, each with its finding in the attribute `value`.

    Labels: `colour` (up to `colours` of them, with `share` and `rank`), `brightness` (dark, normal, bright, with
    the mean CIE lightness as `level` in [0, 1]), `greyscale` (true or false, with the `share` of colourless pixels),
    `orientation` (landscape, portrait, square, with width over height as `ratio`).
    """

    name = "pixels"
    version = "1"
    max_side_px: int | None = 256

    class Params(StrictModel):
        """Thresholds."""

        colours: int = Field(default=3, ge=1, le=10)
        min_share: float = Field(default=0.08, ge=0, le=1)
        """Colours covering less of the image are not stated."""
        dark_below: float = Field(default=0.25, ge=0, le=1)
        bright_above: float = Field(default=0.75, ge=0, le=1)
        grey_chroma: float = Field(default=4.0, ge=0)
        """CIE chroma up to which a pixel counts as colourless."""
        grey_share: float = Field(default=0.99, ge=0, le=1)
        square_tolerance: float = Field(default=0.03, ge=0, lt=1)

    def __init__(self, params: Params) -> None:
        self._params = params
        self.fingerprint = digest_json([self.name, self.version, params.model_dump()])

    def examine(self, images: Sequence[Pixels]) -> list[list[Evidence]]:
        """Return the facts of each image, in order."""
        return [self._facts(image) for image in images]

    def _facts(self, image: Pixels) -> list[Evidence]:
        params = self._params
        lab = to_lab(sample(image.array))
        level = round(float(lab[..., 0].mean()) / 100, 4)
        dim = "dark" if level < params.dark_below else "bright" if level > params.bright_above else "normal"
        colourless = round(float((np.hypot(lab[..., 1], lab[..., 2]) <= params.grey_chroma).mean()), 4)
        colours = dominant_colours(image.array, n=params.colours)
        return [
            *(
                _fact("colour", value=name, share=share, rank=rank)
                for rank, (name, share) in enumerate(colours, 1)
                if share >= params.min_share
            ),
            _fact("brightness", value=dim, level=level),
            _fact("greyscale", value=colourless >= params.grey_share, share=colourless),
            self._orientation(image.size),
        ]

    def _orientation(self, size: tuple[int, int]) -> Evidence:
        ratio = size[0] / size[1]
        if max(ratio, 1 / ratio) <= 1 + self._params.square_tolerance:
            value = "square"
        else:
            value = "landscape" if ratio > 1 else "portrait"
        return _fact("orientation", value=value, ratio=round(ratio, 4))


def _fact(label: str, **attributes: JsonValue) -> Evidence:
    return Evidence(kind="pixel", label=label, source=PixelExpert.name, attributes=attributes)
