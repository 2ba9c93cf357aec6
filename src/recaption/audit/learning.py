"""Learning from an audit what people accept: a ridge logistic regression, judged on what it has not seen.

How strongly the many places of the embeddings' product are held back is found by cross-validation; at the strongest
they count for nothing, and what is left is the plain cosine with a few traits of the text. So a head has little to
lose to the plain score, and something to win only where people's taste is more than the score knows. What it is worth
is found by a second cross-validation around the first: for every fold of items, strength, statistics and weights come
from the other folds alone. The plain scores are read the way round that fits the other folds.

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
from recaption.audit.held_out import Comparison, compared
from recaption.core.digests import seed_from
from recaption.core.errors import UserError
from recaption.models.preference_head import TRAITS, Verdict, standardised
from recaption.statistics.discrimination import auc
from recaption.statistics.logistic import Fit, log_loss, logistic

__all__ = ["FOLDS", "STRENGTHS", "Lesson", "learned", "require_lesson"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

FOLDS: Final = 5
STRENGTHS: Final = (1e5, 1e3, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
"""Ridges of the product, whose places together have the spread of one trait. The strongest comes first, so that each
search begins where the last one, of a simpler answer, ended."""
_OF_TRAITS: Final = 1.0
"""Ridge of a trait: a weight of 1, by which one deviation changes the odds 2.7 times, is nothing unusual."""
_CONSTANT: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What was learned, and what it is worth."""

    verdict: Verdict
    against: str
    """The plain score that it was held against."""
    comparisons: tuple[Comparison, ...]
    mean: Floats
    scale: Floats
    weights: Floats
    bias: float
    strength: float
    """Ridge of the product; one of `STRENGTHS`."""
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
    data = _Data(examples, features)
    folds = _folds(examples, seed)
    held, strength = _held_out(data, folds)
    turned = {name: _turned(data, values, folds) for name, values in plain.items()}
    comparisons = compared(examples, folds, held, turned, seed=seed_from("learning", seed) % 2**32)
    everything = np.ones(len(examples.keys), dtype=np.bool_)
    mean, scale = data.statistics(everything)
    fit = data.fits(everything, mean, scale, until=strength)[-1]
    verdict, against = _verdict(comparisons)
    accepted = sum(label.accepted for label in examples.labels)
    return Lesson(
        verdict=verdict,
        against=against,
        comparisons=tuple(comparisons),
        mean=mean,
        scale=scale,
        weights=fit.weights * data.shares,
        bias=fit.intercept,
        strength=strength,
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


def _verdict(comparisons: Sequence[Comparison]) -> tuple[Verdict, str]:
    """Return the verdict, and the score that it is held against."""
    deciding = [c for c in comparisons if c.enough]
    first = (deciding or list(comparisons))[0]
    if not deciding:
        return "too few", first.against
    gains = [c.gain.interval for c in deciding]
    won = next((c for c, gain in zip(deciding, gains, strict=True) if gain and gain.low > 0), None)
    if won is None or any(gain and gain.high < 0 for gain in gains):
        return "no better", first.against
    return "better", won.against


class _Data:
    """Examples as numbers."""

    def __init__(self, examples: Examples, features: Floats) -> None:
        self.features = features
        self.items: Integers = np.array([text.item for text in examples.texts], dtype=np.int64)
        self._said = np.array([label.text for label in examples.labels], dtype=np.int64)
        self._signs = np.array([1.0 if label.accepted else -1.0 for label in examples.labels])
        self._better = np.array([pair.better for pair in examples.pairs], dtype=np.int64)
        self._worse = np.array([pair.worse for pair in examples.pairs], dtype=np.int64)
        counts = [label.weight for label in examples.labels] + [pair.weight for pair in examples.pairs]
        self._counts = np.array(counts, dtype=np.float64)
        places = features.shape[1] - len(TRAITS)
        self.shares = np.r_[np.ones(len(TRAITS)), np.full(places, places**-0.5)]
        """What a feature is taken times, so that the places together have the spread of one trait."""

    def teaches(self, items: Bools) -> bool:
        """Say whether these items teach anything."""
        return bool(self._rows(items).any())

    def statistics(self, items: Bools) -> tuple[Floats, Floats]:
        """Return mean and deviation of each feature over the texts of these items."""
        some = self.features[items[self.items]]
        scale = some.std(axis=0)
        return some.mean(axis=0), np.where(scale > _CONSTANT, scale, 1.0)

    def fits(self, items: Bools, mean: Floats, scale: Floats, until: float = STRENGTHS[-1]) -> list[Fit]:
        """Return the fit to these items with each of the strengths, down to one."""
        chosen = self._rows(items)
        rows, signs, counts = (some[chosen] for some in self._table(mean, scale))
        found: list[Fit] = []
        for strength in STRENGTHS[: STRENGTHS.index(until) + 1]:
            ridge = np.r_[np.full(len(TRAITS), _OF_TRAITS), np.full(rows.shape[1] - len(TRAITS), strength)]
            found.append(logistic(rows, signs, counts, ridge, found[-1] if found else None))
        return found

    def losses(self, items: Bools, mean: Floats, scale: Floats, fits: Sequence[Fit]) -> Floats:
        """Return how ill each fit foretells what was said of these items."""
        chosen = self._rows(items)
        rows, signs, counts = (some[chosen] for some in self._table(mean, scale))
        return np.array([log_loss(rows, signs, counts, fit) for fit in fits])

    def scores(self, items: Bools, mean: Floats, scale: Floats, fit: Fit) -> Floats:
        """Return the logits of the texts of these items."""
        found = self._seen(mean, scale)[items[self.items]] @ fit.weights + fit.intercept
        return np.asarray(found, dtype=np.float64)

    def agreement(self, values: Floats, items: Bools) -> float:
        """Return how far a plain score agrees with what was said of these items: above 0 where higher is better."""
        ours = self._rows(items)
        labels, pairs = np.split(ours, [len(self._said)])
        said, accepted = values[self._said[labels]], self._signs[labels] > 0
        known = np.isfinite(said)
        area = auc(said[known], accepted[known]).value
        agreed = 0.0 if area is None else 2 * area - 1
        gaps = values[self._better[pairs]] - values[self._worse[pairs]]
        gaps = gaps[np.isfinite(gaps)]
        return agreed + (float(np.sign(gaps).mean()) if len(gaps) else 0.0)

    def _rows(self, items: Bools) -> Bools:
        """Return which labels and pairs these items give; labels only where there are both sorts."""
        labels = items[self.items[self._said]] if len(self._said) else np.zeros(0, dtype=np.bool_)
        if not ((self._signs[labels] > 0).any() and (self._signs[labels] < 0).any()):
            labels = np.zeros_like(labels)
        pairs = items[self.items[self._better]] if len(self._better) else np.zeros(0, dtype=np.bool_)
        return np.concatenate([labels, pairs])

    def _seen(self, mean: Floats, scale: Floats) -> Floats:
        seen: Floats = standardised(self.features, mean, scale) * self.shares
        return seen

    def _table(self, mean: Floats, scale: Floats) -> tuple[Floats, Floats, Floats]:
        """Return rows, signs and counts of all labels and pairs, for `logistic`."""
        seen = self._seen(mean, scale)
        rows = np.vstack([seen[self._said] * self._signs[:, None], seen[self._better] - seen[self._worse]])
        return rows, np.r_[self._signs, np.zeros(len(self._better))], self._counts


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


def _held_out(data: _Data, folds: Integers) -> tuple[Floats, float]:
    """Return the logit of each text by a model that never saw its item, and the strength for all items together.

    A model that was kept from two folds serves the choice of strength for either of them.
    """
    inner = np.zeros((FOLDS, len(STRENGTHS)))
    for one, other in combinations(range(FOLDS), 2):
        seen = (folds != one) & (folds != other)
        if not data.teaches(seen):
            continue
        mean, scale = data.statistics(seen)
        fits = data.fits(seen, mean, scale)
        inner[one] += data.losses(folds == other, mean, scale, fits)
        inner[other] += data.losses(folds == one, mean, scale, fits)
    outer = np.zeros(len(STRENGTHS))
    held = np.zeros(len(data.items))
    for fold in range(FOLDS):
        seen, kept = folds != fold, folds == fold
        if not data.teaches(seen):
            continue
        mean, scale = data.statistics(seen)
        fits = data.fits(seen, mean, scale)
        outer += data.losses(kept, mean, scale, fits)
        held[kept[data.items]] = data.scores(kept, mean, scale, fits[int(np.argmin(inner[fold]))])
    return held, STRENGTHS[int(np.argmin(outer))]


def _turned(data: _Data, values: Floats, folds: Integers) -> Floats:
    """Return a plain score with its sign turned, in each fold, where lower is better in the other folds."""
    found = np.array(values, dtype=np.float64)
    for fold in range(FOLDS):
        if data.agreement(values, folds != fold) < 0:
            found[(folds == fold)[data.items]] *= -1
    return found
