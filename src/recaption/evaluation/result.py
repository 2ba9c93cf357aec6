"""What an evaluation found, as plain data: `report.json` holds this and nothing else, and the page is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recaption.core.types import JsonValue
from recaption.evaluation.measures import About, Control, Listing, Value

__all__ = ["Effect", "Evaluation", "Example", "Histogram", "Row", "Scatter", "Skipped", "Slice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A column against the baseline, paired by item: only items where both have a value."""

    delta: float | None
    before: float | None = None
    after: float | None = None
    """The two figures over the shared items alone, whose difference `delta` is."""
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % paired-bootstrap interval of `delta`."""
    n: int = 0
    wins: int = 0
    """Items on which the column is better; higher, where no direction is."""
    ties: int = 0
    losses: int = 0
    p_value: float | None = None
    """Of the exact sign test on wins and losses."""

    @property
    def is_clear(self) -> bool:
        """Say whether the interval excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the before/after table."""

    about: About
    values: Mapping[str, Value]
    effects: Mapping[str, Effect] = field(default_factory=dict)
    """By column, the baseline left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The effect on one measure within one subset."""

    by: str
    """`length against the baseline`, or the name of a subset column."""
    value: str
    measure: str
    column: str
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of each column in common bins."""

    measure: str
    title: str
    edges: Sequence[float]
    """One more than there are bins."""
    counts: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Baseline (x) against another column (y), item by item; of many a seeded sample."""

    measure: str
    title: str
    column: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One item to look at."""

    kind: str
    """`best`, `worst`, `random`."""
    measure: str | None
    """What it is best or worst at, by the change."""
    key: str
    texts: Mapping[str, Sequence[str]]
    values: Mapping[str, Mapping[str, float]]
    """Measure to column to value."""
    chain: Sequence[str] = ()
    """How its caption came to be, as lines of text."""
    thumbnail: str | None = None
    """Name of a picture in the folder of thumbnails: the digest of its bytes, and how they are encoded."""
    no_thumbnail: str = ""
    """Why there is none, where the item has an image."""
    alt: str = ""
    """Says what the thumbnail shows, for those who do not see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A metric that did not run, and why."""

    metric: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything a report says."""

    columns: Sequence[str]
    """The first is the baseline."""
    verdict: str
    """One sentence, with numbers."""
    findings: Sequence[str]
    """What else is to be said, a sentence each: better, worse, no clear change, warnings."""
    counts: Mapping[str, int]
    """Items: read, evaluated, without a text by column, rejected…; a denominator for every figure."""
    rows: Sequence[Row]
    caveat: str = ""
    """What the headline must not be read without, a few words: `by the scorer that chose the captions`."""
    headline: str | None = None
    """Name of the measure that the verdict speaks of; None: there was none to decide by."""
    slices: Sequence[Slice] = ()
    listings: Sequence[Listing] = ()
    controls: Sequence[Control] = ()
    histograms: Sequence[Histogram] = ()
    scatters: Sequence[Scatter] = ()
    examples: Sequence[Example] = ()
    skipped: Sequence[Skipped] = ()
    limits: Sequence[str] = ()
    """What the figures do not show, a sentence each."""
    run: Mapping[str, JsonValue] = field(default_factory=dict)
    """Of the run that wrote the captions: recipe, models, prompts, calls, cost, seconds, drops by reason.

    The page shows whatever is here, by its shape: single values, lists, counts by name (a mapping of integers)."""
    about: Mapping[str, JsonValue] = field(default_factory=dict)
    """How it was evaluated: input, seed, sample, resamples, models, versions."""
