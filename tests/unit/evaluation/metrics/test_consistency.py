"""Self-consistency among the candidates of an image."""

import math

import pytest

from recaption.evaluation.metrics.consistency import Consistency
from tests.unit.evaluation.text_subject import scored, shown, text_subject

DRAWS = ["A red dog on a bench.", "A dog on a bench.", "A brown dog and a cat."]


def test_words_and_objects_by_hand():
    found = scored(Consistency(), text_subject({"new": [DRAWS[0]]}, candidates={"new": [DRAWS]}))
    # red 0 of 2, dog 2 of 2, bench 1 of 2.
    assert shown(found["consistency.words"], "new") == pytest.approx(3 / 6)
    assert shown(found["consistency.objects"], "new") == pytest.approx(3 / 4)
    surprise = shown(found["consistency.surprise"], "new")
    counts = [6, 1, 3, 2, 6, 2]  # a red dog on a bench, among 17 words
    assert surprise == pytest.approx(sum(math.log(17 / n) for n in counts) / 6)
    assert found["consistency.least"].rows == [("new", "item 0", "50 %", DRAWS[0])]


def test_a_text_alone_or_without_other_candidates_counts_for_nothing():
    subject = text_subject(
        {"old": ["A dog.", "A cat."], "new": ["A dog.", "A cat."]},
        candidates={"old": [(), ()], "new": [("A dog.",), ("A cat.", "A cat.")]},
    )
    found = scored(Consistency(), subject)
    assert shown(found["consistency.words"], "old") is None
    assert found["consistency.words"].parts["new"].tolist() == [[0, 0], [1, 1]]


def test_a_text_that_was_mended_after_the_draw_is_held_against_all_of_them():
    found = scored(Consistency(), text_subject({"new": ["A dog"]}, candidates={"new": [("A dog.", "A cat.")]}))
    assert shown(found["consistency.words"], "new") == 0.5


@pytest.mark.parametrize("text", ["", "\ud800", "of the", "🐕🐕", "狗在睡觉", "x" * 1_000_000])
def test_hostile_texts_are_read(text):
    found = scored(Consistency(), text_subject({"new": [text]}, candidates={"new": [(text, text, "a dog")]}))
    value = shown(found["consistency.words"], "new")
    assert value is None or value == 0.5
    assert all(len(cell) < 200 for row in found["consistency.least"].rows for cell in row)


def test_what_all_draws_say_is_borne_out_whole():
    found = scored(Consistency(), text_subject({"new": [DRAWS[1]]}, candidates={"new": [[DRAWS[1]] * 4]}))
    assert shown(found["consistency.words"], "new") == 1.0
    assert shown(found["consistency.objects"], "new") == 1.0
