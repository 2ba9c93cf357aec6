"""Decoded images to model inputs, as the model's own image processor makes them, but several times as fast.

The processors of `transformers` carry an image through half a dozen float arrays. For the common kind (resize, crop,
rescale, normalise) the same is done here on bytes, with one pass of floats at the end. Any other processor is asked
itself.

Two ways to resize: Pillow's, which gives the processor's very bytes, and torch's kernel for bytes, which takes a
fifth of the time. On photographs the second differs from the first in 0.4 % of the values, by at most 2 of 255, which
is less than half precision rounds away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from torch.nn.functional import interpolate

__all__ = ["Preparation"]

_MAX_ASPECT: Final = 8
"""Above this a strip is cropped before it is enlarged: 1024 x 1 pixels would become 229,376 x 224."""
_STEPS: Final = ("_preprocess", "preprocess", "process_image", "resize", "center_crop", "rescale", "normalize")
_MODES: Final = {Pillow.Resampling.BILINEAR: "bilinear", Pillow.Resampling.BICUBIC: "bicubic"}
"""What torch's kernel for bytes can do."""


class Preparation:
    """Makes model inputs of uint8 RGB arrays of shape (height, width, 3). Safe in several threads.

    `exact` asks for the very bytes of the model's processor.
    """

    def __init__(self, processor: Any, *, exact: bool) -> None:
        self._processor = processor
        self._plain = _is_plain(processor)
        if not self._plain:
            return
        self._mode = None if exact else _MODES.get(processor.resample)
        factor = float(processor.rescale_factor) if processor.do_rescale else 1.0
        normalised = processor.do_normalize
        mean = torch.tensor(processor.image_mean if normalised else [0.0], dtype=torch.float64)
        deviation = torch.tensor(processor.image_std if normalised else [1.0], dtype=torch.float64)
        self._scale = (factor / deviation).float().view(1, -1, 1, 1)
        self._shift = (-mean / deviation).float().view(1, -1, 1, 1)

    def __call__(self, arrays: Sequence[NDArray[np.uint8]]) -> dict[str, torch.Tensor]:
        """Return the inputs by name; `pixel_values` is float32, its first axis the images in order."""
        if self._plain:
            resized = [self._resized(array) for array in arrays]
            fitting = [image for image in resized if image is not None]
            if len(fitting) == len(arrays):
                stacked = torch.from_numpy(np.stack(fitting)).permute(0, 3, 1, 2).contiguous()
                return {"pixel_values": stacked.float().mul_(self._scale).add_(self._shift)}
        given = self._processor([Pillow.fromarray(array) for array in arrays], return_tensors="pt")
        return dict(given)

    def _resized(self, array: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Return the image at the size the model takes; None where it would have to be padded to that."""
        processor = self._processor
        height, width = array.shape[:2]
        new_height, new_width = _target(processor.size, height, width)
        if not processor.do_center_crop:
            return self._scaled(array, new_height, new_width)
        crop_height, crop_width = int(processor.crop_size.height), int(processor.crop_size.width)
        top, left = (new_height - crop_height) // 2, (new_width - crop_width) // 2
        if top < 0 or left < 0:
            return None
        if max(new_height, new_width) > _MAX_ASPECT * min(new_height, new_width):
            across, down = width / new_width, height / new_height
            box = (left * across, top * down, (left + crop_width) * across, (top + crop_height) * down)
            strip = Pillow.fromarray(array).resize((crop_width, crop_height), processor.resample, box=box)
            return np.asarray(strip)
        scaled = self._scaled(array, new_height, new_width)
        return scaled[top : top + crop_height, left : left + crop_width]

    def _scaled(self, array: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
        if array.shape[:2] == (height, width):
            return array
        if self._mode is None:
            return np.asarray(Pillow.fromarray(array).resize((width, height), self._processor.resample))
        given = torch.from_numpy(array.copy()).permute(2, 0, 1)[
            None
        ]  # torch warns of arrays that are read-only
        scaled = interpolate(given, size=(height, width), mode=self._mode, antialias=True)
        result: NDArray[np.uint8] = scaled[0].permute(1, 2, 0).numpy()
        return result


def _is_plain(processor: Any) -> bool:
    """Say whether a processor does the common steps in the common order, and to one size for all images."""
    try:
        from transformers.image_processing_backends import PilBackend
    except ImportError:  # an older transformers
        return False
    kind: type[Any] = type(processor)
    if not issubclass(kind, PilBackend):
        return False
    if any(getattr(kind, step, None) is not getattr(PilBackend, step, None) for step in _STEPS):
        return False
    if getattr(processor, "do_pad", None) or not processor.do_resize:
        return False
    size = processor.size
    return bool(size.height and size.width) or bool(
        size.shortest_edge and not size.longest_edge and processor.do_center_crop
    )


def _target(size: Any, height: int, width: int) -> tuple[int, int]:
    """Return the (height, width) after resizing: fixed, or the shorter side fixed and the longer cut to a whole."""
    if size.height and size.width:
        return int(size.height), int(size.width)
    short = int(size.shortest_edge)
    long = int(short * max(height, width) / min(height, width))
    return (long, short) if width <= height else (short, long)
