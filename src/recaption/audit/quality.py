"""From what people said to what the whole set is like: acceptance with intervals, weighted back to all items.

Only the fair sample speaks for the whole. What was chosen for being doubtful is reported beside it and enters no
estimate: people look there because it is worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Final

from recaption.audit.judgements import Judgement, Outcome, last_words, outcomes
from recaption.audit.predictors import Predictor, predictors
from recaption.audit.sampling import SamplePlan
from recaption.audit.working import Agreement, Drift, Edits, Pace, agreement, drift, edits, pace, reasons
from recaption.statistics.acceptance import Decision, acceptance_number, decision_of, operating_curve
from recaption.statistics.intervals import CONFIDENCE, Interval
from recaption.statistics.stratified import Stratum, WeightedShare, stratum_interval, weighted_share

__all__ = ["Doubtful", "Lot", "Quality", "Rate", "StratumQuality", "read_quality"]

DEFAULT_RECALL: Final = 0.9
_CURVE_POINTS: Final = 41


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of the whole set, from the fair sample, weighted back."""

    wilson: WeightedShare
    exact: WeightedShare
    """By exact limits: wider, for guarantees."""

    @property
    def value(self) -> float | None:
        return self.wilson.value


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumQuality:
    """What the fair sample of one stratum says."""

    stratum: str
    size: int
    drawn: int
    judged: int
    counts: Mapping[Outcome, int]
    accepted: float | None
    wilson: Interval
    exact: Interval
    """Both of `accepted`, corrected where a large part of the stratum was judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """What was chosen for being doubtful; it says nothing of the whole."""

    chosen: int
    judged: int
    counts: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Whether the set will do, given how much of it may be rejected."""

    decision: Decision
    accept_up_to: int | None
    """Rejections among as many items, drawn without strata, that would still be accepted; None where none would."""
    curve: tuple[tuple[float, float], ...]
    """(share of the set to be rejected, chance that the set is accepted) of that simple sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What an audit found."""

    population: int
    drawn: int
    judged: int
    """Items of the fair sample with a judgement."""
    accepted: Rate
    """As they are."""
    usable: Rate
    """As they are or as they were edited: all that was not rejected."""
    rejected: Rate
    strata: tuple[StratumQuality, ...]
    doubtful: Doubtful
    reasons: Mapping[str, int]
    edits: Edits
    pace: Pace
    by_auditor: Mapping[str, Pace]
    drift: Drift
    agreement: Agreement
    predictors: tuple[Predictor, ...]
    lot: Lot | None
    strangers: int
    """Judged items that the plan does not know; they are left out."""


def read_quality(
    judgements: Iterable[Judgement],
    plan: SamplePlan,
    *,
    scores: Mapping[str, Mapping[str, float]] | None = None,
    limit: float | None = None,
    recall: float = DEFAULT_RECALL,
    seed: int = 0,
) -> Quality:
    """Return what people's judgements say of the whole set.

    An item that several judged counts once, as most of them said. Items drawn and not judged yet, or skipped, are
    taken to be like the others of their stratum.

    Args:
        scores: Finite scores of the items, by name and key, to find those that tell what is rejected.
        limit: The largest share of rejected items that will do, in (0, 1); there is a lot decision with it only.
        recall: Share of the rejected that a suggested threshold should catch.
        seed: Of the bootstrap of agreement.
    """
    words = last_words(judgements)
    all_outcomes = outcomes(words)
    strata = _strata(all_outcomes, plan)
    fair = {item.key: item.stratum for item in plan.fair}
    chosen = {item.key for item in plan.doubtful}
    known = {key: of_item for key, of_item in words.items() if key in fair or key in chosen}
    fair_outcomes = {key: outcome for key, outcome in all_outcomes.items() if key in fair}
    of_fair = [word for key, of_item in words.items() if key in fair for word in of_item.values()]
    every = [word for of_item in known.values() for word in of_item.values()]
    shared = {key: of_item for key, of_item in known.items() if key in fair}
    judged = {s.stratum: s.judged for s in strata}
    weights = {key: plan.sizes[fair[key]] / judged[fair[key]] for key in fair_outcomes}
    rejected = _rate(strata, {"reject"})
    return Quality(
        population=plan.population,
        drawn=len(fair),
        judged=len(fair_outcomes),
        accepted=_rate(strata, {"accept"}),
        usable=_rate(strata, {"accept", "edit"}),
        rejected=rejected,
        strata=strata,
        doubtful=_doubtful(chosen, all_outcomes),
        reasons=reasons(of_fair),
        edits=edits(of_fair),
        pace=pace(every),
        by_auditor={
            name: pace([word for word in every if word.auditor == name])
            for name in sorted({word.auditor for word in every})
        },
        drift=drift(of_fair),
        agreement=agreement(shared, seed=seed),
        predictors=tuple(predictors(fair_outcomes, weights, scores or {}, recall=recall)),
        lot=_lot(strata, limit) if limit is not None else None,
        strangers=len(words) - len(known),
    )


def _strata(found: Mapping[str, Outcome], plan: SamplePlan) -> tuple[StratumQuality, ...]:
    drawn: Counter[str] = Counter()
    counts: dict[str, Counter[Outcome]] = {name: Counter() for name in plan.sizes}
    for item in plan.fair:
        drawn[item.stratum] += 1
        if item.key in found:
            counts[item.stratum][found[item.key]] += 1
    return tuple(_stratum(name, size, drawn[name], counts[name]) for name, size in plan.sizes.items())


def _stratum(name: str, size: int, drawn: int, counts: Counter[Outcome]) -> StratumQuality:
    stratum = Stratum(counts["accept"], counts.total(), size)
    return StratumQuality(
        stratum=name,
        size=size,
        drawn=drawn,
        judged=stratum.n,
        counts=dict(counts),
        accepted=stratum.successes / stratum.n if stratum.n else None,
        wilson=stratum_interval(stratum),
        exact=stratum_interval(stratum, limits="exact"),
    )


def _samples(strata: Iterable[StratumQuality], wanted: Set[Outcome]) -> list[Stratum]:
    return [Stratum(sum(s.counts.get(kind, 0) for kind in wanted), s.judged, s.size) for s in strata]


def _rate(strata: Iterable[StratumQuality], wanted: Set[Outcome]) -> Rate:
    samples = _samples(strata, wanted)
    return Rate(wilson=weighted_share(samples), exact=weighted_share(samples, limits="exact"))


def _doubtful(chosen: Set[str], found: Mapping[str, Outcome]) -> Doubtful:
    counts = Counter(found[key] for key in sorted(chosen) if key in found)
    return Doubtful(chosen=len(chosen), judged=counts.total(), counts=dict(counts))


def _lot(strata: Iterable[StratumQuality], limit: float) -> Lot:
    samples = _samples(strata, {"reject"})
    # Two one-sided bounds at 95 % are the ends of a two-sided interval at 90 %.
    bounds = weighted_share(samples, confidence=2 * CONFIDENCE - 1, limits="exact")
    size = sum(s.size for s in samples)
    decision = decision_of(
        Interval(bounds.low, bounds.high), bounds.value or 0.0, bounds.n, limit=limit, lot=size
    )
    number = acceptance_number(bounds.n, limit, lot=size)
    widest = min(1.0, 4 * limit)
    shares = [widest * i / (_CURVE_POINTS - 1) for i in range(_CURVE_POINTS)]
    curve = () if number is None else tuple(operating_curve(bounds.n, number, shares, lot=size))
    return Lot(decision=decision, accept_up_to=number, curve=curve)
