"""Wins, orders, strengths and ratings."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.statistics.pairwise import (
    bradley_terry,
    duels,
    elo,
    first_position_wins,
    order_consistency,
    strengths,
)

games = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0])).filter(
        lambda g: g[0] != g[1]
    ),
    max_size=40,
)


def test_sixty_to_forty_is_where_interval_and_test_disagree():
    found = duels(60, 0, 40)
    assert found.p_value == pytest.approx(0.0569, abs=5e-5)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.5020, 0.6906), abs=5e-5)
    assert found.net_rate == pytest.approx(0.2)
    assert found.win_rate == 0.6


def test_ties_count_for_the_net_rate_alone():
    found = duels(60, 100, 40)
    assert found.net_rate == pytest.approx(0.1)
    assert found.win_rate == 0.6
    assert found.interval == duels(60, 0, 40).interval
    assert found.n == 200
    # The published leaderboard's scores are (wins - losses) / 2 of 200 comparisons, a percentage of net wins.
    assert duels(158, 0, 42).net_rate == pytest.approx(0.58)


def test_without_anything_decided_there_is_no_rate():
    assert (duels(0, 0, 0).net_rate, duels(0, 0, 0).win_rate) == (None, None)
    assert (duels(0, 5, 0).net_rate, duels(0, 5, 0).win_rate, duels(0, 5, 0).p_value) == (0.0, None, 1.0)


def test_a_judge_that_always_says_first_is_never_consistent():
    always_first = [(1, -1)] * 10
    assert order_consistency(always_first) == 0.0
    assert first_position_wins(always_first) == (20, 20)
    fair = [(1, 1), (-1, -1), (0, 0), (1, 0)]
    assert order_consistency(fair) == 0.75
    assert first_position_wins(fair) == (3, 5)
    assert order_consistency([]) is None
    assert first_position_wins([(0, 0)]) == (0, 0)


def test_two_players_strengths_are_the_logarithm_of_the_odds():
    assert strengths(np.array([[0.0, 30.0], [70.0, 0.0]])) == pytest.approx([0.0, math.log(70 / 30)])


def test_strengths_meet_the_conditions_of_the_maximum():
    wins = np.array([[0.0, 5.0, 8.0], [7.0, 0.0, 9.5], [2.0, 3.5, 0.0]])
    found = strengths(wins)
    chance = 1 / (1 + np.exp(found[None, :] - found[:, None]))
    expected = ((wins + wins.T) * chance).sum(axis=1)
    assert expected == pytest.approx(wins.sum(axis=1), abs=1e-6)


@pytest.mark.parametrize(
    "wins",
    [
        [[0, 3, 1], [1, 0, 2], [0, 0, 0]],  # one never won
        [[0, 3, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]],  # two worlds
        [[0, 0], [0, 0]],
    ],
)
def test_strengths_that_are_not_finite_are_none(wins):
    assert np.isnan(strengths(np.array(wins, dtype=float))).all()


def test_bradley_terry_has_an_interval_around_each_strength_but_the_first():
    played = [(1, 0, 1.0)] * 70 + [(1, 0, 0.0)] * 30 + [(2, 0, 0.5)] * 50
    baseline, better, equal = bradley_terry(played, 3, resamples=200)
    assert (baseline.value, baseline.low, baseline.high) == (0.0, 0.0, 0.0)
    assert better.value == pytest.approx(math.log(70 / 30), abs=1e-6)
    assert better.low is not None
    assert better.high is not None
    assert 0.3 < better.low < math.log(70 / 30) < better.high < 1.5
    assert equal.value == pytest.approx(0.0, abs=1e-6)
    assert bradley_terry(played, 3, resamples=200) == [baseline, better, equal]
    hopeless = bradley_terry([(1, 0, 1.0)] * 5, 2)
    assert [e.value for e in hopeless] == [None, None]
    assert all("never" in e.reason for e in hopeless)


def test_elo_of_one_game_and_of_none():
    assert elo([], 2) == [1000.0, 1000.0]
    assert elo([(1, 0, 1.0)], 2) == [998.0, 1002.0]
    first, second = elo([(0, 1, 1.0)] * 300 + [(0, 1, 0.0)] * 100, 2, orders=50)
    assert first + second == pytest.approx(2000)
    # In the long run the ratings tell the odds: 400 * log10(3) = 190.8 apart.
    assert first - second == pytest.approx(190.8, abs=35)


@settings(max_examples=40, deadline=None)
@given(games, st.integers(0, 5))
def test_elo_keeps_the_sum_for_one_order_and_is_seeded(played, seed):
    assert sum(elo(played, 3, seed=seed, orders=1)) == pytest.approx(3000)
    assert elo(played, 3, seed=seed, orders=20) == elo(played, 3, seed=seed, orders=20)


@settings(max_examples=40, deadline=None)
@given(games)
def test_turning_every_game_round_turns_the_strengths_round(played):
    forward = bradley_terry(played, 3, resamples=5)
    backward = bradley_terry([(a, b, 1 - s) for a, b, s in played], 3, resamples=5)
    if forward[1].value is None:
        assert backward[1].value is None
    else:
        values = [e.value for e in backward]
        assert values == pytest.approx([-e.value for e in forward if e.value is not None], abs=1e-5)


@pytest.mark.parametrize("odds", [1.0, 50.0, 1e4, 1e6])
def test_extreme_odds_are_found_too(odds):
    assert strengths(np.array([[0.0, 1.0], [odds, 0.0]]))[1] == pytest.approx(math.log(odds), abs=1e-6)


def test_tables_in_a_stack_do_not_touch_each_other():
    tables = np.array([[[0.0, 3.0], [1.0, 0.0]], [[0.0, 3.0], [0.0, 0.0]], [[0.0, 1.0], [2.0, 0.0]]])
    found = strengths(tables)
    assert np.isnan(found[1]).all()
    assert found[[0, 2], 1] == pytest.approx([-math.log(3), math.log(2)])
    assert strengths(np.zeros((1, 1))) == pytest.approx([0.0])
