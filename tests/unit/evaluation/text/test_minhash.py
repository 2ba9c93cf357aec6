"""Near-duplicates: what the fast search finds is what comparing everything with everything finds."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.text import minhash
from recaption.evaluation.text.corpus import Corpus, corpora
from recaption.evaluation.text.minhash import jaccard, near_duplicates, shingles


def corpus(texts: list[str], owners: list[int] | None = None) -> Corpus:
    return corpora({"": zip(owners or range(len(texts)), texts, strict=True)}, split=str.split)[""]


def runs_of_three(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    if 0 < len(words) < 3:
        return {tuple(words)}
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


def shares(texts: list[str]) -> dict[tuple[int, int], float]:
    sets = [runs_of_three(text) for text in texts]
    return {
        (i, j): len(a & b) / len(a | b) if a | b else 0.0
        for i, a in enumerate(sets)
        for j, b in enumerate(sets)
        if i < j
    }


def by_comparing_all(texts: list[str], owners: list[int]) -> list[bool]:
    found = [False] * len(texts)
    for (i, j), share in shares(texts).items():
        if share > 0.8 and owners[i] != owners[j]:
            found[i] = found[j] = True
    return found


def changed(text: str, rng: random.Random, words: int) -> str:
    split = text.split()
    for _ in range(words):
        split[rng.randrange(len(split))] = f"w{rng.randrange(400)}"
    return " ".join(split)


def test_it_finds_what_comparing_all_finds() -> None:
    rng = random.Random(1)
    originals = [" ".join(f"w{rng.randrange(400)}" for _ in range(rng.randrange(3, 80))) for _ in range(120)]
    texts = [changed(text, rng, rng.choice((0, 0, 1, 1, 2, 3, 5))) for text in originals for _ in range(3)]
    expected = by_comparing_all(texts, list(range(len(texts))))
    assert 0.3 < np.mean(expected) < 0.9
    assert near_duplicates(corpus(texts)).tolist() == expected


def test_groups_larger_than_what_is_compared_in_full() -> None:
    rng = random.Random(2)
    template = " ".join(f"w{i}" for i in range(60))
    texts = [changed(template, rng, 2) for _ in range(300)]
    expected = by_comparing_all(texts, list(range(len(texts))))
    assert np.mean(expected) > 0.05
    found = near_duplicates(corpus(texts))
    assert not (found & ~np.array(expected)).any()
    assert found.sum() >= 0.97 * np.sum(expected)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.sampled_from("ab"), max_size=5).map(" ".join)), max_size=8
    )
)
def test_short_texts_and_texts_of_one_item(said: list[tuple[int, str]]) -> None:
    said = sorted(said, key=lambda entry: entry[0])
    owners, texts = [owner for owner, _ in said], [text for _, text in said]
    assert near_duplicates(corpus(texts, owners)).tolist() == by_comparing_all(texts, owners)


def test_texts_of_the_same_item_do_not_count_but_those_of_others_do() -> None:
    long = " ".join(f"w{i}" for i in range(40))
    near = f"{long} x"
    assert near_duplicates(corpus([long, long, near], [0, 0, 0])).tolist() == [False] * 3
    assert near_duplicates(corpus([long, long, near], [0, 0, 1])).tolist() == [True] * 3
    assert near_duplicates(corpus([long, near, long], [0, 0, 1])).tolist() == [True] * 3


def test_a_share_of_just_four_fifths_is_not_enough() -> None:
    # Of ten words in a row, eight runs of three; one word more at the end: 8 of 9. Two at the ends: 8 of 10.
    base = [f"w{i}" for i in range(10)]
    assert near_duplicates(corpus([" ".join(base), " ".join([*base, "x"])])).all()
    assert not near_duplicates(corpus([" ".join(base), " ".join(["y", *base, "x"])])).any()


def test_the_shares_are_exact() -> None:
    texts = ["a b c d", "a b c e", "b c d", "x", "x", "a b", ""]
    sets = shingles(corpus(texts))
    expected = shares(texts)
    left, right = (np.array(side) for side in zip(*expected, strict=True))
    assert jaccard(sets, left, right).tolist() == pytest.approx(list(expected.values()))


def test_texts_without_words_are_like_nothing() -> None:
    assert near_duplicates(corpus(["", "", "a", ""])).tolist() == [False] * 4
    assert near_duplicates(corpus([])).tolist() == []


def test_memory_is_bounded_whatever_pairs_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    texts = [changed(" ".join(f"w{i}" for i in range(50)), rng, 1) for _ in range(60)]
    before = near_duplicates(corpus(texts)).tolist()
    monkeypatch.setattr(minhash, "_MEMBERS_AT_ONCE", 1)  # a pair at a time
    assert near_duplicates(corpus(texts)).tolist() == before
    assert any(before)
