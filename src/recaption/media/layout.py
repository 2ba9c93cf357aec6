"""Where boxes lie: to each other, in the picture, in reading order. Image plane only; thresholds in `layout.yaml`."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from recaption.core.types import Box

__all__ = [
    "Place",
    "Relation",
    "fills",
    "hull",
    "iou",
    "overlap",
    "place",
    "reading_order",
    "relations",
    "same_thing",
    "shared_height",
    "shared_width",
]

Relation = Literal["left_of", "right_of", "above", "below", "on", "in_front_of"]
Place = Literal["left", "centre", "right"]


@cache
def _limits() -> Mapping[str, dict[str, float]]:
    limits: dict[str, dict[str, float]] = yaml.safe_load(
        files("recaption.media").joinpath("layout.yaml").read_text(encoding="utf-8")
    )
    return limits


def _shared(low_a: float, high_a: float, low_b: float, high_b: float) -> float:
    return max(0.0, min(high_a, high_b) - max(low_a, low_b))


def shared_width(a: Box, b: Box) -> float:
    """Return the pixels of x that both boxes cover."""
    return _shared(a.left, a.right, b.left, b.right)


def shared_height(a: Box, b: Box) -> float:
    """Return the pixels of y that both boxes cover."""
    return _shared(a.top, a.bottom, b.top, b.bottom)


def overlap(a: Box, b: Box) -> float:
    """Return the area that both boxes cover."""
    return shared_width(a, b) * shared_height(a, b)


def iou(a: Box, b: Box) -> float:
    """Return intersection over union, in [0, 1]."""
    both = overlap(a, b)
    return both / (a.area + b.area - both)


def same_thing(a: Box, b: Box) -> bool:
    """Say whether boxes from two sources are about one thing."""
    return iou(a, b) >= _limits()["same"]["thing"]


def hull(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around at least one box."""
    return Box(
        min(b.left for b in boxes),
        min(b.top for b in boxes),
        max(b.right for b in boxes),
        max(b.bottom for b in boxes),
    )


def relations(a: Box, b: Box) -> tuple[Relation, ...]:
    """Return every relation of a to b that the boxes support, the most telling first."""
    tests: tuple[tuple[Relation, bool], ...] = (
        ("on", _on(a, b)),
        ("in_front_of", _in_front_of(a, b)),
        ("above", _above(a, b)),
        ("below", _above(b, a)),
        ("left_of", _left_of(a, b)),
        ("right_of", _left_of(b, a)),
    )
    return tuple(name for name, holds in tests if holds)


def _left_of(a: Box, b: Box) -> bool:
    limits = _limits()["beside"]
    if a.right - b.left > limits["max_intrusion"] * min(a.width, b.width):
        return False
    return shared_height(a, b) >= limits["min_shared_height"] * min(a.height, b.height)


def _above(a: Box, b: Box) -> bool:
    limits = _limits()["above"]
    if a.bottom - b.top > limits["max_intrusion"] * min(a.height, b.height):
        return False
    return shared_width(a, b) >= limits["min_shared_width"] * min(a.width, b.width)


def _on(a: Box, b: Box) -> bool:
    limits = _limits()["on"]
    foot = (a.bottom - b.top) / b.height
    if not limits["highest_foot"] <= foot <= limits["lowest_foot"] or a.top >= b.top:
        return False
    wide_enough = a.width <= limits["max_width_ratio"] * b.width
    return wide_enough and shared_width(a, b) >= limits["min_shared_width"] * a.width


def _in_front_of(a: Box, b: Box) -> bool:
    limits = _limits()["in_front_of"]
    if a.bottom - b.bottom < limits["min_lower"] * b.height or a.area < limits["min_area_ratio"] * b.area:
        return False
    both = overlap(a, b)
    return both >= limits["min_overlap"] * min(a.area, b.area) and both <= limits["max_inside"] * b.area


def place(box: Box, size: tuple[int, int]) -> Place:
    """Return the part of the picture the middle of a box lies in; `size` is (width, height) in pixels."""
    edge = _limits()["place"]["near_edge"] * size[0]
    x, _ = box.centre
    return "left" if x < edge else "right" if x > size[0] - edge else "centre"


def fills(box: Box, size: tuple[int, int]) -> bool:
    """Say whether a box takes up most of a picture of `size` (width, height) pixels."""
    share = _limits()["place"]["fills"]
    return overlap(box, Box(0, 0, max(1, size[0]), max(1, size[1]))) >= share * size[0] * size[1]


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Return positions in reading order: lines from the top, each from the left."""
    rows: list[list[int]] = []
    share = _limits()["same"]["line"]
    for index in sorted(range(len(boxes)), key=lambda i: (boxes[i].top, boxes[i].left, i)):
        box = boxes[index]
        first = boxes[rows[-1][0]] if rows else None
        if first and shared_height(first, box) >= share * min(first.height, box.height):
            rows[-1].append(index)
        else:
            rows.append([index])
    return [i for row in rows for i in sorted(row, key=lambda i: (boxes[i].left, i))]
