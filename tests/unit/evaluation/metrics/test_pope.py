"""POPE of the judge: what it is asked, how replies are read, and when it is not to be believed."""

import re

import pytest

from recaption.evaluation.metric import Unavailable
from recaption.evaluation.metrics.pope import Pope
from recaption.evaluation.subject import Subject
from tests.unit.evaluation.judge_bench import TableJudge, bench, pictured

LABELS = [frozenset({"dog", "kite"}), frozenset({"car"}), frozenset({"bus", "person", "bench"})]


def subject(n=12):
    items = tuple(pictured(i, "a text", "another", labels=LABELS[i % 3]) for i in range(n))
    return Subject(columns=("old", "new"), items=items, label_source="coco")


def thing(request):
    found = re.match(r"Is there (?:an? )?(.+) in the picture\?", request.prompt)
    assert found
    return found[1]


def seeing(request):
    number = int(request.key.removeprefix("item "))
    return "yes" if thing(request) in LABELS[number % 3] else "no"


def test_a_judge_that_sees_is_right_and_believed(tmp_path):
    judge = TableJudge(seeing)
    with bench(tmp_path) as desk:
        found = desk.scored(Pope(), subject(), judge)
        rows = {row[0]: row[1:] for row in found["pope"].rows}
        assert rows["random"] == ("48", "100.0 %", "100.0 %", "100.0 %", "100.0 %", "50.0 %")
        assert rows["always yes"] == ("", "50.0 %", "50.0 %", "100.0 %", "66.7 %", "100.0 %")
        assert list(rows) == ["random", "popular", "adversarial", "always yes"]
        control = found["pope.judge_sees"]
        assert (control.value, control.holds) == (1.0, True)
        paid = desk.ledger.paid
        desk.scored(Pope(), subject(), judge)
        assert desk.ledger.paid == paid
    assert all(request.image is not None for request in judge.asked)
    pairs = [(request.key, thing(request)) for request in judge.asked]
    assert len(pairs) == len(set(pairs)), "what several splits ask is asked once"


@pytest.mark.parametrize("reply", ["Yes.", "A dog, I think."])
def test_a_judge_that_always_says_yes_is_not_believed(tmp_path, reply):
    with bench(tmp_path) as desk:
        found = desk.scored(Pope(), subject(), TableJudge(lambda request: reply))
    assert found["pope"].rows[0][2:] == ("50.0 %", "50.0 %", "100.0 %", "66.7 %", "100.0 %")
    assert not found["pope.judge_sees"].holds
    unclear = 0 if reply == "Yes." else int(found["pope.replies"].rows[0][1])
    assert f"({unclear:,} were neither" in found["pope"].note


def test_silence_is_counted_and_too_few_answers_give_no_verdict(tmp_path):
    with bench(tmp_path) as desk:
        found = desk.scored(Pope(), subject(), TableJudge(lambda request: None))
    assert found["pope"].rows[0][1:] == ("0", *"–––––")
    assert found["pope.replies"].rows[0][2] == "0"
    assert "pope.judge_sees" not in found


def test_a_judge_without_eyes_is_not_asked(tmp_path):
    with bench(tmp_path) as desk, pytest.raises(Unavailable, match="does not see"):
        desk.scored(Pope(), subject(), TableJudge(seeing, capabilities=frozenset()))
