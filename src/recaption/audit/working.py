"""How the people work: time per item, drift, how much they change, why they reject, how far they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from recaption.audit.edits import edit_ratio
from recaption.audit.judgements import OUTCOMES, Judgement, LastWords
from recaption.statistics.discrimination import Auc, auc
from recaption.statistics.estimates import Estimate
from recaption.statistics.intervals import Interval, wilson
from recaption.statistics.krippendorff import krippendorff_alpha
from recaption.statistics.raters import cohen_kappa, fleiss_kappa, gwet_ac1, percent_agreement

__all__ = ["Agreement", "Drift", "Edits", "Pace", "Stretch", "agreement", "drift", "edits", "pace", "reasons"]

MOST_EDITS: Final = 5_000
"""Compared word by word; of more, the first by key."""
MOST_REASONS: Final = 50
MAX_REASON_CHARS: Final = 80
MOST_STRETCHES: Final = 10
FEWEST_IN_STRETCH: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds from seeing an item to judging it. Quantiles, since one lunch break would rule any mean."""

    n: int
    median: float | None
    fast: float | None
    """A tenth was faster."""
    slow: float | None
    """A tenth was slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Judgements made when their auditors were about as far with their own work."""

    start: float
    end: float
    """How far: shares of an auditor's judgements, in (0, 1)."""
    n: int
    accepted: float
    interval: Interval
    """Wilson's, of `accepted`."""
    median_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Whether people grow milder or stricter. The fair items come in random order, so that their captions do not."""

    stretches: tuple[Stretch, ...]
    trend: Auc
    """Chance that an accepting judgement comes later in its auditor's work than another in theirs: above .5 they grow
    milder, below it stricter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """How much was changed by those who edited."""

    n: int
    compared: int
    mean: float | None
    """Of the share of words changed, in [0, 1]."""
    median: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far auditors agree on accept, edit and reject, where several judged one item."""

    items: int
    auditors: int
    agreement: Estimate
    alpha: Estimate
    """Krippendorff's, nominal: for any number of auditors, who need not have judged all."""
    ac1: Estimate
    """Gwet's: does not fall to nothing where nearly all are accepted."""
    cohen: Estimate | None
    """Of the two auditors, where there are just two."""
    fleiss: Estimate | None
    """Where all these items have equally many judgements."""


def pace(judgements: Sequence[Judgement]) -> Pace:
    """Return how long judgements took."""
    seconds = np.array([j.seconds for j in judgements if j.seconds is not None], dtype=np.float64)
    if not len(seconds):
        return Pace(n=0, median=None, fast=None, slow=None)
    fast, median, slow = (float(value) for value in np.quantile(seconds, (0.1, 0.5, 0.9)))
    return Pace(n=len(seconds), median=median, fast=fast, slow=slow)


def drift(judgements: Sequence[Judgement]) -> Drift:
    """Return how acceptance went over time, in stretches of equally many judgements, 20 or more each.

    A mild auditor after a strict one is no drift, so each judgement is placed within its own auditor's work. Those
    that nobody timed were brought in from elsewhere, in an order that says nothing; they are left out.
    """
    placed = _placed([j for j in judgements if j.seconds is not None])
    n = len(placed)
    count = min(MOST_STRETCHES, n // FEWEST_IN_STRETCH)
    cuts = [n * i // count for i in range(count + 1)] if count else []
    stretches = tuple(_stretch(placed[start:end]) for start, end in pairwise(cuts))
    places = np.array([place for place, _ in placed], dtype=np.float64)
    accepted = np.array([j.kind == "accept" for _, j in placed], dtype=np.bool_)
    return Drift(stretches=stretches, trend=auc(places, accepted))


def _placed(judgements: Sequence[Judgement]) -> list[tuple[float, Judgement]]:
    """Return how far each auditor was with their own work at each judgement, in (0, 1), and it; in that order."""
    by_auditor: dict[str, list[Judgement]] = {}
    for judgement in sorted(judgements, key=lambda j: (j.at, j.key)):
        by_auditor.setdefault(judgement.auditor, []).append(judgement)
    placed = [((i + 0.5) / len(own), j) for own in by_auditor.values() for i, j in enumerate(own)]
    return sorted(placed, key=lambda entry: (entry[0], entry[1].auditor))


def _stretch(placed: Sequence[tuple[float, Judgement]]) -> Stretch:
    judgements = [judgement for _, judgement in placed]
    accepted, n = sum(j.kind == "accept" for j in judgements), len(judgements)
    return Stretch(
        start=placed[0][0],
        end=placed[-1][0],
        n=n,
        accepted=accepted / n,
        interval=wilson(accepted, n),
        median_seconds=pace(judgements).median,
    )


def edits(judgements: Sequence[Judgement]) -> Edits:
    """Return how much edits changed, as shares of words."""
    made = sorted((j for j in judgements if j.edited is not None), key=lambda j: (j.key, j.auditor))
    ratios = np.array([edit_ratio(j.shown, j.edited or "") for j in made[:MOST_EDITS]], dtype=np.float64)
    if not len(ratios):
        return Edits(n=0, compared=0, mean=None, median=None)
    return Edits(
        n=len(made),
        compared=len(ratios),
        mean=float(ratios.mean()),
        median=float(np.median(ratios)),
    )


def reasons(judgements: Sequence[Judgement]) -> dict[str, int]:
    """Return how often each reason was given for a rejection, most frequent first; a flood ends in `other`."""
    counts = Counter(_reason(j) for j in judgements if j.kind == "reject")
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    found = dict(ranked[:MOST_REASONS])
    rest = sum(n for _, n in ranked[MOST_REASONS:])
    if rest:
        found["other"] = found.get("other", 0) + rest
    return found


def _reason(judgement: Judgement) -> str:
    return " ".join(judgement.reason[: 4 * MAX_REASON_CHARS].split())[:MAX_REASON_CHARS] or "none given"


def agreement(words: Mapping[str, LastWords], *, seed: int = 0) -> Agreement:
    """Return how far auditors agree on the items that several judged."""
    shared = [words[key] for key in sorted(words) if len(words[key]) > 1]
    names = sorted({auditor for of_item in shared for auditor in of_item})
    rows = [[of_item[name].kind for name in sorted(of_item)] for of_item in shared]
    pairs = (
        [(of_item[names[0]].kind, of_item[names[1]].kind) for of_item in shared] if len(names) == 2 else None
    )
    counts = [[row.count(kind) for kind in OUTCOMES] for row in rows]
    even = bool(rows) and len({len(row) for row in rows}) == 1
    return Agreement(
        items=len(rows),
        auditors=len(names),
        agreement=percent_agreement(rows, seed=seed),
        alpha=krippendorff_alpha(rows, "nominal", seed=seed),
        ac1=gwet_ac1(rows, categories=OUTCOMES, seed=seed),
        cohen=cohen_kappa(pairs, categories=OUTCOMES, seed=seed) if pairs is not None else None,
        fleiss=fleiss_kappa(counts, seed=seed) if even else None,
    )
