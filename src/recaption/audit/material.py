"""Examples as numbers: rows for a logistic regression, of any part of the items, and fits to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recaption.audit.examples import Examples
from recaption.models.preference_head import TRAITS, standardised
from recaption.statistics.discrimination import auc
from recaption.statistics.logistic import Fit, log_loss, logistic

__all__ = ["STRENGTHS", "Choice", "Material"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Choice: TypeAlias = tuple[bool, float]
"""Whether edited texts are learned from, and how strongly the embeddings' product is held back."""

STRENGTHS: Final = (1e5, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
"""Ridges of the product, whose places together have the spread of one trait. The strongest comes first, so that each
search begins where the last one, of a simpler answer, ended."""
_OF_TRAITS: Final = 1.0
"""Ridge of a trait: a weight of 1, by which one deviation changes the odds 2.7 times, is nothing unusual."""
_CONSTANT: Final = 1e-9


class Material:
    """What examples come to. Parts of the items are masks of shape (items,)."""

    def __init__(self, examples: Examples, features: Floats) -> None:
        self.features = features
        self.items: Integers = np.array([text.item for text in examples.texts], dtype=np.int64)
        self._said = np.array([label.text for label in examples.labels], dtype=np.int64)
        self._signs = np.array([1.0 if label.accepted else -1.0 for label in examples.labels])
        self._better = np.array([pair.better for pair in examples.pairs], dtype=np.int64)
        self._worse = np.array([pair.worse for pair in examples.pairs], dtype=np.int64)
        edited = [False] * len(examples.labels) + [pair.kind == "edit" for pair in examples.pairs]
        self._edited = np.array(edited, dtype=np.bool_)
        counts = [label.weight for label in examples.labels] + [pair.weight for pair in examples.pairs]
        self._counts = np.array(counts, dtype=np.float64)
        places = features.shape[1] - len(TRAITS)
        self.shares = np.r_[np.ones(len(TRAITS)), np.full(places, places**-0.5)]
        """What a feature is taken times, so that the places together have the spread of one trait."""
        every = self._rows(np.ones(len(examples.keys), dtype=np.bool_))
        both = bool(every[self._edited].any() and every[~self._edited].any())
        self.choices: tuple[Choice, ...] = tuple(
            (edits, strength) for edits in ((True, False) if both else (True,)) for strength in STRENGTHS
        )
        """What cross-validation chooses from: whether edited texts are learned from, and the ridge."""
        self._others_tell = both

    def teaches(self, items: Bools) -> bool:
        """Say whether these items teach anything."""
        return bool(self._rows(items).any())

    def statistics(self, items: Bools) -> tuple[Floats, Floats]:
        """Return mean and deviation of each feature over the texts of these items."""
        some = self.features[items[self.items]]
        scale = some.std(axis=0)
        return some.mean(axis=0), np.where(scale > _CONSTANT, scale, 1.0)

    def fits(
        self, items: Bools, mean: Floats, scale: Floats, *, edits: bool = True, until: float = STRENGTHS[-1]
    ) -> list[Fit]:
        """Return the fit to these items with each of the strengths, down to one."""
        chosen = self._rows(items, edits=edits)
        rows, signs, counts = (some[chosen] for some in self._table(mean, scale))
        basis = _basis(rows)
        rows = rows @ basis
        found: list[Fit] = []
        for strength in STRENGTHS[: STRENGTHS.index(until) + 1]:
            ridge = np.r_[np.full(len(TRAITS), _OF_TRAITS), np.full(rows.shape[1] - len(TRAITS), strength)]
            found.append(logistic(rows, signs, counts, ridge, found[-1] if found else None))
        return [Fit(weights=basis @ fit.weights, intercept=fit.intercept) for fit in found]

    def every_fit(self, items: Bools, mean: Floats, scale: Floats) -> list[Fit]:
        """Return the fit to these items by each of the choices."""
        return [
            fit
            for edits in dict.fromkeys(edits for edits, _ in self.choices)
            for fit in self.fits(items, mean, scale, edits=edits)
        ]

    def losses(self, items: Bools, mean: Floats, scale: Floats, fits: Sequence[Fit]) -> Floats:
        """Return how ill each fit foretells what was said of these items; edits are asked where nothing else is."""
        chosen = self._rows(items, edits=not self._others_tell)
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

    def _rows(self, items: Bools, *, edits: bool = True) -> Bools:
        """Return which labels and pairs these items give; labels only where there are both sorts."""
        labels = items[self.items[self._said]] if len(self._said) else np.zeros(0, dtype=np.bool_)
        if not ((self._signs[labels] > 0).any() and (self._signs[labels] < 0).any()):
            labels = np.zeros_like(labels)
        pairs = items[self.items[self._better]] if len(self._better) else np.zeros(0, dtype=np.bool_)
        given = np.concatenate([labels, pairs])
        return given if edits else given & ~self._edited

    def _seen(self, mean: Floats, scale: Floats) -> Floats:
        seen: Floats = standardised(self.features, mean, scale) * self.shares
        return seen

    def _table(self, mean: Floats, scale: Floats) -> tuple[Floats, Floats, Floats]:
        """Return rows, signs and counts of all labels and pairs, for `logistic`."""
        seen = self._seen(mean, scale)
        rows = np.vstack([seen[self._said] * self._signs[:, None], seen[self._better] - seen[self._worse]])
        return rows, np.r_[self._signs, np.zeros(len(self._better))], self._counts


def _basis(rows: Floats) -> Floats:
    """Return orthonormal directions among the places outside of which no row says anything, beside the traits.

    With fewer rows than places, as with large encoders, the search is in so many dimensions as there are rows: the
    ridge, which is the same for all places, keeps the answer there.
    """
    traits, places = len(TRAITS), rows.shape[1] - len(TRAITS)
    if len(rows) >= places:
        return np.eye(rows.shape[1])
    if not len(rows):
        return np.eye(rows.shape[1], traits)
    _, _, directions = np.linalg.svd(rows[:, traits:], full_matrices=False)
    basis = np.zeros((rows.shape[1], traits + len(rows)))
    basis[:traits, :traits] = np.eye(traits)
    basis[traits:, traits:] = directions.T
    return basis
