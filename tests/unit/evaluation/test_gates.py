"""Gates for continuous integration: what they mean, and what they refuse."""

from dataclasses import replace

import pytest

from recaption.core.errors import UserError
from recaption.evaluation.gates import broken, parse_gate
from recaption.evaluation.measures import About, Value
from recaption.evaluation.result import Effect, Evaluation, Row, Skipped


def evaluation() -> Evaluation:
    about = About(name="recall_at_1.t2i", title="Recall@1", group="retrieval", better="higher", unit="share")
    row = Row(
        about=about,
        values={"old": Value(value=0.4, n=100), "new": Value(value=0.38, n=100)},
        effects={"new": Effect(delta=-0.02, low=-0.05, high=0.01, n=100)},
    )
    bare = Row(
        about=About(name="vendi", title="", group="sameness"),
        values={"old": Value(value=None, n=0, reason="x")},
    )
    return Evaluation(
        columns=("old", "new"),
        verdict="",
        findings=(),
        counts={},
        rows=[row, bare],
        skipped=[Skipped(metric="arena", reason="no judge")],
    )


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("recall_at_1.t2i < -0.01", True),
        ("recall_at_1.t2i < -0.02", False),
        ("recall_at_1.t2i <= -0.02", True),
        ("low(recall_at_1.t2i) < 0", True),
        ("high(recall_at_1.t2i)<0", False),
        ("value(recall_at_1.t2i) < .4", True),
        ("baseline(recall_at_1.t2i) > 3e-1", True),
        ("vendi > 0", True),
    ],
)
def test_a_gate_fails_when_its_condition_holds_or_cannot_be_known(text: str, fails: bool):
    assert bool(broken([parse_gate(text)], evaluation())) is fails


@pytest.mark.parametrize(
    "text", ["", "recall", "recall < x", "a < 1 or b < 2", "f(a) < 1", "a == 1", "a < nan", "a < 1;"]
)
def test_what_is_no_condition_is_refused_with_the_form(text: str):
    with pytest.raises(UserError, match="expected NAME < NUMBER"):
        parse_gate(text)


def test_a_measure_that_is_not_there_is_an_error_that_suggests_one_and_says_what_did_not_run():
    with pytest.raises(UserError, match=r"Did you mean 'recall_at_1\.t2i'"):
        broken([parse_gate("recall_at_1.ti2 < 0")], evaluation())
    with pytest.raises(UserError, match=r"not run: arena: no judge"):
        broken([parse_gate("net_wins < 0")], evaluation())


def test_a_column_alone_has_figures_to_fail_by_but_no_differences():
    one = replace(evaluation(), columns=("old",))
    assert broken([parse_gate("value(recall_at_1.t2i) < 0.5")], one)
    assert not broken([parse_gate("value(recall_at_1.t2i) < 0.3")], one)
    with pytest.raises(UserError, match="one column has no differences"):
        broken([parse_gate("recall_at_1.t2i < 0.5")], one)
