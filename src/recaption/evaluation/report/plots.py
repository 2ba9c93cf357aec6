"""Histograms and scatter plots as SVG, for a box of about 340 pixels: their letters stay readable on a phone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from recaption.evaluation.measures import About
from recaption.evaluation.report.svg import Ids, drawing, element, path_of, place, text
from recaption.evaluation.result import Histogram, Scatter

__all__ = ["MOST_POINTS", "histogram", "sampled", "scatter", "ticks"]

MOST_POINTS: Final = 600
"""Dots of one plot."""
_LEAST_SPAN: Final = 1e-300
"""A range that is smaller has no ticks: a tenth of it is no number any more."""
_WIDTH: Final = 340
_HEIGHT: Final = 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 14, 24
_SQUARE: Final = 300
_SIDE, _EDGE = 44, 12


@dataclass(frozen=True, slots=True)
class _Axis:
    """Values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round values within a range, about `most`: multiples of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not _LEAST_SPAN < span < math.inf:
        return [low]
    size = 10.0 ** math.floor(math.log10(span / most))
    step = next(size * m for m in (1, 2, 5, 10, 20) if span / (size * m) <= most)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def histogram(
    found: Histogram, columns: Sequence[str], means: Mapping[str, float], about: About | None, ids: Ids
) -> Markup:
    """Return the columns' distributions over one another, each as shares of its own items.

    Args:
        columns: All columns in order; a column's place decides its colour and its dashes.
        means: Of those columns that have one; drawn as a line.
    """
    shares = {c: _shares(found.counts[c]) for c in columns if c in found.counts}
    top = max((max(s, default=0.0) for s in shares.values()), default=0.0)
    across = _Axis(found.edges[0], found.edges[-1], _LEFT, _WIDTH - _RIGHT)
    up = _Axis(0.0, top or 1.0, _HEIGHT - _BOTTOM, _TOP)
    parts = _floor(across, about, _HEIGHT - _BOTTOM)
    for column, heights in shares.items():
        order = columns.index(column)
        outline = _steps(found.edges, heights, across, up)
        base = place(up.at(0))
        parts.append(element("path", class_=f"area c{order % 6}", d=f"{path_of(outline)}V{base}H{_LEFT}Z"))
        parts.append(element("path", class_=f"line c{order % 6}", d=path_of(outline)))
    for column in shares:
        if column in means:
            x = place(across.at(means[column]))
            parts.append(
                element(
                    "path",
                    class_=f"mean c{columns.index(column) % 6}",
                    d=f"M{x} {_TOP - 8}V{_HEIGHT - _BOTTOM}",
                )
            )
    said = "; ".join(f"{c}: mean {_told(means[c], about)}" for c in shares if c in means)
    more = f"Share of items by value, from {_told(found.edges[0], about)} to {_told(found.edges[-1], about)}. {said}"
    return drawing(
        _WIDTH, _HEIGHT, parts, label=f"Distribution of {found.title}", class_="plot", ids=ids, more=more
    )


def scatter(
    found: Scatter, columns: Sequence[str], about: About | None, ids: Ids, most: int = MOST_POINTS
) -> Markup:
    """Return the baseline (across) against a column (up), with the diagonal on which nothing changed.

    Args:
        most: Dots; of more an even sample is drawn.
    """
    points = sampled(found.points, most)
    values = [v for point in points for v in point] or [0.0, 1.0]
    low, high = min(values), max(values)
    across = _Axis(low, high, _SIDE, _SQUARE - _EDGE)
    up = _Axis(low, high, _SQUARE - _SIDE, _EDGE)
    parts = _floor(across, about, _SQUARE - _SIDE)
    for tick in ticks(low, high, 4):
        parts.append(text(_SIDE - 6, up.at(tick) + 4, _told(tick, about), "tick", "end"))
    parts += [
        element("path", class_="axis", d=f"M{_SIDE} {_EDGE}V{_SQUARE - _SIDE}"),
        element("path", class_="diagonal", d=f"M{_SIDE} {_SQUARE - _SIDE}L{_SQUARE - _EDGE} {_EDGE}"),
    ]
    dots = dict.fromkeys(f"M{across.at(x):.0f} {up.at(y):.0f}h0" for x, y in points)
    order = columns.index(found.column) if found.column in columns else 1
    parts.append(element("path", class_=f"dots c{order % 6}", d="".join(dots)))
    above, below = (sum(sign * (y - x) > 0 for x, y in points) for sign in (1, -1))
    more = (
        f"Of {len(points):,} items {above:,} have a higher value in {found.column} than in the baseline, "
        f"{below:,} a lower one."
    )
    label = f"{found.title}: {found.column} against the baseline"
    return drawing(_SQUARE, _SQUARE, parts, label=label, class_="plot square", ids=ids, more=more)


def sampled(points: Sequence[tuple[float, float]], most: int) -> Sequence[tuple[float, float]]:
    """Return every k-th point, at most so many."""
    return points[:: max(1, -(-len(points) // most))]


def _floor(across: _Axis, about: About | None, y: float) -> list[Markup]:
    parts = [element("path", class_="axis", d=f"M{place(across.start)} {place(y)}H{place(across.end)}")]
    for tick in ticks(across.low, across.high):
        x = across.at(tick)
        anchor = (
            "middle" if across.start + 14 < x < across.end - 14 else None if x <= across.start + 14 else "end"
        )
        parts.append(element("path", class_="axis", d=f"M{place(x)} {place(y)}v4"))
        parts.append(text(x, y + 17, _told(tick, about), "tick", anchor))
    return parts


def _steps(
    edges: Sequence[float], heights: Sequence[float], across: _Axis, up: _Axis
) -> list[tuple[float, float]]:
    found = []
    for i, height in enumerate(heights):
        found += [(across.at(edges[i]), up.at(height)), (across.at(edges[i + 1]), up.at(height))]
    return found


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def _told(value: float, about: About | None) -> str:
    """Return a value of an axis: as in the tables, without the zeros that a round number ends in."""
    if about is not None and about.unit == "share":
        return f"{100 * value:.3g} %".replace("-", "−")
    return f"{value:,.4g}".replace("-", "−") if abs(value) < 1e5 else f"{value:.1e}"
