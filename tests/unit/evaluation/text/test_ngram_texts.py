"""Texts under the built-in model: no text is judged by a model that has seen its item."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.evaluation.text import ngram_texts
from recaption.evaluation.text.ngram_texts import Encoder, WordModel, cross_fitted, folds_of, sampled

SEEN = [
    "a cat sits on a wall",
    "a dog sits on the grass",
    "a cat lies on the grass near a wall",
    "the dog lies near the wall",
]


def bits_of(learned: list[str], judged: list[str], folds: list[int]) -> list[float]:
    """The text at each place is judged by what was learned from texts at places of other folds."""
    encoder = Encoder()
    teacher, pupil = encoder.rows(learned), encoder.rows(judged)
    places = np.arange(len(learned))
    (found,) = cross_fitted(encoder.words, (teacher, places), [(pupil, places)], np.array(folds), seed=0)
    return (found.bits + found.spelling).tolist()


def test_words_marks_and_characters_of_chinese_have_numbers() -> None:
    encoder = Encoder()
    rows = encoder.rows(["A cat's well-known hat, isn't it?", "", "猫在 a cat's"])
    assert rows.lengths.tolist() == [8, 0, 4]
    assert encoder.words == ["a", "cat's", "well-known", "hat", ",", "isn't", "it", "?", "猫", "在"]
    assert [encoder.words[i] for i in rows.symbols[8:]] == ["猫", "在", "a", "cat's"]
    assert len(encoder) == 10


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3), st.sampled_from(["", "a cat flies", "x y z", "a dog sits on the grass " * 3]))
def test_what_an_item_says_itself_never_changes_how_it_is_judged(place: int, other: str) -> None:
    folds = [0, 1, 0, 1]
    changed = [*SEEN[:place], other, *SEEN[place + 1 :]]
    before, after = bits_of(SEEN, SEEN, folds), bits_of(changed, SEEN, folds)
    for i, (one, two) in enumerate(zip(before, after, strict=True)):
        if folds[i] == folds[place]:
            assert one == pytest.approx(two, abs=1e-9)


def test_it_does_change_how_others_are_judged() -> None:
    before = bits_of(SEEN, SEEN, [0, 1, 0, 1])
    after = bits_of(["x y z", *SEEN[1:]], SEEN, [0, 1, 0, 1])
    assert abs(before[1] - after[1]) > 0.1


def test_an_unknown_word_costs_its_spelling_and_a_long_one_more() -> None:
    encoder = Encoder()
    learned = encoder.rows(SEEN * 2)
    judged = encoder.rows(["a cat sits", "a zyq sits", "a zyqzyqzyqzyq sits", "\ud800 \U0001f600"])
    found = WordModel(encoder.words, learned).judge(judged)
    assert found.unknown.tolist() == [0, 1, 1, 2]
    assert found.spelling[0] == 0
    assert 0 < found.spelling[1] < found.spelling[2]
    assert found.bits[1] == pytest.approx(found.bits[2])
    assert found.tokens.tolist() == [4, 4, 4, 3]
    assert np.isfinite(found.bits).all()


def test_a_word_seen_once_is_no_known_word() -> None:
    encoder = Encoder()
    learned = encoder.rows(["once twice twice"])
    assert WordModel(encoder.words, learned).known == 1


@given(st.integers(2, 40), st.integers(0, 2**62), st.data())
def test_folds_share_out_what_is_learned_from(items: int, seed: int, data: st.DataObject) -> None:
    teachers = np.array(sorted(data.draw(st.sets(st.integers(0, items - 1), min_size=2))))
    count = min(5, len(teachers))
    folds = folds_of(items, teachers, count, seed)
    assert len(folds) == items
    assert folds.min() >= 0
    assert folds.max() < count
    sizes = np.bincount(folds[teachers], minlength=count)
    assert sizes.max() - sizes.min() <= 1, "every model must have something to learn from"
    assert (folds == folds_of(items, teachers, count, seed)).all()


def test_of_much_text_a_seeded_sample_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Encoder().rows(SEEN)
    every = np.arange(len(SEEN))
    assert sampled(rows, every, 0).tolist() == [0, 1, 2, 3]
    monkeypatch.setattr(ngram_texts, "MOST_LEARNED", 15)
    some = sampled(rows, every, 0)
    assert 0 < rows.lengths[some].sum() <= 15
    assert some.tolist() == sorted(some.tolist()) == sampled(rows, every, 0).tolist()
    assert any(sampled(rows, every, seed).tolist() != some.tolist() for seed in range(1, 20))


def test_hostile_texts_are_read_to_a_bound() -> None:
    encoder = Encoder()
    rows = encoder.rows(["x" * 1_000_000, ". " * 500_000, "\x00" * 10, "_" * 50_000])
    assert rows.lengths.tolist() == [1, 10_000, 10, 20_000]
