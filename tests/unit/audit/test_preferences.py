"""What people took who did not know which caption was which."""

from collections.abc import Iterable, Mapping

import pytest

from recaption.audit.preferences import Preferences, read_preferences
from recaption.audit.sampling import Drawn, SamplePlan
from recaption.audit.sheets import Role
from recaption.audit.types import Action, Draft, Verdict

ROLES: dict[str, Role] = {"s": "subject", "o": "original", "c": "candidate"}


def found(
    said: Iterable[tuple[str, str, str]],
    sizes: dict[str, int] | None = None,
    roles: Mapping[str, Role] = ROLES,
) -> Preferences:
    """Return what (key, auditor, id or `none`) come to; keys `d…` are doubtful, `aN`, `bN` of strata a and b."""
    said = list(said)
    keys = sorted({key for key, *_ in said})
    drawn = [Drawn(key=k, stratum=k[0], unbiased=k[0] != "d", probability=1.0) for k in keys]
    plan = SamplePlan(
        sizes=sizes or {"a": 100},
        fair=tuple(d for d in drawn if d.unbiased),
        doubtful=tuple(d for d in drawn if not d.unbiased),
    )
    return read_preferences(map(verdict, said), dict.fromkeys(keys, roles), plan)


def verdict(said: tuple[str, str, str]) -> Verdict:
    key, auditor, taken = said
    action: Action = "reject" if taken == "none" else "prefer"
    draft = Draft(action=action, preferred=None if taken == "none" else taken)
    return Verdict(id=1, item=0, key=key, auditor=auditor, draft=draft, at_ms=0)


def test_shares_wins_and_the_sign_test() -> None:
    told = found([(f"a{i}", "me", "s" if i < 9 else "o") for i in range(10)])
    assert (told.judged, told.wins, told.losses) == (10, 9, 1)
    assert told.shares["subject"].value == pytest.approx(0.9)
    assert told.p_value == pytest.approx(22 / 1024)  # 2 (1 + 10) / 2^10


def test_strata_are_weighted_back_by_their_sizes() -> None:
    said = [(f"a{i}", "me", "s") for i in range(5)] + [(f"b{i}", "me", "o") for i in range(5)]
    told = found(said, {"a": 900, "b": 100})
    assert told.shares["subject"].value == pytest.approx(0.9)


def test_most_decide_and_a_balance_decides_nothing() -> None:
    told = found([("a1", "x", "s"), ("a1", "y", "s"), ("a1", "z", "o"), ("a2", "x", "s"), ("a2", "y", "none")])
    assert (told.wins, told.losses) == (1, 0)
    assert told.shares["undecided"].value == pytest.approx(0.5)
    assert "none" not in told.shares


def test_what_was_chosen_for_being_doubtful_counts_in_no_share() -> None:
    told = found([("a1", "me", "s"), ("d1", "me", "o")])
    assert (told.judged, told.doubtful, told.losses) == (1, 1, 0)


def test_nothing_said_is_nothing_known() -> None:
    told = found([])
    assert (told.judged, told.p_value) == (0, None)
    assert told.shares["subject"].value is None


def test_only_items_that_showed_the_original_are_won_or_lost_against_it() -> None:
    told = found([(f"a{i}", "me", "s") for i in range(10)], roles={"s": "subject", "c": "candidate"})
    assert (told.judged, told.wins, told.losses, told.p_value) == (10, 0, 0, None)
    assert told.shares["subject"].value == pytest.approx(1.0)


def test_to_take_the_only_caption_is_no_preference() -> None:
    assert found([("a1", "me", "s")], roles={"s": "subject"}).judged == 0


def test_candidates_that_had_a_vote_each_have_not_won_together() -> None:
    roles: dict[str, Role] = {"s": "subject", **dict.fromkeys(("c1", "c2", "c3"), "candidate")}
    said = [("a1", "v", "s"), ("a1", "w", "s"), ("a1", "x", "c1"), ("a1", "y", "c2"), ("a1", "z", "c3")]
    assert found(said, roles=roles).shares["subject"].value == pytest.approx(1.0)
