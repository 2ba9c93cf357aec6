"""ROUGE-L: the bit-parallel length is the one of the usual table, and the formula is COCO's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.text.corpus import corpora
from recaption.evaluation.text.rouge import common_lengths, rouge_l, rouge_l_scores

words = st.lists(st.sampled_from("abcd"), max_size=12)


def by_table(first: list[str], second: list[str]) -> int:
    row = [0] * (len(second) + 1)
    for a in first:
        diagonal = 0
        for j, b in enumerate(second, start=1):
            diagonal, row[j] = row[j], diagonal + 1 if a == b else max(row[j], row[j - 1])
    return row[-1]


@given(words, st.lists(words, max_size=3))
def test_the_length_is_that_of_the_usual_table(text: list[str], others: list[list[str]]) -> None:
    assert common_lengths(text, others) == [by_table(text, other) for other in others]


def test_long_texts_carry_over_words_of_the_machine() -> None:
    text = [str(i % 70) for i in range(500)]
    other = [str(i % 90) for i in range(400)]
    assert common_lengths(text, [other]) == [by_table(text, other)]


def test_the_largest_precision_and_the_largest_recall_need_not_be_of_one_reference() -> None:
    text = ["a", "b", "c", "d"]
    one, two = ["a", "b", "c", "x", "y", "z"], ["d"]
    precision, recall = 3 / 4, 1.0  # of the first, and of the second
    expected = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    assert rouge_l(text, [one, two]) == pytest.approx(expected, abs=1e-12)


@given(words, st.lists(words, max_size=3))
def test_it_is_a_share_and_a_text_among_its_references_has_one(
    text: list[str], others: list[list[str]]
) -> None:
    value = rouge_l(text, others)
    assert (value is None) == (not any(others))
    assert value is None or 0 <= value <= 1
    if text:
        assert rouge_l(text, [*others, text]) == pytest.approx(1)


def test_texts_and_references_without_words() -> None:
    assert rouge_l([], ["a"]) == 0
    assert rouge_l(["a"], []) is None
    assert rouge_l(["a"], [[]]) is None
    assert rouge_l(["b"], ["a"]) == 0


def test_every_text_is_held_against_the_references_of_its_own_item() -> None:
    read = corpora({"texts": [(0, "a b"), (1, "c"), (2, "a")], "references": [(0, "a b"), (2, "b"), (2, "a")]})
    scores = rouge_l_scores(read["texts"], read["references"]).tolist()
    assert scores[0] == pytest.approx(1)
    assert scores[1] != scores[1]
    assert scores[2] == pytest.approx(1)
