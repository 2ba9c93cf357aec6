"""Objects with boxes from any detector of the YOLOX family, given as an ONNX file.

The output is decoded as the YOLOX paper describes (arXiv:2107.08430): one row per cell of the grids of strides 8,
16 and 32, holding box centre and logarithm of the size in cells, objectness, and one score per class.
"""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydantic import Field

from recaption.core.digests import digest_json
from recaption.core.errors import BackendError, UserError
from recaption.core.protocols import Pixels
from recaption.core.types import Box, Evidence
from recaption.models.onnx import file_digest, open_session
from recaption.recipes.strict import StrictModel

__all__ = ["YoloxExpert", "decode_rows", "suppress"]

_STRIDES: Final = (8, 16, 32)
_PADDING: Final = 114
_NOT_YOLOX: Final = "is not a YOLOX detector exported without decoding"


class YoloxExpert:
    """Names and locates objects, as evidence of kind `object` with score objectness times class score."""

    name = "yolox"
    version = "1"

    class Params(StrictModel):
        """What to load and what to believe. Thresholds belong to one model: calibrate `min_score` for yours."""

        model: Path
        """An ONNX file with input 1x3xHxW (BGR, 0-255, letterboxed) and output 1xNx(5 + classes)."""
        labels: Path | None = None
        """A text file with one class name a line, in the model's order; the 80 of COCO if None."""
        min_score: float = Field(default=0.3, ge=0, le=1)
        """For YOLOX-Nano on photographs 0.3 finds more and 0.5 errs less; not comparable with other models."""
        max_overlap: float = Field(default=0.45, gt=0, le=1)
        """Intersection over union above which the weaker of two boxes of one class is dropped."""
        max_objects: int = Field(default=100, ge=1)
        threads: int = Field(default=1, ge=1)

    def __init__(self, params: Params) -> None:
        self._params = params
        digest = file_digest(params.model)
        self._labels = _read_labels(params.labels)
        self._session = open_session(params.model, params.threads, "object detection", "detect")
        self._height, self._width = self._check()
        self.max_side_px: int | None = max(self._height, self._width) * 2
        chosen = params.model_dump(exclude={"model", "labels", "threads"})
        self.fingerprint = digest_json([self.name, self.version, digest, list(self._labels), chosen])
        self._source = f"{self.name}@{digest[:12]}"

    def examine(self, images: Sequence[Pixels]) -> list[list[Evidence]]:
        """Return the objects of each image, surest first. Raises BackendError if the runtime fails."""
        return [self._objects(image.array) for image in images]

    def _check(self) -> tuple[int, int]:
        """Return the input's (height, width). Raises UserError if the model is something else."""
        inputs, outputs, where = self._session.get_inputs(), self._session.get_outputs(), self._params.model
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) != 4 or shape[1] != 3 or inputs[0].type != "tensor(float)":
            found = [(i.name, i.shape, i.type) for i in inputs]
            raise UserError(f"{where} {_NOT_YOLOX}: it takes {found}, not one float tensor of 1x3xHxW")
        if not all(isinstance(side, int) and side > 0 and side % max(_STRIDES) == 0 for side in shape[2:]):
            raise UserError(
                f"{where}: the input size {shape[2:]} must be fixed, and multiples of 32. Export it so."
            )
        height, width = int(shape[2]), int(shape[3])
        rows = sum((height // stride) * (width // stride) for stride in _STRIDES)
        expected = [rows, 5 + len(self._labels)]
        given = list(outputs[0].shape[1:]) if len(outputs) == 1 else [o.shape for o in outputs]
        if given[:1] == expected[:1] and isinstance(given[-1], int) and given != expected:
            raise UserError(
                f"{where} has {given[-1] - 5} classes but there are {len(self._labels)} labels. "
                f"Give `labels`: a text file with one name a line."
            )
        if given != expected:
            raise UserError(f"{where} {_NOT_YOLOX}: it gives {given}, not {expected}")
        return height, width

    def _objects(self, array: NDArray[np.uint8]) -> list[Evidence]:
        ratio = min(self._height / array.shape[0], self._width / array.shape[1])
        tensor = self._letterboxed(array, ratio)
        try:
            (output,) = self._session.run(None, {self._session.get_inputs()[0].name: tensor})
        except Exception as error:  # onnxruntime's own classes derive from nothing narrower
            raise BackendError(f"{self.name}: {' '.join(str(error).split())[:200]}") from error
        boxes, scores, classes = decode_rows(output[0], (self._height, self._width), self._params.min_score)
        kept = suppress(boxes, scores, classes, self._params.max_overlap)[: self._params.max_objects]
        found = []
        for index in kept:
            box = _clipped(boxes[index] / ratio, array.shape[1], array.shape[0])
            if box is not None:
                score = round(float(scores[index]), 4)
                label = self._labels[int(classes[index])]
                found.append(Evidence(kind="object", label=label, source=self._source, box=box, score=score))
        return found

    def _letterboxed(self, array: NDArray[np.uint8], ratio: float) -> NDArray[np.float32]:
        """Return the image shrunk to fit, at the top left, the rest grey: float BGR of shape (1, 3, H, W)."""
        size = (max(1, int(array.shape[1] * ratio)), max(1, int(array.shape[0] * ratio)))
        canvas = np.full((self._height, self._width, 3), _PADDING, np.uint8)
        canvas[: size[1], : size[0]] = np.asarray(
            Pillow.fromarray(array).resize(size, Pillow.Resampling.BILINEAR)
        )
        return np.ascontiguousarray(canvas[:, :, ::-1].transpose(2, 0, 1)[None], dtype=np.float32)


def _read_labels(path: Path | None) -> tuple[str, ...]:
    if path is None:
        text = resources.files("recaption.models").joinpath("coco80.txt").read_text("utf-8")
    else:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"label file {path} cannot be read: {error}") from error
    labels = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not labels:
        raise UserError(f"label file {path} is empty: give one class name a line")
    return labels


def decode_rows(
    rows: NDArray[np.float32], size: tuple[int, int], min_score: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Return boxes (n, 4) as left, top, right, bottom in input pixels, scores (n,) and classes (n,), surest first.

    Args:
        rows: Raw output of shape (cells, 5 + classes).
        size: (height, width) of the input.
        min_score: Rows below, or not finite, are left out.
    """
    classes = rows[:, 5:].argmax(axis=1)
    scores = (rows[:, 4] * rows[np.arange(len(rows)), 5 + classes]).astype(np.float64)
    cells, strides = _cells(size)
    with np.errstate(over="ignore", invalid="ignore"):
        centre = (rows[:, :2] + cells) * strides
        half = np.exp(rows[:, 2:4].astype(np.float64)) * strides / 2
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        sure = (scores >= min_score) & np.isfinite(boxes).all(axis=1)
    order = np.flatnonzero(sure)
    order = order[np.argsort(-scores[order], kind="stable")]
    return boxes[order], scores[order], classes[order]


def _cells(size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the column and row of every cell (n, 2) and its stride (n, 1), in the order of the output rows."""
    cells, strides = [], []
    for stride in _STRIDES:
        down, across = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells.append(np.stack([across.ravel(), down.ravel()], axis=1))
        strides.append(np.full((down.size, 1), stride))
    return np.concatenate(cells).astype(np.float64), np.concatenate(strides).astype(np.float64)


def suppress(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], classes: NDArray[np.intp], max_overlap: float
) -> list[int]:
    """Return the indices kept by greedy non-maximum suppression within each class, surest first."""
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    kept: list[int] = []
    while order.size:
        best, others = int(order[0]), order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[others, :2])
        high = np.minimum(boxes[best, 2:], boxes[others, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        overlap = shared / np.maximum(areas[best] + areas[others] - shared, 1e-9)
        order = others[(overlap <= max_overlap) | (classes[others] != classes[best])]
    return kept


def _clipped(corners: NDArray[np.float64], width: int, height: int) -> Box | None:
    """Return the part of a box inside the image; None if there is none."""
    left, right = np.clip(corners[[0, 2]], 0, width)
    top, bottom = np.clip(corners[[1, 3]], 0, height)
    if right - left < 1 or bottom - top < 1:
        return None
    return Box(*(round(float(v), 2) for v in (left, top, right, bottom)))
