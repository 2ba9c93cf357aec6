"""What a person sees in the terminal: progress on stderr, results on stdout, hostile text made harmless."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from recaption.core.types import Record
from recaption.runs.run import Progress, Summary

__all__ = ["before_after", "err", "out", "progress_bar", "safe", "show_summary", "show_table"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)

MAX_ROWS_PER_GROUP = 12
GROUP_TITLES = {
    "chosen": "what stands for the image",
    "rules": "text rules that fired",
    "flags": "flags",
    "evidence": "evidence",
    "fit": "token budget",
    "rejects": "rejects, by stage and reason",
}


def safe(text: str) -> str:
    """Return text that cannot drive the terminal: control and bidi characters are shown as escapes."""
    shown = "".join(
        c if not unicodedata.category(c).startswith("C") or c in "\u200d\ufe0f" else f"\\u{ord(c):04x}"
        for c in text
    )
    return escape(shown)


class _Rate(ProgressColumn):
    """Items a second since the start, those resumed left out."""

    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or 0.0
        fresh = task.completed - task.fields.get("resumed", 0)
        return Text(f"{fresh / elapsed:,.0f}/s" if elapsed > 0.5 and fresh > 0 else "")


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Show a bar with rate, remaining time and counts; where stderr is no terminal, nothing but the end."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} rejected"),
    )
    with Bar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("survey", total=None, failed=0, resumed=0)

        def watch(progress: Progress) -> None:
            bar.update(
                task,
                description="survey" if progress.total is None else "captioning",
                total=progress.total,
                completed=progress.done,
                failed=progress.failed,
                resumed=progress.resumed,
            )

        yield watch


def show_summary(summary: Summary, folder: str) -> None:
    """Print what a run did and what its folder holds."""
    rate = (summary.items - summary.resumed) / summary.seconds if summary.seconds > 0 else 0.0
    out.print(
        f"[bold]{summary.kept:,} of {summary.items:,}[/] records captioned, {summary.dropped:,} dropped, "
        f"{summary.failed:,} failed, in {summary.seconds:.1f} s ({rate:,.0f}/s)"
    )
    if summary.resumed:
        out.print(f"{summary.resumed:,} were done before; expert calls remembered: {summary.calls_recalled:,}")
    out.print(f"expert calls made: {summary.calls_paid:,}")
    for note in summary.notes:
        out.print(f"[yellow]note:[/] {safe(note)}")
    for group, title in GROUP_TITLES.items():
        counts = summary.stats.get(group)
        if counts:
            show_counts(title, counts)
    out.print(f"[bold]Output[/] {safe(folder)}")


def show_counts(title: str, counts: Mapping[str, int]) -> None:
    """Print one tally, the largest first."""
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [(name, f"{count:,}") for name, count in rows[:MAX_ROWS_PER_GROUP]]
    if len(rows) > MAX_ROWS_PER_GROUP:
        rest = sum(count for _, count in rows[MAX_ROWS_PER_GROUP:])
        shown.append((f"{len(rows) - MAX_ROWS_PER_GROUP} more kinds", f"{rest:,}"))
    show_table((title, ""), shown, right_align_last=True)


def show_table(
    header: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, right_align_last: bool = False
) -> None:
    """Print rows under a header; every cell is made harmless."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(header):
        last = i == len(header) - 1
        narrow = name == "key"  # a key may be a long path or address, and the texts need the room
        table.add_column(
            name,
            justify="right" if right_align_last and last else "left",
            overflow="ellipsis" if narrow else "fold",
            no_wrap=narrow,
            max_width=24 if narrow else None,
        )
    for row in rows:
        table.add_row(*(safe(cell) for cell in row))
    out.print(table)


def before_after(records: Iterable[Record]) -> None:
    """Print each record's original text and the one that stands for it now."""
    rows = []
    for record in records:
        best = record.best
        was = record.original_text
        rows.append((record.key, "—" if was is None else was, best.text if best else "—"))
    if rows:
        show_table(("key", "before", "after"), rows)
