"""Copying: what is kept of the old text, and what has no answer."""

import pytest

from recaption.evaluation.metrics.copying import Copying
from recaption.evaluation.text.rouge import rouge_l
from tests.unit.evaluation.text_subject import scored, shown, text_subject


def test_novelty_is_what_rouge_l_leaves() -> None:
    subject = text_subject({"old": ["a red bus", "a dog"], "new": ["a big red bus in town", "two cats"]})
    figure = scored(Copying(), subject)["novelty"]
    kept = rouge_l(["a", "big", "red", "bus", "in", "town"], [["a", "red", "bus"]])
    assert kept is not None
    assert figure.formula(figure.parts["new"]).tolist() == pytest.approx([1 - kept, 1])
    assert figure.about.better is None


def test_the_baseline_has_neither() -> None:
    found = scored(Copying(), text_subject({"old": ["a"], "new": ["b"], "other": ["a"]}))
    assert [list(figure.parts) for figure in found.values()] == [["new", "other"]] * 2
    assert shown(found["novelty"], "other") == pytest.approx(0)


def test_a_baseline_alone_is_a_copy_of_nothing() -> None:
    assert scored(Copying(), text_subject({"old": ["a"]})) == {}


def test_texts_are_the_same_but_for_blanks() -> None:
    old = ["A dog.", "A dog.", "A dog.", ["x", "y"], (), ""]
    new = [" A  dog.\n", "a dog.", "A cat.", ["y", "z"], "new", ""]
    figure = scored(Copying(), text_subject({"old": old, "new": new}))["unchanged_share"]
    assert figure.parts["new"].tolist() == [[1, 1], [0, 1], [0, 1], [0.5, 1], [0, 0], [1, 1]]


def test_without_words_on_a_side_there_is_no_novelty() -> None:
    subject = text_subject({"old": ["", "a", ()], "new": ["a", "…", "b"]})
    assert shown(scored(Copying(), subject)["novelty"], "new") is None


def test_texts_in_any_alphabet() -> None:
    figure = scored(Copying(), text_subject({"old": ["红色的车"], "new": ["红色的车"]}))["novelty"]
    assert shown(figure, "new") == pytest.approx(0)
