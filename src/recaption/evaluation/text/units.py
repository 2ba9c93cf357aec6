"""DCScore's arithmetic (Ye et al. 2025): statements of a caption, which are true, which the reference makes too.

Precision says how much of what is said is true; recall how much of what could be said is said. What is true and not
in the reference counts for both sides of recall, so that a caption is not put down for knowing more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["OracleUnit", "Unit", "UnitScores", "unit_scores"]

_EPSILON: Final = 1e-8


@dataclass(frozen=True, slots=True)
class Unit:
    """One statement of a caption."""

    is_true: bool
    matched: int | None
    """The place of the reference's statement that says the same; None where none does."""
    is_descriptive: bool = True
    """It says more than that something is there."""


@dataclass(frozen=True, slots=True)
class OracleUnit:
    """One statement of the reference."""

    is_descriptive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitScores:
    """Of one caption, each in [0, 1]."""

    precision: float
    recall: float
    f1: float
    f1_descriptive: float

    @property
    def score(self) -> float:
        """The mean of F1 over all statements and over descriptive ones."""
        return (self.f1 + self.f1_descriptive) / 2


def unit_scores(units: Sequence[Unit], oracle: Sequence[OracleUnit]) -> UnitScores:
    """Return the scores of a caption's statements against a reference's.

    Statements that say the same thing of the reference share its weight of 1, those that are false too; what a share
    is does not change when only the descriptive ones are looked at. Where neither side describes anything, F1 over
    all stands for that over descriptive ones.
    """
    shared = Counter(unit.matched for unit in units if unit.matched is not None)
    weights = [1 / shared[unit.matched] if unit.matched is not None else 1.0 for unit in units]
    places = range(len(units))
    precision, recall = _rates(units, weights, places, len(oracle))
    described = [i for i in places if units[i].is_descriptive]
    describing = sum(unit.is_descriptive for unit in oracle)
    f1 = _f1(precision, recall)
    narrow = _f1(*_rates(units, weights, described, describing)) if described or describing else f1
    return UnitScores(precision=precision, recall=recall, f1=f1, f1_descriptive=narrow)


def _rates(
    units: Sequence[Unit], weights: Sequence[float], places: Sequence[int], oracle: int
) -> tuple[float, float]:
    """Return precision and recall over some of the statements."""
    true = [i for i in places if units[i].is_true]
    more = sum(units[i].matched is None for i in true)
    matched = sum(weights[i] for i in true if units[i].matched is not None)
    precision = len(true) / len(places) if places else 0.0
    # A descriptive statement may match one of the reference that is not; there cannot be more matched than there is.
    recall = min(1.0, (matched + more) / (oracle + more)) if oracle + more else 0.0
    return precision, recall


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall + _EPSILON)
