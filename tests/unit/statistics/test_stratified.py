"""Weighted shares of strata: the plain interval of one, what must hold of many, and coverage by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.statistics.intervals import clopper_pearson, wilson
from recaption.statistics.stratified import Limits, Stratum, stratum_interval, weighted_share


@pytest.mark.parametrize(("successes", "n"), [(0, 50), (8, 10), (3, 200), (190, 200), (475, 500), (50, 50)])
def test_of_one_stratum_it_is_the_plain_interval(successes: int, n: int):
    stratum = Stratum(successes, n, 1_000_000)
    plain, exact = wilson(successes, n), clopper_pearson(successes, n)
    found = weighted_share([stratum])
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))
    assert found.value == successes / n
    guarded = stratum_interval(stratum, limits="exact")
    assert (guarded.low, guarded.high) == pytest.approx((exact.low, exact.high))


def test_strata_are_weighted_by_their_sizes():
    found = weighted_share([Stratum(50, 50, 9_000), Stratum(25, 50, 1_000)])
    assert found.value == pytest.approx(0.95)
    assert found.low < 0.95 < found.high
    assert (found.n, found.covered, found.reason) == (100, 1.0, "")


def test_alike_strata_are_one_sample():
    whole = weighted_share([Stratum(90, 100, 100_000)])
    parts = weighted_share([Stratum(9, 10, 10_000)] * 10)
    assert parts.value == pytest.approx(whole.value)
    # Ten shares are estimated and not one; that costs a little.
    assert parts.high - parts.low == pytest.approx(whole.high - whole.low, rel=0.06)


def test_who_has_seen_all_knows():
    found = weighted_share([Stratum(9, 10, 10), Stratum(3, 4, 4)], limits="exact")
    assert found.value is not None
    assert found.low == pytest.approx(found.value) == pytest.approx(found.high) == pytest.approx(12 / 14)


def test_nobody_knows_what_was_not_looked_at():
    found = weighted_share([Stratum(50, 50, 800), Stratum(0, 0, 200)])
    assert found.value == 1.0
    assert (found.covered, found.high) == (0.8, 1.0)
    assert found.low < 0.8
    assert "1 of 2 strata" in found.reason
    nothing = weighted_share([Stratum(0, 0, 5)])
    assert (nothing.value, nothing.low, nothing.high, nothing.reason) == (None, 0.0, 1.0, "nothing was judged")
    assert weighted_share([]).value is None


@pytest.mark.parametrize("counts", [(3, 2, 10), (-1, 2, 10), (1, 5, 4)])
def test_counts_that_cannot_be(counts: tuple[int, int, int]):
    with pytest.raises(ValueError, match="cannot be"):
        Stratum(*counts)


@st.composite
def any_stratum(draw) -> Stratum:
    n = draw(st.integers(0, 60))
    return Stratum(draw(st.integers(0, n)), n, n + draw(st.integers(0, 500)))


@given(st.lists(any_stratum(), max_size=12), st.sampled_from(["wilson", "exact"]))
def test_the_interval_holds_the_share_and_turns_with_it(strata: list[Stratum], limits: Limits):
    found = weighted_share(strata, limits=limits)
    other = weighted_share([Stratum(s.n - s.successes, s.n, s.size) for s in strata], limits=limits)
    assert 0 <= found.low <= found.high <= 1 + 1e-12
    assert (found.low, found.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-7)
    if found.value is not None:
        assert found.low - 1e-12 <= found.value <= found.high + 1e-12


# Shares, numbers judged and sizes of strata: small ones, rare failures, a large one hardly looked at.
DESIGNS = [
    ([0.95], [100], [10_000]),
    ([0.95] * 10, [10] * 10, [1_000] * 10),
    ([0.99, 0.9, 0.7], [150, 30, 10], [3_000, 600, 200]),
    ([0.99] * 20, [5] * 20, [100] * 20),
    ([0.98, 0.6], [20, 100], [8_000, 2_000]),
    ([0.5] * 50, [5] * 50, [500] * 50),
    ([0.9, 0.8], [50, 50], [100, 100]),
    ([0.95, 0.7], [10, 200], [9_000, 1_000]),
]


@pytest.mark.parametrize(("shares", "judged", "sizes"), DESIGNS)
def test_coverage(shares: list[float], judged: list[int], sizes: list[int]):
    rng, held, repeats = np.random.default_rng(11), 0, 600
    for _ in range(repeats):
        good = rng.binomial(sizes, shares)
        seen = rng.hypergeometric(good, np.array(sizes) - good, judged)
        strata = [Stratum(int(k), n, size) for k, n, size in zip(seen, judged, sizes, strict=True)]
        found = weighted_share(strata)
        held += found.low <= good.sum() / sum(sizes) <= found.high
    assert held / repeats >= 0.93
