"""Samples for people: drawn by key and seed alone, apart from what was chosen, in bounded memory, and fair."""

import math
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.audit.allocation import allocate, score_edges
from recaption.audit.sampling import MOST_STRATA, WHOLE, Design, Row, draw_sample, stratum_name
from recaption.core.digests import seed_from
from recaption.core.errors import UserError
from recaption.stages.mark_for_audit import MarkForAudit


def rows(n: int, strata: int = 1, start: int = 0) -> Iterator[Row]:
    for i in range(start, start + n):
        yield Row(f"item-{i}", f"s{i % strata}" if strata > 1 else WHOLE, (i * 7919 % 1000) / 1000)


def keys(items) -> list[str]:
    return [item.key for item in items]


def test_a_share_of_all():
    plan = draw_sample(rows(4_000), Design(seed=1))
    expected = 200
    assert abs(len(plan.fair) - expected) < 4 * math.sqrt(expected)
    assert plan.sizes == {WHOLE: 4_000}
    assert plan.population == 4_000
    assert {item.probability for item in plan.fair} == {len(plan.fair) / 4_000}
    assert all(item.unbiased for item in plan.fair)
    assert plan.doubtful == ()


def test_order_does_not_matter_and_the_seed_does():
    shuffled = list(rows(2_000, 5))
    random.Random(3).shuffle(shuffled)
    design = Design(seed=1, doubtful=30)
    assert draw_sample(rows(2_000, 5), design) == draw_sample(shuffled, design)
    assert set(keys(draw_sample(rows(2_000), Design(seed=2)).fair)) != set(
        keys(draw_sample(rows(2_000), Design(seed=1)).fair)
    )


def test_added_items_change_nothing_for_those_there():
    before = set(keys(draw_sample(rows(3_000, 3), Design(seed=4)).fair))
    after = set(keys(draw_sample(rows(6_000, 3), Design(seed=4)).fair))
    assert before == {key for key in after if int(key.split("-")[1]) < 3_000}


@pytest.mark.parametrize("smaller", [{"share": 0.02}, {"size": 60}])
@pytest.mark.parametrize("larger", [{"share": 0.1}, {"size": 400}])
def test_a_larger_sample_holds_the_smaller(smaller, larger):
    few = draw_sample(rows(3_000, 4), Design(seed=5, **smaller))
    many = draw_sample(rows(3_000, 4), Design(seed=5, **larger))
    assert set(keys(few.fair)) < set(keys(many.fair))


def test_the_stage_that_marks_draws_the_same_lots():
    plan = draw_sample(rows(1_000), Design(seed=9, share=0.1, least=1))
    by_stage = {row.key for row in rows(1_000) if seed_from(9, row.key, MarkForAudit.name) < 0.1 * (1 << 63)}
    assert set(keys(plan.fair)) == by_stage


def test_a_size_is_spread_over_strata_by_their_sizes():
    everything = [*rows(3_000, 3), *(Row(f"rare-{i}", "rare") for i in range(20)), Row("lone", "lone")]
    plan = draw_sample(everything, Design(size=385, seed=1))
    counts = Counter(item.stratum for item in plan.fair)
    assert sum(counts.values()) == 385
    assert counts["rare"] == 5
    assert counts["lone"] == 1
    assert max(counts[f"s{i}"] for i in range(3)) - min(counts[f"s{i}"] for i in range(3)) <= 1
    lone = next(item for item in plan.fair if item.key == "lone")
    assert lone.probability == 1.0
    assert len(draw_sample(rows(30), Design(size=100)).fair) == 30


def test_some_strata_get_another_share():
    plan = draw_sample(rows(4_000, 2), Design(shares={"s0": 0.5}, seed=1))
    counts = Counter(item.stratum for item in plan.fair)
    assert counts["s0"] > 5 * counts["s1"]
    for item in plan.fair:
        assert item.probability == counts[item.stratum] / plan.sizes[item.stratum]


