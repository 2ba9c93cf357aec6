import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.downstream.encoding import FIRST_WORD, encoded, vocabulary

TEXTS = st.lists(st.lists(st.text(max_size=30), max_size=3), max_size=8)


def test_words_of_one_item_alone_are_unknown():
    known = vocabulary([[["a red cup"], ["a blue cup"]]], 100)
    assert set(known) == {"a", "cup"}
    assert sorted(known.values()) == [FIRST_WORD, FIRST_WORD + 1]


def test_a_column_with_long_texts_does_not_push_out_the_words_of_another():
    short = [["cat"] for _ in range(10)]
    long = [[" ".join(f"w{k}" for k in range(i % 2, 40))] for i in range(10)]
    known = vocabulary([short, long], 5)
    assert "cat" in known
    assert len(known) == 5


def test_a_word_that_both_columns_have_counts_for_both():
    one = [["tree"], ["tree"], ["tree"]]
    other = [["tree", "hill"], ["hill"], ["hill"]]
    assert list(vocabulary([one, other], 1)) == ["tree"]


def test_numbers_follow_the_alphabet_and_stay_where_a_column_brings_no_new_words():
    column = [["b a"], ["b c"], ["c a"], ["b"]]
    known = vocabulary([column], 10)
    assert known == {"a": 2, "b": 3, "c": 4}
    assert vocabulary([column, column[::-1]], 10) == known


def test_one_item_with_a_word_in_two_columns_is_still_one_item():
    assert vocabulary([[["cup"], ["x"]], [["cup"], ["y"]]], 10) == {}


def test_texts_become_numbers_with_their_owners():
    known = {"red": 2, "cup": 3}
    texts = encoded([["red cup", "a red red cup"], [], ["?!"]], known, 3)
    assert texts.ids.tolist() == [[2, 3, 0], [1, 2, 2], [1, 0, 0]]
    assert texts.owners.tolist() == [0, 0, 2]
    assert texts.cut == 1 / 3
    assert texts.unknown == 2 / 6
    first, count = texts.places()
    assert (first.tolist(), count.tolist()) == ([0, 2], [2, 1])


def test_hostile_texts_are_numbers_too():
    hostile = ["\ud800", "x" * 1_000_000, "红色 的 杯子", "🙂" * 50, "word " * 100_000]
    known = vocabulary([[hostile, hostile]], 50)
    texts = encoded([hostile], known, 16)
    assert texts.ids.shape == (5, 16)
    assert (texts.ids[:, 0] > 0).all()


@given(TEXTS, st.integers(1, 6))
def test_every_text_has_a_word_and_padding_only_behind_it(texts, width):
    made = encoded(texts, vocabulary([texts], 10), width)
    assert len(made.ids) == len(made.owners) == sum(map(len, texts))
    assert (made.ids[:, 0] > 0).all()
    assert (np.diff((made.ids > 0).astype(int), axis=1) <= 0).all()
    assert 0 <= made.cut <= 1
    assert 0 <= made.unknown <= 1


def test_the_digest_tells_texts_and_owners():
    known = {"red": 2}
    same = [encoded([["red"], ["x"]], known, 4).digest for _ in range(2)]
    assert same[0] == same[1]
    assert encoded([["red", "x"], []], known, 4).digest != same[0]
    assert encoded([["red"], ["red"]], known, 4).digest != same[0]
