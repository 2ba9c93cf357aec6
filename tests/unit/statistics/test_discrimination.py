"""The area under the ROC curve and thresholds: by hand, by pairs, and coverage by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recaption.statistics.discrimination import auc, cut_at_recall, cut_by_youden


def arrays(scores, positive) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return np.array(scores, dtype=float), np.array(positive, dtype=bool)


LABELLED = st.lists(st.tuples(st.integers(-5, 5), st.booleans(), st.integers(1, 4)), min_size=1, max_size=40)


def test_by_hand():
    found = auc(*arrays([3, 4, 1, 3], [1, 1, 0, 0]))
    assert (found.value, found.positives, found.negatives) == (0.875, 2, 2)
    weighted = auc(*arrays([3, 4, 1, 3], [1, 1, 0, 0]), weights=np.array([1.0, 1.0, 1.0, 3.0]))
    assert weighted.value == pytest.approx((1 + 1.5 + 1 + 3) / 8)


@given(LABELLED)
def test_it_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool, int]]):
    x, y = arrays([r[0] for r in rows], [r[1] for r in rows])
    w = np.array([r[2] for r in rows], dtype=float)
    found = auc(x, y, w)
    if y.all() or not y.any():
        assert found.value is None
        assert found.reason
        assert cut_by_youden(x, y, w) is None
        return
    pairs = [(a, b) for a in rows if a[1] for b in rows if not b[1]]
    won = sum(a[2] * b[2] * ((a[0] > b[0]) + (a[0] == b[0]) / 2) for a, b in pairs)
    assert found.value is not None
    assert found.value == pytest.approx(won / sum(a[2] * b[2] for a, b in pairs))
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    turned = auc(-x, y, w)
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (1 - found.value, 1 - found.high, 1 - found.low), abs=1e-7
    )


def test_the_ends_solve_newcombes_equation():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(1, 1, 30), rng.normal(0, 1, 50)])
    y = np.arange(80) < 30
    found = auc(x, y)
    assert found.value is not None
    for end in (found.low, found.high):
        assert end is not None
        q1, q2, other = end / (2 - end), 2 * end**2 / (1 + end), (30 + 50) / 2 - 1
        # Hanley and McNeil 1982, with both sizes replaced by their mean.
        variance = (end * (1 - end) + other * (q1 - end**2) + other * (q2 - end**2)) / (30 * 50)
        assert abs(found.value - end) / math.sqrt(variance) == pytest.approx(1.959964, abs=1e-5)


def test_wholly_apart_is_not_wholly_sure():
    found = auc(*arrays([1, 2, 3, 4, 5, 6], [0, 0, 0, 1, 1, 1]))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low is not None
    assert 0.4 < found.low < 0.8


@pytest.mark.parametrize("shift", [0.0, 0.7, 2.0])
@pytest.mark.parametrize(("m", "n"), [(10, 90), (40, 60)])
def test_coverage(shift: float, m: int, n: int):
    rng, held, repeats = np.random.default_rng(3), 0, 400
    truth = 0.5 * math.erfc(-shift / 2)  # both normal with variance 1
    y = np.arange(m + n) < m
    for _ in range(repeats):
        found = auc(rng.normal(0, 1, m + n) + shift * y, y)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert held / repeats >= 0.93


def test_cuts_by_hand():
    x, y = arrays([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [1, 1, 0, 1, 0, 0])
    best = cut_by_youden(x, y, side="below")
    assert best is not None
    assert (best.threshold, best.side) == (0.2, "below")
    assert (best.recall, best.false_alarms, best.flagged, best.precision) == pytest.approx((2 / 3, 0, 1 / 3, 1))
    every = cut_at_recall(x, y, recall=1.0, side="below")
    assert every is not None
    assert (every.threshold, every.recall, every.false_alarms) == pytest.approx((0.4, 1.0, 1 / 3))
    assert every.recall_interval.low < 1 == every.recall_interval.high
    turned = cut_at_recall(-x, y, recall=1.0)
    assert turned is not None
    assert (turned.threshold, turned.side, turned.precision) == (-0.4, "above", every.precision)


@given(LABELLED, st.sampled_from([0.2, 0.5, 0.9, 1.0]))
def test_a_cut_does_what_it_says(rows: list[tuple[int, bool, int]], recall: float):
    x, y = arrays([r[0] for r in rows], [r[1] for r in rows])
    w = np.array([r[2] for r in rows], dtype=float)
    found = cut_at_recall(x, y, w, recall=recall)
    if found is None:
        return
    flagged = x >= found.threshold
    assert found.recall == pytest.approx(w[flagged & y].sum() / w[y].sum())
    assert found.false_alarms == pytest.approx(w[flagged & ~y].sum() / w[~y].sum())
    assert found.recall >= recall - 1e-9
    stricter = x > found.threshold
    assert w[stricter & y].sum() / w[y].sum() < recall


@pytest.mark.parametrize(
    ("scores", "positive", "weights"),
    [([math.nan, 1], [1, 0], None), ([1, 2], [1, 0], [0, 1]), ([1, 2], [1], None), ([1, 2], [1, 0], [1])],
)
def test_what_cannot_be_ranked(scores, positive, weights):
    with pytest.raises(ValueError, match=r"scores|score"):
        auc(*arrays(scores, positive), weights=None if weights is None else np.array(weights, dtype=float))


def test_a_recall_that_cannot_be():
    with pytest.raises(ValueError, match="recall"):
        cut_at_recall(*arrays([1, 2], [1, 0]), recall=0.0)
