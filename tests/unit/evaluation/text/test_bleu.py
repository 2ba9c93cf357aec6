"""BLEU: the fast counts are the plain ones, and its edges are COCO's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.text.bleu import bleu, bleu_parts, leave_one_out_parts, sentence_bleu
from recaption.evaluation.text.corpus import Corpus, corpora
from tests.unit.evaluation.text.plain_counts import plain_bleu, plain_parts

text = st.lists(st.sampled_from("abc"), max_size=8).map(" ".join)
items = st.lists(st.tuples(st.lists(text, max_size=3), st.lists(text, max_size=3)), min_size=1, max_size=6)
Items = list[tuple[list[str], list[str]]]


def read(said: Items) -> tuple[Corpus, Corpus]:
    made = corpora(
        {
            "texts": [(i, t) for i, (texts, _) in enumerate(said) for t in texts],
            "references": [(i, r) for i, (_, references) in enumerate(said) for r in references],
        }
    )
    return made["texts"], made["references"]


@given(items)
def test_parts_are_those_of_plain_loops(said: Items) -> None:
    expected = [
        plain_parts(t.split(), [r.split() for r in references]) for texts, references in said for t in texts
    ]
    parts = bleu_parts(*read(said), len(said))
    assert parts.tolist() == expected
    sums = parts.sum(axis=0)
    for n in (1, 2, 3, 4):
        if not sums[9]:
            assert np.isnan(bleu(sums, n))
        elif sums[:n].all():
            assert bleu(sums, n) == pytest.approx(plain_bleu(sums.tolist(), n), rel=1e-9)
        else:
            assert bleu(sums, n) == 0.0


def test_many_items_are_counted_in_blocks_as_few_are() -> None:
    said: Items = [([f"a b w{i % 7} c"], ["a b c", f"w{i % 5} c"]) for i in range(3000)]
    parts = bleu_parts(*read(said), len(said))
    assert parts[2990].tolist() == plain_parts(["a", "b", "w1", "c"], [["a", "b", "c"], ["w0", "c"]])


def test_an_item_with_more_references_than_can_be_told_apart_is_an_error() -> None:
    said: Items = [(["a"], ["a"]), (["a"], ["b"] * 2049)]
    with pytest.raises(ValueError, match="item 1 has more than 2048"):
        bleu_parts(*read(said), 2)


def test_a_formula_of_many_sums_is_the_formula_of_each() -> None:
    parts = np.array(
        [plain_parts(["a", "b", "c", "d"], [["a", "b", "c", "d", "e", "f"]]), [0] * 10], dtype=np.float64
    )
    values = bleu(parts, 1)
    assert values[0] == pytest.approx(np.exp(1 - 6 / 4), rel=1e-6)  # all words match; only the length is short
    assert np.isnan(values[1])


@pytest.mark.parametrize(("length", "closest"), [(3, 3), (4, 3), (5, 6), (9, 6), (0, 3)])
def test_the_closest_reference_and_of_two_as_close_the_shorter(length: int, closest: int) -> None:
    said: Items = [([" ".join(["a"] * length)], ["a a a", "b b b b b b", "a a a a a a"])]
    if length == 4:
        said = [(["a a a a"], ["a a a a a", "a a a"])]
    assert bleu_parts(*read(said), 1)[0, 9] == closest


@given(st.lists(st.lists(text, max_size=4), max_size=4))
def test_texts_left_out_one_at_a_time(groups: list[list[str]]) -> None:
    flat = [(i, t) for i, texts in enumerate(groups) for t in texts]
    corpus = corpora({"": flat})[""]
    expected = []
    for texts in groups:
        for i, own in enumerate(texts):
            others = [t.split() for t in texts[:i] + texts[i + 1 :]]
            expected.append(plain_parts(own.split(), others))
    assert leave_one_out_parts(corpus, corpus.owners).tolist() == expected


def test_more_texts_than_can_be_held_against_each_other_are_an_error() -> None:
    corpus = corpora({"": enumerate(["a"] * 2049)})[""]
    with pytest.raises(ValueError, match="at most 2048"):
        leave_one_out_parts(corpus, np.zeros(2049, dtype=np.int64))


def test_bleu_of_single_texts_is_smoothed_and_counts_the_orders_a_text_has() -> None:
    parts = np.array(
        [
            plain_parts(["a", "b", "c", "d", "e"], [["a", "b", "x", "d", "e"]]),
            plain_parts(["a", "b"], [["a", "b"]]),
            plain_parts([], [["a"]]),
            plain_parts(["a", "b", "c", "d"], [["a", "b", "c", "d", "e", "f", "g", "h"]]),
        ],
        dtype=np.float64,
    )
    values = sentence_bleu(parts)
    # Four of five words, two of four pairs, no match among three and two: a tenth of one each.
    assert values[0] == pytest.approx((4 / 5 * 2 / 4 * 0.1 / 3 * 0.1 / 2) ** 0.25)
    assert values[1] == pytest.approx(1)
    assert np.isnan(values[2])
    assert values[3] == pytest.approx(np.exp(1 - 8 / 4))
