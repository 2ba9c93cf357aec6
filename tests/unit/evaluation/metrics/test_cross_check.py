"""CrossCheck: its arithmetic, who is a witness, and what the judge is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.metric import Unavailable
from recaption.evaluation.metrics.cross_check import CrossCheck, suspicion
from recaption.evaluation.subject import Item, Subject
from tests.unit.evaluation.judge_bench import TableJudge, bench, fenced
from tests.unit.evaluation.text_subject import shown

BLIND = frozenset[str]()


def sentence_and_passage(request):
    sentence, passage = fenced(request.prompt)
    return sentence.removeprefix("sentence: "), passage.removeprefix("description: ")


def same_words(request):
    sentence, passage = sentence_and_passage(request)
    return "yes" if set(sentence.lower().strip(".").split()) <= set(passage.replace(".", "").split()) else "no"


def test_passages_are_averaged_within_a_source_and_sources_after():
    assert suspicion([[0.0, 1.0, 1.0, 1.0], [0.0]]) == 0.375
    assert suspicion([[0.5], [None, 1.0], [None]]) == 0.75
    assert suspicion([]) is None
    assert suspicion([[None], []]) is None


values = st.none() | st.sampled_from([0.0, 0.5, 1.0])


@given(st.lists(st.lists(values, max_size=4), max_size=4))
def test_suspicion_is_a_share_and_turns_round_with_the_verdicts(sources):
    value = suspicion(sources)
    turned = suspicion([[None if v is None else 1 - v for v in source] for source in sources])
    if value is None:
        assert turned is None
    else:
        assert turned is not None
        assert 0 <= value <= 1
        assert value + turned == pytest.approx(1.0)


def test_sentences_are_held_against_references_other_columns_and_other_draws(tmp_path):
    old, new = "a dog", "a dog. A kite."
    item = Item(
        key="1",
        texts=((old,), (new,)),
        references=("a dog runs",),
        candidates=((), (new, "a dog", "a red kite")),
    )
    subject = Subject(columns=("old", "new"), items=(item,))
    judge = TableJudge(same_words, capabilities=BLIND)
    with bench(tmp_path) as desk:
        found = desk.scored(CrossCheck(), subject, judge)
        paid = desk.ledger.paid
        desk.scored(CrossCheck(), subject, judge)
        assert desk.ledger.paid == paid
    # old: both support it. new, first sentence: all but one draw; second: neither source, one draw of two.
    assert found["cross_check"].parts["old"].tolist() == [[0.0, 1.0]]
    dog, kite = (0 + 0 + 1 / 2) / 3, (1 + 1 + 1 / 2) / 3
    assert found["cross_check"].parts["new"][0] == pytest.approx([dog + kite, 2])
    assert [row[2:] for row in found["cross_check.suspects"].rows] == [
        (f"{kite:.2f}", "A kite."),
        (f"{dog:.2f}", "a dog."),
    ]
    assert all(request.image is None for request in judge.asked)
    assert ("a dog", "a dog") not in {sentence_and_passage(r) for r in judge.asked if r.key == "old"}


def test_a_text_is_no_witness_for_itself(tmp_path):
    item = Item(key="1", texts=(("a dog",), ("a dog",)), references=("a dog",))
    with bench(tmp_path) as desk, pytest.raises(Unavailable, match="another text"):
        desk.scored(CrossCheck(), Subject(columns=("old", "new"), items=(item,)), TableJudge(same_words))


def test_unsure_is_half_and_what_is_no_answer_counts_for_nothing(tmp_path):
    item = Item(key="1", texts=(("a dog",),), references=("one", "two", "three"))
    replies = {"one": "unsure", "two": "what?", "three": None}
    judge = TableJudge(lambda request: replies[sentence_and_passage(request)[1]], capabilities=BLIND)
    with bench(tmp_path) as desk:
        found = desk.scored(CrossCheck(), Subject(columns=("new",), items=(item,)), judge)
    assert shown(found["cross_check"], "new") == 0.5
    assert found["cross_check.replies"].rows == [("new", "3", "1", "1", "1", "0")]


def test_very_long_texts_cost_a_bounded_number_of_questions(tmp_path):
    item = Item(key="1", texts=(("A dog runs. " * 50_000,),), references=tuple(f"word {i}" for i in range(100)))
    judge = TableJudge(lambda request: "yes", capabilities=BLIND)
    with bench(tmp_path) as desk:
        desk.scored(CrossCheck(), Subject(columns=("new",), items=(item,)), judge)
    assert len({request.prompt for request in judge.asked}) <= 10 * 3
    assert len(judge.asked) <= 10 * 3
