"""Which items people look at: a fair random sample by strata, and, kept apart, those there is most doubt about.

Every item has a lot, a number drawn from its key and the seed and from nothing else; the items of a stratum with the
lowest lots are its sample. So the sample does not hang on the order of the items, a larger one holds the smaller
one, and whoever stops early, the fair items being in such an order, has a fair sample too. Given how many are drawn
from a stratum, every set of so many is as likely as any other; that is what makes n / N the chance of each, and the
weighted estimate unbiased. By share, whether an item is drawn stays as it is when others are added; by size, and
where `least` fills up a stratum, those that come can push out a few.

The doubtful items are chosen, not drawn. They are worth people's time, and say nothing of the whole: only `fair`
goes into an estimate. One that is both counts as fair.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from recaption.audit.allocation import allocate
from recaption.core.digests import seed_from
from recaption.core.errors import UserError

__all__ = ["MOST_STRATA", "WHOLE", "Design", "Drawn", "Row", "SamplePlan", "draw_sample", "stratum_name"]

WHOLE: Final = "all"
"""The one stratum where nothing divides the items."""
MOST_STRATA: Final = 200
MAX_NAME_CHARS: Final = 200
_LOTS: Final = 1 << 63
_NAME: Final = "mark_for_audit"
"""The stage of that name draws the same lots: what a recipe marks by share, an audit of that share and seed draws."""


def stratum_name(values: Sequence[str]) -> str:
    """Return the name of the stratum of these values, one a column: a flag, a score bin, a source."""
    return " · ".join(value.strip() or "–" for value in values)[:MAX_NAME_CHARS] or WHOLE


class Row(NamedTuple):
    """As much of an item as sampling needs."""

    key: str
    stratum: str = WHOLE
    uncertainty: float | None = None
    """Larger is more doubtful, on a scale of the caller's; None where nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How much is looked at, and where more.

    Raises:
        UserError: A number cannot be.
    """

    share: float = 0.05
    """Of each stratum, in [0, 1]; about so much, since each item is drawn by itself."""
    size: int | None = None
    """Instead of a share: so many in all, spread over the strata by their sizes."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Other shares for some strata."""
    least: int = 5
    """Of every stratum at any rate, or all of it; one that nobody looks at leaves the whole unknown."""
    doubtful: int = 0
    """How many of the most uncertain are looked at beside the sample; those that it holds already are among them."""
    seed: int = 0

    def __post_init__(self) -> None:
        for share in (self.share, *self.shares.values()):
            if not 0 <= share <= 1:
                raise UserError(f"audit sample: a share is between 0 and 1, not {share}")
        if self.size is not None and (self.size < 1 or self.shares):
            raise UserError("audit sample: give a size of 1 or more, or shares by stratum, not both")
        if self.least < 1 or self.doubtful < 0:
            raise UserError("audit sample: `least` is 1 or more and `doubtful` 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One item to look at."""

    key: str
    stratum: str
    unbiased: bool
    """Part of the random sample, which alone speaks for the whole."""
    probability: float
    """Chance of being in the random sample, given how many of its stratum are; 1 for what was chosen."""
    uncertainty: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePlan:
    """What is looked at, and what it was drawn from."""

    sizes: Mapping[str, int]
    """Items in each stratum."""
    fair: tuple[Drawn, ...]
    """In an order of which every beginning is a fair sample, spread over the strata like the whole of it."""
    doubtful: tuple[Drawn, ...]
    """Most uncertain first."""

    @property
    def population(self) -> int:
        return sum(self.sizes.values())

    @property
    def items(self) -> tuple[Drawn, ...]:
        return self.fair + self.doubtful


class _Lowest:
    """Keeps the entries that are first in order, so many of them; or last, with the sign turned."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, int, Row]] = []
        self._offered = 0

    def offer(self, rank: float, lot: int, row: Row) -> None:
        self._offered += 1
        entry = (-rank, -lot, -self._offered, row)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        elif self._heap and entry > self._heap[0]:
            heapq.heapreplace(self._heap, entry)

    def in_order(self) -> list[tuple[int, Row]]:
        return [(-lot, row) for _, lot, _, row in sorted(self._heap, reverse=True)]


class _Stratum:
    """The sample of one stratum while the items go by."""

    def __init__(self, share: float, kept: int) -> None:
        self.size = 0
        self._below = share * _LOTS
        self._drawn: list[tuple[int, Row]] = []
        self._spare = _Lowest(kept)
        self._kept = kept

    def offer(self, lot: int, row: Row) -> None:
        self.size += 1
        if lot < self._below:
            self._drawn.append((lot, row))
        elif len(self._drawn) < self._kept:
            self._spare.offer(lot, lot, row)

    @property
    def drawn(self) -> int:
        return len(self._drawn)

    def lowest(self, n: int) -> list[tuple[int, Row]]:
        """Return the n rows with the lowest lots, in their order."""
        ranked = sorted(self._drawn, key=lambda entry: entry[0])
        return (ranked + self._spare.in_order())[:n]


def draw_sample(rows: Iterable[Row], design: Design) -> SamplePlan:
    """Return what to look at. One pass; memory grows with the sample, not with the items.

    Raises:
        UserError: Too many strata, or a key that comes twice in the sample.
    """
    strata: dict[str, _Stratum] = {}
    doubtful = _Lowest(design.doubtful)
    for row in rows:
        lot = seed_from(design.seed, row.key, _NAME)
        stratum = strata.get(row.stratum)
        if stratum is None:
            stratum = strata[row.stratum] = _new_stratum(row.stratum, design, len(strata))
        stratum.offer(lot, row)
        if design.doubtful and row.uncertainty is not None:
            if not math.isfinite(row.uncertainty):
                raise UserError(f"audit sample: the uncertainty of {row.key!r:.80} is {row.uncertainty}")
            doubtful.offer(-row.uncertainty, lot, row)
    sizes = {name: strata[name].size for name in sorted(strata)}
    numbers = _numbers(strata, sizes, design)
    fair = _fair(strata, numbers, sizes)
    taken = _distinct(item.key for item in fair)
    chosen = tuple(
        Drawn(key=row.key, stratum=row.stratum, unbiased=False, probability=1.0, uncertainty=row.uncertainty)
        for _, row in doubtful.in_order()
        if row.key not in taken
    )
    _distinct(item.key for item in chosen)
    return SamplePlan(sizes=sizes, fair=fair, doubtful=chosen)


def _new_stratum(name: str, design: Design, known: int) -> _Stratum:
    if known >= MOST_STRATA:
        raise UserError(
            f"audit sample: the columns give more than {MOST_STRATA} strata; "
            "take fewer columns, or put their values into bins"
        )
    if design.size is not None:
        return _Stratum(0.0, max(design.size, design.least))
    return _Stratum(design.shares.get(name, design.share), design.least)


def _numbers(strata: Mapping[str, _Stratum], sizes: Mapping[str, int], design: Design) -> dict[str, int]:
    """Return how many to look at in each stratum."""
    if design.size is not None:
        return allocate(sizes, design.size, design.least)
    return {name: max(strata[name].drawn, min(design.least, size)) for name, size in sizes.items()}


def _fair(
    strata: Mapping[str, _Stratum], numbers: Mapping[str, int], sizes: Mapping[str, int]
) -> tuple[Drawn, ...]:
    placed: list[tuple[float, int, str, Drawn]] = []
    for name, n in numbers.items():
        for rank, (lot, row) in enumerate(strata[name].lowest(n)):
            item = Drawn(
                key=row.key,
                stratum=name,
                unbiased=True,
                probability=n / sizes[name],
                uncertainty=row.uncertainty,
            )
            placed.append(((rank + 0.5) / n, lot, row.key, item))
    placed.sort(key=lambda entry: entry[:3])
    return tuple(item for *_, item in placed)


def _distinct(keys: Iterable[str]) -> set[str]:
    """Return keys as a set, having seen that none comes twice: its verdicts would count twice."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise UserError(f"audit sample: the key {key!r:.80} comes twice; keys must be unique")
        seen.add(key)
    return seen
