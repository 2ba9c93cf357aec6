from dataclasses import replace

import pytest

from recaption.core.types import Box
from recaption.demo.captions import describe
from recaption.demo.claims import FACT_KINDS
from recaption.demo.score import Tally, fact_table
from recaption.demo.world import Scene, Thing, sample_scenes

BALL = Scene("grass", (Thing("ball", "red", "plain", "small", Box(10, 10, 40, 40)),), None, 192)
CUP = replace(BALL, things=(replace(BALL.things[0], shape="cup", colour="blue"),))


def test_counts_are_added_over_captions_not_averaged() -> None:
    old = [(BALL, "a blue ball and a hat"), (CUP, "IMG_1.JPG")]
    new = [(BALL, "a red ball"), (CUP, "a red cup on grass")]
    before, after = fact_table({"old": old, "new": new}).sides.values()
    assert before.by_kind["object"] == Tally(supported=1, contradicted=1, stated=1, facts=2)
    assert before.by_kind["colour"] == Tally(contradicted=1, facts=2)
    assert before.total.precision == pytest.approx(1 / 3)
    assert after.by_kind["object"].precision == 1.0
    assert after.by_kind["colour"].precision == pytest.approx(1 / 2)
    assert after.by_kind["background"].recall == pytest.approx(1 / 2)
    assert after.total.recall == pytest.approx(4 / 10)
    assert (before.captions, before.fully_correct, before.silent) == (2, 0, 1)
    assert (after.captions, after.fully_correct, after.silent) == (2, 1, 0)


def test_totals_are_the_sums_of_the_kinds() -> None:
    scenes = list(sample_scenes(40, 9))
    true = [(s, describe(s, "dense", i)) for i, s in enumerate(scenes)]
    false = [(s, "a red ball to the left of two cups") for s in scenes]
    for side in fact_table({"false": false, "true": true}).sides.values():
        for name in ("supported", "contradicted", "unknown", "stated", "facts"):
            assert getattr(side.total, name) == sum(getattr(side.by_kind[k], name) for k in FACT_KINDS)


def test_true_dense_captions_reach_the_top() -> None:
    scenes = list(sample_scenes(40, 9))
    true = [(s, describe(s, "dense", i)) for i, s in enumerate(scenes)]
    before, after = fact_table({"none": [(s, "") for s in scenes], "true": true}).sides.values()
    assert (after.total.precision, after.fully_correct) == (1.0, 40)
    assert after.total.stated >= after.total.facts - 12, "only a sign named by its word may go unsaid"
    assert before.total.precision is None
    assert before.silent == 40


def test_rows_are_plain_strings_and_say_how_many_claims_and_captions_they_stand_on() -> None:
    rows = fact_table({"old": [(BALL, "a blue ball")], "new": [(BALL, "a red ball")]}).rows()
    assert {len(row) for row in rows} == {3}
    assert rows[0] == ["right / said, %", "old", "new"]
    assert ["colour", "0.0 / 0.0", "100.0 / 100.0"] in rows
    assert ["relation", "–", "–"] in rows
    assert ["claims", "2", "2"] in rows
    assert ["captions all right, %", "0.0", "100.0"] in rows
