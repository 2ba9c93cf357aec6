"""DCScore's arithmetic, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.text.units import OracleUnit, Unit, unit_scores


def unit(is_true: bool, matched: int | None = None, descriptive: bool = True) -> Unit:
    return Unit(is_true=is_true, matched=matched, is_descriptive=descriptive)


def test_precision_and_recall_by_hand():
    # Four statements: two true ones share one of the reference's, one true is new, one is false. Reference: three.
    units = [unit(True, 0), unit(True, 0), unit(True), unit(False)]
    found = unit_scores(units, [OracleUnit()] * 3)
    assert found.precision == 3 / 4
    assert found.recall == pytest.approx((0.5 + 0.5 + 1) / (3 + 1))
    assert found.f1 == pytest.approx(2 * 0.75 * 0.5 / 1.25)
    assert found.score == pytest.approx(found.f1)


def test_a_false_statement_takes_its_share_of_what_it_matches():
    found = unit_scores([unit(True, 0), unit(False, 0)], [OracleUnit()])
    assert (found.precision, found.recall) == (0.5, 0.5)


def test_the_score_is_the_mean_with_the_descriptive_ones_alone():
    units = [unit(True, 0, descriptive=False), unit(False, 1, descriptive=True)]
    found = unit_scores(units, [OracleUnit(is_descriptive=False), OracleUnit()])
    assert found.f1 == pytest.approx(0.5)
    assert found.f1_descriptive == 0.0
    assert found.score == pytest.approx(0.25)


def test_the_weights_are_of_all_statements_also_where_only_the_descriptive_count():
    units = [unit(True, 0, descriptive=False), unit(True, 0, descriptive=True)]
    found = unit_scores(units, [OracleUnit()])
    # Precision 1; recall a half, because the plain statement has taken the other half.
    assert found.f1_descriptive == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_saying_nothing_and_saying_all():
    nothing = unit_scores([], [OracleUnit()] * 3)
    assert (nothing.precision, nothing.recall, nothing.score) == (0.0, 0.0, 0.0)
    everything = unit_scores([unit(True, i) for i in range(3)], [OracleUnit()] * 3)
    assert everything.score == pytest.approx(1.0)
    assert unit_scores([], []).score == 0.0
    plain = unit_scores([unit(True, 0, descriptive=False)], [OracleUnit(is_descriptive=False)])
    assert plain.score == pytest.approx(1.0)


units = st.lists(
    st.builds(Unit, is_true=st.booleans(), matched=st.none() | st.integers(0, 4), is_descriptive=st.booleans()),
    max_size=12,
)


@given(units, st.lists(st.builds(OracleUnit, is_descriptive=st.booleans()), min_size=5, max_size=8))
def test_scores_are_shares_and_order_does_not_count(said, oracle):
    found = unit_scores(said, oracle)
    turned = unit_scores(said[::-1], oracle)
    for name in ("precision", "recall", "f1", "f1_descriptive", "score"):
        assert 0.0 <= getattr(found, name) <= 1.0
        assert getattr(found, name) == pytest.approx(getattr(turned, name))


@given(units, st.integers(0, 11))
def test_making_a_statement_true_never_costs(said, place):
    oracle = [OracleUnit()] * 5
    if place < len(said):
        better = [Unit(True, u.matched, u.is_descriptive) if i == place else u for i, u in enumerate(said)]
        assert unit_scores(better, oracle).score >= unit_scores(said, oracle).score - 1e-12
