"""Which captions people are asked to look at."""

from dataclasses import replace
from math import sqrt

import pytest

from recaption.core.errors import UserError
from recaption.core.types import Caption, JsonValue, Kept, Provenance, Record
from recaption.recipes.strict import validated
from recaption.runs.stats import tally
from recaption.stages.mark_for_audit import MarkForAudit
from tests.unit.stages.composing import CONTEXT


def chosen(key: str = "k", flags: tuple[str, ...] = (), **selection: JsonValue) -> Record:
    best = Caption(
        text="A dog.",
        origin="model",
        provenance=Provenance(stage="caption", details={"selection": dict(selection)}),
        flags=dict.fromkeys(flags, "why"),
    )
    other = Caption(text="A cat.", origin="model", provenance=Provenance(stage="caption"))
    return Record(key=key, captions=(other, best), chosen=best.id)


def marked(*records: Record, seed: int = 0, **params: object) -> list[str | None]:
    """Return the reason of each record's mark; checks that only the chosen caption bears one."""
    stage = MarkForAudit(validated(MarkForAudit.Params, params, "mark_for_audit"))
    reasons = []
    for outcome in stage.process(records, replace(CONTEXT, seed=seed)):
        assert isinstance(outcome, Kept)
        assert outcome.record.best is not None
        assert "audit" not in outcome.record.captions[0].flags
        reasons.append(outcome.record.best.flags.get("audit"))
    return reasons


MANY = [chosen(f"photos/{i:05d}") for i in range(4_000)]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.5, 1.0])
def test_the_share_is_met_within_sampling_error(share: float) -> None:
    for seed in (0, 1, 2):
        count = sum(reason is not None for reason in marked(*MANY, share=share, seed=seed))
        assert abs(count - share * len(MANY)) <= 4 * sqrt(share * (1 - share) * len(MANY))


def test_the_lot_depends_on_key_and_seed_alone() -> None:
    some = MANY[:2000]
    together = marked(*some)
    assert [marked(record)[0] for record in some] == together
    assert marked(*reversed(some)) == together[::-1]
    assert marked(*some, seed=1) != together


def test_a_larger_share_holds_the_smaller_one() -> None:
    small, large = marked(*MANY[:2000], share=0.05), marked(*MANY[:2000], share=0.1)
    assert all(b is not None for a, b in zip(small, large, strict=True) if a is not None)
    assert {reason for reason in small if reason} == {"drawn, 5 % of all"}


ALWAYS = {"margin_below": 0.01, "disagreement_above": 0.4, "flags": ["unsupported"]}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (chosen(margin=0.009), "margin 0.009 is below 0.01"),
        (chosen(margin=0.01), None),
        (chosen(margin=0), "margin 0 is below 0.01"),
        (chosen(disagreement=0.5), "scorers disagree on 50 % of the pairs"),
        (chosen(disagreement=0.4), None),
        (chosen(flags=("unsupported", "loop")), "flag unsupported"),
        (chosen(flags=("loop",)), None),
        (chosen(), None),
        (chosen(margin="hostile"), None),
        (chosen(("k"), ("unsupported",), margin=0.0), "margin 0 is below 0.01; flag unsupported"),
    ],
)
def test_what_gives_cause_for_doubt_is_marked_in_any_case(record: Record, reason: str | None) -> None:
    assert marked(record, share=0, always=ALWAYS) == [reason]


def test_a_second_run_marks_afresh() -> None:
    before = chosen(flags=("audit", "loop"))
    assert marked(before, share=0) == [None]
    assert marked(before, share=1) == ["drawn, 100 % of all"]
    assert before.captions[1].flags["audit"] == "why"


def test_marks_are_counted_in_the_stats() -> None:
    stage = MarkForAudit(MarkForAudit.Params(share=1))
    kept = [o.record for o in stage.process(MANY[:7], CONTEXT) if isinstance(o, Kept)]
    assert tally(kept)["flags"] == {"audit": 7}


def test_nothing_chosen_is_a_recipe_in_the_wrong_order() -> None:
    with pytest.raises(UserError, match="put the stage `select` before it"):
        marked(replace(chosen(), chosen=None))
