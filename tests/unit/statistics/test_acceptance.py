"""Sampling plans, operating curves, bounds and sizes: published values, exact arithmetic, and what must hold."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recaption.statistics.acceptance import (
    AQLS,
    Plan,
    accept_chance,
    acceptance_number,
    decide,
    defect_bounds,
    ltpd,
    operating_curve,
    single_plan,
)
from recaption.statistics.intervals import clopper_pearson
from recaption.statistics.sample_size import sample_size, zero_defect_size
from recaption.statistics.tails import hypergeometric_cdf

# (n, Ac), P(accept) at 1, 2.5 and 5 % of defects, share accepted with a chance of 10 %.
CURVES = [
    (80, 2, (0.953, 0.677, 0.231), 0.065),
    (125, 3, (0.963, 0.619, 0.124), 0.053),
    (200, 5, (0.984, 0.616, 0.062), 0.046),
    (500, 10, (0.987, 0.294, 0.000), 0.031),
    (200, 10, (1.000, 0.987, 0.583), 0.076),
    (315, 14, (1.000, 0.986, 0.387), 0.063),
]


@pytest.mark.parametrize(
    ("lot", "aql", "letter", "n", "number"),
    [
        (501, 1.0, "J", 80, 2),
        (1_200, 1.0, "J", 80, 2),
        (1_201, 1.0, "K", 125, 3),
        (10_000, 1.0, "L", 200, 5),
        (3_201, 2.5, "L", 200, 10),
        (35_000, 2.5, "M", 315, 14),
        (35_001, 1.0, "N", 500, 10),
        (150, 0.65, "F", 20, 0),
        (281, 0.65, "J", 80, 1),  # arrow down from H
        (151, 0.65, "F", 20, 0),  # arrow up from G
        (500_001, 1.0, "Q", 1250, 21),
        (500_001, 2.5, "N", 500, 21),  # arrow up past 21
        (500_001, 0.01, "Q", 1250, 0),
        (8, 10.0, "C", 5, 1),  # nothing above A: down
        (2, 6.5, "A", 2, 0),
    ],
)
def test_plans_of_the_master_table(lot: int, aql: float, letter: str, n: int, number: int):
    assert single_plan(lot, aql) == Plan(n=n, accept_up_to=number, letter=letter, aql=aql)


def test_a_plan_larger_than_the_lot_looks_at_all_of_it():
    assert single_plan(60, 0.01) == Plan(n=60, accept_up_to=0, letter="Q", aql=0.01)


@pytest.mark.parametrize(("lot", "aql"), [(1, 1.0), (0, 1.0), (100, 1.1), (100, math.nan)])
def test_there_is_no_plan_for_everything(lot: int, aql: float):
    with pytest.raises(ValueError, match=r"lot|AQL"):
        single_plan(lot, aql)


@given(st.integers(2, 10**7), st.sampled_from(AQLS))
def test_every_lot_has_a_plan_that_accepts_what_is_as_good_as_promised(lot: int, aql: float):
    plan = single_plan(lot, aql)
    assert 0 <= plan.accept_up_to <= 21
    assert plan.n <= lot
    # The standard's own promise: between 88 and 99.9 % at the AQL, more where the whole lot is looked at.
    assert accept_chance(plan.n, plan.accept_up_to, aql / 100) > 0.87


@pytest.mark.parametrize(("n", "number", "chances", "tolerated"), CURVES)
def test_operating_curves(n: int, number: int, chances: tuple[float, ...], tolerated: float):
    found = operating_curve(n, number, (0.01, 0.025, 0.05))
    assert tuple(round(chance, 3) for _, chance in found) == chances
    assert round(ltpd(n, number), 3) == tolerated
    assert accept_chance(n, number, ltpd(n, number)) == pytest.approx(0.10, abs=1e-9)


def test_in_a_small_lot_the_sample_says_more():
    # 80 of 100: two defects left in 20 are hard to miss.
    assert accept_chance(80, 2, 0.05, lot=100) < accept_chance(80, 2, 0.05)
    assert accept_chance(100, 2, 0.03, lot=100) == 0.0
    assert accept_chance(100, 2, 0.02, lot=100) == 1.0
    assert ltpd(80, 2, lot=1_000_000) == pytest.approx(ltpd(80, 2), abs=1e-4)
    assert ltpd(80, 2, lot=100) == 5 / 100
    assert hypergeometric_cdf(2, 80, 5, 100) <= 0.10 < hypergeometric_cdf(2, 80, 4, 100)


def test_a_plan_refuses_early_and_accepts_late():
    plan = Plan(n=80, accept_up_to=2)
    assert [plan.decide(0, 79), plan.decide(2, 80), plan.decide(3, 10)] == ["sample more", "accept", "reject"]


def test_bounds_are_one_sided_and_exact():
    found = defect_bounds(3, 200)
    two_sided = clopper_pearson(3, 200, 0.90)
    assert (found.low, found.high) == pytest.approx((two_sided.low, two_sided.high))
    assert defect_bounds(0, 299).high < 0.01 < defect_bounds(0, 298).high
    mirrored = defect_bounds(197, 200)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low))
    assert defect_bounds(0, 0, lot=10).high == 1.0
    assert defect_bounds(3, 10, lot=10).low == defect_bounds(3, 10, lot=10).high == 0.3


def _at_most(k: int, n: int, marked: int, lot: int) -> Fraction:
    """The chance of at most k marked ones, without rounding: what is a twentieth is no more than that."""
    ways = sum(math.comb(marked, i) * math.comb(lot - marked, n - i) for i in range(k + 1))
    return Fraction(ways, math.comb(lot, n))


@st.composite
def _samples(draw: st.DrawFn) -> tuple[int, int, int]:
    """A lot's size, how many of it were looked at, how many of these were bad."""
    lot = draw(st.integers(1, 80))
    n = draw(st.integers(1, lot))
    return lot, n, draw(st.integers(0, n))


