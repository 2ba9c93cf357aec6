"""Questions to the judge: batches, samples that metrics share, failures with reasons, and a judge that goes away."""

import pytest

from recaption.core.errors import BackendError
from recaption.evaluation.extract.answers import yes_no
from recaption.evaluation.extract.judging import (
    Question,
    Reply,
    Tally,
    has_image,
    judged_items,
    read_replies,
    tally_listing,
)
from recaption.evaluation.subject import Subject
from recaption.prompts.library import Prompt
from tests.unit.evaluation.judge_bench import TableJudge, bench, pictured


def questions(n):
    return [Question(key=str(i), prompt=Prompt("q", f"Is it {i}?")) for i in range(n)]


def test_replies_come_in_order_with_reasons_where_there_are_none(tmp_path):
    said = ["yes", "no", "maybe so", None]
    judge = TableJudge(lambda request: said[int(request.key)])
    with bench(tmp_path) as desk:
        found = read_replies(questions(4), yes_no, desk.tools(judge), sees=False)
    assert [reply.value for reply in found] == ["yes", "no", None, None]
    assert [reply.failure for reply in found] == [
        "",
        "",
        "not in the form asked for",
        "no answer from the model",
    ]
    tally = Tally.of(found)
    assert (tally.asked, tally.failed) == (4, 2)
    listing = tally_listing("n", "t", {"what": tally, "none": Tally.of([])})
    assert listing.rows == [("what", "4", "2", "1", "1", "0"), ("none", "0", "0", "0", "0", "0")]


def test_a_value_of_nothing_is_an_answer():
    assert Tally.of([Reply(0.0), Reply(()), Reply(False)]).failed == 0


def test_questions_go_out_in_batches_and_no_more_is_lost_than_one(tmp_path):
    def failing(request):
        if request.key == "9":
            raise BackendError("gone")
        return "yes"

    with bench(tmp_path) as desk:
        with pytest.raises(BackendError, match="gone"):
            read_replies(questions(12), yes_no, desk.tools(TableJudge(failing), batch_size=4), sees=False)
        assert desk.ledger.paid >= 8
        healthy = TableJudge(lambda request: "yes")
        read_replies(questions(12), yes_no, desk.tools(healthy, batch_size=4), sees=False)
    assert len(healthy.asked) <= 4


def test_metrics_with_other_demands_share_as_much_of_the_sample_as_they_can(tmp_path):
    items = tuple(pictured(i, "a dog", references=("a dog",) if i % 2 else ()) for i in range(40))
    subject = Subject(columns=("new",), items=items)
    with bench(tmp_path) as desk:
        tools = desk.tools(None, judged=10)
        every = judged_items(subject, tools)
        some = judged_items(subject, tools, lambda item: bool(item.references))
        assert every == judged_items(subject, tools, has_image)
        assert every != judged_items(subject, desk.tools(None, judged=10, seed=1))
    assert list(every) == sorted(every)
    assert len(every) == len(some) == 10
    assert all(i % 2 for i in some)
    assert {i for i in every if i % 2} <= set(some)
