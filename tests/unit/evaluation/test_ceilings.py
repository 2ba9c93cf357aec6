"""The most that Recall@1 can be: held against all rankings of small data, tried one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.ceilings import best_recall_at_one, share_with_others
from recaption.evaluation.ranks import Vectors, rank_own

KINDS = 3
AXES = np.eye(KINDS, dtype=np.float32)


@st.composite
def data(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int]]]:
    """Kinds of pictures, and texts with their owner and kind."""
    pictures = draw(st.lists(st.integers(0, KINDS - 1), min_size=1, max_size=6))
    owner = st.integers(0, len(pictures) - 1)
    return pictures, sorted(draw(st.lists(st.tuples(owner, st.integers(0, KINDS - 1)), min_size=1, max_size=8)))


def hits(queries: Vectors, owners: list[int], candidates: Vectors, own: list[int]) -> np.ndarray:
    return rank_own(queries, np.array(owners), candidates, np.array(own)).hits(1)


@given(data())
def test_no_ranking_passes_the_bound_and_one_reaches_it(
    given_: tuple[list[int], list[tuple[int, int]]],
) -> None:
    pictures, texts = given_
    owners, kinds = [o for o, _ in texts], [k for _, k in texts]
    asked = sorted(set(owners))
    each = np.array([1 / owners.count(o) / len(asked) for o in owners])
    found = [(0.0, 0.0)]
    # Every kind of query has a favourite among the kinds of candidates, or none.
    for favourites in itertools.product(range(KINDS), repeat=KINDS):
        liked = AXES[list(favourites)]
        to_image = hits(liked[kinds], owners, AXES[pictures], list(range(len(pictures)))) @ each
        to_text = hits(liked[[pictures[o] for o in asked]], asked, AXES[kinds], owners).mean()
        found.append((float(to_image), float(to_text)))
    best = [max(some) for some in zip(*found, strict=True)]
    seen, told = np.array([pictures[o] for o in owners]), np.array(kinds)
    bounds = [
        best_recall_at_one(told, seen, each, np.bincount(pictures)[seen]),
        best_recall_at_one(seen, told, np.full(len(told), 1 / len(asked)), np.bincount(told)[told]),
    ]
    assert bounds == pytest.approx(best)


def test_data_without_copies_has_no_bound_below_one_and_no_data_none() -> None:
    own = np.arange(5)
    assert best_recall_at_one(own, own, np.full(5, 0.2), np.ones(5, dtype=np.int64)) == pytest.approx(1)
    nothing = np.zeros(0, dtype=np.int64)
    assert best_recall_at_one(nothing, nothing, np.zeros(0), nothing) == 0
    assert share_with_others(nothing, nothing).tolist() == []


def test_who_shares_with_others_does_not_count_what_is_said_twice_of_one() -> None:
    kinds, owners = np.array([0, 0, 1, 1, 2]), np.array([4, 4, 1, 3, 2])
    assert share_with_others(kinds, owners).tolist() == [1, 3]
