"""Is a lot good enough? Sampling plans with their operating curves, bounds of the share of defects, sample sizes.

Two ways to decide, and they answer different questions. A plan by acceptable quality level (AQL) is a promise to the
producer of a series of lots: one as good as the AQL is seldom refused. It does not say that an accepted lot is that
good: L at AQL 1.0 accepts one lot in ten with 4.6 % of defects. Of a lot that stands alone, which a data set is, say
the upper bound of its share of defects, and decide by that. Print both, and the operating curve.

Code letters (general level II), sample sizes and acceptance numbers are those of MIL-STD-105E (1989), tables I and
II-A, single sampling, normal inspection; ISO 2859-1 and ANSI Z1.4 descend from it. Acceptance numbers in that table
stay the same along its diagonals, so one row of eleven says them all.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal, TypeAlias

from recaption.statistics.intervals import CONFIDENCE, Interval, clopper_pearson
from recaption.statistics.tails import binomial_cdf, hypergeometric_cdf

__all__ = [
    "AQLS",
    "Action",
    "Decision",
    "Plan",
    "accept_chance",
    "acceptance_number",
    "decide",
    "decision_of",
    "defect_bounds",
    "ltpd",
    "operating_curve",
    "single_plan",
]

Action: TypeAlias = Literal["accept", "reject", "sample more"]

AQLS: Final = (0.01, 0.015, 0.025, 0.04, 0.065, 0.1, 0.15, 0.25, 0.4, 0.65, 1.0, 1.5, 2.5, 4.0, 6.5, 10.0)
"""Acceptable quality levels that there are plans for, in percent of items with a defect."""
CONSUMER_RISK: Final = 0.10
_EXACT_UP_TO: Final = 20_000

_LETTERS: Final = "ABCDEFGHJKLMNPQR"
_SIZES: Final = (2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800, 1250, 2000)
_LOTS: Final = (8, 15, 25, 50, 90, 150, 280, 500, 1200, 3200, 10_000, 35_000, 150_000, 500_000)
"""The largest lot of each letter from A to P; what is larger has Q."""
_DIAGONAL: Final = (0, None, None, 1, 2, 3, 5, 7, 10, 14, 21)
"""Acceptance numbers along a row from the first 0; None is an arrow: up, then down, to the next plan."""
_FIRST: Final = _LETTERS.index("E") + AQLS.index(1.0)
"""E at AQL 1.0 has 0, and so has all of its diagonal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Look at `n` items; accept the lot if no more than `accept_up_to` have a defect."""

    n: int
    accept_up_to: int
    letter: str = ""
    aql: float | None = None
    """In percent."""

    def decide(self, defects: int, n: int) -> Action:
        """Return what the plan says after n items: it may refuse early, and accepts once it has seen enough."""
        if defects > self.accept_up_to:
            return "reject"
        return "accept" if n >= self.n else "sample more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the bounds of the share of defects say of a lot that stands alone."""

    action: Action
    limit: float
    """The largest share of defects that will do."""
    low: float
    high: float
    """One-sided bounds: each holds at the confidence asked for."""
    more: int | None = None
    """About how many more items would decide, were they like those seen; None where decided, or no number would."""


def single_plan(lot: int, aql: float) -> Plan:
    """Return the single plan for a lot, normal inspection at general level II.

    A plan that asks for the whole lot or more looks at all of it.

    Args:
        aql: In percent, one of `AQLS`.

    Raises:
        ValueError: There is no such level, or the lot has fewer than two items.
    """
    if aql not in AQLS:
        raise ValueError(f"no plans for AQL {aql}; there are some for {', '.join(f'{a:g}' for a in AQLS)}")
    if lot < 2:
        raise ValueError(f"a lot has two items or more, not {lot}")
    row = bisect_left(_LOTS, lot)
    column = AQLS.index(aql)
    while (number := _at(row, column)) is None:
        row += _way(row, column)
    return Plan(n=min(lot, _SIZES[row]), accept_up_to=number, letter=_LETTERS[row], aql=aql)


def _at(row: int, column: int) -> int | None:
    place = row + column - _FIRST
    return _DIAGONAL[place] if 0 <= place < len(_DIAGONAL) else None


def _way(row: int, column: int) -> int:
    """Return which way the arrow at a place points: 1 to larger samples, -1 to smaller ones."""
    place = row + column - _FIRST
    up = place == 1 or place >= len(_DIAGONAL)
    return -1 if up and row > 0 else 1


def accept_chance(n: int, accept_up_to: int, share: float, lot: int | None = None) -> float:
    """Return the chance that a plan accepts a lot with such a share of defects.

    Args:
        lot: Its size, for the chance without replacement, where the sample is a large part of it; the share is
            rounded to whole items. None: a lot without end, of which a sample tells less.
    """
    if lot is None:
        return binomial_cdf(accept_up_to, n, share)
    return hypergeometric_cdf(accept_up_to, n, round(share * lot), lot)


def operating_curve(
    n: int, accept_up_to: int, shares: Sequence[float], lot: int | None = None
) -> list[tuple[float, float]]:
    """Return (share of defects, chance to accept) for each share; see `accept_chance`."""
    return [(share, accept_chance(n, accept_up_to, share, lot)) for share in shares]


