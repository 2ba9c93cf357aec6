"""The before/after table by groups, and the same effects within subsets of the items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from recaption.evaluation.measures import Group
from recaption.evaluation.report.effects import Line, Measure, effect_line, measure_of, tone_of
from recaption.evaluation.report.marks import most_of
from recaption.evaluation.report.texts import short
from recaption.evaluation.result import Evaluation, Row, Slice

__all__ = ["GROUPS", "GroupTable", "SliceTable", "group_tables", "slice_tables"]

GROUPS: Final[Mapping[Group, tuple[str, str]]] = {
    "judges": ("Preference of judges", "Both texts were shown beside the image, in both orders."),
    "retrieval": (
        "Telling images apart",
        "Does a text find its own image among others, and an image its text?",
    ),
    "agreement": (
        "Agreement with the image",
        "How well a text fits its own image, as an image-text model sees it.",
    ),
    "faithfulness": ("Faithfulness", "Does the text name what is in the image, and nothing that is not?"),
    "references": (
        "Nearness to reference texts",
        "How much a text shares with what people wrote about the image.",
    ),
    "fluency": ("Fluency", "Is it well-formed language, as a language model or a grammar sees it?"),
    "sameness": ("Sameness", "Do the texts repeat themselves, within a text or from image to image?"),
    "length": ("Length", "How long the texts are, and what a text encoder would cut off."),
}
"""In the order of the page: title and the question that the figures answer."""
_LARGE_SLICE: Final = 50
"""Items; from here on a subset that got worse is worth a warning."""
_MOST_SUBSETS: Final = 12
_MOST_TABLES: Final = 12
_MOST_MEASURES: Final = 60
"""Of one group."""
_MOST_NOTES: Final = 24


@dataclass(frozen=True, slots=True)
class GroupTable:
    """The figures of one group."""

    group: str
    title: str
    question: str
    measures: Sequence[Measure]
    notes: Sequence[tuple[str, str]]
    """Titles of figures, and what decides them."""
    left_out: int


@dataclass(frozen=True, slots=True)
class SliceTable:
    """The effect on one measure within the subsets by one column."""

    title: str
    by: str
    better: str | None
    whole: Sequence[Line]
    """Over all items, to compare with."""
    subsets: Sequence[tuple[str, Sequence[tuple[Line, str]]]]
    """Value, and the line of each column with a warning or nothing."""
    left_out: int
    warnings: Sequence[str]


def group_tables(evaluation: Evaluation) -> list[GroupTable]:
    """Return the groups that have figures, in the order of the page."""
    found = []
    for group, (title, question) in GROUPS.items():
        rows = [row for row in evaluation.rows if row.about.group == group]
        measures = [measure_of(row, evaluation.columns) for row in rows[:_MOST_MEASURES]]
        if measures:
            left_out = len(rows) - len(measures)
            found.append(GroupTable(group, title, question, measures, _notes(measures), left_out))
    return found


def slice_tables(evaluation: Evaluation) -> list[SliceTable]:
    """Return a table for every measure and subset column; a large subset that got worse while all together got better
    has a warning."""
    rows = {row.about.name: row for row in evaluation.rows}
    grouped: dict[tuple[str, str], dict[str, dict[str, Slice]]] = {}
    for part in evaluation.slices:
        if part.measure in rows and part.column in evaluation.columns:
            values = grouped.setdefault((part.measure, part.by), {})
            values.setdefault(part.value, {})[part.column] = part
    return [
        _slice_table(rows[measure], by, values, evaluation.columns)
        for (measure, by), values in list(grouped.items())[:_MOST_TABLES]
    ]


def _slice_table(
    row: Row, by: str, values: Mapping[str, Mapping[str, Slice]], columns: Sequence[str]
) -> SliceTable:
    shown = dict(list(values.items())[:_MOST_SUBSETS])
    wholes = {c: e for c in columns[1:] if (e := row.effects.get(c)) is not None}
    most = most_of([*wholes.values(), *(p.effect for parts in shown.values() for p in parts.values())])
    subsets, warnings = [], []
    for value, parts in shown.items():
        lines = []
        for i, column in enumerate(columns):
            if column not in parts:
                continue
            line = effect_line(parts[column].effect, row.about, column, i, most)
            warning = _warning(row, parts[column])
            lines.append((line, warning))
            if warning:
                warnings.append(
                    f"{short(column)}: better on the whole, {warning} where {short(by)} is {short(value)} "
                    f"({line.change}, {line.n:,} items)"
                )
        subsets.append((short(value), lines))
    whole = [effect_line(e, row.about, c, columns.index(c), most) for c, e in wholes.items()]
    title = short(row.about.title, 120)
    return SliceTable(
        title, short(by), row.about.better, whole, subsets, max(0, len(values) - len(shown)), warnings
    )


def _warning(row: Row, part: Slice) -> str:
    """Say how a subset got worse, where it is large and all items together got better."""
    whole, delta = row.effects.get(part.column), part.effect.delta
    if whole is None or delta is None or part.effect.n < _LARGE_SLICE or tone_of(whole, row.about) != "better":
        return ""
    if tone_of(part.effect, row.about) == "worse":
        return "clearly worse"
    return "perhaps worse" if delta != 0 and (delta > 0) != (row.about.better == "higher") else ""


def _notes(measures: Sequence[Measure]) -> list[tuple[str, str]]:
    """Return each note once, with the titles of the figures that it belongs to."""
    titles: dict[str, list[str]] = {}
    for measure in measures:
        if measure.note:
            titles.setdefault(measure.note, []).append(measure.title)
    return [(", ".join(names), note) for note, names in list(titles.items())[:_MOST_NOTES]]
