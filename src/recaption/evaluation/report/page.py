"""The report as one HTML file: nothing is fetched, nothing runs, and every text of the data is only ever text.

The page has no script, and a policy that forbids scripts and everything from elsewhere. What a template prints passes
one gate, which writes control and bidi characters out, and is escaped; the data decides neither markup nor styles.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from pathlib import PurePath
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

import recaption
from recaption.core.types import JsonValue
from recaption.evaluation.measures import Listing
from recaption.evaluation.report.examples import MOST_EXAMPLES, example_groups
from recaption.evaluation.report.facts import facts_of, split_facts
from recaption.evaluation.report.headline import headline_of, key_measures
from recaption.evaluation.report.plots import MOST_POINTS, histogram, sampled, scatter
from recaption.evaluation.report.svg import Ids
from recaption.evaluation.report.tables import group_tables, slice_tables
from recaption.evaluation.report.texts import Cut, cleaned, cut, short
from recaption.evaluation.report.thumbnails import Thumbnail
from recaption.evaluation.result import Evaluation

__all__ = ["render"]

_MOST_SOURCES: Final = 4
_MOST_PLOTS: Final = 12
_MOST_SCATTERS: Final = 8
_FEWEST_DOTS: Final = 6
"""Places of dots; a cloud of fewer shows less than the table."""
_MOST_DOTS: Final = 1200
"""Of all clouds together."""
_MOST_LISTINGS: Final = 24
_MOST_ROWS: Final = 20
_MOST_CELLS: Final = 8
_CELL_CHARS: Final = 120
_NUMBER: Final = re.compile(r"[+−-]?\d[\d.,]{0,20}( ?%)?|–?")
_MOST_SENTENCES: Final = 40
_SENTENCE_CHARS: Final = 600
_COLOURS: Final = 6
"""Columns in colours of their own; further ones begin again."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing with its title."""

    title: str
    drawing: Markup
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A listing, bounded."""

    title: str
    note: str
    header: Sequence[str]
    numeric: Sequence[bool]
    """Which columns hold numbers, and stand at the right."""
    rows: Sequence[Sequence[Cut]]
    left_out: int


def render(evaluation: Evaluation, thumbnails: Mapping[str, Thumbnail] | None = None) -> str:
    """Return the page. Bounded whatever the number of items: it shows 60 examples at most.

    Args:
        thumbnails: By name, what `read_thumbnails` gives; those that examples name are put into the page.
    """
    thumbnails = thumbnails or {}
    style = _style()
    about, run = facts_of(evaluation.about), facts_of(evaluation.run)
    page = _environment().get_template("page.html.j2")
    html = page.render(
        style=Markup(style),  # noqa: S704 - our own file
        policy=_policy(style),
        version=recaption.__version__,
        source=_source(evaluation.about),
        columns=[short(c) for c in evaluation.columns],
        headline=headline_of(evaluation),
        findings=_sentences(evaluation.findings),
        cards=key_measures(evaluation),
        groups=group_tables(evaluation),
        histograms=_histograms(evaluation),
        scatters=_scatters(evaluation),
        slices=slice_tables(evaluation),
        listings=[_table(t) for t in evaluation.listings[:_MOST_LISTINGS] if t.rows],
        example_groups=example_groups(evaluation, thumbnails),
        examples_left_out=max(0, len(evaluation.examples) - MOST_EXAMPLES),
        controls=evaluation.controls[:_MOST_SENTENCES],
        skipped=[(short(s.metric), short(s.reason, 300)) for s in evaluation.skipped[:_MOST_SENTENCES]],
        limits=_sentences(evaluation.limits),
        run=split_facts(run),
        about=split_facts(about),
        colours=_COLOURS,
    )
    return _squeezed(html)


def _source(about: Mapping[str, JsonValue]) -> str:
    """Return the names of what was read, without the folders they lie in."""
    said = about.get("input", about.get("sources", ""))
    names = [name for name in (said if isinstance(said, list) else [said]) if isinstance(name, str)]
    return ", ".join(short(PurePath(name).name or name, 60) for name in names[:_MOST_SOURCES])


def _histograms(evaluation: Evaluation) -> list[Plot]:
    rows = {row.about.name: row for row in evaluation.rows}
    ids = Ids()
    found = []
    for plot in evaluation.histograms[:_MOST_PLOTS]:
        if not _is_drawable(plot.edges, plot.counts):
            continue
        row = rows.get(plot.measure)
        values = row.values.items() if row is not None else ()
        means = {c: v.value for c, v in values if v.value is not None}
        about = row.about if row is not None else None
        found.append(Plot(short(plot.title, 120), histogram(plot, evaluation.columns, means, about, ids)))
    return found


def _scatters(evaluation: Evaluation) -> list[Plot]:
    abouts = {row.about.name: row.about for row in evaluation.rows}
    ids = Ids("s")
    found = []
    plots = [s for s in evaluation.scatters if len(set(s.points)) >= _FEWEST_DOTS][:_MOST_SCATTERS]
    most = min(MOST_POINTS, _MOST_DOTS // max(1, len(plots)))
    for plot in plots:
        drawing = scatter(plot, evaluation.columns, abouts.get(plot.measure), ids, most)
        shown = len(sampled(plot.points, most))
        note = f"{shown:,} of {len(plot.points):,} items" if shown < len(plot.points) else ""
        found.append(Plot(f"{short(plot.title, 120)}: {short(plot.column)}", drawing, note))
    return found


def _is_drawable(edges: Sequence[float], counts: Mapping[str, Sequence[int]]) -> bool:
    """Say whether there is something to draw: rising edges, and as many counts as there are bins."""
    fitting = all(len(c) == len(edges) - 1 for c in counts.values())
    return len(edges) > 1 and fitting and all(a < b for a, b in pairwise(edges))


def _table(listing: Listing) -> Table:
    rows = [[cut(cell, _CELL_CHARS) for cell in row[:_MOST_CELLS]] for row in listing.rows[:_MOST_ROWS]]
    width = max(len(listing.header[:_MOST_CELLS]), *map(len, rows))
    return Table(
        title=short(listing.title, 120),
        note=short(listing.note, 400),
        header=[short(h, 40) for h in listing.header[:_MOST_CELLS]],
        numeric=[all(_NUMBER.fullmatch(r[i].text) for r in rows if i < len(r)) for i in range(width)],
        rows=rows,
        left_out=max(0, len(listing.rows) - _MOST_ROWS),
    )


def _sentences(sentences: Sequence[str]) -> list[str]:
    return [short(s, _SENTENCE_CHARS) for s in sentences[:_MOST_SENTENCES]]


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_file),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_gate,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _gate(value: object) -> object:
    """Let through what a template prints: drawings as they are, all else as text without control characters."""
    if value is None:
        raise TypeError("a template printed a value that is not there")
    return value if isinstance(value, Markup) else cleaned(str(value))


@cache
def _style() -> str:
    text = re.sub(r"/\*.*?\*/", "", _file("style.css"), flags=re.DOTALL)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _policy(style: str) -> str:
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _file(name: str) -> str:
    return files("recaption.evaluation.report").joinpath("templates", name).read_text(encoding="utf-8")


def _squeezed(html: str) -> str:
    """Return a page without the blanks that templates are indented with; they are a fifth of it."""
    return re.sub(r"\n[ \t\n]+", "\n", html)