def ltpd(n: int, accept_up_to: int, *, risk: float = CONSUMER_RISK, lot: int | None = None) -> float:
    """Return the lot tolerance: the share of defects that is still accepted with a chance of `risk`, in [0, 1].

    Of a lot of known size it is the smallest share of whole items that is accepted no more often.
    """
    if lot is not None:
        return _fewest(lot, lambda marked: hypergeometric_cdf(accept_up_to, n, marked, lot) <= risk) / lot
    return clopper_pearson(accept_up_to, n, 1 - 2 * risk).high if accept_up_to < n else 1.0


def defect_bounds(defects: int, n: int, *, confidence: float = CONFIDENCE, lot: int | None = None) -> Interval:
    """Return the exact lower and upper bound of a lot's share of defects, each of which alone holds at `confidence`.

    Clopper and Pearson's; of a lot of known size, the shares of whole items that its sample does not speak against
    (Katz 1953, by the hypergeometric distribution), which end at the share itself once all was looked at.

    Raises:
        ValueError: Counts that cannot be.
    """
    if not 0 <= defects <= n or (lot is not None and n > lot):
        raise ValueError(f"{defects} defects among {n} items of {lot if lot is not None else 'a lot'}")
    if lot is None:
        # The shorter tail is summed; the other one is its mirror image.
        if 2 * defects > n:
            found = clopper_pearson(n - defects, n, 2 * confidence - 1)
            return Interval(1 - found.high, 1 - found.low)
        return clopper_pearson(defects, n, 2 * confidence - 1)
    if n == 0:
        return Interval(0.0, 1.0)
    tail = (1 - confidence) * (1 + 1e-9)  # what is as rare as that, but for rounding, speaks against a share
    good = lot - n + defects
    low = _fewest(good, lambda marked: 1 - hypergeometric_cdf(defects - 1, n, marked, lot) > tail)
    high = _fewest(good, lambda marked: hypergeometric_cdf(defects, n, marked + 1, lot) <= tail)
    return Interval(max(defects, low) / lot, max(defects, min(good, high)) / lot)


def acceptance_number(
    n: int, limit: float, *, confidence: float = CONFIDENCE, lot: int | None = None
) -> int | None:
    """Return how many defects among n items still show, at `confidence`, that no more than `limit` have one.

    With it the decision by bounds has an operating curve too. None where even no defect does not show it.
    """
    if defect_bounds(0, n, confidence=confidence, lot=lot).high > limit:
        return None
    return _fewest(n, lambda d: defect_bounds(d + 1, n, confidence=confidence, lot=lot).high > limit)


def decide(
    defects: int, n: int, *, limit: float, confidence: float = CONFIDENCE, lot: int | None = None
) -> Decision:
    """Return what so many defects among n items drawn at random say of a lot; see `decision_of`."""
    bounds = defect_bounds(defects, n, confidence=confidence, lot=lot)
    return decision_of(bounds, defects / n if n else 0.0, n, limit=limit, confidence=confidence, lot=lot)


def decision_of(
    bounds: Interval,
    share: float,
    n: int,
    *,
    limit: float,
    confidence: float = CONFIDENCE,
    lot: int | None = None,
) -> Decision:
    """Return what bounds say: accept if the upper one is within the limit, reject if the lower one is beyond it.

    Each of the two errs at most as often as the confidence leaves, looked at once. Who looks after every item and
    stops when it pleases errs more often: settle first how many to look at.

    Args:
        bounds: One-sided ones, as `defect_bounds` gives them, or those of a weighted sample.
        share: The share of defects seen.
        limit: The largest that will do, in (0, 1).

    Raises:
        ValueError: A limit outside (0, 1).
    """
    if not 0 < limit < 1:
        raise ValueError(f"a limit of the share of defects is between 0 and 1, not {limit}")
    action: Action = "sample more"
    if bounds.high <= limit:
        action = "accept"
    elif bounds.low > limit:
        action = "reject"
    more = _more(share, n, limit, confidence, lot) if action == "sample more" else None
    return Decision(action=action, limit=limit, low=bounds.low, high=bounds.high, more=more)


def _more(share: float, n: int, limit: float, confidence: float, lot: int | None) -> int | None:
    """Return about how many more items decide, the share of defects staying as it is."""
    left = None if lot is None else lot - n
    if share == limit:
        return left
    z = NormalDist().inv_cdf(confidence)
    needed = max(n + 1, math.ceil(z * z * limit * (1 - limit) / (limit - share) ** 2))  # by the score test
    # The exact bounds ask for a little more. Beyond some number nobody minds, and the sums grow long.
    while share and needed < _EXACT_UP_TO and not _decides(share, needed, limit, confidence):
        needed += max(1, needed // 50)
    if not share:
        needed = max(n + 1, math.ceil(math.log(1 - confidence) / math.log1p(-limit)))
    return needed - n if left is None else min(left, needed - n)


def _decides(share: float, n: int, limit: float, confidence: float) -> bool:
    """Say whether the limit is beyond the bounds, asking for its own chance rather than for the bounds."""
    defects = min(n, math.ceil(share * n))
    if share < limit:
        return binomial_cdf(defects, n, limit) <= 1 - confidence
    return 1 - binomial_cdf(defects - 1, n, limit) <= 1 - confidence


def _fewest(most: int, holds: Callable[[int], bool]) -> int:
    """Return the smallest of 0 … most for which something holds that holds for all larger ones; `most` if none."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
