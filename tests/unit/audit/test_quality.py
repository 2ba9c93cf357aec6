"""From judgements to figures: what counts, how it is weighted, and whether intervals hold the truth."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from recaption.audit.judgements import Judgement, Outcome, last_words, outcomes
from recaption.audit.quality import Quality, read_quality
from recaption.audit.sampling import Design, Row, SamplePlan, draw_sample
from recaption.audit.working import agreement, drift, edits, pace, reasons


def said(key: str, kind: Outcome = "accept", auditor: str = "ann", **more) -> Judgement:
    edited = more.pop("edited", "a text" if kind == "edit" else None)
    return Judgement(key=key, auditor=auditor, kind=kind, edited=edited, **more)


def plan_of(*strata: tuple[str, int], share: float = 1.0, **design) -> SamplePlan:
    items = [Row(f"{name}{i}", name) for name, size in strata for i in range(size)]
    return draw_sample(items, Design(share=share, **design))


def test_the_last_word_counts():
    words = last_words([said("a", "reject"), said("a", "accept"), said("b", "accept"), said("b", "reject")])
    assert outcomes(words) == {"a": "accept", "b": "reject"}


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        (["accept", "accept", "reject"], "accept"),
        (["accept", "reject"], "reject"),
        (["accept", "edit"], "edit"),
        (["edit", "edit", "reject"], "edit"),
        (["accept", "edit", "reject"], "reject"),
    ],
)
def test_the_majority_and_in_doubt_the_worst(kinds: Sequence[Outcome], outcome: str):
    words = last_words([said("a", kind, f"auditor {i}") for i, kind in enumerate(kinds)])
    assert outcomes(words) == {"a": outcome}


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": -1.0},
        {"seconds": math.nan},
        {"at": math.inf},
        {"edited": "x"},
        {"kind": "edit", "edited": None},
    ],
)
def test_judgements_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=r"not a time|an edit"):
        said("a", **wrong)


def test_strata_are_weighted_back():
    plan = plan_of(("big", 900), ("small", 100), share=0.05, shares={"small": 0.5}, least=20, seed=3)
    words = []
    for item in plan.fair:
        good = item.stratum == "big"
        words.append(said(item.key, "accept" if good else "reject", reason="wrong object"))
    found = read_quality(words, plan)
    assert found.accepted.value == pytest.approx(0.9)
    assert found.rejected.value == pytest.approx(0.1)
    assert found.usable.value == pytest.approx(0.9)
    assert found.accepted.wilson.low < 0.9 < found.accepted.wilson.high
    assert found.accepted.exact.low < found.accepted.wilson.low
    big, small = found.strata
    assert (big.stratum, big.size, big.accepted, small.accepted) == ("big", 900, 1.0, 0.0)
    assert small.judged == small.drawn == small.counts["reject"]
    assert found.reasons == {"wrong object": small.judged}
    assert (found.judged, found.drawn, found.population, found.strangers) == (
        len(plan.fair),
        len(plan.fair),
        1_000,
        0,
    )


def test_the_doubtful_and_strangers_enter_no_estimate():
    items = [Row(f"i{i}", uncertainty=float(i)) for i in range(200)]
    plan = draw_sample(items, Design(share=0.1, doubtful=40, seed=1))
    words = [said(item.key) for item in plan.fair] + [said(item.key, "reject") for item in plan.doubtful]
    found = read_quality([*words, said("nobody knows me", "reject")], plan)
    assert found.accepted.value == 1.0
    assert found.doubtful.chosen == found.doubtful.judged == len(plan.doubtful)
    assert found.doubtful.counts == {"reject": len(plan.doubtful)}
    assert found.strangers == 1
    assert found.reasons == {}


def test_nothing_was_said_yet():
    found = read_quality([], plan_of(("a", 50)), scores={"clip": {}}, limit=0.05)
    assert found.accepted.value is None
    assert found.accepted.wilson.reason == "nothing was judged"
    assert found.pace.median is None
    assert found.edits.mean is None
    assert found.agreement.alpha.value is None
    assert found.drift.trend.value is None
    assert found.predictors[0].reason
    assert found.lot is not None
    assert (found.lot.decision.action, found.lot.accept_up_to, found.lot.curve) == ("sample more", None, ())
    assert found.lot.decision.more == 50  # the lot ends before 59


def test_the_lot_decision_and_its_curve():
    plan = plan_of(("a", 5_000), share=0.1, seed=1)
    good = read_quality([said(item.key) for item in plan.fair], plan, limit=0.05).lot
    assert good is not None
    assert good.decision.action == "accept"
    assert good.accept_up_to is not None
    assert good.curve[0] == (0.0, 1.0)
    chances = [chance for _, chance in good.curve]
    assert chances == sorted(chances, reverse=True)
    assert next(chance for share, chance in good.curve if share >= 0.05) <= 0.05 + 1e-9
    bad = read_quality([said(item.key, "reject") for item in plan.fair], plan, limit=0.05).lot
    assert bad is not None
    assert bad.decision.action == "reject"
    assert read_quality([], plan).lot is None


def test_a_score_that_knows_is_found_among_those_that_do_not():
    plan = plan_of(("a", 1_000), share=0.4, seed=2)
    rng = np.random.default_rng(1)
    truth = {item.key: bool(rng.random() < 0.25) for item in plan.fair}
    scores = {
        "knows": {key: float(rng.normal(-1.5 * bad, 1)) for key, bad in truth.items()},
        "noise": {key: float(rng.normal()) for key in truth},
        "flat": dict.fromkeys(truth, 1.0),
        "rare": dict(list(dict.fromkeys(truth, 2.0).items())[:3]),
    }
    words = [said(key, "reject" if bad else "accept") for key, bad in truth.items()]
    found = {p.name: p for p in read_quality(words, plan, scores=scores, recall=0.8).predictors}
    knows = found["knows"]
    assert knows.auc.value is not None
    assert knows.auc.value < 0.25
    assert knows.balanced is not None
    assert knows.catching is not None
    assert knows.balanced.side == knows.catching.side == "below"
    assert knows.catching.recall >= 0.8
    caught = [key for key, value in scores["knows"].items() if value <= knows.catching.threshold]
    assert sum(truth[key] for key in caught) / sum(truth.values()) == pytest.approx(knows.catching.recall)
    for name in ("noise", "flat"):
        assert found[name].balanced is None
        assert found[name].reason == "it may well be chance"
    assert "5 of each" in found["rare"].reason
    assert found["rare"].missing == len(truth) - 3
    assert next(iter(found)) == "knows"


def test_pace_edits_and_reasons():
    words = [said(f"i{i}", seconds=float(i)) for i in range(11)]
    found = pace([*words, said("x")])
    assert (found.n, found.median, found.fast, found.slow) == (11, 5.0, 1.0, 9.0)
    changed = edits(
        [
            said("a", "edit", shown="a red car", edited="a blue car"),
            said("b", "edit", shown="a car", edited="a car"),
            said("c"),
        ]
    )
    assert changed.n == 2
    assert changed.mean == pytest.approx(1 / 6)
    many = [said(f"r{i}", "reject", reason=f"  reason\n{i}  ") for i in range(60)]
    told = reasons(
        [*many, said("r", "reject", reason="reason 7"), said("s", "reject"), said("t", reason="praise")]
    )
    assert next(iter(told.items())) == ("reason 7", 2)
    assert told["other"] == 61 - 50
    assert "praise" not in told
    assert sum(told.values()) == 62


def test_people_who_grow_milder_are_seen():
    rng = np.random.default_rng(4)

    def over_time(
        chance: Callable[[float], float], auditor: str = "ann", start: float = 0.0
    ) -> list[Judgement]:
        kinds: list[Outcome] = ["accept" if rng.random() < chance(i / 200) else "reject" for i in range(200)]
        return [said(f"i{i}", kind, auditor, at=start + i, seconds=2.0) for i, kind in enumerate(kinds)]

    steady = drift(over_time(lambda _: 0.7))
    milder = drift(over_time(lambda when: when))
    assert len(milder.stretches) == 10
    assert sum(stretch.n for stretch in milder.stretches) == 200
    assert milder.stretches[0].accepted < milder.stretches[-1].accepted
    assert milder.trend.low is not None
    assert milder.trend.low > 0.5
    assert steady.trend.low is not None
    assert steady.trend.high is not None
    assert steady.trend.low < 0.5 < steady.trend.high
    assert drift([said("a", seconds=2.0)]).stretches == ()
    # A mild auditor who comes after a strict one has not grown milder, and neither has anybody else.
    both = drift([*over_time(lambda _: 0.5), *over_time(lambda _: 0.95, "bob", start=1_000.0)])
    assert both.trend.low is not None
    assert both.trend.high is not None
    assert both.trend.low < 0.5 < both.trend.high
    # What was brought in from elsewhere tells nothing of when it was said.
    brought = [dataclasses.replace(j, seconds=None) for j in over_time(lambda when: when)]
    assert drift(brought).trend.value is None


def test_agreement_of_two_and_of_three():
    # 20 both accept, 15 both reject, 5 and 10 differ: kappa .40.
    table: list[tuple[int, Outcome, Outcome]] = [
        (20, "accept", "accept"),
        (5, "accept", "reject"),
        (10, "reject", "accept"),
        (15, "reject", "reject"),
    ]
    pairs = [pair for n, *pair in table for _ in range(n)]
    two = [
        said(f"i{i}", kind, name) for i, pair in enumerate(pairs) for name, kind in zip("ab", pair, strict=True)
    ]
    found = agreement(last_words([*two, said("alone", "edit", "a")]))
    assert (found.items, found.auditors) == (50, 2)
    assert found.cohen is not None
    assert found.cohen.value == pytest.approx(0.40)
    assert found.agreement.value == pytest.approx(0.70)
    assert found.fleiss is not None
    assert found.alpha.low is not None
    more = agreement(last_words([*two, said("i0", "accept", "c")]))
    assert (more.auditors, more.cohen, more.fleiss) == (3, None, None)
    assert more.alpha.value is not None


class World:
    """Items whose captions are good or not, with a score that half knows; auditors know the truth."""

    def __init__(self, seed: int, n: int = 2_000) -> None:
        rng = np.random.default_rng(seed)
        self.flagged = rng.random(n) < 0.15
        score = rng.normal(0, 1, n)
        chance = 1 / (1 + np.exp(-(2.8 + 1.2 * score - 2.0 * self.flagged)))
        self.good = rng.random(n) < chance
        self.edits = rng.random(n) < 0.3
        edge = float(np.quantile(score, 0.3))
        self.rows = [
            Row(f"k{i}", f"{'flagged' if flag else 'clean'} · {'low' if s < edge else 'high'}", float(-s))
            for i, (flag, s) in enumerate(zip(self.flagged, score, strict=True))
        ]

    def audit(self, plan: SamplePlan) -> list[Judgement]:
        words = []
        for at, item in enumerate(plan.items):
            i = int(item.key[1:])
            kind: Outcome = "accept" if self.good[i] else "edit" if self.edits[i] else "reject"
            words.append(said(item.key, kind, at=float(at)))
        return words


@pytest.mark.slow
def test_closed_loop_intervals_hold_the_truth():
    repeats, held, guarded, naive, errors = 200, 0, 0, 0, []
    for seed in range(repeats):
        world = World(seed)
        plan = draw_sample(
            world.rows, Design(seed=seed, share=0.07, shares={"flagged · low": 0.3}, doubtful=120)
        )
        words = world.audit(plan)
        found: Quality = read_quality(words, plan)
        truth = float(world.good.mean())
        assert found.accepted.value is not None
        errors.append(found.accepted.value - truth)
        held += found.accepted.wilson.low <= truth <= found.accepted.wilson.high
        guarded += found.accepted.exact.low <= truth <= found.accepted.exact.high
        share = sum(word.kind == "accept" for word in words) / len(words)
        half = 1.96 * math.sqrt(share * (1 - share) / len(words))
        naive += abs(share - truth) <= half
    assert held / repeats >= 0.93
    assert guarded / repeats >= 0.95
    # Unbiased, within what chance leaves of the mean of so many; and it matters: all verdicts alike would mislead.
    assert abs(np.mean(errors)) < 3 * np.std(errors) / math.sqrt(repeats)
    assert naive / repeats < 0.2
