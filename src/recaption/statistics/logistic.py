"""Logistic regression with a ridge, by Newton's method: weights that speak for what was accepted or preferred.

Every row is something that happened: the features of what was accepted, those of what was rejected with their sign
turned, or those of the better of two less those of the other. Its chance is the logistic function of the row times
the weights, plus or minus the intercept for an answer of yes or no and without it for a comparison, so that both
kinds teach the same weights. Of comparisons alone this is the model of Bradley and Terry (1952) with features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fit", "log_loss", "logistic", "sigmoid"]

Floats: TypeAlias = NDArray[np.float64]

_STEPS: Final = 100
_HALVINGS: Final = 40
_CLOSE: Final = 1e-8
"""Of the slope, over the number of rows: the weights are then known to many more digits than the data."""
_FAINT: Final = 1e-9
"""Ridge of the intercept, which alone would grow for ever where all answers are alike."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """Weights, shape (p,), and the intercept."""

    weights: Floats
    intercept: float


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), without overflow."""
    half: Floats = 0.5 * (1.0 + np.tanh(0.5 * x))
    return half


def logistic(rows: Floats, signs: Floats, counts: Floats, ridge: Floats, start: Fit | None = None) -> Fit:
    """Return the weights that make what happened most likely, less half the ridge times their squares.

    The sum that is maximised is strictly concave, so that there is one such set, wherever the search begins.

    Args:
        rows: Shape (n, p), finite.
        signs: Of the intercept in each row: 1 for a yes, -1 for a no, 0 for a comparison; shape (n,).
        counts: How often each row counts, 0 or more; shape (n,).
        ridge: Of each weight, above 0; shape (p,). A large one holds its weight at nothing.
        start: Where the search begins: the answer for another ridge saves most steps.

    Raises:
        ValueError: Shapes that differ, or numbers that cannot be.
    """
    _check(rows, signs, counts, ridge)
    x = np.column_stack([rows, signs])
    penalty = np.append(ridge, _FAINT)
    w = np.zeros(x.shape[1]) if start is None else np.append(start.weights, start.intercept)
    value = _value(x, counts, penalty, w)
    for _ in range(_STEPS):
        chance = sigmoid(x @ w)
        slope = x.T @ (counts * (1 - chance)) - penalty * w
        if np.abs(slope).max(initial=0.0) <= _CLOSE * max(1, len(x)):
            break
        bend = (x * (counts * chance * (1 - chance))[:, None]).T @ x
        bend[np.diag_indices_from(bend)] += penalty
        step = np.linalg.solve(bend, slope)
        for _ in range(_HALVINGS):
            tried = _value(x, counts, penalty, w + step)
            if tried >= value:
                break
            step = step / 2
        else:
            break  # no step gains anything any more: rounding
        w, value = w + step, tried
    return Fit(weights=w[:-1], intercept=float(w[-1]))


def log_loss(rows: Floats, signs: Floats, counts: Floats, fit: Fit) -> float:
    """Return the negative natural logarithm of the chance of what happened, summed over rows; 0 at best."""
    return float((counts * np.logaddexp(0.0, -(rows @ fit.weights + signs * fit.intercept))).sum())


def _value(x: Floats, counts: Floats, penalty: Floats, w: Floats) -> float:
    return -float((counts * np.logaddexp(0.0, -(x @ w))).sum()) - float((penalty * w * w).sum()) / 2


def _check(rows: Floats, signs: Floats, counts: Floats, ridge: Floats) -> None:
    n, p = rows.shape
    if signs.shape != (n,) or counts.shape != (n,) or ridge.shape != (p,):
        raise ValueError(f"{rows.shape} rows, {signs.shape} signs, {counts.shape} counts, {ridge.shape} ridges")
    if not (
        np.isfinite(rows).all() and np.isfinite(counts).all() and (counts >= 0).all() and (ridge > 0).all()
    ):
        raise ValueError("rows are finite, counts 0 or more, and every ridge above 0")
