"""From blind comparisons to what is better: how often people took the caption that stands, and what else.

Who compares sees no names, so a share of one in as many as were shown is what guessing would give. Of an item that
several compared, the caption that most of them took counts; where opinions balance, none does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from recaption.audit.meaning import of_the_picture
from recaption.audit.sampling import SamplePlan
from recaption.audit.sheets import Role
from recaption.audit.types import Verdict
from recaption.statistics.intervals import sign_test
from recaption.statistics.stratified import Stratum, WeightedShare, weighted_share

__all__ = ["KINDS", "Preferences", "read_preferences"]

KINDS: Final = ("subject", "original", "candidate", "none", "undecided")
"""What was taken: the caption that stands, the text that came with the image, another one, none; or no majority."""
NONE: Final = "none"
UNDECIDED: Final = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What people took, of all captions, weighted back from the fair sample."""

    population: int
    drawn: int
    judged: int
    shares: Mapping[str, WeightedShare]
    """By what was taken."""
    wins: int
    losses: int
    """Of the items that showed both: the caption that stands was taken, or the original was."""
    p_value: float | None
    """Exact sign test of the two; None where there was neither."""
    doubtful: int
    """Judged of those that were chosen for being doubtful; they count in no share."""


def read_preferences(
    verdicts: Iterable[Verdict], roles: Mapping[str, Mapping[str, Role]], plan: SamplePlan
) -> Preferences:
    """Return what people preferred.

    Args:
        verdicts: What stands in the store of an audit that compares.
        roles: Of the captions that were side by side, by key and id. An item that had but one is left out: to take
            the only one is no preference.
    """
    said: dict[str, list[str]] = {}
    for verdict in verdicts:
        if not verdict.standing or len(roles[verdict.key]) < 2 or of_the_picture(verdict.draft):
            continue
        if verdict.draft.action in ("prefer", "reject"):
            said.setdefault(verdict.key, []).append(_taken(verdict))
    found = {key: _most(votes, roles[key]) for key, votes in said.items()}
    counts: dict[str, Counter[str]] = {name: Counter() for name in plan.sizes}
    for item in plan.fair:
        if item.key in found:
            counts[item.stratum][found[item.key]] += 1
    total: Counter[str] = sum(counts.values(), Counter())
    duels = [found[i.key] for i in plan.fair if i.key in found and "original" in roles[i.key].values()]
    wins, losses = duels.count("subject"), duels.count("original")
    return Preferences(
        population=plan.population,
        drawn=len(plan.fair),
        judged=total.total(),
        shares={
            kind: weighted_share(
                [Stratum(counts[name][kind], counts[name].total(), size) for name, size in plan.sizes.items()]
            )
            for kind in KINDS
            if total[kind] or kind in ("subject", "original")
        },
        wins=wins,
        losses=losses,
        p_value=sign_test(wins, losses) if wins + losses else None,
        doubtful=sum(item.key in found for item in plan.doubtful),
    )


def _taken(verdict: Verdict) -> str:
    return NONE if verdict.draft.action == "reject" else verdict.draft.preferred or ""


def _most(votes: list[str], roles: Mapping[str, Role]) -> str:
    """Return the role of the caption with most votes: of candidates that each had one, none has won."""
    (first, n), *others = Counter(votes).most_common()
    if others and others[0][1] == n:
        return UNDECIDED
    return NONE if first == NONE else roles.get(first, UNDECIDED)
