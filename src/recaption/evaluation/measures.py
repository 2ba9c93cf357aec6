"""What a metric says: figures of each column, tables worth reading, and controls that must come out as they should.

No figure is NaN or infinite once it leaves this package: what is undefined is None, with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "About",
    "Additive",
    "Control",
    "Floats",
    "Group",
    "Listing",
    "Remark",
    "Result",
    "Value",
    "Whole",
    "mean_parts",
    "ratio",
]

Floats: TypeAlias = NDArray[np.float64]

Group = Literal[
    "agreement", "retrieval", "faithfulness", "references", "judges", "fluency", "sameness", "length"
]
"""What a figure speaks of; the rows of a report stand together by it."""

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a figure is, in the words a report uses."""

    name: str
    """Unique in an evaluation, for gates and files: `recall_at_1.t2i`. Letters, digits, `_`, `.`, `@`."""
    title: str
    """For people, a few words: `Recall@1, text → image`."""
    group: Group
    better: Better | None = None
    """None where neither direction is better in itself (length, perplexity)."""
    value_range: tuple[float | None, float | None] = (None, None)
    unit: Literal["", "share", "tokens", "words", "nats", "bits"] = ""
    """`share`: in [0, 1], shown in percent."""
    primary: bool = False
    """Fit to stand in the headline and the slices; a metric says so of one of its figures at most."""
    plot: bool = False
    """Its values differ enough from item to item to be worth a histogram, a scatter and the choice of examples."""
    note: str = ""
    """What decides the figure: model and precision, tie rule, truncation, sample. For the footer of the table."""


def ratio(sums: Floats) -> Floats:
    """Return the first sum over the second, of an array (..., 2); NaN where the second is 0."""
    top, bottom = sums[..., 0], sums[..., 1]
    result: Floats = np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom != 0)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Additive:
    """A figure that is a formula of sums over items: a mean, a share, corpus BLEU. It has intervals and pairs.

    `parts[column]` has the shape (items, k), all finite. `formula` turns sums (..., k) into values (...), NaN where
    undefined; on a single item's parts it gives that item's own value.

    Two columns are compared over the items on which both have a value. Where a figure is `pooled`, a share of what
    all texts together say (of all objects named, those that are not there), an item whose text adds nothing counts
    as well: that a text names nothing is no reason to leave its item out.
    """

    about: About
    parts: Mapping[str, Floats]
    formula: Callable[[Floats], Floats] = ratio
    pooled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One figure of one column, with its interval where there is one."""

    value: float | None
    n: int
    """Items behind it."""
    low: float | None = None
    high: float | None = None
    reason: str = ""
    """Why there is no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A figure of a column as a whole (distinct-n, Vendi score, median rank): no item has one of its own."""

    about: About
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A table worth reading: frequent openings, words gained, labels most often invented. Bounded by its maker."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]] = field(default_factory=tuple)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A figure that must come out as expected, or the evaluation is not to be believed."""

    name: str
    title: str
    value: float
    expected: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A sentence on what figures cannot show on this data; it stands among the limits of a report."""

    name: str
    text: str


Result: TypeAlias = Additive | Whole | Listing | Control | Remark


def mean_parts(
    values: Sequence[float | None] | Floats, n: int, owners: Sequence[int] | NDArray[np.int64] | None = None
) -> Floats:
    """Return the parts of a mean over items, shape (n, 2): the mean of an item's values, and 1 if it has any.

    However many texts an item has, it weighs the same: two columns are compared item by item.

    Args:
        values: One a text; None or NaN counts for nothing.
        n: Number of items.
        owners: The item of each value; None: one value per item, in order.
    """
    given = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    places = np.arange(n) if owners is None else np.asarray(owners, dtype=np.int64)
    known = ~np.isnan(given)
    counts = np.bincount(places[known], minlength=n)
    totals = np.bincount(places[known], weights=given[known], minlength=n)
    return np.stack([totals / np.maximum(counts, 1), counts > 0], axis=1).astype(np.float64)
