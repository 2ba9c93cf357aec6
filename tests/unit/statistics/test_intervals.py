"""Intervals of shares: published and computed values, and what must hold for all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.statistics.intervals import clopper_pearson, sign_test, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (0, 50, 0.0, 0.0713),
        (8, 10, 0.4902, 0.9433),
        (3, 200, 0.0051, 0.0432),
        (5, 200, 0.0107, 0.0572),
        (190, 200, 0.9104, 0.9726),
        (475, 500, 0.9272, 0.9659),
        (0, 299, 0.0, 0.0127),
        (60, 100, 0.5020, 0.6906),
    ],
)
def test_wilson(successes: int, n: int, low: float, high: float):
    found = wilson(successes, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 50, 0.0, 0.0711), (8, 10, 0.4439, 0.9748), (3, 200, 0.0031, 0.0432)],
)
def test_clopper_pearson(successes: int, n: int, low: float, high: float):
    found = clopper_pearson(successes, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(("n", "share"), [(299, 0.01), (149, 0.02), (59, 0.05)])
def test_no_defect_in_so_many_is_the_least_that_shows_so_few(n: int, share: float):
    assert clopper_pearson(0, n, confidence=0.90).high < share < clopper_pearson(0, n - 1, confidence=0.90).high


def test_the_sign_test_of_sixty_to_forty():
    assert round(sign_test(60, 40), 4) == 0.0569
    assert sign_test(0, 0) == 1.0
    assert sign_test(5, 5) == 1.0
    assert math.isclose(sign_test(10, 0), 2 * 0.5**10)


@given(st.integers(0, 300), st.integers(0, 300))
def test_intervals_hold_the_share_and_turn_with_it(successes: int, failures: int):
    n = successes + failures
    for interval in (wilson, clopper_pearson):
        found, other = interval(successes, n), interval(failures, n)
        share = successes / n if n else 0.5
        assert 0.0 <= found.low <= share + 1e-12
        assert share - 1e-12 <= found.high <= 1.0
        assert math.isclose(found.low, 1 - other.high, abs_tol=1e-9)


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_sign_test_is_a_chance_and_symmetric(wins: int, losses: int):
    assert 0 < sign_test(wins, losses) <= 1
    assert sign_test(wins, losses) == sign_test(losses, wins)
