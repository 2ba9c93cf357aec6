"""Rank texts by scores on different scales, and keep the best that do not repeat each other."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, pstdev
from typing import Final

__all__ = ["Ranked", "disagreement", "diverse", "overlap", "ranking"]

_IDEOGRAPH: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN: Final = re.compile(rf"[{_IDEOGRAPH}]|[^\W_{_IDEOGRAPH}]+")
"""A word, or one character of a script that writes no spaces."""
_NOISE: Final = 1e-6
"""Spread, relative to the values, below which scores count as equal instead of being blown up to a difference."""

_SUM_DECIMALS: Final = 9
"""Digits a sum of scores is given with: what is left of +1 and -1 by rounding must not decide."""

Values = Mapping[str, float]
"""Scores by label; a label that is not there could not be judged."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate's place in a ranking."""

    position: int
    """Which candidate, counted from 0 in the order given."""
    value: float
    """Weighted sum; comparable within one ranking only, unless a single score or units were given."""
    missing: tuple[str, ...] = ()
    """Scores that it lacks. Who lacks fewer stands before who lacks more, whatever the values."""


def ranking(
    candidates: Sequence[Values],
    weights: Mapping[str, float],
    units: Mapping[str, float],
    ties: Sequence[int],
) -> list[Ranked]:
    """Return the candidates, best first.

    One score counts as it stands, times its weight. Several scores are brought to one scale first: each less its
    mean over these candidates, divided by its unit, or by its standard deviation over these candidates where no unit
    is given. Only candidates of the same image are ever compared, so nothing depends on the batch. Two candidates are
    always one deviation from their mean: between two, scores without units vote by their weights alone.

    Args:
        candidates: The scores of each.
        weights: Label to weight; negative for what should be low. Weight 0 is left out.
        units: Label to how much of it counts as one.
        ties: Which goes first of two that are equal: the one with the lower number. One per candidate.
    """
    counting = {label: weight for label, weight in weights.items() if weight}
    alone = len(counting) == 1
    sums, missing = [0.0] * len(candidates), [()] * len(candidates)  # type: list[float], list[tuple[str, ...]]
    for label, weight in counting.items():
        known = [values[label] for values in candidates if label in values]
        centre, unit = (0.0, units.get(label, 1.0)) if alone else _scale(known, units.get(label))
        for i, values in enumerate(candidates):
            if label in values:
                sums[i] += weight * (values[label] - centre) / unit
            else:
                missing[i] = (*missing[i], label)
    totals = sums if alone else [round(total, _SUM_DECIMALS) + 0.0 for total in sums]
    ranked = [Ranked(i, totals[i], missing[i]) for i in range(len(candidates))]
    return sorted(ranked, key=lambda r: (len(r.missing), -r.value, ties[r.position]))


def _scale(values: Sequence[float], unit: float | None) -> tuple[float, float]:
    """Return the mean, and what to divide by; infinity where the values do not differ."""
    if not values:
        return 0.0, 1.0
    mean = fmean(values)
    if unit is not None:
        return mean, unit
    spread = pstdev(values)
    return mean, spread if spread > _NOISE * max(abs(v) for v in values) else math.inf


def diverse(ranked: Sequence[Ranked], texts: Sequence[str], keep: int, diversity: float) -> list[Ranked]:
    """Return the `keep` best by maximal marginal relevance, in the order they were picked.

    The first is the best of all. Each further one has the highest (1 − diversity) · relevance − diversity · overlap
    with the most similar text picked before; relevance is its value, the best of the ranking at 1 and the worst at 0.

    Args:
        ranked: Best first.
        texts: The text of each candidate, by position.
        diversity: In [0, 1]; 0 takes the best, 1 what differs most. It is 1 − λ of the source.

    Source: Carbonell and Goldstein, The use of MMR, diversity-based reranking, SIGIR 1998. Similarity here is the
    overlap of words.
    """
    left = list(ranked)
    if diversity == 0 or len(left) <= keep:
        return left[:keep]
    whole = [r.value for r in left if len(r.missing) == len(left[0].missing)]
    low, span = min(whole), max(whole) - min(whole)
    picked = [left.pop(0)]
    while left and len(picked) < keep:
        gains = [
            (1 - diversity) * (_relevance(r, ranked[0], low, span))
            - diversity * max(overlap(texts[r.position], texts[p.position]) for p in picked)
            for r in left
        ]
        picked.append(left.pop(gains.index(max(gains))))
    return picked


def _relevance(ranked: Ranked, best: Ranked, low: float, span: float) -> float:
    if len(ranked.missing) > len(best.missing):
        return 0.0
    return (ranked.value - low) / span if span > 0 else 1.0


def overlap(first: str, second: str) -> float:
    """Return the words that two texts share over the words of both (Jaccard), in [0, 1]; case does not count."""
    a, b = set(_TOKEN.findall(first.lower())), set(_TOKEN.findall(second.lower()))
    return len(a & b) / len(a | b) if a or b else 1.0


def disagreement(candidates: Sequence[Values], labels: Sequence[str]) -> float | None:
    """Return the share of pairs of candidates that two scorers order differently, in [0, 1] (Kendall's distance).

    Pairs that a scorer cannot tell apart, or has not judged, do not count. Of more than two scorers, the mean over
    every two. None where there is nothing to compare.
    """
    shares = []
    for one, other in combinations(labels, 2):
        judged = [(c[one], c[other]) for c in candidates if one in c and other in c]
        orders = [(a[0] - b[0]) * (a[1] - b[1]) for a, b in combinations(judged, 2)]
        told = [order for order in orders if order]
        if told:
            shares.append(sum(order < 0 for order in told) / len(told))
    return fmean(shares) if shares else None
