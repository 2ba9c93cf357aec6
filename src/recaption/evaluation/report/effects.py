"""Rows of an evaluation in the words and drawings of a page: one line for every column beside the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from recaption.evaluation.measures import About, Better, Value
from recaption.evaluation.report.marks import most_of, outcome, whisker
from recaption.evaluation.report.texts import short
from recaption.evaluation.result import Effect, Row
from recaption.evaluation.wording import change, interval, judgement, number

__all__ = ["Figure", "Line", "Measure", "effect_line", "figure_of", "measure_of", "tone_of"]

_TONES: Final = {
    "better": "better",
    "worse": "worse",
    "changed": "changed",
    "no clear change": "flat",
    "no interval": "bare",
}
_LONGEST_REASON: Final = 160
_NO_DRAWING: Final = Markup()


@dataclass(frozen=True, slots=True)
class Figure:
    """A value of a column, with its interval or the reason why there is none."""

    text: str
    interval: str = ""
    reason: str = ""
    n: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One column against the baseline."""

    column: str
    order: int
    """Place of the column; decides its colour."""
    figure: Figure
    tone: str
    """`better`, `worse`, `changed`, `flat` (the interval holds zero), `bare` (there is no interval), `none`."""
    word: str
    change: str = ""
    interval: str = ""
    drawn: Markup = _NO_DRAWING
    outcome: Markup = _NO_DRAWING
    counts: Sequence[tuple[str, int, float]] = ()
    """Items that gained, stayed and lost: word, number, share in percent. Empty where no item has its own value."""
    n: int = 0
    directed: bool = True
    """One direction is better."""
    test: str = ""
    """What the sign test says."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of all columns."""

    name: str
    title: str
    better: Better | None
    baseline: Figure
    lines: Sequence[Line]
    note: str


def measure_of(row: Row, columns: Sequence[str]) -> Measure:
    """Return a row as a page shows it; its columns' effects are drawn on a common scale."""
    most = most_of([e for c in columns[1:] if (e := row.effects.get(c)) is not None])
    return Measure(
        name=row.about.name,
        title=short(row.about.title, 120),
        better=row.about.better,
        baseline=figure_of(row.values.get(columns[0]), row.about),
        lines=[
            effect_line(row.effects.get(c), row.about, c, i, most, row.values.get(c))
            for i, c in enumerate(columns)
            if i > 0
        ],
        note=short(row.about.note, 1000),
    )


def figure_of(value: Value | None, about: About) -> Figure:
    """Return a value in words; a dash where there is none."""
    if value is None:
        return Figure("–", reason="not measured")
    if value.value is None:
        return Figure("–", reason=short(value.reason or "no value", _LONGEST_REASON), n=value.n)
    ends = ""
    if value.low is not None and value.high is not None:
        ends = f"{number(value.low, about).removesuffix(' %')} to {number(value.high, about)}"
    return Figure(number(value.value, about), ends, n=value.n)


def effect_line(
    effect: Effect | None, about: About, column: str, order: int, most: float, value: Value | None = None
) -> Line:
    """Return an effect in words and drawings, on a scale of ±`most`."""
    figure = figure_of(value, about)
    if effect is None or effect.delta is None:
        return Line(short(column), order, figure, "none", "not compared", n=effect.n if effect else 0)
    tone = tone_of(effect, about)
    return Line(
        column=short(column),
        order=order,
        figure=figure,
        tone=tone,
        word=_word(effect, about, tone),
        change=change(effect.delta, about),
        interval=interval(effect, about),
        drawn=whisker(effect, most),
        outcome=outcome(effect, neutral=about.better is None),
        counts=_counts(effect, about),
        n=effect.n,
        directed=about.better is not None,
        test=f"sign test p {_p_value(effect.p_value)}" if effect.p_value is not None else "",
    )


def tone_of(effect: Effect, about: About) -> str:
    """Return how an effect is to be taken, for style sheets."""
    return _TONES[judgement(effect, about)]


def _word(effect: Effect, about: About, tone: str) -> str:
    if tone == "changed":
        return "higher" if (effect.delta or 0.0) > 0 else "lower"
    return judgement(effect, about)


def _counts(effect: Effect, about: About) -> Sequence[tuple[str, int, float]]:
    words = ("higher", "same", "lower") if about.better is None else ("better", "same", "worse")
    total = effect.wins + effect.ties + effect.losses
    if total == 0:
        return ()
    counts = (effect.wins, effect.ties, effect.losses)
    return [(word, count, 100 * count / total) for word, count in zip(words, counts, strict=True)]


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"
