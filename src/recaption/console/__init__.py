"""What a person sees in the terminal: progress on stderr, results on stdout, hostile text made harmless."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console, JustifyMethod, OverflowMethod
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
)
from rich.progress import Progress as Bar
from rich.table import Column, Table
from rich.text import Text

from recaption.core.printable import printable
from recaption.core.types import Record
from recaption.runs.plan import Plan, PlannedStage
from recaption.runs.run import Progress, Summary

__all__ = ["before_after", "err", "out", "progress_bar", "safe", "show_plan", "show_summary", "show_table"]

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)

LINE_EVERY_S = 60.0
MAX_ROWS_PER_GROUP = 12
MAX_NOTES = 20
MAX_NOTE_CHARS = 500
MAX_CELL_CHARS = 300
KEY_COLUMNS = 32
"""Columns of the terminal for a key, which may be a long path or address; the texts beside it need the room."""
GROUP_TITLES = {
    "chosen": "what stands for the image",
    "rules": "text rules that fired",
    "flags": "flags",
    "evidence": "evidence",
    "fit": "token budget",
    "audit": "what people decided, and what became of it",
    "rejects": "rejects, by stage and reason",
}


def safe(text: str) -> str:
    """Return text that `print` shows as it stands, only that it cannot drive the terminal."""
    return escape(printable(text))


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Show a bar with rate, remaining time and counts; where stderr is no terminal, a line now and then."""
    if not err.is_terminal:
        yield _Lines().watch
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}", table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[failed]} rejected"),
    )
    with Bar(*columns, console=err, transient=True) as bar:
        task = bar.add_task("survey", total=None, failed=0, pace="")

        def watch(progress: Progress) -> None:
            if progress.total is not None and bar.tasks[0].total is None:
                bar.reset(task)  # the time of the survey is none of the captions'
            bar.update(
                task,
                description=_phase(progress),
                total=progress.total,
                completed=progress.done,
                failed=progress.failed,
                pace=_pace(progress, bar.tasks[0].elapsed or 0.0),  # of the moment something was done
            )

        yield watch


class _Lines:
    """Progress for a log file: a line at most every `LINE_EVERY_S` seconds, none for a short run."""

    def __init__(self) -> None:
        self._phase = "survey"
        self._began = self._last = time.monotonic()

    def watch(self, progress: Progress) -> None:
        """Print how far a run is, if it is time."""
        now = time.monotonic()
        if _phase(progress) != self._phase:
            self._phase, self._began = _phase(progress), now
        if now - self._last < LINE_EVERY_S:
            return
        self._last = now
        of = "" if progress.total is None else f" of {progress.total:,}"
        parts = [f"{progress.done:,}{of}", _pace(progress, now - self._began), f"{progress.failed:,} rejected"]
        err.print(f"{self._phase}: {', '.join(part for part in parts if part)}", soft_wrap=True)


def _phase(progress: Progress) -> str:
    return "survey" if progress.total is None else "captioning"


def _pace(progress: Progress, elapsed: float) -> str:
    """Return items a second and the time left after `elapsed` seconds; nothing where it is too early to say."""
    fresh = progress.done - progress.resumed
    if elapsed <= 0.5 or fresh <= 0:
        return ""
    rate = fresh / elapsed
    if progress.total is None:
        return _rate(rate)
    return f"{_rate(rate)}, {_lasting((progress.total - progress.done) / rate).removeprefix('about ')} left"


def _rate(per_second: float) -> str:
    """Return a rate with at least two digits that tell."""
    if per_second >= 10:
        return f"{per_second:,.0f}/s"
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{per_second * 60:.1f}/min"


def show_summary(summary: Summary, folder: str) -> None:
    """Print what a run did and what its folder holds."""
    rate = (summary.items - summary.resumed) / summary.seconds if summary.seconds > 0 else 0.0
    out.print(
        f"[bold]{summary.kept:,} of {summary.items:,}[/] records captioned, {summary.dropped:,} dropped, "
        f"{summary.failed:,} failed, in {summary.seconds:.1f} s ({_rate(rate)})"
    )
    if summary.resumed:
        out.print(f"{summary.resumed:,} were done before; calls remembered: {summary.calls_recalled:,}")
    out.print(f"calls made: {summary.calls_paid:,}")
    for name, usage in summary.usage.items():
        cost = f", cost {usage.cost:,.4f}" if usage.cost else ""
        out.print(
            f"spent so far in this folder on {safe(_cut(name, MAX_CELL_CHARS))}: {usage.requests:,} requests, "
            f"{usage.prompt_tokens:,} tokens in, {usage.completion_tokens:,} out{cost}"
        )
    marked = summary.stats.get("flags", {}).get("audit", 0)
    if marked:
        out.print(f"{marked:,} marked for audit")
    if contest := summary.stats.get("contest"):
        out.print(
            _contest(contest.get("a model wrote beside an original", 0), contest.get("the original stays", 0))
        )
    _show_notes(summary.notes)
    for group, title in GROUP_TITLES.items():
        counts = summary.stats.get(group)
        if counts:
            _show_counts(title, counts)
    out.print(f"[bold]Output[/] {safe(folder)}")


