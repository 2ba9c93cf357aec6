"""The Vendi score of n-grams: a published value, and kernels that are kernels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.metrics.vendi import Vendi, ngram_kernel
from recaption.evaluation.text.corpus import Corpus, corpora
from recaption.statistics.vendi import vendi_score
from tests.unit.evaluation.text_subject import scored, shown, text_subject

PRIMER = ["Look , Jane .", "See Spot .", "See Spot run .", "Run , Spot , run .", "Jane sees Spot run ."]
texts = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=6).map(" ".join), min_size=1, max_size=7)


def corpus(said: list[str]) -> Corpus:
    return corpora({"": enumerate(said)}, split=str.split)[""]


def test_the_published_value_with_marks_and_capitals_as_words() -> None:
    assert vendi_score(ngram_kernel(corpus(PRIMER))) == pytest.approx(3.9066, abs=5e-5)


@given(texts)
def test_a_kernel_is_symmetric_positive_and_one_where_texts_are_the_same(said: list[str]) -> None:
    kernel = ngram_kernel(corpus(said))
    assert np.allclose(kernel, kernel.T)
    assert np.diagonal(kernel).tolist() == [1.0] * len(said)
    assert np.linalg.eigvalsh(kernel).min() > -1e-9
    assert kernel.min() >= 0
    for i, first in enumerate(said):
        for j, second in enumerate(said):
            assert first != second or kernel[i, j] == pytest.approx(1)
    assert 1 - 1e-9 <= vendi_score(kernel) <= len(set(said)) + 1e-9


def test_short_texts_are_like_themselves_alone() -> None:
    # As words they share nothing; as pairs each is the one run of all its words.
    assert ngram_kernel(corpus(["a", "a", "b", "a b"])).tolist() == pytest.approx(
        np.array(
            [
                [1, 1, 0, np.sqrt(0.5) / 2],
                [1, 1, 0, np.sqrt(0.5) / 2],
                [0, 0, 1, np.sqrt(0.5) / 2],
                [np.sqrt(0.5) / 2] * 3 + [1],
            ]
        )
    )


def test_many_n_grams_are_counted_in_tables_one_after_the_other() -> None:
    said = [" ".join(f"w{(17 * i + k) % 6000}" for k in range(60)) for i in range(120)]
    kernel = ngram_kernel(corpus(said), orders=[1])
    i, j = 0, 3
    assert kernel[i, j] == pytest.approx(len(set(said[i].split()) & set(said[j].split())) / 60)


def test_the_figure_is_a_share_of_equally_many_texts() -> None:
    columns = {"old": ["a cat"] * 30, "new": [f"a{i} b{i}" for i in range(30)], "few": ["x", "y"] + [""] * 28}
    figure = scored(Vendi(), text_subject({c: t for c, t in columns.items() if c != "few"}))["vendi_ngram"]
    assert shown(figure, "old") == pytest.approx(1 / 30)
    assert shown(figure, "new") == pytest.approx(1)
    with_few = scored(Vendi(), text_subject(columns))["vendi_ngram"]
    assert [with_few.values[c].n for c in columns] == [2, 2, 2]
    assert shown(with_few, "old") == pytest.approx(1 / 2)


def test_fewer_than_two_texts_have_no_value() -> None:
    figure = scored(Vendi(), text_subject({"old": ["", "a"]}))["vendi_ngram"]
    assert figure.values["old"].value is None
    assert figure.values["old"].reason
