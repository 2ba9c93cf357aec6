"""The stage that asks models for captions: seeds, ledger, retries, failures, and whether the model sees."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image as Pillow

from recaption.core import registry
from recaption.core.builtins import BUILTINS
from recaption.core.errors import RecipeError, UserError
from recaption.core.protocols import Context, Generation, GenerationRequest, Meter
from recaption.core.types import Caption, Evidence, Failed, Image, Kept, Provenance, Record
from recaption.media.images import BatchImages
from recaption.recipes.strict import StrictModel
from recaption.stages.caption import CaptionStage
from tests.unit.stages.test_gather import MemoryLedger


class Probe:
    """Answers from a function of the request, and keeps what it was asked."""

    class Params(StrictModel):
        style: str = "chat"

    name = "probe@1"
    fingerprint = "f" * 64
    capabilities = frozenset({"images", "seed"})
    in_flight = 8
    asked: ClassVar[list[GenerationRequest]] = []
    answer = staticmethod(lambda request, draw: f"A picture of {request.image.digest[:6]}, draw {draw}.")

    def __init__(self, params: Params) -> None:
        self.prompt_style = params.style

    def generate(
        self, requests: Sequence[GenerationRequest], meter: Meter
    ) -> Iterator[tuple[int, Sequence[Generation]]]:
        Probe.asked += requests
        for i in reversed(range(len(requests))):
            yield i, [self._one(requests[i], draw) for draw in range(requests[i].sampling.n)]

    def _one(self, request: GenerationRequest, draw: int) -> Generation:
        said = type(self).answer(request, draw)
        if isinstance(said, Generation):
            return said
        return Generation(text=said, finish_reason="stop", completion_tokens=3, logprobs=(-1.0, -2.0, -3.0))


@pytest.fixture(autouse=True)
def _probe(monkeypatch):
    monkeypatch.setitem(BUILTINS["generators"], "probe", f"{__name__}:Probe")
    monkeypatch.setattr(Probe, "asked", [])
    registry._places.cache_clear()
    yield
    registry._places.cache_clear()


def stage(**params: object) -> CaptionStage:
    return CaptionStage(CaptionStage.Params.model_validate({"captioner": "probe", "canary": False, **params}))


def record(key: str, shade: int | None = None, **changes: object) -> Record:
    out = BytesIO()
    value = shade if shade is not None else int(key[-1]) * 20
    Pillow.fromarray(np.full((8, 8, 3), value, np.uint8)).save(out, "PNG")
    alt = Caption(text=f"alt of {key}", origin="alt", provenance=Provenance(stage="source"))
    made = Record(key=key, image=Image(data=out.getvalue()), captions=(alt,))
    return replace(made, **changes)  # type: ignore[arg-type]


def context(ledger: MemoryLedger | None = None, seed: int = 0) -> Context:
    return Context(images=BatchImages(), ledger=ledger or MemoryLedger(), meter=None, seed=seed)  # type: ignore[arg-type]


def captions(outcome: object) -> list[Caption]:
    assert isinstance(outcome, Kept), outcome
    return [c for c in outcome.record.captions if c.origin == "model"]


def test_every_image_gets_its_own_answers_in_order_and_keeps_its_original():
    records = [record(f"r{i}") for i in range(4)]
    outcomes = stage(n=3, temperature=1.0).process(records, context())
    for was, outcome in zip(records, outcomes, strict=True):
        made = captions(outcome)
        digest = context().images.digest(was)[:6]
        assert [c.text for c in made] == [f"A picture of {digest}, draw {d}." for d in range(3)]
        assert outcome.record.captions[0].text == f"alt of {was.key}"  # type: ignore[union-attr]
        assert [c.provenance.details["draws"] for c in made] == [[0], [1], [2]]
        assert made[0].provenance.details["mean_logprob"] == -2.0
        assert made[0].provenance.details["prompt"] == "dense/en@1"


def test_equal_texts_are_one_caption_that_says_which_draws_agreed(monkeypatch):
    monkeypatch.setattr(Probe, "answer", lambda request, draw: ["A dog.", "A cat.", "A dog."][draw])
    (outcome,) = stage(n=3, temperature=1.0).process([record("r1")], context())
    assert [(c.text, c.provenance.details["draws"]) for c in captions(outcome)] == [
        ("A dog.", [0, 2]),
        ("A cat.", [1]),
    ]


def test_seeds_depend_on_image_prompt_and_run_and_not_on_the_batch_or_key():
    def seeds(records: list[Record], run: int = 0, **params: object) -> list[int]:
        Probe.asked.clear()
        stage(temperature=1.0, **params).process(records, context(seed=run))
        return [request.sampling.seed for request in Probe.asked]

    one, two = record("r1"), record("r2")
    alone = seeds([one])
    assert seeds([two, one])[1:] == alone
    assert seeds([replace(one, key="other")]) == alone
    assert seeds([one], run=1) != alone
    assert seeds([one], aspects=["brief"]) != alone
    assert seeds([two]) != alone


def test_a_greedy_draw_has_no_seed_so_another_run_seed_does_not_pay_again():
    ledger = MemoryLedger()
    stage().process([record("r1")], context(ledger, seed=0))
    stage().process([record("r1")], context(ledger, seed=1))
    assert ledger.paid == [1, 0]


def test_what_was_answered_is_not_asked_again_and_a_new_prompt_is():
    ledger, records = MemoryLedger(), [record("r1"), record("r2")]
    first = stage(aspects=["dense", "brief"]).process(records, context(ledger))
    again = stage(aspects=["dense", "brief"]).process(records, context(ledger))
    assert ledger.paid == [4, 0]
    assert first == again
    stage(aspects=["dense", "context"]).process(records, context(ledger))
    assert ledger.paid == [4, 0, 2]


def test_a_bad_draw_is_drawn_again_with_another_seed_and_stands_if_nothing_better_comes(monkeypatch):
    tries: dict[int, int] = {}

    def answer(request, draw):
        tries[request.sampling.seed] = request.sampling.n
        if len(tries) == 1:
            return ["I'm sorry, but I can't help with that.", "A dog on grass."][draw]
        return "A cat on a mat."

    monkeypatch.setattr(Probe, "answer", answer)
    (outcome,) = stage(n=2, temperature=1.0).process([record("r1")], context())
    assert list(tries.values()) == [2, 1], "only the bad draw is asked for again"
    assert [c.text for c in captions(outcome)] == ["A cat on a mat.", "A dog on grass."]
    assert captions(outcome)[0].provenance.details["attempt"] == 1

    monkeypatch.setattr(Probe, "answer", lambda request, draw: "I'm sorry, but I can't help with that.")
    (outcome,) = stage(n=1).process([record("r1")], context())
    assert "refusal" in captions(outcome)[0].flags


def test_a_text_cut_by_the_token_limit_is_asked_for_with_more_room(monkeypatch):
    def answer(request, draw):
        cut = request.sampling.max_tokens < 60
        return Generation(
            text="A dog on" if cut else "A dog on a mat.", finish_reason="length" if cut else "stop"
        )

    monkeypatch.setattr(Probe, "answer", answer)
    (outcome,) = stage(max_tokens=40).process([record("r1")], context())
    assert [c.text for c in captions(outcome)] == ["A dog on a mat."]
    assert [r.sampling.max_tokens for r in Probe.asked] == [40, 60]


def test_a_passing_failure_is_retryable_and_not_remembered(monkeypatch):
    def overloaded(request, draw):
        return Generation(text=None, finish_reason="error", error="HTTP 503", retryable=True)

    ledger = MemoryLedger()
    with monkeypatch.context() as patch:
        patch.setattr(Probe, "answer", overloaded)
        (outcome,) = stage().process([record("r1")], context(ledger))
    assert outcome == Failed("probe@1: HTTP 503", retryable=True)
    (outcome,) = stage().process([record("r1")], context(ledger))
    assert len(captions(outcome)) == 1


@pytest.mark.parametrize("on_failure", ["fail", "keep"])
def test_a_lasting_failure_is_said_once_and_remembered(monkeypatch, on_failure):
    def refused(request, draw):
        return Generation(text=None, finish_reason="refusal", error="HTTP 403: moderation")

    monkeypatch.setattr(Probe, "answer", refused)
    ledger = MemoryLedger()
    for _ in range(2):
        (outcome,) = stage(on_failure=on_failure).process([record("r1")], context(ledger))
        if on_failure == "fail":
            assert outcome == Failed("probe@1: HTTP 403: moderation")
        else:
            (trace,) = captions(outcome)
            assert (trace.text, trace.kept, trace.flags) == ("", False, {"failed": "HTTP 403: moderation"})
    assert len(Probe.asked) == 1


def test_a_damaged_image_fails_its_record_alone():
    bad = replace(record("r1"), image=Image(data=b"not an image"))
    missing = replace(record("r2"), image=Image(path="/nowhere/at/all.png"))
    none = replace(record("r3"), image=None)
    outcomes = stage().process([missing, record("r4"), none, bad], context())
    assert isinstance(outcomes[0], Failed)
    assert outcomes[0].error.startswith("image: ")
    assert len(captions(outcomes[1])) == 1
    assert captions(outcomes[2]) == []


def test_data_that_came_with_the_picture_is_shown_only_when_asked_for():
    told = replace(record("r1"), evidence=(Evidence(kind="text", label="OPEN", source="ocr"),))
    stage().process([told], context())
    (outcome,) = stage(context=["alt", "text"]).process([told], context())
    without, with_data = (request.prompt for request in Probe.asked)
    assert "alt of r1" not in without
    assert "text found beside it: alt of r1\nwords read in it: OPEN" in with_data
    assert captions(outcome)[0].provenance.parents == (told.captions[0].id,)


def test_a_captioner_that_does_not_see_stops_the_run_once_two_pictures_are_known(monkeypatch):
    monkeypatch.setattr(Probe, "answer", lambda request, draw: "A nice picture of things.")
    blind = stage(canary=True)
    with pytest.raises(
        UserError, match=r"probe@1 writes the same about a grey picture.*r1 and r2.*canary=false"
    ):
        blind.process([record("r1"), record("r2")], context())
    assert len(captions(blind.process([record("r1")], context())[0])) == 1, "one picture proves nothing"


def test_whether_it_sees_is_asked_once_and_costs_two_calls():
    ledger, seeing = MemoryLedger(), stage(canary=True)
    seeing.process([record("r1"), record("r2")], context(ledger))
    seeing.process([record("r3"), record("r4")], context(ledger))
    assert [request.key for request in Probe.asked] == [
        "r1",
        "r2",
        "a blank picture",
        "a blank picture",
        "r3",
        "r4",
    ]


def test_a_blank_picture_without_an_answer_settles_nothing(monkeypatch):
    def answer(request, draw):
        if request.key == "a blank picture":
            return Generation(text=None, finish_reason="error", error="HTTP 503", retryable=True)
        return "A nice picture of things."

    ledger, stages = MemoryLedger(), stage(canary=True)
    with monkeypatch.context() as patch:
        patch.setattr(Probe, "answer", answer)
        stages.process([record("r1"), record("r2")], context(ledger))
    monkeypatch.setattr(Probe, "answer", lambda request, draw: "A nice picture of things.")
    with pytest.raises(UserError, match="does not see"):
        stages.process([record("r1"), record("r2")], context(ledger))


def test_wrong_settings_are_said_before_any_image():
    with pytest.raises(RecipeError, match="unknown aspect 'densse'"):
        stage(aspects=["densse"])
    with pytest.raises(RecipeError, match=r"caption\.beams: probe@1 has no such thing"):
        stage(beams=4)
    with pytest.raises(RecipeError, match=r"caption\.prompts\.shoes: not among caption\.aspects"):
        stage(prompts={"shoes": "Describe the shoes."})
    with pytest.raises(RecipeError, match=r"caption\.context: probe@1 takes no instructions"):
        stage(captioner={"probe": {"style": "prefix"}}, context=["alt"])
    with pytest.raises(RecipeError, match=r"caption\.captioner: unknown generator 'prob'.*'probe'"):
        stage(captioner="prob")
    with pytest.raises(RecipeError, match=r"caption\.captioner\.probe\.styl: unknown key.*'style'"):
        stage(captioner={"probe": {"styl": "chat"}})
    with pytest.raises(RecipeError, match=r"says no model; write it behind a #"):
        stage(captioner="http://127.0.0.1:8000/v1")
    with pytest.raises(ValueError, match="unknown finding 'looop'"):
        stage(retry={"on": ["looop"]})


def test_what_is_remembered_is_small(monkeypatch):
    ledger = MemoryLedger()
    stage().process([record("r1")], context(ledger))
    (value,) = ledger.values.values()
    assert json.loads(value)[0].keys() == {"text", "finish", "tokens", "mean_logprob"}
