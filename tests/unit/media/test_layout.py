"""Relations of boxes, held against rules written a second time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.types import Box
from recaption.media import layout


def box(left: float, top: float, right: float, bottom: float) -> Box:
    return Box(left, top, right, bottom)


coordinates = st.integers(0, 400)
boxes = st.builds(
    lambda x, y, w, h: box(x, y, x + w, y + h),
    coordinates,
    coordinates,
    st.integers(1, 300),
    st.integers(1, 300),
)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (box(0, 0, 50, 50), box(60, 10, 120, 60), ("left_of",)),
        (box(60, 10, 120, 60), box(0, 0, 50, 50), ("right_of",)),
        (box(0, 50, 200, 150), box(20, 20, 40, 60), ("under", "in_front_of")),
        (box(0, 0, 50, 50), box(60, 300, 120, 360), ()),
        (box(0, 0, 50, 50), box(10, 60, 60, 100), ("above",)),
        (box(10, 60, 60, 100), box(0, 0, 50, 50), ("below",)),
        (box(20, 20, 40, 60), box(0, 50, 200, 150), ("on", "behind")),
        (box(0, 0, 4, 4), box(60, 0, 160, 100), ()),
        (box(0, 20, 100, 220), box(60, 40, 140, 150), ("in_front_of",)),
        (box(0, 20, 100, 220), box(20, 40, 60, 150), ()),
    ],
)
def test_relations(a: Box, b: Box, expected: tuple[str, ...]) -> None:
    assert layout.relations(a, b) == expected


@given(boxes, boxes)
def test_what_is_stated_is_true(a: Box, b: Box) -> None:
    found = layout.relations(a, b)
    (ax, ay), (bx, by) = a.centre, b.centre
    if "left_of" in found:
        assert ax < bx
    if "right_of" in found:
        assert ax > bx
    if "above" in found:
        assert ay < by
    if "below" in found:
        assert ay > by
    if "on" in found:
        assert a.top < b.top <= a.bottom + 0.05 * b.height
        assert a.bottom <= b.top + b.height / 3 + 1e-6
        assert min(a.right, b.right) > max(a.left, b.left)
    if "in_front_of" in found:
        assert a.bottom > b.bottom
        assert a.area > b.area
        assert layout.overlap(a, b) > 0
    assert not {"left_of", "right_of"} <= set(found)
    assert not {"above", "below"} <= set(found)


@given(boxes, boxes)
def test_relations_are_mirrored(a: Box, b: Box) -> None:
    assert {layout.INVERSE[r] for r in layout.relations(a, b)} == set(layout.relations(b, a))


def test_places() -> None:
    size = (300, 300)
    assert layout.place(box(0, 100, 60, 200), size) == "left"
    assert layout.place(box(240, 100, 300, 200), size) == "right"
    assert layout.place(box(120, 120, 180, 180), size) == "centre"
    assert layout.place(box(120, 0, 180, 60), size) is None
    assert layout.fills(box(0, 0, 290, 290), size)
    assert not layout.fills(box(0, 0, 150, 150), size)
    assert not layout.fills(box(-1000, -1000, 10, 10), size)


def test_same_thing_needs_half_in_common() -> None:
    assert layout.iou(box(0, 0, 10, 10), box(0, 0, 10, 10)) == 1
    assert layout.same_thing(box(0, 0, 10, 10), box(0, 0, 10, 8))
    assert not layout.same_thing(box(0, 0, 10, 10), box(20, 0, 30, 10))


@given(st.lists(boxes, max_size=20))
def test_reading_order_is_a_permutation(some: list[Box]) -> None:
    assert sorted(layout.reading_order(some)) == list(range(len(some)))


def test_lines_are_read_from_the_left_and_the_top() -> None:
    lines = [box(100, 2, 180, 20), box(0, 40, 90, 60), box(0, 0, 80, 20), box(100, 41, 150, 60)]
    assert layout.reading_order(lines) == [2, 0, 1, 3]
