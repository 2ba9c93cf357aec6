"""Wrong answers of every kind between true ones: none is stored as good, each says why, and true ones stay."""

from collections import Counter

import pytest

from benchmarks.wrong_answers import CLASSES, TOGETHER, Verdict, judge, make_cases
from recaption.demo.captions import ASPECTS, describe
from recaption.demo.world import sample_scenes
from recaption.media.checks.findings import About, findings
from recaption.stages.check import DEFAULT_POLICY


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return list(judge(make_cases(500, seed=1)))


def test_none_of_500_wrong_answers_is_stored_as_good(verdicts: list[Verdict]) -> None:
    wrong = [verdict for verdict in verdicts if verdict.case.kind is not None]
    assert len(wrong) >= 500
    kinds = Counter(verdict.case.kind for verdict in wrong)
    assert set(kinds) == {*CLASSES, *TOGETHER}
    assert min(kinds.values()) >= 20
    stored = [(v.case.kind, v.text) for v in wrong if v.stored_as_good]
    assert stored == []
    assert all(verdict.flags for verdict in wrong)


def test_what_may_pass_with_other_draws_is_asked_again(verdicts: list[Verdict]) -> None:
    again = {v.case.kind for v in verdicts if v.asked_again}
    assert {"cut, told", "n-gram loop", "refusal", "empty", "other language", "letter or mark run"} <= again


def test_true_answers_between_them_stay(verdicts: list[Verdict]) -> None:
    true = [verdict for verdict in verdicts if verdict.case.kind is None]
    assert len(true) >= 500
    lost = [(verdict.flags, verdict.case.truth) for verdict in true if verdict.text is None]
    assert len(lost) <= len(true) // 100, lost
    untrue = [v.text for v in true if v.outcome == "mended" and v.stored_as_good]
    assert untrue == []


def test_no_true_caption_of_the_demo_world_is_ruled_out() -> None:
    texts = [
        describe(scene, aspect, number)
        for number, scene in enumerate(sample_scenes(100, seed=3))
        for aspect in ASPECTS
    ]
    about = About(language="en", finish_reason="stop")
    dropped = [
        (finding.name, text)
        for text in texts
        for finding in findings(text, about)
        if DEFAULT_POLICY.get(finding.name, "drop") == "drop"
    ]
    assert dropped == []
