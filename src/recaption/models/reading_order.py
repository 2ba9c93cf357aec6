"""The order in which people read pieces of text on a picture: columns, then lines, then along the line.

Written for scripts that run left to right in horizontal lines, at any slant below 45 degrees.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Place", "Quad", "reading_order"]

Point: TypeAlias = tuple[float, float]
Quad: TypeAlias = tuple[Point, Point, Point, Point]
"""Corners of a piece of text: top left, top right, bottom right, bottom left, as read."""

_MAX_PIECES_IN_COLUMNS = 400
_MIN_LINES = 2
_PARAGRAPH_WIDTH = 4.0
"""Median width over height from which a side of a gutter is running text rather than cells of a table."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece comes: its index in the input, its column and its line in the column, both from 1."""

    index: int
    column: int
    line: int


@dataclass(frozen=True, slots=True)
class _Piece:
    index: int
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def reading_order(quads: Sequence[Quad]) -> list[Place]:
    """Return one place per quad, in reading order."""
    pieces = _upright(quads)
    columns = _columns(pieces) if len(pieces) <= _MAX_PIECES_IN_COLUMNS else [pieces]
    places = []
    for column, members in enumerate((c for c in columns if c), 1):
        for line, row in enumerate(_lines(members), 1):
            places += [Place(piece.index, column, line) for piece in row]
    return places


def _upright(quads: Sequence[Quad]) -> list[_Piece]:
    """Return the pieces with the common slant of the text taken out."""
    slant = _slant(quads)
    cos, sin = math.cos(-slant), math.sin(-slant)
    pieces = []
    for index, quad in enumerate(quads):
        xs = [x * cos - y * sin for x, y in quad]
        ys = [x * sin + y * cos for x, y in quad]
        pieces.append(_Piece(index, min(xs), min(ys), max(xs), max(ys)))
    return pieces


def _slant(quads: Sequence[Quad]) -> float:
    """Return the median angle in radians of the pieces long enough to have one."""
    angles = []
    for (left, top), (right, across), (_, _), (low_x, low_y) in quads:
        length, height = math.hypot(right - left, across - top), math.hypot(low_x - left, low_y - top)
        angle = math.atan2(across - top, right - left)
        if length > 2 * height and abs(angle) < math.pi / 4:
            angles.append(angle)
    return statistics.median(angles) if angles else 0.0


def _columns(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Return groups of pieces that are read one after the other, each from top to bottom."""
    sides = _gutter(pieces)
    if sides:
        return [*_columns(sides[0]), *_columns(sides[1])]
    bands, groups, across = _bands(pieces), [], []
    first = 0
    while first < len(bands):
        end = _end_of_columns(bands, first)
        if end is None:  # a heading, or plain lines
            across += bands[first]
            first += 1
        else:
            groups += [across, *_columns(_flat(bands[first:end]))]
            across, first = [], end
    return [group for group in (*groups, across) if group]


def _bands(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Return the pieces in bands from top to bottom, parted wherever a level line touches none of them."""
    bands: list[list[_Piece]] = []
    lowest = -math.inf
    for piece in sorted(pieces, key=lambda p: (p.top, p.index)):
        if piece.top >= lowest:
            bands.append([])
        bands[-1].append(piece)
        lowest = max(lowest, piece.bottom)
    return bands


def _end_of_columns(bands: list[list[_Piece]], first: int) -> int | None:
    """Return the band after the columns that begin in band `first`; None if none begin there."""
    for end in range(first + 1, min(first + 3, len(bands)) + 1):
        if _gutter(_flat(bands[first:end])):
            while end < len(bands) and _gutter(_flat(bands[first : end + 1])):
                end += 1
            return end
    return None


def _flat(bands: list[list[_Piece]]) -> list[_Piece]:
    return [piece for band in bands for piece in band]


def _gutter(pieces: list[_Piece]) -> tuple[list[_Piece], list[_Piece]] | None:
    """Return the pieces left and right of the widest empty strip that parts two columns, if there is one."""
    if len(pieces) < 2 * _MIN_LINES:
        return None
    height = statistics.median(p.height for p in pieces)
    ordered = sorted(pieces, key=lambda p: (p.left, p.index))
    best, width, furthest = None, 0.5 * height, ordered[0].right
    for position, piece in enumerate(ordered):
        gap = piece.left - furthest
        if position and gap > width and _are_columns(ordered[:position], ordered[position:], height):
            best, width = (ordered[:position], ordered[position:]), gap
        furthest = max(furthest, piece.right)
    return best


def _are_columns(left: list[_Piece], right: list[_Piece], height: float) -> bool:
    """Tell columns of text from the cells of a table, which are read row by row."""
    left_lines, right_lines = _lines(left), _lines(right)
    if min(len(left_lines), len(right_lines)) < _MIN_LINES:
        return False
    if _overlap(left, right) <= 0:
        return False
    if min(_width(left_lines), _width(right_lines)) >= _PARAGRAPH_WIDTH * height:
        return True
    middles = [statistics.fmean(p.middle for p in line) for line in left_lines]
    other = [statistics.fmean(p.middle for p in line) for line in right_lines]
    aligned = sum(min(abs(m - o) for m in middles) < 0.3 * height for o in other)
    return aligned < 0.5 * len(other)


def _overlap(left: list[_Piece], right: list[_Piece]) -> float:
    """Return by how much two groups stand side by side rather than one below the other."""
    bottom = min(max(p.bottom for p in left), max(p.bottom for p in right))
    return bottom - max(min(p.top for p in left), min(p.top for p in right))


def _width(lines: list[list[_Piece]]) -> float:
    return statistics.median(line[-1].right - line[0].left for line in lines)


def _lines(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Return the lines from top to bottom, each from left to right."""
    lines: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda p: (p.middle, p.left, p.index)):
        if lines and _same_line(lines[-1], piece):
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [sorted(line, key=lambda p: (p.left, p.index)) for line in lines]


def _same_line(line: list[_Piece], piece: _Piece) -> bool:
    """Tell whether a piece shares at least half of its height, or of the line's, with the line's first piece."""
    first = line[0]
    shared = min(first.bottom, piece.bottom) - max(first.top, piece.top)
    apart = all(piece.left >= p.right or piece.right <= p.left or _beside(p, piece) for p in line)
    return shared >= 0.5 * min(first.height, piece.height) and apart


def _beside(one: _Piece, other: _Piece) -> bool:
    """Tell whether two pieces overlap sideways by so little that they are still neighbours."""
    shared = min(one.right, other.right) - max(one.left, other.left)
    return shared < 0.5 * min(one.right - one.left, other.right - other.left)