@settings(deadline=None, max_examples=60)
@given(_samples())
@example((60, 1, 1))  # three bad ones in sixty have a chance of a twentieth, which rounds either way
def test_bounds_of_a_small_lot_are_those_of_trying_every_number(sample: tuple[int, int, int]):
    lot, n, defects = sample
    possible = range(defects, lot - n + defects + 1)
    low = next(m for m in possible if 1 - _at_most(defects - 1, n, m, lot) > Fraction(1, 20))
    high = next(m for m in reversed(possible) if _at_most(defects, n, m, lot) > Fraction(1, 20))
    found = defect_bounds(defects, n, lot=lot)
    assert (found.low, found.high) == (low / lot, high / lot)


def test_a_lot_that_stands_alone():
    assert decide(0, 299, limit=0.01).action == "accept"
    more = decide(0, 200, limit=0.01)
    assert (more.action, more.more) == ("sample more", 99)
    assert decide(20, 200, limit=0.05).action == "reject"
    assert decide(0, 0, limit=0.05).more == 59
    middling = decide(2, 100, limit=0.05)
    assert middling.action == "sample more"
    assert middling.more is not None
    n = 100 + middling.more
    assert decide(math.ceil(0.02 * n), n, limit=0.05).action == "accept"
    assert decide(5, 100, limit=0.05).more is None
    assert decide(5, 100, limit=0.05, lot=400).more == 300
    assert decide(2, 50, limit=0.05, lot=50).action == "accept"
    assert decide(3, 50, limit=0.05, lot=50).action == "reject"


def test_the_decision_by_bounds_has_an_acceptance_number():
    assert acceptance_number(298, 0.01) is None
    assert acceptance_number(299, 0.01) == 0
    number = acceptance_number(500, 0.05)
    assert number is not None
    assert decide(number, 500, limit=0.05).action == "accept"
    assert decide(number + 1, 500, limit=0.05).action != "accept"
    assert accept_chance(500, number, 0.05) <= 0.05


def test_a_bad_lot_is_seldom_accepted():
    rng = np.random.default_rng(5)
    seen = Counter(rng.hypergeometric(62, 1_938, 150, 10_000).tolist())
    accepted = sum(n for d, n in seen.items() if decide(d, 150, limit=0.03, lot=2_000).action == "accept")
    assert 0 < accepted <= 0.05 * 10_000 + 3 * math.sqrt(10_000 * 0.05 * 0.95)


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1, math.nan])
def test_limits_that_cannot_be(limit: float):
    with pytest.raises(ValueError, match="limit"):
        decide(1, 10, limit=limit)


@pytest.mark.parametrize(("defects", "n", "lot"), [(2, 1, None), (-1, 3, None), (1, 5, 4)])
def test_counts_that_cannot_be(defects: int, n: int, lot: int | None):
    with pytest.raises(ValueError, match="defects"):
        defect_bounds(defects, n, lot=lot)


def test_sample_sizes():
    assert sample_size(0.05) == 385
    assert sample_size(0.03) == 1068
    assert sample_size(0.05, share=0.9) < 385
    assert sample_size(0.05, population=1_000) == 278
    assert sample_size(0.05, population=1_000_000) == 385  # below 5 % of all, there is nothing to correct
    assert sample_size(0.05, population=20) == 20
    assert sample_size(0.05, population=1) == 1


@pytest.mark.parametrize(("share", "n"), [(0.01, 299), (0.02, 149), (0.05, 59)])
def test_zero_defect_sizes(share: float, n: int):
    assert zero_defect_size(share) == n
    assert zero_defect_size(share, lot=10_000_000) == n
    assert zero_defect_size(share, lot=500) < n


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.sampled_from([0.01, 0.05, 0.3]))
def test_zero_defects_in_a_small_lot_is_the_least_that_shows_so_few(lot: int, share: float):
    n, marked = zero_defect_size(share, lot=lot), math.ceil(share * lot)
    assert hypergeometric_cdf(0, n, marked, lot) <= 0.05 + 1e-9  # one in twenty is 0.05, but for the last bit
    assert n == 1 or hypergeometric_cdf(0, n - 1, marked, lot) > 0.05 - 1e-9


def test_sizes_that_cannot_be():
    for margin, share, population in [(0.0, 0.5, None), (0.05, 1.0, None), (0.05, 0.5, 0)]:
        with pytest.raises(ValueError, match=r"margin|sample from"):
            sample_size(margin, share=share, population=population)
    with pytest.raises(ValueError, match="share"):
        zero_defect_size(1.0)
