"""OpenCHAIR: its arithmetic, what is asked by image and by reference, and what is left out."""

import re
from dataclasses import replace

import numpy as np
import pytest

from recaption.evaluation.metric import Unavailable
from recaption.evaluation.metrics.open_chair import OpenChair, open_chair
from recaption.evaluation.subject import Subject
from tests.unit.evaluation.judge_bench import TableJudge, bench, fenced, pictured
from tests.unit.evaluation.text_subject import shown

BLIND = frozenset({"json"})


def thing(request):
    found = re.search(r"[Ii]s there (?:an? )?(.+) in the picture\?", request.prompt)
    assert found
    return found[1]


def subject(*texts, **changes):
    items = tuple(pictured(i, text, **changes) for i, text in enumerate(texts))
    return Subject(columns=("new",), items=items)


def only_dogs(request):
    return {"dog": "yes", "mouse": "unsure", "hat": "?"}.get(thing(request), "no")


def test_the_arithmetic():
    sums = np.array([[1.0, 4.0, 2.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [2.0, 2.0, 1.0]])
    found = open_chair(sums)
    assert found[[0, 1, 3]].tolist() == [0.25, 0.0, 1.0]
    assert np.isnan(found[2])


def test_things_not_there_among_what_was_answered(tmp_path):
    judge = TableJudge(only_dogs)
    texts = ["A dog with a cat and a mouse.", "A dog, a hat and a boat", "It is nice.", "A mouse"]
    with bench(tmp_path) as desk:
        found = desk.scored(OpenChair(), subject(*texts), judge)
    figure = found["open_chair"]
    # Not there: cat and boat. Unsure: the mouse. Unreadable: the hat. The last two: nothing to ask, nothing answered.
    assert figure.parts["new"].tolist() == [[1, 2, 1], [1, 2, 1], [0, 0, 1], [0, 0, 0]]
    assert shown(figure, "new") == 0.5
    assert shown(found["open_chair.unsure"], "new") == pytest.approx(2 / 6)
    assert found["open_chair.invented"].rows == [("new", "boat", "1", "1"), ("new", "cat", "1", "1")]
    assert found["open_chair.replies"].rows == [("new", "7", "6", "1", "0", "0")]
    assert all(request.image is not None for request in judge.asked)
    assert "going by images" in figure.about.note


def test_nothing_not_there_is_zero_and_no_error(tmp_path):
    with bench(tmp_path) as desk:
        found = desk.scored(OpenChair(), subject("A dog.", "Nice."), TableJudge(lambda request: "yes"))
    assert shown(found["open_chair"], "new") == 0.0


def test_a_judge_without_eyes_goes_by_the_references(tmp_path):
    judge = TableJudge(lambda request: "no" if "cat" in thing(request) else "yes", capabilities=BLIND)
    with bench(tmp_path) as desk:
        found = desk.scored(OpenChair(), subject("A dog with a cat.", references=("A dog.", "One\ndog")), judge)
    assert shown(found["open_chair"], "new") == 0.5
    assert all(request.image is None for request in judge.asked)
    assert fenced(judge.asked[0].prompt) == ["descriptions:", "1. A dog.", "2. One dog"]
    assert "going by references" in found["open_chair"].about.note


def test_without_eyes_and_references_there_is_nothing_to_go_by(tmp_path):
    with bench(tmp_path) as desk, pytest.raises(Unavailable, match="neither by images"):
        desk.scored(OpenChair(), subject("A dog."), TableJudge(only_dogs, capabilities=BLIND))


def test_what_was_answered_is_not_asked_again(tmp_path):
    for round_ in range(2):
        with bench(tmp_path) as desk:
            desk.scored(OpenChair(), subject("A dog with a cat."), TableJudge(only_dogs))
            assert desk.ledger.paid == (2 if round_ == 0 else 0)


def test_a_text_of_a_thousand_things_costs_twenty_questions(tmp_path):
    text = ". ".join(f"a {'b' * (i % 17 + 2)}{'c' * (i % 11 + 1)}" for i in range(1000))
    judge = TableJudge(only_dogs)
    with bench(tmp_path) as desk:
        desk.scored(OpenChair(), subject(text), judge)
    assert len(judge.asked) == 20


def test_an_item_without_a_picture_is_left_out_where_the_judge_looks(tmp_path):
    seen, unseen = pictured(0, "A cat."), replace(pictured(1, "A cat."), record=None)
    with bench(tmp_path) as desk:
        found = desk.scored(OpenChair(), Subject(columns=("new",), items=(seen, unseen)), TableJudge(only_dogs))
    assert found["open_chair"].parts["new"].tolist() == [[1, 1, 1], [0, 0, 0]]
