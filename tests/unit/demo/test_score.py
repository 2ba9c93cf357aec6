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
    table = fact_table(
        [(BALL, "a blue ball and a hat", "a red ball"), (CUP, "IMG_1.JPG", "a red cup on grass")]
    )
    before, after = table.before, table.after
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
    pairs = [
        (s, "a red ball to the left of two cups", describe(s, "dense", i))
        for i, s in enumerate(sample_scenes(40, 9))
    ]
    for side in (fact_table(pairs).before, fact_table(pairs).after):
        for name in ("supported", "contradicted", "unknown", "stated", "facts"):
            assert getattr(side.total, name) == sum(getattr(side.by_kind[k], name) for k in FACT_KINDS)


def test_true_dense_captions_reach_the_top() -> None:
    pairs = [(s, "", describe(s, "dense", i)) for i, s in enumerate(sample_scenes(40, 9))]
    table = fact_table(pairs)
    assert (table.after.total.precision, table.after.fully_correct) == (1.0, 40)
    assert table.after.total.stated >= table.after.total.facts - 12, (
        "only a sign named by its word may go unsaid"
    )
    assert table.before.total.precision is None
    assert table.before.silent == 40


def test_rows_are_plain_strings_with_their_denominators() -> None:
    rows = fact_table([(BALL, "a blue ball", "a red ball")]).rows()
    assert {len(row) for row in rows} == {5}
    assert rows[0] == ["fact", "right before", "right after", "stated before", "stated after"]
    assert ["colour", "0.0 % of 1", "100.0 % of 1", "0.0 % of 1", "100.0 % of 1"] in rows
    assert ["relation", "–", "–", "–", "–"] in rows
    assert ["captions fully correct", "0.0 % of 1", "100.0 % of 1", "", ""] in rows


def test_no_captions_make_an_empty_table() -> None:
    table = fact_table([])
    assert table.before.captions == 0
    assert table.after.total.precision is None
    assert table.rows()[1][1:] == ["–", "–", "–", "–"]
