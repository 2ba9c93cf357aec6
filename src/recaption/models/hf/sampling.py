"""What a request may ask of its sampling, and which requests may share a batch."""

from __future__ import annotations

import math
from collections.abc import Hashable

from recaption.core.errors import RecipeError
from recaption.core.protocols import Sampling

__all__ = ["check_sampling", "draws", "mode"]


def check_sampling(sampling: Sampling) -> None:
    """Raise RecipeError where a sampling contradicts itself or asks for what is not there."""
    for wrong, reason in _faults(sampling):
        if wrong:
            raise RecipeError(f"sampling: {reason}")


def _faults(s: Sampling) -> list[tuple[bool, str]]:
    numbers = (s.temperature, s.top_p, s.repetition_penalty, s.diversity_penalty, s.guidance)
    return [
        (not all(math.isfinite(number) for number in numbers), f"a number is not finite: {s}"),
        (s.n < 0, f"n is {s.n}; it must not be negative"),
        (s.temperature < 0, f"temperature is {s.temperature}; it must be 0 (greedy) or more"),
        (not 0 < s.top_p <= 1, f"top_p is {s.top_p}; it must be above 0 and at most 1"),
        (
            s.repetition_penalty <= 0,
            f"repetition_penalty is {s.repetition_penalty}; it must be above 0 (1 is off)",
        ),
        (s.no_repeat_ngram < 0, f"no_repeat_ngram is {s.no_repeat_ngram}; it must not be negative"),
        (s.max_tokens < 1, f"max_tokens is {s.max_tokens}; it must be at least 1"),
        (s.beams < 1, f"beams is {s.beams}; it must be at least 1"),
        (
            s.beams > 1 and s.n > s.beams,
            f"{s.n} texts cannot come out of {s.beams} beams; raise beams or lower n",
        ),
        (s.beams > 1 and s.temperature > 0, "beams are searched, not drawn: temperature must be 0 with beams"),
        (s.beams > 1 and s.guidance != 1, "guidance does not go with beams; leave one of them out"),
        (s.beam_groups < 1, f"beam_groups is {s.beam_groups}; it must be at least 1"),
        (s.diversity_penalty < 0, f"diversity_penalty is {s.diversity_penalty}; it must not be negative"),
        (
            s.beam_groups > 1 and s.beams != s.beam_groups,
            f"beams must be as many as beam_groups, one beam per group; found {s.beams} and {s.beam_groups}",
        ),
        (
            (s.beam_groups > 1) != (s.diversity_penalty > 0),
            "diversity_penalty goes with beam_groups of more than 1, and they with it",
        ),
    ]


def draws(sampling: Sampling) -> int:
    """Return how many rows a request needs: greedy texts are all alike, and a beam search gives all of its own."""
    return sampling.n if sampling.temperature > 0 and sampling.beams == 1 else 1


def mode(sampling: Sampling) -> tuple[Hashable, ...]:
    """Return what requests must have in common to share a batch."""
    if sampling.beam_groups > 1:
        return ("diverse", sampling.beam_groups, sampling.n, sampling.diversity_penalty)
    if sampling.beams > 1:
        search = (sampling.beams, sampling.n, sampling.max_tokens, sampling.repetition_penalty)
        return ("beams", *search, sampling.no_repeat_ngram)
    return ("drawn",) if sampling.guidance == 1 else ("guided", sampling.guidance)
