"""Several draws of one request: one call where the server can, one call each where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from recaption.core.digests import seed_from
from recaption.core.protocols import Generation, Sampling

__all__ = ["Draws", "draw_seed"]

_LARGEST_SEED: Final = 0x7FFF_FFFF
"""Servers keep it in 32 bits, some with a sign."""


def draw_seed(sampling: Sampling, draw: int, again: int = 0) -> int:
    """Return the seed of one draw; `again` counts the answers that were of no use, so that they do not come back."""
    if draw == 0 and again == 0:
        return sampling.seed & _LARGEST_SEED
    return seed_from(sampling.seed, draw, again) & _LARGEST_SEED


@dataclass(slots=True)
class Draws:
    """The draws of one request, filled as answers come in.

    Greedy draws are all the same, so one is asked for and counts for all (and vLLM refuses more).
    """

    sampling: Sampling
    done: dict[int, Generation] = field(default_factory=dict)

    def wanted(self) -> tuple[int, ...]:
        """Return the draws to ask for at the start."""
        return (0,) if self.sampling.temperature == 0 else tuple(range(self.sampling.n))

    def fill(self, draws: Sequence[int], answers: Sequence[Generation | None]) -> tuple[int, ...]:
        """Put the answers of one call where they belong and return the draws that are still without.

        An answer may be None (of no use); there may be too few of them, or too many.
        """
        for draw, answer in zip(draws, answers, strict=False):
            if answer is not None:
                self.done[draw] = answer
        return tuple(draw for draw in draws if draw not in self.done)

    def give_up(self, draws: Sequence[int], failure: Generation) -> None:
        """Put a failure where no answer will come."""
        for draw in draws:
            self.done.setdefault(draw, failure)

    def complete(self) -> list[Generation] | None:
        """Return all draws in order; None while one is missing."""
        if any(draw not in self.done for draw in self.wanted()):
            return None
        if self.sampling.temperature == 0:
            return [self.done[0]] * self.sampling.n
        return [self.done[draw] for draw in range(self.sampling.n)]
