"""Self-BLEU and mBLEU: texts against each other, on equally many of them."""

import random

import numpy as np
import pytest

from recaption.evaluation.metrics.m_bleu import MBleu, m_bleu_parts
from recaption.evaluation.metrics.self_bleu import SelfBleu, self_bleu
from recaption.evaluation.text.corpus import corpora
from tests.unit.evaluation.text.plain_counts import plain_bleu, plain_parts
from tests.unit.evaluation.text_subject import scored, shown, text_subject


def said(n: int, words: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(f"w{rng.randrange(words)}" for _ in range(8)) for _ in range(n)]


def test_equal_texts_have_one_and_texts_with_nothing_in_common_little() -> None:
    columns = {"old": ["a cat on a mat"] * 5, "new": [f"a{i} b{i} c{i} d{i} e{i}" for i in range(5)]}
    figure = scored(SelfBleu(), text_subject(columns))["self_bleu_4"]
    assert shown(figure, "old") == pytest.approx(1)
    # No match of any order: a tenth of one among five, four, three and two.
    assert shown(figure, "new") == pytest.approx((0.1**4 / (5 * 4 * 3 * 2)) ** 0.25)


def test_a_value_by_hand() -> None:
    corpus = corpora({"": enumerate(["a b c", "a b d"])})[""]
    # Two of three words, one of two pairs, no run of three; runs of four there are none.
    assert self_bleu(corpus) == pytest.approx((2 / 3 * 1 / 2 * 0.1 / 1) ** (1 / 3))


def test_columns_are_compared_on_equally_many_texts_of_the_same_items() -> None:
    columns = {"old": said(20, 10) + [""] * 980, "new": said(1000, 10)}
    figure = scored(SelfBleu(), text_subject(columns))["self_bleu_4"]
    assert [figure.values[c].n for c in columns] == [20, 20]
    same = scored(SelfBleu(), text_subject({"old": said(1000, 10), "new": said(1000, 10)}))["self_bleu_4"]
    assert same.values["old"] == same.values["new"]
    assert same.values["old"].n == 500


def test_one_text_of_each_item_is_taken() -> None:
    several = [[f"a{i} b{i} c{i}"] * 3 for i in range(5)]
    alone = [f"a{i} b{i} c{i}" for i in range(5)]
    figure = scored(SelfBleu(), text_subject({"old": alone, "new": several}))["self_bleu_4"]
    assert figure.values["old"] == figure.values["new"]


def test_fewer_than_two_texts_have_no_value() -> None:
    figure = scored(SelfBleu(), text_subject({"old": ["a", ""], "new": ["a b", "c d"]}))["self_bleu_4"]
    assert figure.values["old"].reason == "fewer than two items have a text"
    assert figure.values["new"].value is not None
    with pytest.raises(ValueError, match="two texts"):
        self_bleu(corpora({"": [(0, "a")]})[""])


def test_m_bleu_is_that_of_each_candidate_against_the_others() -> None:
    drawn = [["a b c d e", "a b c d f", "a b c d e f g"], ["x", "y"], ["only one"], ()]
    expected = np.zeros(10)
    for texts in drawn[:2]:
        for i, text in enumerate(texts):
            expected += plain_parts(text.split(), [t.split() for j, t in enumerate(texts) if j != i])
    subject = text_subject({"old": ["o"] * 4, "new": ["n"] * 4}, candidates={"new": drawn})
    figure = scored(MBleu(), subject)["m_bleu_4"]
    assert list(figure.parts) == ["new"]
    assert figure.parts["new"].sum(axis=0).tolist() == expected.tolist()
    assert shown(figure, "new") == pytest.approx(plain_bleu(expected.tolist(), 4))
    values = figure.formula(figure.parts["new"])
    assert np.isnan(values).tolist() == [False, False, True, True]


def test_candidates_that_are_all_the_same_have_one_whatever_their_order() -> None:
    drawn = [[f"a b c d w{i}"] * 4 for i in range(200)]
    subject = text_subject({"new": ["n"] * 200}, candidates={"new": drawn})
    assert shown(scored(MBleu(), subject)["m_bleu_4"], "new") == pytest.approx(1)
    mixed = [["a b c d", "a b c", "e f g h a"], ["a b", "b c", "c d"]]
    read = [
        corpora({"": [(i, t) for i, texts in enumerate(order) for t in texts]})[""]
        for order in (mixed, [texts[::-1] for texts in mixed])
    ]
    assert m_bleu_parts(read[0], 2).tolist() == m_bleu_parts(read[1], 2).tolist()
