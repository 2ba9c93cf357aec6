"""Bags hold images that are close, each in one bag at most, and no two copies of one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.evaluation.look_alikes import look_alikes
from recaption.evaluation.ranks import Vectors


def unit(rows: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Vectors:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clusters(count: int, each: int) -> Vectors:
    """Rows of `count` clusters in turn: a cosine of 0.86 within, of 0.14 at most between."""
    rows = [np.eye(16)[i % count] + 0.4 * np.eye(16)[count + i // count] for i in range(count * each)]
    return unit(np.array(rows))


@pytest.mark.parametrize("size", [2, 3, 5])
def test_bags_are_made_of_neighbours(size: int) -> None:
    bags = look_alikes(clusters(6, size), size, seed=1)
    assert len(bags) == 6
    for bag in bags:
        assert len(set((bag % 6).tolist())) == 1


@given(st.integers(0, 60), st.integers(2, 5), st.integers(0, 10**6))
@settings(max_examples=40)
def test_no_image_is_in_two_bags_and_no_two_of_a_bag_are_copies(n: int, size: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, 3)) + 1
    vectors = unit(rows[np.random.default_rng(seed + 1).integers(max(1, n // 2), size=n)]) if n else unit(rows)
    bags = look_alikes(vectors, size, seed=seed, cap=0.97)
    assert bags.shape[1] == size
    assert len(set(bags.ravel().tolist())) == bags.size
    for bag in bags:
        cosines = vectors[bag] @ vectors[bag].T - 2 * np.eye(size)
        assert cosines.max() < 0.97 + 1e-6
    assert np.array_equal(bags, look_alikes(vectors, size, seed=seed, cap=0.97))


def test_copies_alone_make_no_bag() -> None:
    same = np.tile(unit(np.ones((1, 4))), (500, 1))
    assert look_alikes(same, 3, seed=0).shape == (0, 3)


def test_many_copies_of_a_neighbour_do_not_fill_the_bag() -> None:
    pair = unit(np.array([[1.0, 0.0], [1.0, 0.5]]))
    vectors = np.concatenate([pair[:1], np.tile(pair[1:], (400, 1))])
    assert look_alikes(vectors, 3, seed=0).shape == (0, 3)
    bags = look_alikes(vectors, 2, seed=0)
    assert len(bags) == 1
    assert 0 in bags[0]


def test_the_seed_decides_who_begins() -> None:
    vectors = unit(np.random.default_rng(3).normal(size=(40, 5)) + 1)
    assert not np.array_equal(look_alikes(vectors, 3, seed=0), look_alikes(vectors, 3, seed=1))
