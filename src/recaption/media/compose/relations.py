"""Which spatial relations between groups may be stated: supported by the boxes, unambiguous, and not absurd."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from recaption.core.types import Box
from recaption.media import layout
from recaption.media.compose.data import load_data
from recaption.media.compose.facts import Group
from recaption.media.layout import Relation

__all__ = ["Statement", "statements"]

_STRENGTH: Final[dict[Relation, int]] = {"on": 0, "in_front_of": 1, "above": 2, "left_of": 3, "right_of": 3}
_TOLD_BACK: Final = ("under", "behind", "below")
_ONLY_SINGLE: Final = ("on", "under", "in_front_of", "behind")
_MAX_GROUPS: Final = 8
_MAX_MEMBERS: Final = 3


@dataclass(frozen=True, slots=True)
class Statement:
    """Each of `subjects` stands in `relation` to each of `objects`; one of the two is a single group."""

    subjects: tuple[Group, ...]
    relation: Relation
    objects: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class _Affordances:
    rests_on: frozenset[tuple[str, str]]
    stands: frozenset[str]
    may_hide: frozenset[str]
    seated: frozenset[tuple[str, str]]
    held: frozenset[tuple[str, str]]


@cache
def _affordances() -> _Affordances:
    data = load_data("affordances.yaml")
    return _Affordances(
        rests_on=frozenset((t, s) for row in data["rests_on"] for t in row["things"] for s in row["surfaces"]),
        stands=frozenset(data["stands"]),
        may_hide=frozenset(data["may_hide"]),
        seated=frozenset((who, what) for who in data["sitters"] for what in data["seats"]),
        held=frozenset((who, what) for who in data["holders"] for what in data["held"]),
    )


def statements(groups: Sequence[Group], most: int, *, flat: bool) -> list[Statement]:
    """Return at most `most` statements, each tying a group to a more important one, most important first."""
    eligible = [group for group in groups[:_MAX_GROUPS] if _is_eligible(group)]
    found: list[tuple[int, int, Statement]] = []
    for later in range(1, len(eligible)):
        options = []
        for earlier in range(later):
            options.extend(_between(eligible[earlier], eligible[later], earlier, flat))
        if options:
            strength, _, statement = min(options, key=lambda option: option[:2])
            found.append((strength, later, statement))
    chosen = sorted(sorted(found, key=lambda f: f[:2])[:most], key=lambda f: f[1])
    return _merged([statement for _, _, statement in chosen])


def _is_eligible(group: Group) -> bool:
    return group.exact and group.count <= _MAX_MEMBERS and len(group.boxes) == group.count


def _between(a: Group, b: Group, order: int, flat: bool) -> list[tuple[int, int, Statement]]:
    """Return what may be said of two groups, `a` the more important.

    Sides are told of the more important one. `on` is told of whatever is on, and `above` is preferred to `below`.
    """
    found = []
    for relation in _common(a.boxes, b.boxes):
        subject, other, told = (b, a, layout.INVERSE[relation]) if relation in _TOLD_BACK else (a, b, relation)
        if _allowed(subject, told, other, flat):
            found.append((_STRENGTH[told], order, Statement((subject,), told, (other,))))
    return found


def _common(boxes_a: Sequence[Box], boxes_b: Sequence[Box]) -> Sequence[Relation]:
    """Return the relations in which every one of the first stands to every one of the second."""
    if len(boxes_a) == len(boxes_b) == 1:
        return layout.relations(boxes_a[0], boxes_b[0])
    shared: Sequence[Relation] | None = None
    for box_a in boxes_a:
        for box_b in boxes_b:
            found = layout.relations(box_a, box_b)
            shared = [r for r in found if r in shared] if shared is not None else found
            if not shared:
                return ()
    return [r for r in shared or () if r not in _ONLY_SINGLE]


def _allowed(a: Group, relation: Relation, b: Group, flat: bool) -> bool:
    known, pair = _affordances(), (a.label.lower(), b.label.lower())
    if relation == "on":
        return pair in known.rests_on
    if pair in known.held or pair[::-1] in known.held:
        return False
    if relation == "in_front_of":
        seated = pair in known.seated or pair[::-1] in known.seated
        return flat or (pair[0] in known.may_hide and pair[1] in known.may_hide and not seated)
    return relation != "above" or flat or pair[0] not in known.stands


def _merged(found: list[Statement]) -> list[Statement]:
    """Join statements that differ in one place only: a cup and a bowl are on the table."""
    merged: list[Statement] = []
    for new in found:
        for position, old in enumerate(merged):
            joined = _joined(old, new)
            if joined:
                merged[position] = joined
                break
        else:
            merged.append(new)
    return merged


def _joined(old: Statement, new: Statement) -> Statement | None:
    if old.relation != new.relation:
        return None
    if old.subjects == new.subjects and len(old.subjects) == 1:
        return Statement(old.subjects, old.relation, old.objects + new.objects)
    if old.objects == new.objects and len(old.objects) == 1:
        return Statement(old.subjects + new.subjects, old.relation, old.objects)
    return None
