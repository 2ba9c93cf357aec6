"""Figures made of numbers of texts: means, ratios of sums, and tables of the worst. Every item weighs the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.evaluation.measures import About, Additive, Floats, Value, Whole, mean_parts, ratio

__all__ = [
    "Owners",
    "mean_over_texts",
    "nothing",
    "percentile",
    "ratio_of_sums",
    "shortened",
    "spread_of",
    "sums_by_item",
]

Owners = NDArray[np.int64]
"""The item of each text."""

_SHOWN: Final = 160
"""Characters of a text that a table shows."""


def mean_over_texts(
    about: About, values: Mapping[str, Floats], owners: Mapping[str, Owners], n: int
) -> Additive:
    """Return the mean over items of their texts' mean, NaN where a text has no value.

    Args:
        values: By column, one a text.
        n: Number of items.
    """
    return Additive(about=about, parts={c: mean_parts(v, n, owners[c].tolist()) for c, v in values.items()})


def ratio_of_sums(
    about: About,
    sums: Mapping[str, tuple[Floats, Floats]],
    owners: Mapping[str, Owners],
    n: int,
    formula: Callable[[Floats], Floats] = ratio,
) -> Additive:
    """Return the sum of one value over the sum of another, over all items; of several texts of one, their mean.

    Args:
        sums: By column, two values a text.
        n: Number of items.
    """
    parts = {column: sums_by_item(owners[column], n, *both) for column, both in sums.items()}
    return Additive(about=about, parts=parts, formula=formula)


def sums_by_item(owners: Owners, n: int, *values: Floats) -> Floats:
    """Return the mean over the texts of each of n items, shape (n, values); 0 where it has none."""
    counts = np.maximum(np.bincount(owners, minlength=n), 1)
    return np.stack([np.bincount(owners, weights=v, minlength=n) / counts for v in values], axis=1)


def percentile(about: About, values: Mapping[str, Floats], owners: Mapping[str, Owners], share: float) -> Whole:
    """Return a percentile over the texts of each column, in [0, 100]; those without a value (NaN) do not count."""
    found = {}
    for column, all_values in values.items():
        known = ~np.isnan(all_values)
        found[column] = (
            Value(
                value=float(np.percentile(all_values[known], share)),
                n=len(np.unique(owners[column][known])),
            )
            if known.any()
            else Value(value=None, n=0, reason="no text has a value")
        )
    return Whole(about=about, values=found)


def spread_of(
    about: About, title: str, values: Mapping[str, Floats], owners: Mapping[str, Owners]
) -> Iterator[Whole]:
    """Yield the median and the 95th percentile of a figure's values, named after it; the title says which it is."""
    for name, which, share in (("median", "median text", 50), ("p95", "95 % of texts below", 95)):
        told = replace(about, name=f"{about.name}.{name}", title=f"{title}, {which}", plot=False, note="")
        yield percentile(told, values, owners, share)


def nothing(about: About, columns: Sequence[str], reason: str) -> Whole:
    """Return a figure without a value, and why."""
    return Whole(about=about, values=dict.fromkeys(columns, Value(value=None, n=0, reason=reason)))


def shortened(text: str, most: int = _SHOWN) -> str:
    """Return a text on one line, fit for a table: cut where it is long, unreadable characters replaced."""
    # Cut before the blanks are folded, so that a text of megabytes costs nothing.
    line = " ".join(text[: most * 4].split())
    clean = "".join(c if c.isprintable() else "\ufffd" for c in line)
    return clean if len(clean) <= most else clean[: most - 1].rstrip() + "…"
