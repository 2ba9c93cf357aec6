"""Cosines and what is derived from them: published values, invariants, and nothing where nothing is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.cosines import (
    best_of_own,
    clipscore,
    deranged,
    greatest_within,
    least_within,
    mean_within,
    paired,
    ref_clipscore,
)

NAN = math.nan


def array(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


# Cosines that give the values published with the metric's own example.
@pytest.mark.parametrize(
    ("cosine", "expected"), [(0.34336, 0.8584), (0.28612, 0.7153), (-0.2, 0.0), (1.0, 2.5)]
)
def test_clipscore_is_its_formula(cosine: float, expected: float) -> None:
    assert clipscore(array(cosine))[0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("score", "reference", "expected"),
    [(0.75, 0.85, 0.796875), (0.8584, 0.8321, 0.8450), (0.0, 0.0, 0.0), (0.0, -0.3, 0.0), (0.4, -0.1, 0.0)],
)
def test_refclipscore_is_a_harmonic_mean_that_is_0_where_one_is(
    score: float, reference: float, expected: float
) -> None:
    assert ref_clipscore(array(score), array(reference))[0] == pytest.approx(expected, abs=5e-5)


def test_refclipscore_takes_the_weighted_score() -> None:
    assert ref_clipscore(clipscore(array(0.30)), array(0.85))[0] == pytest.approx(0.796875, abs=1e-12)
    assert ref_clipscore(array(0.30), array(0.85))[0] == pytest.approx(0.4435, abs=5e-5), "the usual mistake"


def test_what_is_unknown_stays_unknown() -> None:
    assert np.isnan(clipscore(array(NAN))[0])
    assert np.isnan(ref_clipscore(array(NAN, 0.5), array(0.5, NAN))).all()
    for within in (mean_within, least_within, greatest_within):
        assert np.isnan(within(array(0.5, NAN), np.array([0, 0]), array(0.1, NAN))).all()


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(-1, 1, width=32)), max_size=20),
    st.randoms(use_true_random=False),
)
def test_sentences_in_any_order_have_the_same_mean_least_and_greatest(
    sentences: list[tuple[int, float]], random: "np.random.Generator"
) -> None:
    alone = np.linspace(-0.9, 0.9, 6)
    mixed = list(sentences)
    random.shuffle(mixed)
    for within, one in ((mean_within, np.mean), (least_within, np.min), (greatest_within, np.max)):
        found = within(array(*(v for _, v in mixed)), np.array([o for o, _ in mixed], dtype=np.int64), alone)
        for owner in range(6):
            own = [value for o, value in sentences if o == owner]
            assert found[owner] == pytest.approx(float(one(own)) if own else alone[owner], abs=1e-12)


def test_a_sentence_said_twice_changes_no_extreme() -> None:
    once, twice = np.array([0, 0]), np.array([0, 0, 0])
    for within in (least_within, greatest_within):
        assert within(array(0.1, 0.4), once, array(0.2)) == within(array(0.1, 0.4, 0.4), twice, array(0.2))


def test_pairs_of_equal_rows_are_equal_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(9000, 77)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    right = np.tile(rows[:1], (9000, 1))
    again = np.tile(rows[5:6], (9000, 1))
    everywhere = np.arange(9000)
    assert len(set(paired(again, everywhere, right, everywhere).tolist())) == 1
    found = paired(rows, everywhere, rows, everywhere[::-1])
    assert found == pytest.approx((rows * rows[::-1]).sum(axis=1), abs=1e-5)
    assert np.abs(paired(rows, everywhere, rows, everywhere)).max() <= 1


def test_the_best_reference_of_the_own_item_counts() -> None:
    texts = np.eye(3, dtype=np.float32)
    references = np.array([[0, 1, 0], [0.6, 0.8, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32)
    found = best_of_own(texts, np.array([4, 6, 9]), references, np.array([4, 4, 9, 9]))
    assert found[[0, 2]] == pytest.approx([0.6, 1.0])
    assert np.isnan(found[1])


@given(st.integers(2, 200), st.integers(0, 2**32))
def test_a_derangement_gives_everyone_another_one(n: int, seed: int) -> None:
    items = np.arange(n) * 3 + 1
    others = deranged(items, seed)
    assert sorted(others.tolist()) == items.tolist()
    assert (others != items).all()
    assert np.array_equal(others, deranged(items, seed))
