"""Figures in words: how a value, a change and an interval are written, the same in terminal, page and verdict."""

from __future__ import annotations

from typing import Final

from recaption.evaluation.measures import About, Value
from recaption.evaluation.result import Effect

__all__ = ["change", "interval", "judgement", "number", "span"]

_MINUS: Final = "−"
_HUGE: Final = 1e9
_PLACES: Final = ((1000, 0), (100, 1), (10, 2), (0.001, 3), (0.0001, 4))
"""From which size on a number is written with how many decimals: what is smaller is as good as nothing."""


def number(value: float | None, about: About) -> str:
    """Return a value as people read it: shares in percent, others with three to four digits; a dash for none."""
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if about.unit == "share" else _digits(value, about)


def change(delta: float | None, about: About) -> str:
    """Return a difference with its sign: shares in points."""
    if delta is None:
        return "–"
    if about.unit == "share":
        return f"{_signed(100 * delta, f'{abs(100 * delta):.1f}')} points"
    return _signed(delta, _digits(abs(delta), about))


def interval(effect: Effect, about: About) -> str:
    """Return the interval of a difference, without its unit: `−0.5 to +2.1`; nothing where there is none."""
    if effect.low is None or effect.high is None:
        return ""
    return " to ".join(change(end, about).removesuffix(" points") for end in (effect.low, effect.high))


def span(value: Value, about: About) -> str:
    """Return the interval of a value itself; nothing where there is none."""
    if value.low is None or value.high is None:
        return ""
    return " to ".join(number(end, about).removesuffix(" %") for end in (value.low, value.high))


def judgement(effect: Effect, about: About) -> str:
    """Return `better`, `worse`, `changed` where no direction is better, `no clear change`, or `no interval`."""
    if effect.delta is None or effect.low is None:
        return "no interval"
    if not effect.is_clear:
        return "no clear change"
    if about.better is None:
        return "changed"
    return "better" if (effect.delta > 0) == (about.better == "higher") else "worse"


def _digits(value: float, about: About) -> str:
    size = abs(value)
    if size >= _HUGE:
        return f"{value:.1e}".replace("-", _MINUS)
    places = next((places for least, places in _PLACES if size >= least), 3)
    if about.unit in ("words", "tokens"):
        places = min(places, 1)
    return f"{value:,.{places}f}".replace("-", _MINUS)


def _signed(value: float, text: str) -> str:
    return f"{'+' if value > 0 else _MINUS if value < 0 else '±'}{text}"
