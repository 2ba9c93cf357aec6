"""An evaluation in the terminal: the verdict, the table, what is to be said beside it, and where the page is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, TypeAlias

from rich.table import Table
from rich.text import Text

from recaption.console import out, safe
from recaption.core.printable import printable
from recaption.evaluation.measures import About, Group
from recaption.evaluation.result import Effect, Evaluation, Row, Slice
from recaption.evaluation.slices import LENGTH_RATIO
from recaption.evaluation.wording import change, interval, judgement, number, span

__all__ = ["show_evaluation"]

_GROUPS: Final[tuple[Group, ...]] = (
    "judges",
    "retrieval",
    "agreement",
    "faithfulness",
    "references",
    "fluency",
    "sameness",
    "length",
)
_SIGNS: Final = {
    "better": ("▲", "green"),
    "worse": ("▼", "red"),
    "changed": ("◆", "cyan"),
    "no clear change": ("·", "dim"),
    "no interval": (" ", ""),
}
_MAX_FINDINGS: Final = 12
_MAX_REASON: Final = 90
Cells: TypeAlias = "Callable[[Row], list[Text]]"
"""A row's cells: its sign, then one for each heading."""

_WIDE: Final = 110
"""Columns of a terminal from which there is room for who won."""


def show_evaluation(evaluation: Evaluation, *, everything: bool = False) -> None:
    """Print what an evaluation found: the figures that matter most or clearly changed, or all of them."""
    out.print(f"[bold]{safe(evaluation.verdict)}[/]")
    for sentence in evaluation.findings[:_MAX_FINDINGS]:
        out.print(f"[yellow]note:[/] {safe(sentence)}")
    rows = [row for row in evaluation.rows if everything or _matters(row, evaluation.columns)]
    out.print(_table(rows, evaluation.columns, names=everything))
    if len(rows) < len(evaluation.rows):
        out.print(f"{len(evaluation.rows) - len(rows)} more figures: --all, or the report", style="dim")
    if len(evaluation.columns) > 1:
        out.print("▲ better  ▼ worse  ◆ changed, no direction is better  · no clear change", style="dim")
    subsets = [part for part in evaluation.slices if part.by != LENGTH_RATIO]
    if subsets:
        out.print(_subsets(subsets, evaluation))
    for control in evaluation.controls:
        mark = "[green]holds[/]" if control.holds else "[red]FAILED[/]"
        out.print(
            f"control {mark}: {safe(control.title)}: {control.value:.4g}, expected {safe(control.expected)}"
        )
    out.print(safe(", ".join(f"{name}: {n:,}" for name, n in evaluation.counts.items())))
    lacking: dict[str, list[str]] = {}
    for skipped in evaluation.skipped:
        lacking.setdefault(skipped.reason, []).append(skipped.metric)
    for reason, metrics in lacking.items():
        why = reason if everything or len(reason) <= _MAX_REASON else f"{reason[:_MAX_REASON]}… (--all)"
        out.print(f"not run: {safe(', '.join(metrics))}: {safe(why)}", style="dim")
    for limit in evaluation.limits:
        out.print(f"[yellow]limit:[/] {safe(limit)}")


def _matters(row: Row, columns: Sequence[str]) -> bool:
    if row.about.primary or row.about.plot or len(columns) == 1:
        return any(value.value is not None for value in row.values.values())
    return any(judgement(effect, row.about) in ("better", "worse") for effect in row.effects.values())


def _table(rows: Sequence[Row], columns: Sequence[str], *, names: bool) -> Table:
    """Return one table for all columns: with intervals if there is room for them, of one or two columns that is."""
    header, cells = {1: _described, 2: _compared}.get(len(columns), _side_by_side)(columns)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("measure", overflow="fold")
    for name in header:
        table.add_column(Text(printable(name)), justify="right", overflow="fold")
    for group, of_group in _grouped(rows):
        table.add_row("", Text(group, style="bold dim"))
        for row in of_group:
            sign, *rest = cells(row)
            title = Text(printable(row.about.title))
            if names:
                title.append(f"\n{printable(row.about.name)}", style="dim")
            table.add_row(sign, title, *rest)
    return table


def _subsets(parts: Sequence[Slice], evaluation: Evaluation) -> Table:
    """Return the effects within the subsets that were asked for; small ones are left out by whoever made them."""
    abouts = {row.about.name: row.about for row in evaluation.rows}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "subset", "measure", "change", "95 % interval", "items"):
        table.add_column(
            name, justify="left" if name in ("", "subset", "measure") else "right", overflow="fold"
        )
    for part in parts:
        about = abouts[part.measure]
        sign, style = _SIGNS[judgement(part.effect, about)]
        table.add_row(
            Text(sign, style=style),
            Text(printable(f"{part.by} = {part.value}: {part.column}")),
            Text(printable(about.title)),
            Text(change(part.effect.delta, about), style=style),
            Text(interval(part.effect, about)),
            f"{part.effect.n:,}",
        )
    return table


def _grouped(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    ordered = sorted(rows, key=lambda row: _GROUPS.index(row.about.group))
    for group, of_group in groupby(ordered, key=lambda row: row.about.group):
        yield group, list(of_group)


def _described(columns: Sequence[str]) -> tuple[list[str], Cells]:
    (only,) = columns

    def cells(row: Row) -> list[Text]:
        value = row.values.get(only)
        interval_of_value = span(value, row.about) if value else ""
        return [Text(""), Text(_value(row, only)), Text(interval_of_value, style="dim")]

    return [only, "95 % interval"], cells


def _compared(columns: Sequence[str]) -> tuple[list[str], Cells]:
    baseline, column = columns
    wide = out.width >= _WIDE

    def cells(row: Row) -> list[Text]:
        effect = row.effects.get(column)
        sign, style = _SIGNS[judgement(effect, row.about)] if effect else ("", "")
        return [
            Text(sign, style=style),
            Text(_value(row, baseline)),
            Text(_value(row, column)),
            Text(change(effect.delta, row.about) if effect else "–", style=style),
            Text(interval(effect, row.about) if effect else ""),
            *([Text(_wins(effect, row.about), style="dim")] if wide else []),
        ]

    return [baseline, column, "change", "95 % interval", *(["win/tie/lose"] if wide else [])], cells


def _side_by_side(columns: Sequence[str]) -> tuple[list[str], Cells]:
    def told(row: Row, column: str) -> Text:
        effect = row.effects.get(column)
        sign, style = _SIGNS[judgement(effect, row.about)] if effect else (" ", "")
        return Text(f"{_value(row, column)} {sign}", style=style)

    def cells(row: Row) -> list[Text]:
        return [Text(""), Text(_value(row, columns[0])), *(told(row, column) for column in columns[1:])]

    return list(columns), cells


def _value(row: Row, column: str) -> str:
    value = row.values.get(column)
    return number(value.value, row.about) if value else "–"


def _wins(effect: Effect | None, about: About) -> str:
    if effect is None or about.better is None or not effect.wins + effect.ties + effect.losses:
        return ""
    return f"{effect.wins:,}/{effect.ties:,}/{effect.losses:,}"
