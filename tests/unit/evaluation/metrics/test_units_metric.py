"""Statements before the judge: replies of a fixed form, failures counted, recall only where there are references."""

import json

import pytest

from recaption.evaluation.metrics.units import Units
from recaption.evaluation.subject import Subject
from recaption.models.scripted import ScriptedGenerator
from tests.servers.plans import Plan
from tests.servers.running import serving
from tests.unit.evaluation.judge_bench import TableJudge, bench, fenced, pictured
from tests.unit.evaluation.text_subject import shown
from tests.unit.models.openai.asking import asking


def numbered(lines, heading):
    start = lines.index(heading) + 1
    found = []
    for line in lines[start:]:
        number, dot, text = line.partition(". ")
        if not (dot and number.isdigit()):
            break
        found.append(text)
    return found


def judge_of(lies=(), broken=()):
    """Return a judge that makes a statement of every word between commas; `lies` are false."""

    def answer(request):
        kind = next(k for k in ("units", "matches", "verdicts") if f'"{k}"' in request.prompt)
        if kind in broken:
            return "well…"
        lines = fenced(request.prompt)
        if kind == "units":
            words = [w.strip() for w in lines[0].removeprefix("caption: ").split(",") if w.strip()]
            return json.dumps({"units": [{"text": w, "descriptive": " " in w} for w in words]})
        own = numbered(lines, "statements:")
        if kind == "verdicts":
            return json.dumps({"verdicts": [w not in lies for w in own]})
        oracle = numbered(lines, "reference statements:")
        return json.dumps({"matches": [oracle.index(w) + 1 if w in oracle else None for w in own]})

    return TableJudge(answer)


def subject(*items):
    return Subject(columns=("new",), items=items)


def test_precision_recall_and_score_of_one_text(tmp_path):
    one = subject(pictured(0, "dog, red ball, tree, cat", references=("dog, red ball, sky",)))
    with bench(tmp_path) as desk:
        found = desk.scored(Units(), one, judge_of(lies=("cat",)))
        assert desk.ledger.paid == 4
        desk.scored(Units(), one, judge_of(lies=("cat",)))
        assert desk.ledger.paid == 4
    assert shown(found["units.precision"], "new") == 0.75
    assert shown(found["units.recall"], "new") == pytest.approx((2 + 1) / (3 + 1))
    assert shown(found["units.count"], "new") == 4
    # Descriptive: `red ball` on both sides, true and matched.
    assert shown(found["units.score"], "new") == pytest.approx((0.75 + 1.0) / 2, abs=1e-6)
    assert found["units.false"].rows == [("new", "item 0", "cat")]


def test_without_references_there_is_precision_alone(tmp_path):
    with bench(tmp_path) as desk:
        found = desk.scored(Units(), subject(pictured(0, "dog, cat")), judge_of(lies=("cat",)))
    assert shown(found["units.precision"], "new") == 0.5
    assert shown(found["units.score"], "new") is None
    assert shown(found["units.recall"], "new") is None


def test_only_what_is_held_against_the_image_is_shown_the_image(tmp_path):
    judge = judge_of()
    with bench(tmp_path) as desk:
        desk.scored(Units(), subject(pictured(0, "dog", references=("dog",))), judge)
    seen = {('"verdicts"' in request.prompt, request.image is not None) for request in judge.asked}
    assert seen == {(True, True), (False, False)}
    assert all(request.schema is not None for request in judge.asked)


@pytest.mark.parametrize(
    ("broken", "precision", "recall", "failed"),
    [
        ("units", None, None, {"captions taken apart": 2, "references taken apart": 2}),
        ("matches", 1.0, None, {"statements matched": 2}),
        ("verdicts", None, None, {"statements held against images": 2}),
    ],
)
def test_replies_of_another_form_are_failures_of_their_text(tmp_path, broken, precision, recall, failed):
    two = subject(*(pictured(i, f"dog, {i}", references=(f"dog, {i}",)) for i in range(2)))
    with bench(tmp_path) as desk:
        found = desk.scored(Units(), two, judge_of(broken=(broken,)))
    assert shown(found["units.precision"], "new") == precision
    assert shown(found["units.recall"], "new") == recall
    unreadable = {row[0]: int(row[3]) for row in found["units.replies"].rows if row[3] != "0"}
    assert unreadable == failed


@pytest.mark.parametrize(
    "reply",
    [
        '{"verdicts": [true]}',
        '{"verdicts": [true, "yes"]}',
        '{"verdicts": [true, true, true]}',
        '{"verdict": [true, true]}',
    ],
)
def test_a_list_of_another_length_or_kind_is_no_answer(tmp_path, reply):
    plain = judge_of()
    judge = TableJudge(lambda r: reply if '"verdicts"' in r.prompt else plain._answer(r))
    with bench(tmp_path) as desk:
        found = desk.scored(Units(), subject(pictured(0, "dog, cat")), judge)
    assert shown(found["units.precision"], "new") is None


@pytest.mark.parametrize("place", [0, 3, -1])
def test_a_match_with_what_is_not_there_is_no_answer(tmp_path, place):
    plain = judge_of()
    wrong = json.dumps({"matches": [place, None]})
    judge = TableJudge(lambda r: wrong if '"matches"' in r.prompt else plain._answer(r))
    with bench(tmp_path) as desk:
        found = desk.scored(Units(), subject(pictured(0, "dog, cat", references=("a, b",))), judge)
    assert shown(found["units.recall"], "new") is None
    assert shown(found["units.precision"], "new") == 1.0


def test_a_text_that_says_nothing_has_no_precision_and_no_recall(tmp_path):
    with bench(tmp_path) as desk:
        found = desk.scored(Units(), subject(pictured(0, ",", references=("dog",))), judge_of())
    assert shown(found["units.precision"], "new") is None
    assert shown(found["units.recall"], "new") == 0.0
    assert shown(found["units.count"], "new") == 0


def test_statements_are_bounded(tmp_path):
    many = ", ".join(f"w{i}" for i in range(500))
    with bench(tmp_path) as desk:
        found = desk.scored(Units(), subject(pictured(0, many)), judge_of())
    assert shown(found["units.count"], "new") == 60


def test_a_model_that_writes_no_json_gives_failures(tmp_path):
    scripted = ScriptedGenerator(ScriptedGenerator.Params(behaviour="malformed"))
    for round_ in range(2):
        with bench(tmp_path) as desk:
            found = desk.scored(Units(), subject(pictured(0, "dog")), scripted)
            assert (desk.ledger.paid > 0) == (round_ == 0)
        assert shown(found["units.count"], "new") is None
        assert found["units.replies"].rows[0][:3] == ("captions taken apart", "1", "0")


def test_over_http_a_server_that_says_nothing_is_right_once_and_not_called_again(tmp_path):
    with serving(Plan(says='{"units": []}')) as (server, url):
        for _ in range(2):
            with bench(tmp_path) as desk, asking(f"{url}/v1") as judge:
                found = desk.scored(Units(), subject(pictured(0, "dog", references=("a cat",))), judge)
            assert len(server.calls) == 2
            assert shown(found["units.count"], "new") == 0
