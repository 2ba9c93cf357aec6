"""Agreement of raters: published values, a slow second implementation, and what is undefined."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.statistics.krippendorff import krippendorff_alpha
from recaption.statistics.raters import (
    agreement_by_key,
    cohen_kappa,
    cohen_kappa_of_table,
    fleiss_kappa,
    gwet_ac1,
    percent_agreement,
    prevalence,
)

# Krippendorff 2011: four observers, twelve units, and three coders, fifteen units; a row an observer, 0 unrated.
FOUR_BY_TWELVE = ["123321412000", "123322412503", "033323422510", "123324412510"]
THREE_BY_FIFTEEN = ["000003412113303", "102133430000000", "002134402113304"]
FLEISS = "0 0 0 0 14|0 2 6 4 2|0 0 3 5 6|0 3 9 2 0|2 2 8 1 1|7 7 0 0 0|3 2 6 3 0|2 5 3 2 2|6 5 2 1 0|0 2 2 3 7"


def units(observers: list[str]) -> list[list[int | None]]:
    return [[int(c) or None for c in column] for column in zip(*observers, strict=True)]


def pairs_of(table: list[list[int]]) -> list[tuple[int, int]]:
    return [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]


@pytest.mark.parametrize(
    ("data", "level", "alpha"),
    [
        (THREE_BY_FIFTEEN, "nominal", 0.691358),
        (THREE_BY_FIFTEEN, "interval", 0.810845),
        (THREE_BY_FIFTEEN, "ordinal", 0.806721),
        (THREE_BY_FIFTEEN, "ratio", 0.808944),
        (FOUR_BY_TWELVE, "nominal", 0.743421),
        (FOUR_BY_TWELVE, "ordinal", 0.815388),
        (FOUR_BY_TWELVE, "interval", 0.849107),
        (FOUR_BY_TWELVE, "ratio", 0.797403),
    ],
)
def test_published_alphas(data, level, alpha):
    found = krippendorff_alpha(units(data), level)
    assert found.value == pytest.approx(alpha, abs=5e-7)
    assert found.low is not None
    assert found.high is not None
    assert found.low < alpha < found.high <= 1


def _slow_alpha(rows: list[list[int | None]], level: str) -> float:
    """Return alpha by going through every pair of ratings, as the definition says."""
    kept = [[v for v in row if v is not None] for row in rows]
    kept = [row for row in kept if len(row) > 1]
    every = [v for row in kept for v in row]

    def distance(a: int, b: int) -> float:
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return float((a - b) ** 2)
        if level == "ratio":
            return ((a - b) / (a + b)) ** 2 if a + b else 0.0
        low, high = min(a, b), max(a, b)
        between = sum(low <= v <= high for v in every)
        return (between - (every.count(a) + every.count(b)) / 2) ** 2 if a != b else 0.0

    seen = sum(distance(a, b) / (len(row) - 1) for row in kept for a, b in permutations(row, 2))
    chance = sum(distance(a, b) for a, b in permutations(every, 2))
    return 1 - (len(every) - 1) * seen / chance if chance else math.nan


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=1, max_size=4), max_size=12),
    st.sampled_from(["nominal", "ordinal", "interval", "ratio"]),
)
def test_alpha_is_what_going_through_all_pairs_gives(rows, level):
    rated = [row for row in rows if sum(v is not None for v in row) > 1]
    found = krippendorff_alpha(rows, level, resamples=50)
    expected = _slow_alpha(rows, level) if rated else math.nan
    if math.isnan(expected):
        assert found.value is None
        assert found.reason
    else:
        assert found.value == pytest.approx(expected, abs=1e-9)
        assert found.n == len(rated)


def test_alpha_of_many_distinct_numbers_needs_little_memory():
    drawn = np.random.default_rng(0).normal(1e6, 1.0, size=4000)
    rows = [[float(v), float(v)] for v in drawn]
    assert krippendorff_alpha(rows, "interval", resamples=100).value == pytest.approx(1.0)
    with pytest.raises(ValueError, match="too many for the ordinal"):
        krippendorff_alpha(rows, "ordinal")


@pytest.mark.parametrize(
    ("rows", "level", "said"),
    [
        ([["a", "b"]], "ordinal", "finite numbers"),
        ([[1.0, math.inf]], "interval", "finite numbers"),
        ([[True, False]], "interval", "finite numbers"),
        ([[-1, 2]], "ratio", "must not be negative"),
    ],
)
def test_values_that_a_scale_does_not_have_are_refused(rows, level, said):
    with pytest.raises(ValueError, match=said):
        krippendorff_alpha(rows, level)


def test_cohen_of_two_tables():
    assert cohen_kappa_of_table([[20, 5], [10, 15]]) == pytest.approx(0.40)
    assert cohen_kappa_of_table([[90, 4], [4, 2]]) == pytest.approx(0.2908, abs=5e-5)
    found = cohen_kappa(pairs_of([[20, 5], [10, 15]]))
    assert found.value == pytest.approx(0.40)
    assert found.n == 50
    assert found.low is not None
    assert found.high is not None
    assert 0.1 < found.low < 0.4 < found.high < 0.7


def test_the_paradox_of_prevalence_is_seen_in_the_figures_beside_kappa():
    pairs = pairs_of([[90, 4], [4, 2]])
    assert percent_agreement(pairs).value == pytest.approx(0.92)
    assert cohen_kappa(pairs).value == pytest.approx(0.2908, abs=5e-5)
    # By hand: chance is 2 * .94 * .06 = .1128; (.92 - .1128) / (1 - .1128).
    assert gwet_ac1(pairs).value == pytest.approx(0.909829, abs=5e-7)
    shares = {value: found.value for value, found in prevalence(pairs).items()}
    assert shares == pytest.approx({0: 0.94, 1: 0.06})
    assert next(iter(shares)) == 0


def test_weighted_kappa_by_hand_and_of_two_values():
    # Three values: penalties 0, 1, 4. Observed (2*1 + 1*4)/9; expected over rows 3,3,3 and columns 3,3,3: 12*9/81.
    table = [[2, 0, 1], [1, 2, 0], [0, 1, 2]]
    assert cohen_kappa_of_table(table, "quadratic") == pytest.approx(1 - (6 / 9) / (108 / 81))
    two = [[20, 5], [10, 15]]
    assert cohen_kappa_of_table(two, "quadratic") == cohen_kappa_of_table(two)
    assert cohen_kappa_of_table(two, "linear") == cohen_kappa_of_table(two)


def test_the_order_of_values_decides_a_weighted_kappa_and_can_be_stated():
    pairs = [("low", "middle"), ("middle", "high"), ("high", "high"), ("low", "low"), ("middle", "middle")]
    stated = cohen_kappa(pairs, weights="quadratic", categories=["low", "middle", "high"]).value
    assert stated != cohen_kappa(pairs, weights="quadratic").value
    with pytest.raises(ValueError, match="'high' is none of the categories"):
        cohen_kappa(pairs, categories=["low", "middle"])


def test_fleiss_published_example():
    counts = [[int(n) for n in row.split()] for row in FLEISS.split("|")]
    found = fleiss_kappa(counts)
    assert found.value == pytest.approx(0.210, abs=5e-4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.21 < found.high
    with pytest.raises(ValueError, match="the same number of ratings"):
        fleiss_kappa([[1, 1], [2, 1]])
    with pytest.raises(ValueError, match="two at least"):
        fleiss_kappa([[1, 0]])


@pytest.mark.parametrize("name", ["cohen", "alpha", "fleiss", "ac1"])
def test_one_value_only_is_undefined_with_a_reason_and_never_nan(name):
    same = [("yes", "yes")] * 5
    found = {
        "cohen": lambda: cohen_kappa(same),
        "alpha": lambda: krippendorff_alpha(same),
        "fleiss": lambda: fleiss_kappa([[2, 0]] * 5),
        "ac1": lambda: gwet_ac1(same),
    }[name]()
    assert found.value is None
    assert "one value" in found.reason
    assert (found.low, found.high) == (None, None)


def test_stated_categories_make_ac1_of_one_value_defined():
    assert gwet_ac1([("yes", "yes")] * 5, categories=["yes", "no"]).value == 1.0


def test_nothing_rated_twice_is_undefined_with_a_reason():
    for found in (
        cohen_kappa([]),
        fleiss_kappa([]),
        krippendorff_alpha([[1, None], []]),
        percent_agreement([[1, None], []]),
        gwet_ac1([[1, None], [2]]),
    ):
        assert found.value is None
        assert "two ratings" in found.reason
    assert prevalence([]) == {}


def test_an_interval_that_hangs_on_one_unit_is_not_given():
    found = cohen_kappa([("a", "a")] * 200 + [("b", "b")])
    assert found.value == 1.0
    assert found.low is not None  # 63 % of the resamples hold the one
    lonely = krippendorff_alpha([["a", "b"]])
    assert lonely.value == pytest.approx(0.0)


def test_agreement_by_key_takes_what_both_have_rated():
    judge = {"a": "first", "b": "second", "c": "tie", "x": "tie"}
    person = {"c": "tie", "b": "first", "a": "first", "y": "tie"}
    found = agreement_by_key(judge, person, categories=["first", "tie", "second"])
    assert found.n == 3
    assert found.agreement.value == pytest.approx(2 / 3)
    assert found.kappa.value == pytest.approx(0.5)
    assert found.prevalence["first"].value == pytest.approx(0.5)
    nothing = agreement_by_key({}, person)
    assert nothing.n == 0
    assert nothing.kappa.value is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30), st.integers(0, 100))
def test_kappa_is_bounded_symmetric_seeded_and_one_where_all_agree(pairs, seed):
    found = cohen_kappa(pairs, seed=seed, resamples=60)
    turned = cohen_kappa([(b, a) for a, b in pairs], seed=seed, resamples=60)
    assert found == cohen_kappa(pairs, seed=seed, resamples=60)
    assert (found.value is None) == (turned.value is None)
    if found.value is not None:
        assert found.value == pytest.approx(turned.value)
        assert -1 - 1e-9 <= found.value <= 1 + 1e-9
        agreed = cohen_kappa([(a, a) for a, _ in pairs], resamples=60).value
        assert agreed in (None, 1.0)
