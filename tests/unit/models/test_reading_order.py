"""Text is read in columns, lines and words, however it is laid out or turned."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.models.reading_order import Quad, reading_order

Piece = tuple[str, float, float, float]
"""Words, left, top, width; every line is 20 high."""


def quad(left: float, top: float, width: float, height: float = 20, degrees: float = 0) -> Quad:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    a, b, c, d = ((x * cos - y * sin, x * sin + y * cos) for x, y in corners)
    return a, b, c, d


def read(pieces: list[Piece], degrees: float = 0) -> str:
    """Shuffle the pieces, order them, and print: columns apart by ` | `, lines by ` / `."""
    shuffled = pieces[:]
    random.Random(5).shuffle(shuffled)
    text, column, line = "", 1, 1
    for place in reading_order([quad(x, y, w, degrees=degrees) for _, x, y, w in shuffled]):
        separator = " | " if place.column != column else " / " if place.line != line else " "
        text, column, line = text + separator + shuffled[place.index][0], place.column, place.line
    return text.strip()


ANGLES = pytest.mark.parametrize("degrees", [0, 7, -12, 30])


@ANGLES
def test_lines_of_words(degrees: float) -> None:
    assert (
        read([("a", 0, 0, 50), ("b", 60, 4, 80), ("c", 0, 30, 90), ("d", 100, 28, 60)], degrees) == "a b / c d"
    )


@ANGLES
def test_a_turned_list_of_uneven_lines(degrees: float) -> None:
    lines: list[Piece] = [("a", 0, 0, 60), ("b", 0, 26, 400), ("c", 0, 52, 90), ("d", 0, 78, 300)]
    assert read(lines, degrees) == "a / b / c / d"


@ANGLES
def test_two_columns_on_one_grid(degrees: float) -> None:
    left: list[Piece] = [(name, 0, 30 * i, 200 - 20 * (i == 2)) for i, name in enumerate("abcd")]
    right: list[Piece] = [(name, 230, 30 * i, 190) for i, name in enumerate("efg")]
    assert read(left + right, degrees) == "a / b / c / d | e / f / g"


@ANGLES
def test_a_heading_and_a_footer_across_columns(degrees: float) -> None:
    left: list[Piece] = [(name, 0, 40 + 30 * i, 200) for i, name in enumerate("abc")]
    right: list[Piece] = [(name, 230, 40 + 30 * i, 200) for i, name in enumerate("def")]
    across: list[Piece] = [("HEAD", 20, 0, 380), ("FOOT", 10, 140, 400)]
    assert read(left + right + across, degrees) == "HEAD | a / b / c | d / e / f | FOOT"


def test_three_columns() -> None:
    pieces: list[Piece] = [
        (f"{column}{row}", 250.0 * column, 30.0 * row, 220) for column in range(3) for row in range(3)
    ]
    assert read(pieces) == "00 / 01 / 02 | 10 / 11 / 12 | 20 / 21 / 22"


def test_a_price_list_is_read_row_by_row() -> None:
    rows = [("Tea", "2.50"), ("Coffee", "3.00"), ("Cake", "4.20")]
    pieces: list[Piece] = []
    for i, (name, price) in enumerate(rows):
        pieces += [(name, 0, 30 * i, 90), (price, 400, 30 * i, 45)]
    assert read(pieces) == "Tea 2.50 / Coffee 3.00 / Cake 4.20"


def test_two_signs_side_by_side() -> None:
    signs: list[Piece] = [("NO", 0, 0, 40), ("ENTRY", 0, 26, 70), ("ONE", 200, 12, 50), ("WAY", 200, 38, 50)]
    assert read(signs) == "NO / ENTRY | ONE / WAY"


def test_a_raised_mark_stays_in_its_line() -> None:
    small = quad(105, 2, 10, height=8)
    places = reading_order([small, quad(0, 0, 100), quad(0, 30, 100)])
    assert [(p.index, p.line) for p in places] == [(1, 1), (0, 1), (2, 2)]


def test_nothing_and_one() -> None:
    assert reading_order([]) == []
    assert [(p.index, p.column, p.line) for p in reading_order([quad(5, 5, 9)])] == [(0, 1, 1)]


numbers = st.floats(-1e4, 1e4, allow_nan=False)
points = st.tuples(numbers, numbers)


@given(st.lists(st.tuples(points, points, points, points), max_size=30))
def test_every_piece_has_one_place(quads: list[Quad]) -> None:
    places = reading_order(quads)
    assert sorted(p.index for p in places) == list(range(len(quads)))
    numbered = [(p.column, p.line) for p in places]
    assert numbered == sorted(numbered)
    assert all(column >= 1 and line >= 1 for column, line in numbered)


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(source: random.Random) -> None:
    quads = [quad(x * 230, y * 30, 200) for x in range(2) for y in range(4)]
    shuffled = quads[:]
    source.shuffle(shuffled)
    assert [shuffled[p.index] for p in reading_order(shuffled)] == [
        quads[p.index] for p in reading_order(quads)
    ]
