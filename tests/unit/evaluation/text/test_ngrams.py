"""N-grams: counted as a plain loop over words counts them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.text.code_index import CodeIndex
from recaption.evaluation.text.corpus import Corpus, corpora
from recaption.evaluation.text.ngrams import (
    distinct,
    folded,
    grams,
    occurrences,
    repeated_share,
    runs,
    shortened,
    tally,
)

TWO = [text.split() for text in ("a cat on a mat", "a cat on a sofa")]
split_texts = st.lists(st.lists(st.sampled_from("abc"), max_size=7), max_size=6)


def corpus(texts: list[list[str]]) -> Corpus:
    return corpora({"": ((i, " ".join(text)) for i, text in enumerate(texts))}, split=str.split)[""]


def plain(text: list[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(text[i:] for i in range(n)), strict=False))


@pytest.mark.parametrize(
    ("n", "over", "expected"), [(1, "tokens", 5 / 10), (2, "ngrams", 5 / 8), (2, "tokens", 5 / 10)]
)
def test_distinct_n_by_both_denominators(n: int, over: str, expected: float) -> None:
    assert distinct(TWO, n, over) == expected  # type: ignore[arg-type]


def test_distinct_n_of_nothing_is_none() -> None:
    assert distinct([], 1) is None
    assert distinct([["one"]], 2, "ngrams") is None
    assert distinct([["one"]], 2, "tokens") == 0


def test_rep_n() -> None:
    assert repeated_share(["a", "b", "a", "b", "a", "b"], 2) == pytest.approx(1 - 2 / 5)
    assert repeated_share(["a", "b", "c", "d", "e"]) == 0
    assert repeated_share(["a", "b", "c"]) is None


@given(split_texts, st.integers(1, 4))
def test_a_tally_counts_what_a_plain_loop_counts(texts: list[list[str]], n: int) -> None:
    expected = Counter((i, gram) for i, text in enumerate(texts) for gram in plain(text, n))
    counted = tally(*grams(corpus(texts), n))
    assert sorted(zip(counted.texts.tolist(), counted.counts.tolist(), strict=True)) == sorted(
        (i, times) for (i, _), times in expected.items()
    )
    assert len(set(counted.codes.tolist())) == len({gram for _, gram in expected})


@given(split_texts, st.integers(1, 4))
def test_equal_n_grams_have_equal_codes_and_others_have_others(texts: list[list[str]], n: int) -> None:
    _, codes = grams(corpus(texts), n)
    said = [gram for text in texts for gram in plain(text, n)]
    assert len(codes) == len(said)
    assert len(set(zip(said, codes.tolist(), strict=True))) == len(set(said)) == len(set(codes.tolist()))


def test_the_order_of_words_counts_and_no_run_crosses_into_the_next_text() -> None:
    texts, codes = grams(corpus([["a", "b"], ["b", "a"], ["a"]]), 2)
    assert texts.tolist() == [0, 1]
    assert codes[0] != codes[1]


@given(split_texts)
def test_short_texts_are_one_run(texts: list[list[str]]) -> None:
    where, codes = runs(corpus(texts), 3)
    whole = {tuple(text): set[int]() for text in texts if 0 < len(text) < 3}
    for i, code in zip(where.tolist(), codes.tolist(), strict=True):
        whole.get(tuple(texts[i]), set()).add(code)
    assert all(len(found) == 1 for found in whole.values())
    expected = [1 if 0 < len(text) < 3 else max(0, len(text) - 2) for text in texts]
    assert np.bincount(where, minlength=len(texts)).tolist() == expected


@given(split_texts, st.integers(0, 5), st.sampled_from("abcd"))
def test_an_entry_is_found_where_it_stands(texts: list[list[str]], i: int, word: str) -> None:
    counted = tally(*grams(corpus(texts), 1))
    _, code = grams(corpus([[word]]), 1)
    place, met = counted.places(np.array([i]), shortened(code))
    times = texts[i].count(word) if i < len(texts) else 0
    assert bool(met[0]) == (times > 0)
    if times:
        assert counted.counts[place[0]] == times


@given(st.lists(st.integers(0, 2**53 - 1), unique=True), st.lists(st.integers(0, 2**53 - 1)), st.data())
def test_a_code_index_finds_what_is_there_and_nothing_else(
    held: list[int], others: list[int], data: st.DataObject
) -> None:
    rising = sorted(held)
    wanted = others + (data.draw(st.lists(st.sampled_from(held))) if held else [])
    found = CodeIndex(np.array(rising, dtype=np.uint64)).places(np.array(wanted, dtype=np.uint64))
    assert found.tolist() == [rising.index(code) if code in held else -1 for code in wanted]


def test_occurrences_and_folded_rows() -> None:
    numbers, times = occurrences(np.array([1, 1, 4, 9, 9, 9], dtype=np.uint64))
    assert (numbers.tolist(), times.tolist()) == ([1, 4, 9], [2, 1, 3])
    assert occurrences(np.zeros(0, dtype=np.uint64))[1].tolist() == []
    rows = folded(np.array([[1, 2], [2, 1], [1, 2]], dtype=np.uint64)).tolist()
    assert rows[0] == rows[2] != rows[1]
