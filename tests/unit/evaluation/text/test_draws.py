"""Draws and excerpts: sizes that all columns can give, orders by the seed alone, cells that fit a table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.text.corpus import corpora
from recaption.evaluation.text.draws import common_size, one_per_item, shuffled
from recaption.evaluation.text.excerpts import excerpt


@pytest.mark.parametrize(
    ("sizes", "most", "least", "expected"),
    [([10, 20], 100, 1, 10), ([10, 20], 5, 1, 5), ([1, 20], 100, 2, 20), ([1, 1], 9, 2, 0), ([], 9, 1, 0)],
)
def test_what_all_columns_can_give(sizes: list[int], most: int, least: int, expected: int) -> None:
    assert common_size(sizes, most, least) == expected


def test_orders_depend_on_the_seed_alone() -> None:
    first = shuffled(100, 0, "self-BLEU")
    assert first.tolist() == shuffled(100, 0, "self-BLEU").tolist()
    assert sorted(first.tolist()) == list(range(100))
    assert first.tolist() != shuffled(100, 1, "self-BLEU").tolist()
    assert first.tolist() != shuffled(100, 0, "Vendi").tolist()


def test_one_text_with_words_of_each_item_and_the_same_items_first() -> None:
    full = corpora({"": [(i, f"w{i}") for i in range(50)]})[""]
    some = corpora({"": [(i, t) for i in range(0, 50, 2) for t in ("…", f"w{i}", "x")]})[""]
    items = full.owners[one_per_item(full, 50, 0)].tolist()
    places = one_per_item(some, 50, 0)
    assert some.owners[places].tolist() == [i for i in items if i % 2 == 0]
    assert [some.said(some.text(int(p))) for p in places] == [f"w{some.owners[p]}" for p in places]
    assert one_per_item(some.picked(np.zeros(0, dtype=np.int64)), 50, 0).tolist() == []


@given(st.text(), st.integers(2, 200))
def test_an_excerpt_fits(text: str, limit: int) -> None:
    cut = excerpt(text, limit)
    assert len(cut) <= limit
    cut.encode("utf-8")
    assert "\n" not in cut


def test_excerpts() -> None:
    assert excerpt("a\n\x00b  c") == "a b c"
    assert excerpt("\ud800x") == "x"
    assert excerpt("abcdef", 4) == "abc…"
    assert excerpt("abcd", 4) == "abcd"
    assert excerpt(" " * 100 + "hidden", 4) == "…"
    assert len(excerpt("x" * 10**6)) == 120
