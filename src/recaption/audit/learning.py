"""Learning from an audit what people accept: a ridge logistic regression, judged on what it has not seen.

How strongly the many places of the embeddings' product are held back is found by cross-validation; at the strongest
they count for nothing, and what is left is the plain cosine with a few traits of the text. So a head has little to
lose to the plain score, and something to win only where people's taste is more than the score knows. What it is worth
is found by a second cross-validation around the first: for every fold of items, strength, statistics and weights come
from the other folds alone. The plain scores are read the way round that fits the other folds.

Edited texts are learned from only where that helps to foretell the other judgements: they teach what is right, and
how auditors write.

Everything is decided by examples and seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recaption.audit.examples import Examples
from recaption.audit.held_out import Comparison, Figure, compared
from recaption.audit.material import Choice, Material
from recaption.core.digests import seed_from
from recaption.core.errors import UserError
from recaption.models.preference_head import Scope, Verdict

__all__ = ["FOLDS", "Lesson", "learned", "require_lesson"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

FOLDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What was learned, and what it is worth."""

    verdict: Verdict
    against: str
    """The plain score that it was held against."""
    scope: Scope
    """Whether that was on captions of different images, or of one."""
    comparisons: tuple[Comparison, ...]
    mean: Floats
    scale: Floats
    weights: Floats
    bias: float
    strength: float
    """Ridge of the product; one of `material.STRENGTHS`."""
    edits_taught: bool
    """Whether edited texts were learned from, if there were any."""
    items: int
    accepted: int
    rejected: int
    """Rejected, or changed."""
    pairs: Mapping[str, int]
    """By kind, `prefer` and `edit`."""


def learned(examples: Examples, features: Floats, plain: Mapping[str, Floats], *, seed: int = 0) -> Lesson:
    """Return what the examples teach.

    Args:
        features: Of each text, shape (texts, traits + places); see `recaption.models.preference_head.features`.
        plain: Scores by name: of each text, NaN where it has none. One at least that all texts have.
        seed: Decides folds and resamples.

    Raises:
        UserError: The examples teach nothing.
    """
    require_lesson(examples)
    data = Material(examples, features)
    folds = _folds(examples, seed)
    held, (edits, strength) = _held_out(data, folds)
    turned = {name: _turned(data, values, folds) for name, values in plain.items()}
    comparisons = compared(examples, folds, held, turned, seed=seed_from("learning", seed) % 2**32)
    everything = np.ones(len(examples.keys), dtype=np.bool_)
    mean, scale = data.statistics(everything)
    fit = data.fits(everything, mean, scale, edits=edits, until=strength)[-1]
    verdict, by = _verdict(comparisons)
    accepted = sum(label.accepted for label in examples.labels)
    return Lesson(
        verdict=verdict,
        against=by.against,
        scope="between images" if by.kind == "accepted" else "within images",
        comparisons=tuple(comparisons),
        mean=mean,
        scale=scale,
        weights=fit.weights * data.shares,
        bias=fit.intercept,
        strength=strength,
        edits_taught=edits,
        items=len(examples.keys),
        accepted=accepted,
        rejected=len(examples.labels) - accepted,
        pairs={kind: sum(p.kind == kind for p in examples.pairs) for kind in ("prefer", "edit")},
    )


def require_lesson(examples: Examples) -> None:
    """Raise UserError where nothing can be learned: all captions were accepted, say, and none was compared."""
    sorts = {label.accepted for label in examples.labels}
    if len(sorts) < 2 and not examples.pairs:
        alike = ", all alike," if sorts else ""
        raise UserError(
            "nothing to learn from yet: it takes captions that were accepted beside others that were not, or "
            f"preferences. So far {len(examples.labels)} captions were judged{alike} and none was compared"
        )


def _verdict(comparisons: Sequence[Comparison]) -> tuple[Verdict, Comparison]:
    """Return the verdict, and the comparison that it comes from.

    To be better than a plain score is not enough where neither is better than chance: the plain one may have had bad
    luck. Of judgements that are coin flips, about 1 % are called better with this condition, and 6 % without.
    """
    deciding = [c for c in comparisons if c.enough]
    first = (deciding or list(comparisons))[0]
    if not deciding:
        return "too few", first
    if any(_is_below(c.gain, 0.0) for c in deciding):
        return "no better", first
    won = next((c for c in deciding if _is_above(c.gain, 0.0) and _is_above(c.learned, 0.5)), None)
    return ("no better", first) if won is None else ("better", won)


def _is_above(figure: Figure, value: float) -> bool:
    return figure.interval is not None and figure.interval.low > value


def _is_below(figure: Figure, value: float) -> bool:
    return figure.interval is not None and figure.interval.high < value


def _folds(examples: Examples, seed: int) -> Integers:
    """Return the fold of each item, each sort of item spread evenly over the folds."""
    sorts = np.zeros(len(examples.keys), dtype=np.int64)
    for label in examples.labels:
        sorts[examples.texts[label.text].item] = 1 + label.accepted
    lots = [seed_from("fold", seed, key) for key in examples.keys]
    folds = np.zeros(len(examples.keys), dtype=np.int64)
    for sort in range(3):
        of_sort = sorted(np.flatnonzero(sorts == sort), key=lots.__getitem__)
        folds[of_sort] = np.arange(len(of_sort)) % FOLDS
    return folds


def _held_out(data: Material, folds: Integers) -> tuple[Floats, Choice]:
    """Return the logit of each text by a model that never saw its item, and the best choice for all items together.

    A model that was kept from two folds serves the choice for either of them.
    """
    inner = np.zeros((FOLDS, len(data.choices)))
    for one, other in combinations(range(FOLDS), 2):
        seen = (folds != one) & (folds != other)
        if not data.teaches(seen):
            continue
        mean, scale = data.statistics(seen)
        fits = data.every_fit(seen, mean, scale)
        inner[one] += data.losses(folds == other, mean, scale, fits)
        inner[other] += data.losses(folds == one, mean, scale, fits)
    outer = np.zeros(len(data.choices))
    held = np.zeros(len(data.items))
    for fold in range(FOLDS):
        seen, kept = folds != fold, folds == fold
        if not data.teaches(seen):
            continue
        mean, scale = data.statistics(seen)
        fits = data.every_fit(seen, mean, scale)
        outer += data.losses(kept, mean, scale, fits)
        held[kept[data.items]] = data.scores(kept, mean, scale, fits[int(np.argmin(inner[fold]))])
    return held, data.choices[int(np.argmin(outer))]


def _turned(data: Material, values: Floats, folds: Integers) -> Floats:
    """Return a plain score with its sign turned, in each fold, where lower is better in the other folds."""
    found = np.array(values, dtype=np.float64)
    for fold in range(FOLDS):
        if data.agreement(values, folds != fold) < 0:
            found[(folds == fold)[data.items]] *= -1
    return found
