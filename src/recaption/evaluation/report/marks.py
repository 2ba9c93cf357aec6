"""Small drawings for a line of a table: an effect with its interval around zero, and how many items gained."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from recaption.evaluation.report.svg import drawing, element, place
from recaption.evaluation.result import Effect

__all__ = ["most_of", "outcome", "whisker"]

_WIDTH: Final = 132
_MARGIN: Final = 7
_BAR: Final = 1000
_GAP: Final = 4.0


def most_of(effects: list[Effect]) -> float:
    """Return how far from zero a common scale of these effects reaches; 0 where none has a value."""
    ends = [e for effect in effects for e in (effect.delta, effect.low, effect.high) if e is not None]
    return max(map(abs, ends), default=0.0)


def whisker(effect: Effect, most: float) -> Markup:
    """Return the effect as a dot with its interval as a line, on a scale of ±`most` with zero in the middle.

    The style sheet draws the line at zero, and colours the rest by the class of what holds it. Nothing is said to
    screen readers: the numbers stand beside it.
    """
    middle, half = _WIDTH / 2, _WIDTH / 2 - _MARGIN
    parts = []
    if effect.delta is not None:
        scale = half / most if most else 0.0
        at = place(middle + effect.delta * scale)
        parts.append(element("path", class_="reach", d=f"M{place(middle)} 10H{at}"))
        if effect.low is not None and effect.high is not None:
            low, high = place(middle + effect.low * scale), place(middle + effect.high * scale)
            parts.append(element("path", d=f"M{low} 10H{high}M{low} 6V14M{high} 6V14"))
        parts.append(element("circle", cx=at, cy=10, r=4))
    return drawing(_WIDTH, 20, parts, label="", class_="whisker")


def outcome(effect: Effect, *, neutral: bool = False) -> Markup:
    """Return the shares of items that gained, stayed and lost, as one bar from left to right.

    Args:
        neutral: Neither direction is better, so that no colour says so.
    """
    counts = (("gain", effect.wins), ("stay", effect.ties), ("lose", effect.losses))
    total = sum(count for _, count in counts)
    if total == 0:
        return Markup()
    shown = [(name, count) for name, count in counts if count]
    room, x = _BAR - _GAP * (len(shown) - 1), 0.0
    parts = []
    for name, count in shown:
        share = max(room * count / total, _GAP)
        parts.append(element("rect", class_=name, x=place(x), width=place(share), height=1))
        x += share + _GAP
    return drawing(_BAR, 1, parts, label="", class_="outcome neutral" if neutral else "outcome", stretched=True)
