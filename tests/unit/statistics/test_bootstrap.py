"""The bootstrap: its intervals cover what they should, and equal seeds give equal draws."""

import numpy as np
import pytest

from recaption.statistics.bootstrap import percentile_interval, resampled_sums, resamples_for


def test_the_sums_are_those_of_items_drawn_with_replacement():
    parts = np.eye(5)
    sums = resampled_sums(parts, seed=1, resamples=2000)
    assert (sums.sum(axis=1) == 5).all()
    assert abs(sums.mean() - 1) < 1e-12
    assert abs(sums.var() - 0.8) < 0.05  # binomial(5, 1/5)


def test_equal_seeds_give_equal_draws_whatever_else_is_summed():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(300, 1)), rng.normal(size=(300, 2))
    alone = resampled_sums(one, seed=3, resamples=50)
    together = resampled_sums(np.hstack([one, two]), seed=3, resamples=50)
    assert np.allclose(alone[:, 0], together[:, 0], rtol=1e-12)
    assert not np.allclose(alone, resampled_sums(one, seed=4, resamples=50))


def test_large_samples_get_fewer_resamples_and_small_ones_no_more_than_enough():
    assert [resamples_for(n) for n in (0, 10, 10_000, 50_000, 10_000_000)] == [
        10_000,
        10_000,
        10_000,
        2_000,
        1_000,
    ]


def test_no_items_have_no_sums():
    assert resampled_sums(np.zeros((0, 2)), seed=0, resamples=3).tolist() == [[0, 0]] * 3


def test_an_interval_needs_a_figure_that_is_mostly_defined():
    assert percentile_interval(np.array([np.nan, np.nan, 1.0])) is None
    assert percentile_interval(np.zeros(0)) is None
    found = percentile_interval(np.array([np.nan, 1.0, 2.0, 3.0]))
    assert found is not None
    assert 1 <= found.low <= found.high <= 3


@pytest.mark.parametrize("kind", ["normal", "skewed", "share"])
def test_the_interval_covers_the_truth_as_often_as_it_says(kind: str):
    """Of 95 % intervals of a mean of 200, 93 to 97 % cover it, but for the error of 1,000 repeats (0.7 %)."""
    rng = np.random.default_rng(7)
    covered = 0
    for repeat in range(1000):
        values, truth = {
            "normal": (rng.normal(0.3, 1.0, 200), 0.3),
            "skewed": (rng.gamma(2.0, 1.0, 200), 2.0),
            "share": (rng.binomial(1, 0.3, 200).astype(float), 0.3),
        }[kind]
        means = resampled_sums(values[:, None], seed=repeat, resamples=500)[:, 0] / 200
        interval = percentile_interval(means)
        assert interval is not None
        covered += interval.low <= truth <= interval.high
    assert 0.925 <= covered / 1000 <= 0.975