def _show_notes(notes: Sequence[str]) -> None:
    for note in notes[:MAX_NOTES]:
        out.print(f"[yellow]note:[/] {safe(_cut(note, MAX_NOTE_CHARS))}")
    if len(notes) > MAX_NOTES:
        out.print(f"{len(notes) - MAX_NOTES:,} more notes")


def _contest(fought: int, stays: int) -> str:
    """Say how often what a model wrote lost to the text that came."""
    if stays == fought:
        return f"no text of the model beats the original: it stays for all {fought:,}"
    share = 100 * stays / fought
    return f"the original stays for {stays:,} of the {fought:,} that a model wrote for ({share:.0f} %)"


def show_plan(plan: Plan) -> None:
    """Print what a run would do, stage by stage, and what it would take in all."""
    out.print(f"{plan.items:,} items, {plan.images:,} with an image, {plan.shards:,} shards")
    for stage in plan.stages:
        out.print(f"  {safe(_planned(stage))}")
        for note in stage.notes if stage.calls else ():
            out.print(f"    {safe(note)}")
        if stage.problem:
            out.print(f"    [yellow]cannot work here:[/] {safe(_cut(stage.problem, MAX_NOTE_CHARS))}")
    if any(stage.is_paid for stage in plan.stages):
        out.print(f"cost: {_cost(plan)}")
    time = (
        safe(plan.rate_source)
        if plan.seconds is None
        else f"{_lasting(plan.seconds)}, {safe(plan.rate_source)}"
    )
    out.print(f"time: {time}")
    out.print(f"disk: at most {plan.disk_bytes / 1e6:,.1f} MB")
    _show_notes(plan.notes)


def _cost(plan: Plan) -> str:
    if plan.cost is not None:
        return f"at most {plan.cost:,.2f}"
    costs = [stage.writing_cost for stage in plan.stages if stage.is_paid]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return "unknown: give --price-in and --price-out"
    return f"at most {sum(known):,.2f} for what is written, and for what is read unknown (see the tokens above)"


def _planned(stage: PlannedStage) -> str:
    if not stage.what:
        return stage.name
    parts = [f"{stage.name}: at most {stage.calls:,} {stage.what} ({_cut(stage.model, MAX_CELL_CHARS)})"]
    if stage.remembered:
        parts.append(f"about {stage.remembered:,} remembered")
    if stage.completion_tokens:
        read = "an unknown number of" if stage.prompt_tokens is None else f"about {stage.prompt_tokens:,}"
        parts.append(f"{read} tokens in, at most {stage.completion_tokens:,} out")
    if stage.cost is not None:
        parts.append(f"cost at most {stage.cost:,.2f}")
    return "; ".join(parts)


def _lasting(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 120:
        return f"about {seconds:.0f} s"
    if seconds < 7200:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def _show_counts(title: str, counts: Mapping[str, int]) -> None:
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
    """Print rows under a header; every cell is made harmless and bounded, and a key keeps its end."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(header):
        justify: JustifyMethod = "right" if right_align_last and i == len(header) - 1 else "left"
        whole = name in ("key", "library", "model", "stage")  # names that are no use in two parts
        overflow: OverflowMethod = "ellipsis" if whole else "fold"
        table.add_column(name, justify=justify, overflow=overflow, no_wrap=whole)
    for row in rows:
        table.add_row(*(_cell(name, text) for name, text in zip(header, row, strict=True)))
    out.print(table)


def _cell(column: str, text: str) -> Text:
    if column != "key":
        return Text(printable(_cut(text, MAX_CELL_CHARS)))
    key = printable(text)
    if cell_len(key) <= KEY_COLUMNS:
        return Text(key)
    end = key[-(KEY_COLUMNS - 1) :]  # paths and addresses of one dataset differ in their end
    while cell_len(end) > KEY_COLUMNS - 1:
        end = end[1:]
    return Text(f"…{end}")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def before_after(records: Iterable[Record]) -> None:
    """Print each record's original text and the one that stands for it now."""
    rows = []
    for record in records:
        best = record.best
        was = record.original_text
        rows.append((record.key, "—" if was is None else was, best.text if best else "—"))
    if rows:
        show_table(("key", "before", "after"), rows)