def test_the_doubtful_are_the_most_uncertain_and_stay_apart():
    plan = draw_sample(rows(2_000), Design(seed=1, doubtful=100))
    fair = set(keys(plan.fair))
    worst = sorted(rows(2_000), key=lambda row: -(row.uncertainty or 0))
    cut = worst[99].uncertainty
    assert cut is not None
    assert fair.isdisjoint(keys(plan.doubtful))
    assert not any(item.unbiased for item in plan.doubtful)
    assert {item.probability for item in plan.doubtful} == {1.0}
    certainly = {row.key for row in worst if (row.uncertainty or 0) > cut}
    assert certainly <= fair | set(keys(plan.doubtful))
    uncertainties = [item.uncertainty or 0 for item in plan.doubtful]
    assert uncertainties == sorted(uncertainties, reverse=True)
    # Doubt changes nothing about the fair part.
    assert draw_sample(rows(2_000), Design(seed=1)).fair == plan.fair
    assert plan.items == plan.fair + plan.doubtful


def test_every_beginning_is_spread_like_the_whole():
    plan = draw_sample(rows(6_000, 3), Design(size=300, seed=2))
    counts = Counter(item.stratum for item in plan.fair[:60])
    assert set(counts.values()) == {20}
    for stratum in plan.sizes:
        order = [seed_from(2, item.key, "mark_for_audit") for item in plan.fair if item.stratum == stratum]
        assert order == sorted(order)


def test_each_item_is_drawn_as_often_as_any_other():
    items = list(rows(40, 2))
    drawn: Counter[str] = Counter()
    seeds = 2_000
    for seed in range(seeds):
        drawn.update(keys(draw_sample(items, Design(size=10, seed=seed)).fair))
    expected = seeds * 10 / 40
    chi = sum((drawn[row.key] - expected) ** 2 / (expected * (1 - 10 / 40)) for row in items)
    assert chi < 40 + 4 * math.sqrt(2 * 40)


def test_what_cannot_be_sampled():
    with pytest.raises(UserError, match="comes twice"):
        draw_sample([Row("a"), Row("a")], Design())
    with pytest.raises(UserError, match="comes twice"):
        draw_sample([*rows(50), *[Row("a", WHOLE, 2.0)] * 2], Design(share=0, least=1, doubtful=3))
    with pytest.raises(UserError, match=f"more than {MOST_STRATA} strata"):
        draw_sample((Row(str(i), str(i)) for i in range(MOST_STRATA + 1)), Design())
    with pytest.raises(UserError, match="uncertainty"):
        draw_sample([Row("a", WHOLE, math.nan)], Design(doubtful=1))
    empty = draw_sample([], Design(doubtful=3))
    assert (empty.fair, empty.doubtful, empty.population) == ((), (), 0)


@pytest.mark.parametrize(
    "wrong",
    [{"share": 1.1}, {"share": math.nan}, {"size": 0}, {"least": 0}, {"doubtful": -1}, {"shares": {"a": -0.1}}],
)
def test_designs_that_cannot_be(wrong):
    with pytest.raises(UserError, match="audit sample"):
        Design(**wrong)


def test_hostile_keys_and_names():
    hostile = ["", "\ud800", "图像/一.png", "a" * 100_000, "😀", "\x00"]
    plan = draw_sample((Row(key, stratum_name([key])) for key in hostile), Design(doubtful=2))
    assert sorted(keys(plan.fair)) == sorted(hostile)
    assert stratum_name([]) == WHOLE
    assert stratum_name(["flagged", " "]) == "flagged · –"
    assert max(len(name) for name in plan.sizes) <= 200


@given(st.dictionaries(st.integers(), st.integers(1, 500), max_size=12), st.integers(1, 900), st.integers(1, 9))
def test_allocation_adds_up(sizes: dict[int, int], total: int, least: int):
    found = allocate(sizes, total, least)
    floors = {key: min(least, size) for key, size in sizes.items()}
    assert found.keys() == sizes.keys()
    assert all(floors[key] <= found[key] <= size for key, size in sizes.items())
    assert sum(found.values()) == min(sum(sizes.values()), max(total, sum(floors.values())))


def test_bins_hold_equally_many():
    values = [i / 100 for i in range(100)]
    edges = score_edges(values, 4)
    assert edges == (0.25, 0.5, 0.75)
    assert Counter(bisect_right(edges, value) for value in values) == {0: 25, 1: 25, 2: 25, 3: 25}
    assert score_edges([1.0] * 9) == ()
    assert score_edges([]) == ()
    with pytest.raises(ValueError, match="finite"):
        score_edges([math.nan])


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.integers(2, 9))
def test_every_bin_has_something_in_it(values: list[float], bins: int):
    edges = score_edges(values, bins)
    places = {sum(value >= edge for edge in edges) for value in values}
    assert places == set(range(len(edges) + 1))
