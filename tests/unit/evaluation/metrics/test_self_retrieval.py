"""The chance to be told from others drawn at random: in closed form what drawing would give in the long run."""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.evaluation.measures import Additive
from recaption.evaluation.metrics.self_retrieval import SelfRetrieval, SelfRetrievalFacts, told_apart
from tests.unit.evaluation.facts import made_pools, only_items


def by_drawing(greater: int, equal: int, n: int, distractors: int) -> Fraction:
    """Go through every draw."""
    others = [2] * greater + [1] * equal + [0] * (n - 1 - greater - equal)
    draws = list(combinations(others, distractors))
    return Fraction(sum(Fraction(1, 1 + draw.count(1)) if 2 not in draw else 0 for draw in draws), len(draws))


@given(st.data())
@settings(max_examples=80)
def test_the_closed_form_is_the_mean_over_all_draws(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 9))
    greater = data.draw(st.integers(0, n - 1))
    equal = data.draw(st.integers(0, n - 1 - greater))
    distractors = data.draw(st.integers(0, n - 1))
    found = told_apart(np.array([greater]), np.array([equal]), n, distractors)
    assert found[0] == pytest.approx(float(by_drawing(greater, equal, n, distractors)), abs=1e-10)


@pytest.mark.parametrize("n", [101, 1000, 50_000])
def test_large_pools_are_exact_as_well(n: int) -> None:
    rng = np.random.default_rng(0)
    greater = rng.integers(0, min(n - 1, 400), 50)
    equal = np.minimum(rng.integers(0, 40, 50) * (np.arange(50) % 2), n - 1 - greater)
    expected = [
        float(Fraction(sum(comb(n - 1 - g - u, 99) for u in range(e + 1)), (e + 1) * comb(n - 1, 99)))
        for g, e in zip(greater.tolist(), equal.tolist(), strict=True)
    ]
    assert told_apart(greater, equal, n, 99) == pytest.approx(expected, abs=1e-7)


def test_all_tied_is_chance_and_the_first_is_sure() -> None:
    ends = told_apart(np.array([0, 0, 999]), np.array([999, 0, 0]), 1000, 99)
    assert ends == pytest.approx([0.01, 1.0, 0.0], abs=1e-9)


def test_the_figure_is_a_mean_over_texts_by_item() -> None:
    images = np.eye(4)
    texts = {"a": [(0, [1, 0, 0, 0]), (0, [0, 1, 0, 0]), (2, [0, 0, 1, 0])], "b": [(3, [1, 1, 1, 1])]}
    (figure,) = SelfRetrieval().score(
        only_items(4), SelfRetrievalFacts(pools=[made_pools(images, texts)], distractors=2)
    )
    assert isinstance(figure, Additive)
    assert (figure.about.name, figure.about.group, figure.about.better) == ("rd3", "retrieval", "higher")
    # The second text has 1 image before its own and 2 beside it: drawn with the first it fails, else it draws lots.
    expected = float(by_drawing(1, 2, 4, 2))
    assert figure.parts["a"] == pytest.approx(np.array([[(1 + expected) / 2, 1], [0, 0], [1, 1], [0, 0]]))
    assert figure.parts["b"] == pytest.approx(np.array([[0, 0], [0, 0], [0, 0], [1 / 3, 1]]))


def test_a_small_pool_has_fewer_others_and_says_so() -> None:
    facts = SelfRetrievalFacts(
        pools=[made_pools(np.eye(3), {"a": [(0, [0, 1, 0])]}, suffix="@other")], distractors=99
    )
    (figure,) = SelfRetrieval().score(only_items(3), facts)
    assert isinstance(figure, Additive)
    assert figure.about.name == "rd100@other"
    assert "2 others" in figure.about.title
    assert "33.3 %" in figure.about.note
    assert "as there are no 99" in figure.about.note


def test_nothing_read_is_nothing_told() -> None:
    facts = SelfRetrievalFacts(
        pools=[made_pools(np.zeros((2, 0)), {"a": []}, known=[False, False])], distractors=99
    )
    (figure,) = SelfRetrieval().score(only_items(2), facts)
    assert isinstance(figure, Additive)
    assert np.isnan(figure.formula(figure.parts["a"].sum(axis=0)))
