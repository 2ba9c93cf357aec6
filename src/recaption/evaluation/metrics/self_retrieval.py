"""Does a text tell its own image from a hundred drawn at random (Dessì et al. 2023, arXiv:2304.01662)?

Instead of one draw, the chance over all draws: it follows from the text's rank among all images, since a draw
succeeds if it holds none of those that stand before. So the figure has none of a draw's noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from recaption.evaluation.extract.pools import Pools, pools
from recaption.evaluation.measures import About, Additive, Floats, Result, mean_parts
from recaption.evaluation.metric import Need
from recaption.evaluation.ranks import Integers
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools

__all__ = ["SelfRetrieval", "SelfRetrievalFacts", "told_apart"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SelfRetrievalFacts:
    """Ranks by every encoder, and how many other images are drawn."""

    pools: Sequence[Pools]
    distractors: int


class SelfRetrieval:
    """The chance that a text's own image scores above all of `options.distractors` others."""

    name: ClassVar[str] = "self_retrieval"
    needs: ClassVar[frozenset[Need]] = frozenset({"images", "image_text"})

    def extract(self, subject: Subject, tools: Tools) -> SelfRetrievalFacts:
        """Return the ranks by every encoder. Raises Unavailable, UserError, BackendError."""
        found = [pools(subject, label, tools) for label in tools.image_text]
        return SelfRetrievalFacts(pools=found, distractors=tools.options.distractors)

    def score(self, subject: Subject, facts: Any) -> list[Result]:
        """Return one figure an encoder, the first one's without a suffix."""
        given: SelfRetrievalFacts = facts
        return [_figure(subject, one, given.distractors) for one in given.pools]


def _figure(subject: Subject, found: Pools, distractors: int) -> Additive:
    others = max(0, min(distractors, found.size - 1))
    embeddings = found.embeddings
    parts = {}
    for column, pool in found.columns.items():
        ranks = pool.to_image
        chances = told_apart(ranks.greater, ranks.equal, max(1, found.size), others)
        parts[column] = mean_parts(chances, len(subject), pool.owners.tolist())
    fewer = f", as there are no {distractors:,}" if others < distractors else ""
    about = About(
        name=f"rd{distractors + 1}{embeddings.suffix}",
        title=embeddings.titled(f"Own image told from {others:,} others at random"),
        group="retrieval",
        better="higher",
        value_range=(0.0, 1.0),
        unit="share",
        plot=True,
        note=(
            f"{found.note}; expected over all draws of {others:,}{fewer}; chance is {100 / (others + 1):.1f} %; "
            "ties broken by lot"
        ),
    )
    return Additive(about=about, parts=parts)


def told_apart(greater: Integers, equal: Integers, n: int, distractors: int) -> Floats:
    """Return the chance that a query's own candidate comes first among itself and others drawn from all.

    With g candidates before it and e beside it, and D drawn of n - 1 without putting back, ties broken by lot:
    the mean of C(n - 1 - g - u, D) / C(n - 1, D) over u = 0…e, which is
    (C(n - g, D + 1) - C(n - 1 - g - e, D + 1)) / ((e + 1) C(n - 1, D)).

    Args:
        greater: g of each query, shape (q,).
        equal: e of each query.
        n: Candidates in all, its own included.
        distractors: D, at most n - 1.
    """
    logs = np.array([math.lgamma(i + 1) for i in range(n + 2)])

    def log_choose(top: Integers, bottom: int) -> Floats:
        fits = top >= bottom
        inside = np.where(fits, top, bottom)
        return np.where(fits, logs[inside] - logs[bottom] - logs[inside - bottom], -np.inf)

    rest = n - 1 - greater
    draws = log_choose(np.full(1, n - 1), distractors)
    alone = np.exp(log_choose(rest, distractors) - draws)
    upper, lower = log_choose(rest + 1, distractors + 1), log_choose(rest - equal, distractors + 1)
    possible = np.isfinite(upper)
    gap = np.where(possible, lower, 0.0) - np.where(possible, upper, 0.0)
    tied = np.where(possible, np.exp(upper - draws) * -np.expm1(gap), 0.0) / (equal + 1)
    return np.clip(np.where(equal == 0, alone, tied), 0.0, 1.0)
