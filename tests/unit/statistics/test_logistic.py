"""Ridge logistic regression: one maximum, wherever the search begins; comparisons as Bradley and Terry have them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.statistics.logistic import Fit, log_loss, logistic, sigmoid
from recaption.statistics.pairwise import strengths

ROOMY = 1e-9


def drawn(n: int = 80, p: int = 4, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    yes = rng.random(n) < sigmoid(x @ np.array([1.0, -2.0, 0.0, 0.5])[:p] + 0.3)
    signs = np.where(yes, 1.0, -1.0)
    return x * signs[:, None], signs, np.ones(n)


def test_the_slope_vanishes_at_the_answer():
    rows, signs, counts = drawn()
    ridge = np.array([0.5, 1.0, 2.0, 4.0])
    fit = logistic(rows, signs, counts, ridge)
    left = counts * (1 - sigmoid(rows @ fit.weights + signs * fit.intercept))
    assert rows.T @ left == pytest.approx(ridge * fit.weights, abs=1e-6)
    assert signs @ left == pytest.approx(0, abs=1e-5)


def test_one_yes_or_no_feature_gives_the_odds_of_its_table():
    """30 of 40 with the feature, 10 of 40 without: log odds ratio ln 9, intercept ln 1/3."""
    feature = np.r_[np.ones(40), np.zeros(40)]
    signs = np.r_[np.ones(30), -np.ones(10), np.ones(10), -np.ones(30)]
    fit = logistic((feature * signs)[:, None], signs, np.ones(80), np.array([ROOMY]))
    assert fit.weights[0] == pytest.approx(math.log(9), abs=1e-6)
    assert fit.intercept == pytest.approx(-math.log(3), abs=1e-6)


def test_comparisons_alone_are_bradley_and_terry():
    wins = np.array([[0, 7, 9], [3, 0, 6], [1, 4, 0]], dtype=np.float64)
    rows, counts = [], []
    for i in range(3):
        for j in range(3):
            if wins[i, j]:
                rows.append(np.eye(3)[i] - np.eye(3)[j])
                counts.append(wins[i, j])
    fit = logistic(np.array(rows), np.zeros(len(rows)), np.array(counts), np.full(3, ROOMY))
    assert fit.weights - fit.weights[0] == pytest.approx(strengths(wins), abs=1e-5)
    assert fit.intercept == 0


def test_a_count_is_as_many_rows():
    rows, signs, _ = drawn(30)
    ridge = np.ones(4)
    counts = np.arange(30) % 3
    whole = logistic(rows, signs, counts.astype(np.float64), ridge)
    again = logistic(np.repeat(rows, counts, axis=0), np.repeat(signs, counts), np.ones(counts.sum()), ridge)
    assert whole.weights == pytest.approx(again.weights, abs=1e-8)


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_the_answer_does_not_hang_on_where_the_search_begins(seed: int):
    rows, signs, counts = drawn(40, seed=seed)
    far = Fit(weights=np.random.default_rng(seed).normal(0, 20, 4), intercept=-9.0)
    one = logistic(rows, signs, counts, np.full(4, 0.3))
    other = logistic(rows, signs, counts, np.full(4, 0.3), far)
    assert one.weights == pytest.approx(other.weights, abs=1e-4)
    assert one.intercept == pytest.approx(other.intercept, abs=1e-4)


def test_what_is_wholly_apart_has_an_answer_and_a_strong_ridge_holds_it_at_nothing():
    rows = np.ones((10, 1))
    signs = np.r_[np.ones(5), -np.ones(5)]
    free = logistic(rows, signs, np.ones(10), np.array([0.01]))
    held = logistic(rows, signs, np.ones(10), np.array([1e9]))
    assert 1 < free.weights[0] < 20
    assert abs(held.weights[0]) < 1e-6
    assert log_loss(rows, signs, np.ones(10), free) < log_loss(rows, signs, np.ones(10), held)
    assert log_loss(rows, signs, np.ones(10), held) == pytest.approx(10 * math.log(2), abs=1e-5)


def test_the_logistic_function_does_not_overflow():
    assert sigmoid(np.array([-1e6, -30.0, 0.0, 1e6])) == pytest.approx([0, math.exp(-30), 0.5, 1], abs=1e-13)


@pytest.mark.parametrize(
    ("rows", "signs", "counts", "ridge"),
    [
        (np.ones((2, 1)), np.ones(3), np.ones(2), np.ones(1)),
        (np.full((2, 1), np.nan), np.ones(2), np.ones(2), np.ones(1)),
        (np.ones((2, 1)), np.ones(2), -np.ones(2), np.ones(1)),
        (np.ones((2, 1)), np.ones(2), np.ones(2), np.zeros(1)),
    ],
)
def test_numbers_that_cannot_be(rows, signs, counts, ridge):
    with pytest.raises(ValueError, match=r"rows"):
        logistic(rows, signs, counts, ridge)
