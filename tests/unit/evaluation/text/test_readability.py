"""Readability: the formulae by hand."""

import numpy as np
import pytest

from recaption.evaluation.text.readability import automated_readability, lix


def test_the_automated_readability_index() -> None:
    # 43 letters in 9 words of one sentence.
    assert automated_readability(np.array([43.0, 9, 1])) == pytest.approx(4.71 * 43 / 9 + 4.5 - 21.43)
    assert automated_readability(np.array([43.0, 9, 1])) == pytest.approx(5.5733, abs=5e-5)


def test_lix() -> None:
    assert lix(np.array([3.0, 12, 2])) == pytest.approx(6 + 25)


@pytest.mark.parametrize("formula", [automated_readability, lix])
def test_many_sums_at_once_and_none_where_there_is_nothing(formula) -> None:
    found = formula(np.array([[[0.0, 0, 0], [9, 3, 1]], [[9, 3, 0], [18, 6, 2]]]))
    assert np.isnan(found[:, 0]).all()
    assert found[0, 1] == found[1, 1]
