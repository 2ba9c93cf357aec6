"""Repetition: what a plain loop over words counts, and loops that are found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.metrics.repetition import (
    Repetition,
    longest_runs,
    rep_n,
    says_a_sentence_twice,
)
from recaption.evaluation.text.corpus import Corpus, corpora
from recaption.evaluation.text.ngrams import repeated_share
from tests.unit.evaluation.text_subject import scored, shown, text_subject

texts = st.lists(st.lists(st.sampled_from("ab"), max_size=12).map(" ".join), max_size=6)
LOOP = "a dog sits on the grass and a dog sits on the grass and a dog sits on the grass and a dog sits"


def corpus(said: list[str]) -> Corpus:
    return corpora({"": enumerate(said)})[""]


@given(texts, st.integers(1, 4))
def test_rep_n_is_that_of_a_plain_loop(said: list[str], n: int) -> None:
    expected = [repeated_share(text.split(), n) for text in said]
    assert rep_n(corpus(said), n).tolist() == pytest.approx(
        [np.nan if share is None else share for share in expected], nan_ok=True
    )


@given(texts)
def test_the_longest_run_of_one_word(said: list[str]) -> None:
    expected = []
    for text in said:
        longest = run = 0
        previous = None
        for word in text.split():
            run = run + 1 if word == previous else 1
            longest, previous = max(longest, run), word
        expected.append(longest)
    assert longest_runs(corpus(said)).tolist() == expected


def test_runs_do_not_go_on_in_the_next_text() -> None:
    assert longest_runs(corpus(["a a", "a a a", "", "a"])).tolist() == [2, 3, 0, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog sits here. A cat runs. A dog sits here.", True),
        ("A dog sits here. A DOG sits here!", True),
        ("A dog sits here. A dog sits there.", False),
        ("Stop. Stop. Stop.", False),
        ("", False),
        ("一只狗在草地上。一只猫。一只狗在草地上。", True),
    ],
)
def test_sentences_said_twice(text: str, expected: bool) -> None:
    assert says_a_sentence_twice(text) is expected
    found = scored(Repetition(), text_subject({"new": [text]}))
    assert shown(found["repeated_sentence_share"], "new") == (float(expected) if text else None)


def test_figures() -> None:
    found = scored(Repetition(), text_subject({"new": [LOOP, "a b c d", "a b", "no no no", ""]}))
    assert found["looping_share"].parts["new"].tolist() == [[1, 1], [0, 1], [0, 1], [0, 1], [0, 0]]
    assert found["rep_4"].parts["new"][:, 1].tolist() == [1, 1, 0, 0, 0]
    assert found["rep_4"].parts["new"][0, 0] == pytest.approx(repeated_share(LOOP.split()))
    assert found["rep_2"].parts["new"].tolist()[1:] == [[0, 1], [0, 1], [0.5, 1], [0, 0]]
    assert shown(found["longest_run"], "new") == 3
    assert found["longest_run"].values["new"].n == 4


def test_several_texts_of_an_item_are_added() -> None:
    found = scored(Repetition(), text_subject({"new": [[LOOP, "a b c d"], "a"]}))
    assert found["looping_share"].parts["new"].tolist() == [[0.5, 1], [0, 1]]


def test_the_worst_are_listed_and_no_more_than_ten() -> None:
    said = ["a b c d e f"] * 3 + [LOOP + " x" * i for i in range(20)]
    listing = scored(Repetition(), text_subject({"new": said}))["repetition.new"]
    assert len(listing.rows) == 10
    assert listing.rows[0][0] == "item 22"
    assert listing.note == "20 of 23 texts say a run of four words again"
    assert all(len(cell) <= 120 for row in listing.rows for cell in row)


def test_texts_without_words_have_no_figures() -> None:
    found = scored(Repetition(), text_subject({"new": ["…", ""]}))
    assert [shown(found[name], "new") for name in ("rep_2", "rep_4", "looping_share")] == [None] * 3
    assert found["longest_run"].values["new"].reason == "no text has a word"
    assert found["repetition.new"].rows == []
