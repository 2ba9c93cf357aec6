"""The Vendi score: published values, and what an effective number must obey."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recaption.statistics.vendi import vendi_of_vectors, vendi_score

THREE = np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])


def test_published_values() -> None:
    assert vendi_score(THREE) == pytest.approx(2.1573, abs=5e-5)
    samples = np.array([0, 0, 10, 10, 20, 20])
    # Published as 2.9999, which is cut, not rounded: three pairs ten apart are three things but for a few billionths.
    assert 2.9999 <= vendi_score(np.exp(-np.abs(samples[:, None] - samples))) < 3


@pytest.mark.parametrize("order", [0.0, 0.1, 0.5, 1.0, 2.0, 10.0, np.inf])
def test_n_different_things_count_as_n_and_n_equal_ones_as_one(order: float) -> None:
    assert vendi_score(np.eye(7), order) == pytest.approx(7)
    assert vendi_score(np.ones((7, 7)), order) == pytest.approx(1)


def test_orders() -> None:
    eigenvalues = np.array([1.9, 1, 0.1]) / 3
    assert vendi_score(THREE, 2) == pytest.approx(1 / (eigenvalues**2).sum())
    assert vendi_score(THREE, np.inf) == pytest.approx(3 / 1.9)
    assert vendi_score(THREE, 0) == pytest.approx(3)
    assert vendi_score(THREE, 1) == pytest.approx(vendi_score(THREE, 1 + 1e-7), abs=1e-5)
    falling = [vendi_score(THREE, q) for q in (0, 0.5, 1, 2, np.inf)]
    assert falling == sorted(falling, reverse=True)


@given(arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 6)), elements=st.floats(0.1, 3)))
def test_vectors_give_what_their_cosines_give(vectors: np.ndarray) -> None:
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    kernel = units @ units.T
    expected = vendi_score(kernel)
    assert vendi_of_vectors(vectors) == pytest.approx(expected, rel=1e-6)
    assert 1 - 1e-9 <= expected <= min(vectors.shape) + 1e-6


def test_single_precision_is_enough_to_begin_with() -> None:
    vectors = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    assert vendi_of_vectors(vectors) == pytest.approx(vendi_of_vectors(vectors.astype(np.float64)), rel=1e-6)


@pytest.mark.parametrize(
    "kernel", [np.zeros((0, 0)), np.ones((2, 3)), np.ones(3), np.full((2, 2), 0.5), np.full((2, 2), np.nan)]
)
def test_what_is_no_kernel(kernel: np.ndarray) -> None:
    with pytest.raises(ValueError, match="kernel"):
        vendi_score(kernel)


@pytest.mark.parametrize("vectors", [np.zeros((0, 3)), np.zeros((2, 3)), np.full((1, 2), np.inf), np.ones(3)])
def test_what_are_no_vectors(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="vector"):
        vendi_of_vectors(vectors)


@pytest.mark.parametrize("order", [-1.0, float("nan")])
def test_an_order_that_is_none(order: float) -> None:
    with pytest.raises(ValueError, match="order"):
        vendi_score(np.eye(2), order)
