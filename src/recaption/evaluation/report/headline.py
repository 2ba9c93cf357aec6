"""What is seen first: which column is better, by which measure, on how many items, and whether to believe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from recaption.evaluation.report.effects import Line, Measure, measure_of
from recaption.evaluation.report.marks import outcome
from recaption.evaluation.report.texts import short
from recaption.evaluation.result import Evaluation, Row

__all__ = ["Headline", "Lane", "Part", "headline_of", "key_measures"]

_MOST_CARDS: Final = 6
_FEWEST_CARDS: Final = 3
_VERDICT_CHARS: Final = 1000
_TOLD: Final = {
    "better": "better",
    "worse": "worse",
    "changed": "changed",
    "flat": "open",
    "bare": "open",
    "none": "open",
}
_SAID: Final = {
    "better": (" is better than ", " are better than "),
    "worse": (" is worse than ", " are worse than "),
    "changed": (" differs from ", " differ from "),
    "open": (" shows no clear change from ", " show no clear change from "),
}
"""By what is told: of one column and of several; the baseline's name follows."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the headline."""

    text: str
    order: int | None = None
    """Place of the column whose name it is; None for words of ours."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One column on its way past the baseline."""

    line: Line
    verdict: str
    """What the verdict says about it; may be empty."""
    bar: Markup
    """How many items gained, stayed and lost."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The top of the page."""

    title: Sequence[Part]
    measure: str
    """What the title speaks of; may be empty."""
    verdict: str
    """As a whole; empty where each lane has its part."""
    lanes: Sequence[Lane]
    counts: Sequence[tuple[str, str]]
    """Label and number of items."""
    failed: Sequence[str]
    """Controls that did not come out as they must."""


def headline_of(evaluation: Evaluation) -> Headline:
    """Return the top of the page."""
    row = _headline_row(evaluation)
    measure = measure_of(row, evaluation.columns) if row is not None else None
    lines = measure.lines if measure is not None else ()
    said = _by_column(evaluation.verdict, evaluation.columns)
    fits = len(said) == len(lines)
    return Headline(
        title=_title(measure, evaluation.columns, short(evaluation.caveat)),
        measure=measure.title if measure is not None else "",
        verdict="" if fits else short(evaluation.verdict, _VERDICT_CHARS),
        lanes=[
            Lane(
                line, short(said[i], _VERDICT_CHARS) if fits else "", _bar(row, evaluation.columns[line.order])
            )
            for i, line in enumerate(lines)
        ],
        counts=_counts(evaluation.counts),
        failed=[short(c.title, 200) for c in evaluation.controls if not c.holds],
    )


def key_measures(evaluation: Evaluation) -> list[Measure]:
    """Return the measures that get a card: the primary ones but for the headline's, and, where these are few, the
    first that compares of every other group."""
    headline = _headline_row(evaluation)
    rows = [r for r in evaluation.rows if r is not headline and _compares(r)]
    chosen = [r for r in rows if r.about.primary]
    groups = {r.about.group for r in chosen} | ({headline.about.group} if headline else set())
    for row in rows:
        if len(chosen) >= _FEWEST_CARDS:
            break
        if row.about.group not in groups:
            groups.add(row.about.group)
            chosen.append(row)
    return [measure_of(row, evaluation.columns) for row in chosen[:_MOST_CARDS]]


def _headline_row(evaluation: Evaluation) -> Row | None:
    return next((r for r in evaluation.rows if r.about.name == evaluation.headline), None)


def _bar(row: Row | None, column: str) -> Markup:
    effect = row.effects.get(column) if row is not None else None
    return outcome(effect) if effect is not None else Markup()


def _compares(row: Row) -> bool:
    return any(effect.delta is not None for effect in row.effects.values())


def _title(measure: Measure | None, columns: Sequence[str], caveat: str) -> list[Part]:
    """Return the headline in parts, so that each column's name can wear its colour."""
    baseline = Part(short(columns[0]), 0)
    others = [Part(short(c), i) for i, c in enumerate(columns) if i > 0]
    if not others:
        return [baseline, Part(", described")]
    if measure is None:
        return [Part("No verdict on "), *_listed(others)]
    said = []
    for tone, (one, several) in _SAID.items():
        names = [Part(line.column, line.order) for line in measure.lines if _TOLD.get(line.tone, "") == tone]
        if names:
            said.append([*_listed(names), Part(several if len(names) > 1 else one), baseline])
    parts = [part for i, clause in enumerate(said) for part in ([Part("; ")] if i else []) + clause]
    return [*parts, Part(f", {caveat}")] if caveat else parts


def _by_column(verdict: str, columns: Sequence[str]) -> list[str]:
    """Return a verdict on several columns as a paragraph each: it begins each with the column's name and a colon."""
    starts: list[int] = []
    for column in columns[1:]:
        # In their order, each where a sentence ends: a name may be the end of another one.
        opening = f". {column}: " if starts else f"{column}: "
        at = verdict.find(opening, starts[-1] + len(columns[len(starts)])) if starts else 0
        if at < 0 or not verdict.startswith(opening, at):
            return [verdict]
        starts.append(at + len(opening) - len(f"{column}: "))
    return [verdict[a:b].strip() for a, b in pairwise([*starts, len(verdict)])] or [verdict]


def _counts(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(short(name.replace("_", " "), 60), f"{count:,}") for name, count in list(counts.items())[:12]]


def _listed(names: Sequence[Part]) -> list[Part]:
    found = []
    for i, name in enumerate(names):
        if i:
            found.append(Part(" and " if i == len(names) - 1 else ", "))
        found.append(name)
    return found
