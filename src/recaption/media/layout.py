"""Where boxes lie: to each other, in the picture, in reading order. Image plane only; thresholds in `layout.yaml`."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import yaml

from recaption.core.types import Box

__all__ = [
    "INVERSE",
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

Relation = Literal["on", "under", "in_front_of", "behind", "above", "below", "left_of", "right_of"]
INVERSE: Final[Mapping[Relation, Relation]] = {
    "on": "under",
    "under": "on",
    "in_front_of": "behind",
    "behind": "in_front_of",
    "above": "below",
    "below": "above",
    "left_of": "right_of",
    "right_of": "left_of",
}
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
    found: list[Relation] = []
    if _on(a, b):
        found.append("on")
    if _on(b, a):
        found.append("under")
    if _in_front_of(a, b):
        found.append("in_front_of")
    if _in_front_of(b, a):
        found.append("behind")
    if _above(a, b):
        found.append("above")
    if _above(b, a):
        found.append("below")
    if _left_of(a, b):
        found.append("left_of")
    if _left_of(b, a):
        found.append("right_of")
    return tuple(found)


# Each test begins with a comparison of edges that rules most pairs out before any limit is looked up.


def _left_of(a: Box, b: Box) -> bool:
    if a.right >= b.right:
        return False
    limits = _limits()["beside"]
    if a.right - b.left > limits["max_intrusion"] * min(a.width, b.width):
        return False
    if shared_height(a, b) < limits["min_shared_height"] * min(a.height, b.height):
        return False
    return max(a.area, b.area) <= limits["max_area_ratio"] * min(a.area, b.area)


def _above(a: Box, b: Box) -> bool:
    if a.bottom >= b.bottom:
        return False
    limits = _limits()["above"]
    if a.bottom - b.top > limits["max_intrusion"] * min(a.height, b.height):
        return False
    return shared_width(a, b) >= limits["min_shared_width"] * min(a.width, b.width)


def _on(a: Box, b: Box) -> bool:
    if a.bottom >= b.bottom or a.top >= b.top:
        return False
    limits = _limits()["on"]
    if not limits["highest_foot"] <= (a.bottom - b.top) / b.height <= limits["lowest_foot"]:
        return False
    wide_enough = a.width <= limits["max_width_ratio"] * b.width
    return wide_enough and shared_width(a, b) >= limits["min_shared_width"] * a.width


def _in_front_of(a: Box, b: Box) -> bool:
    if a.bottom <= b.bottom or a.right <= b.left or b.right <= a.left:
        return False
    limits = _limits()["in_front_of"]
    if a.bottom - b.bottom < limits["min_lower"] * b.height or a.area < limits["min_area_ratio"] * b.area:
        return False
    both = overlap(a, b)
    return both >= limits["min_overlap"] * min(a.area, b.area) and both <= limits["max_inside"] * b.area


def place(box: Box, size: tuple[int, int]) -> Place | None:
    """Return the part of the picture the middle of a box lies in, None for high up or low down in between.

    Args:
        size: Width and height of the picture in pixels.
    """
    limits, (x, y) = _limits()["place"], box.centre
    edge = limits["near_edge"] * size[0]
    if edge <= x <= size[0] - edge:
        return "centre" if abs(y - size[1] / 2) * 2 <= limits["middle"] * size[1] else None
    return "left" if x < edge else "right"


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
