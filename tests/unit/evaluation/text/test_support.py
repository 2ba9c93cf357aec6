"""How far other texts bear a text out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.text.support import others_than, support, surprise


def test_support_is_the_share_of_others_that_say_it_averaged_over_what_is_said():
    assert support(["dog", "red", "dog"], [{"dog"}, {"dog", "red"}]) == 0.75
    assert support([], [{"dog"}]) is None
    assert support(["dog"], []) is None


def test_a_text_is_not_its_own_witness_but_an_equal_draw_is():
    assert others_than("a", ["a", "b", "a"]) == ["b", "a"]
    assert others_than("x", ["a", "b"]) == ["a", "b"]


def test_surprise_of_the_published_example():
    # The example that SelfCheckGPT comes with, one letter for each word: two sentences, and three other draws.
    first, second = "abcdefghijklmnop", "qkrosrtup"
    draws = ["abcdefghijklmnopqkrosrtvp", "abcdewxhyjkzAnopqBCrDEFp", "abcdefghijklmnopqGHIJKp"]
    assert surprise(first, [second, *draws]) == pytest.approx(3.184312, abs=5e-7)
    assert surprise(second, [first, *draws]) == pytest.approx(3.279774, abs=1e-6)


def test_surprise_of_nothing_and_of_one_word_said_by_all():
    assert surprise([], [["a"]]) is None
    assert surprise(["a"], [["a"], ["a", "a"]]) == 0.0


@given(
    st.lists(st.text("abc", max_size=3), min_size=1), st.lists(st.lists(st.text("abc", max_size=3)), max_size=5)
)
def test_support_is_a_share_and_surprise_is_never_negative(text, others):
    value = support(text, others)
    assert (value is None) == (not others)
    assert value is None or 0 <= value <= 1
    found = surprise(text, others)
    assert found is not None
    assert 0 <= found <= math.log(len(text) + sum(map(len, others))) + 1e-9
