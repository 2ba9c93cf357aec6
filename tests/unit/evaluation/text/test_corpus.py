"""Texts as numbers: nothing is lost, and parts of a corpus are corpora."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.text.corpus import Corpus, corpora, ranges
from recaption.evaluation.text.tokens import words

texts = st.lists(st.text(alphabet="ab c.", max_size=12), max_size=12)


def corpus(said: list[str], owners: list[int] | None = None) -> Corpus:
    return corpora({"": zip(owners or range(len(said)), said, strict=True)})[""]


def read(of: Corpus) -> list[list[str]]:
    return [of.said(of.text(i)).split() for i in range(len(of))]


@given(texts)
def test_the_words_come_back(said: list[str]) -> None:
    assert read(corpus(said)) == [words(text) for text in said]


@given(texts, st.data())
def test_parts_hold_the_texts_they_should(said: list[str], data: st.DataObject) -> None:
    whole = corpus(said)
    first = data.draw(st.integers(0, len(said)))
    last = data.draw(st.integers(first, len(said)))
    assert read(whole.between(first, last)) == read(whole)[first:last]
    places = np.array(data.draw(st.permutations(range(len(said)))), dtype=np.int64)
    assert read(whole.picked(places)) == [read(whole)[i] for i in places]
    assert whole.picked(places).owners.tolist() == places.tolist()


@given(texts, st.integers(1, 4))
def test_blocks_are_the_whole_in_order(said: list[str], most: int) -> None:
    whole = corpus(said)
    blocks = list(whole.blocks(most))
    assert [text for _, block in blocks for text in read(block)] == read(whole)
    assert all(1 <= len(block) <= most for _, block in blocks)
    assert [first for first, _ in blocks] == list(range(0, len(said), most))


def test_a_text_of_many_words_is_a_block_of_its_own() -> None:
    whole = corpora({"": [(0, "a"), (1, "b"), (2, "c")]}, split=lambda text: [text] * 600_000)[""]
    assert [len(block) for _, block in whole.blocks(10)] == [1, 1, 1]


def test_texts_of_items() -> None:
    whole = corpus(["a", "b", "c", "d"], owners=[0, 0, 2, 3])
    assert read(whole.of_items(0, 2)) == [["a"], ["b"]]
    assert read(whole.of_items(1, 3)) == [["c"]]


def test_corpora_made_together_share_their_vocabulary_and_values_are_the_same_everywhere() -> None:
    made = corpora({"old": [(0, "a cat")], "new": [(0, "cat b")]})
    assert made["old"].vocabulary is made["new"].vocabulary
    assert made["old"].text(0)[1] == made["new"].text(0)[0]
    alone = corpora({"": [(0, "some cat")]})[""]
    assert alone.values[alone.text(0)[1]] == made["old"].values[made["old"].text(0)[1]]
    assert len(set(made["old"].values.tolist())) == 3


def test_lone_surrogates_and_no_texts_at_all_are_no_trouble() -> None:
    assert read(corpus(["\ud800 a\udfff", "", "😀"])) == [["a"], [], []]
    empty = corpus([])
    assert (len(empty), empty.starts.tolist(), list(empty.blocks(5))) == (0, [0], [])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=8))
def test_ranges(pairs: list[tuple[int, int]]) -> None:
    starts = np.array([start for start, _ in pairs], dtype=np.int64)
    lengths = np.array([length for _, length in pairs], dtype=np.int64)
    expected = [place for start, length in pairs for place in range(start, start + length)]
    assert ranges(starts, lengths).tolist() == expected
