"""An evaluation in the terminal: the verdict, the table, what is to be said beside it, and where the page is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from rich.table import Table
from rich.text import Text

from recaption.console import out, safe
from recaption.core.printable import printable
from recaption.evaluation.measures import About, Group
from recaption.evaluation.result import Effect, Evaluation, Row
from recaption.evaluation.wording import change, interval, judgement, number

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
_WIDE: Final = 110
"""Columns of a terminal from which there is room for who won."""


def show_evaluation(evaluation: Evaluation, *, everything: bool = False) -> None:
    """Print what an evaluation found: the figures that matter most or clearly changed, or all of them."""
    out.print(f"[bold]{safe(evaluation.verdict)}[/]")
    for sentence in evaluation.findings[:_MAX_FINDINGS]:
        out.print(f"[yellow]note:[/] {safe(sentence)}")
    for column in evaluation.columns[1:]:
        rows = [row for row in evaluation.rows if everything or _matters(row, column)]
        out.print(_table(rows, evaluation.columns[0], column))
        if len(rows) < len(evaluation.rows):
            out.print(f"{len(evaluation.rows) - len(rows)} more figures: --all, or the report", style="dim")
    out.print("▲ better  ▼ worse  ◆ changed, no direction is better  · no clear change", style="dim")
    for control in evaluation.controls:
        mark = "[green]holds[/]" if control.holds else "[red]FAILED[/]"
        out.print(
            f"control {mark}: {safe(control.title)}: {control.value:.4g}, expected {safe(control.expected)}"
        )
    out.print(safe(", ".join(f"{name}: {n:,}" for name, n in evaluation.counts.items())))
    for skipped in evaluation.skipped:
        out.print(f"not run: {safe(skipped.metric)}: {safe(skipped.reason)}", style="dim")
    for limit in evaluation.limits:
        out.print(f"[yellow]limit:[/] {safe(limit)}")


def _matters(row: Row, column: str) -> bool:
    effect = row.effects.get(column)
    if effect is None:
        return False
    return row.about.primary or row.about.plot or judgement(effect, row.about) in ("better", "worse")


def _table(rows: Sequence[Row], baseline: str, column: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("measure", overflow="fold")
    for name in (baseline, column, "change", "95 % interval"):
        table.add_column(Text(printable(name)), justify="right", overflow="fold")
    wide = out.width >= _WIDE
    if wide:
        table.add_column("win/tie/lose", justify="right", style="dim")
    for group, of_group in _grouped(rows):
        table.add_row("", Text(group, style="bold dim"))
        for row in of_group:
            table.add_row(*_cells(row, baseline, column)[: 7 if wide else 6])
    return table


def _grouped(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    ordered = sorted(rows, key=lambda row: _GROUPS.index(row.about.group))
    for group, of_group in groupby(ordered, key=lambda row: row.about.group):
        yield group, list(of_group)


def _cells(row: Row, baseline: str, column: str) -> list[Text]:
    about, effect = row.about, row.effects.get(column)
    sign, style = _SIGNS[judgement(effect, about)] if effect else ("", "")
    return [
        Text(sign, style=style),
        Text(printable(about.title)),
        Text(_value(row, baseline)),
        Text(_value(row, column)),
        Text(change(effect.delta, about) if effect else "–", style=style),
        Text(interval(effect, about) if effect else ""),
        Text(_wins(effect, about)),
    ]


def _value(row: Row, column: str) -> str:
    value = row.values.get(column)
    return number(value.value, row.about) if value else "–"


def _wins(effect: Effect | None, about: About) -> str:
    if effect is None or about.better is None or not effect.wins + effect.ties + effect.losses:
        return ""
    return f"{effect.wins:,}/{effect.ties:,}/{effect.losses:,}"
