"""Tails of the binomial and the hypergeometric distribution against exact integers."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.statistics.tails import binomial_cdf, hypergeometric_cdf


@given(st.integers(0, 40), st.data())
def test_binomial_is_the_sum_of_its_terms(n: int, data):
    k, tenths = data.draw(st.integers(-1, n + 1)), data.draw(st.integers(0, 10))
    p = Fraction(tenths, 10)
    exact = sum((math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(min(k, n) + 1)), Fraction(0))
    assert binomial_cdf(k, n, float(p)) == pytest.approx(float(exact), abs=1e-12)


@given(st.integers(1, 60), st.data())
def test_hypergeometric_is_the_sum_of_its_terms(lot: int, data):
    n, marked = data.draw(st.integers(0, lot)), data.draw(st.integers(0, lot))
    k = data.draw(st.integers(-1, n + 1))
    ways = sum(math.comb(marked, i) * math.comb(lot - marked, n - i) for i in range(min(k, n) + 1))
    exact = Fraction(ways, math.comb(lot, n))
    assert hypergeometric_cdf(k, n, marked, lot) == pytest.approx(float(exact), abs=1e-12)


def test_large_lots_stay_exact():
    assert binomial_cdf(500_000, 1_000_000, 0.5) == pytest.approx(0.5, abs=1e-3)
    assert hypergeometric_cdf(10, 500, 10_000, 1_000_000) == pytest.approx(
        binomial_cdf(10, 500, 0.01), abs=1e-3
    )
