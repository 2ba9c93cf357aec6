import numpy as np
import pytest

from recaption.evaluation.downstream.uncertainty import crossed_intervals
from recaption.statistics.intervals import Interval


def crossed_interval(values, seed):
    """Return the interval of one figure, of values (items, trainings)."""
    return crossed_intervals(values[:, None, :], seed)[0]


def test_no_difference_has_no_width():
    assert crossed_interval(np.zeros((50, 3)), 0) == Interval(0.0, 0.0)


def test_nothing_has_no_interval():
    assert crossed_interval(np.zeros((0, 3)), 0) is None
    assert crossed_interval(np.zeros((5, 0)), 0) is None


def test_one_training_is_the_bootstrap_over_items():
    values = np.random.default_rng(0).normal(1.0, 2.0, (400, 1))
    found = crossed_interval(values, 0)
    assert found is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)
    assert (found.high + found.low) / 2 == pytest.approx(values.mean(), abs=0.02)


def test_trainings_that_differ_widen_it_as_much_as_their_spread_says():
    """Items do not differ: what is left is the error of a mean over trainings, with S - 1 in its variance."""
    trainings = np.random.default_rng(1).normal(0.0, 1.0, 12)
    found = crossed_interval(np.tile(trainings, (100, 1)), 0)
    assert found is not None
    error = trainings.std(ddof=1) / np.sqrt(12)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_items_that_all_trainings_share_are_not_counted_as_independent():
    """Three equal trainings are no more than one."""
    one = np.random.default_rng(2).normal(0.0, 1.0, (300, 1))
    single, triple = crossed_interval(one, 0), crossed_interval(np.repeat(one, 3, axis=1), 0)
    assert single is not None
    assert triple is not None
    assert triple.high - triple.low == pytest.approx(single.high - single.low, rel=1e-9)


def test_equal_seeds_give_equal_intervals():
    values = np.random.default_rng(3).normal(size=(60, 3))
    assert crossed_interval(values, 5) == crossed_interval(values, 5)
    assert crossed_interval(values, 5) != crossed_interval(values, 6)


def test_several_figures_at_once_are_as_each_alone():
    values = np.random.default_rng(4).normal(size=(80, 4, 3))
    together = crossed_intervals(values, 0)
    alone = [crossed_interval(values[:, i], 0) for i in range(4)]
    for one, other in zip(together, alone, strict=True):
        assert one is not None
        assert other is not None
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-12)
