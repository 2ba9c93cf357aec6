"""The stage: children that fit beside parents that are history; sources are only flagged."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest

from recaption.core.errors import RecipeError, UserError
from recaption.core.protocols import Context
from recaption.core.types import Caption, Evidence, Kept, Origin, Provenance, Record, Score
from recaption.media.budgets import clip77
from recaption.recipes.strict import validated
from recaption.stages.fit import Fit

pytest.importorskip("instant_clip_tokenizer", reason="wheels exist for CPython 3.11 and 3.12")

LONG = (
    "A brown horse stands in a field beside a stable. A sense of calm and joy fills the mood of the moment. "
    "A silver bucket hangs on the fence. A small bird sits on the roof."
)


def caption(text: str, origin: Origin = "model", stage: str = "vlm", **rest: Any) -> Caption:
    return Caption(text=text, origin=origin, provenance=Provenance(stage=stage), **rest)


def fitted(record: Record, **params: Any) -> Record:
    stage = Fit(validated(Fit.Params, {"budget": "words", **params}, "test"))
    (outcome,) = stage.process([record], cast("Context", None))
    assert isinstance(outcome, Kept)
    return outcome.record


def test_a_long_caption_becomes_history_and_a_child_takes_its_place() -> None:
    parent = caption(LONG, aspect="dense", scores={"support": Score(value=3)}, flags={"seen": "yes"})
    result = fitted(Record(key="a", captions=(parent,)), limit=24)
    before, child = result.captions
    assert (before.text, before.kept) == (LONG, False)
    assert before.flags["over_budget"] == "36 tokens where words takes 24"
    assert (child.kept, child.origin, child.aspect) == (True, "model", "dense")
    assert child.provenance.stage == "fit"
    assert child.provenance.parents == (parent.id,)
    assert "sense of calm" not in child.text
    assert child.scores["support"] == Score(value=3)
    assert child.scores["tokens"].value == len(child.text.split()) <= 24
    assert child.flags == {"seen": "yes"}
    details = child.provenance.details
    assert (details["budget"], details["limit"], details["tokens_before"]) == ("words", 24, 36)
    assert details["tokens_lost"] == 36 - len(child.text.split())
    assert details["cut_at"] == "sentence"
    assert details["dropped"] == ["A sense of calm and joy fills the mood of the moment."]


def test_what_fits_is_only_counted() -> None:
    record = Record(key="a", captions=(caption("A dog."), caption("Gone.", kept=False)))
    result = fitted(record, limit=5)
    assert [c.text for c in result.captions] == ["A dog.", "Gone."]
    assert result.captions[0].scores == {"tokens": Score(value=2)}
    assert result.captions[1] == record.captions[1]


def test_a_source_stays_and_has_a_child_that_fits() -> None:
    source = caption(LONG, "alt", "source")
    result = fitted(Record(key="a", captions=(source,)), limit=24)
    assert result.original_text == LONG
    assert result.captions[0].kept
    assert "over_budget" in result.captions[0].flags
    assert result.captions[1].origin == "alt"
    assert result.captions[0].id == source.id


def test_of_a_source_that_was_cleaned_only_the_clean_text_is_shortened() -> None:
    source = caption(f"<b>{LONG}</b>", origin="alt", stage="source")
    clean = replace(caption(LONG, origin="alt"), provenance=Provenance(stage="normalise", parents=(source.id,)))
    result = fitted(Record(key="a", captions=(source, clean)), limit=24)
    (child,) = [c for c in result.captions if c.provenance.stage == "fit"]
    assert child.provenance.parents == (clean.id,)


def test_origins_limit_what_is_fitted_but_all_is_counted() -> None:
    record = Record(key="a", captions=(caption(LONG, "alt", "source"), caption(LONG)))
    result = fitted(record, limit=24, origins=["model"])
    assert [c.origin for c in result.captions] == ["alt", "model", "model"]
    assert all("tokens" in c.scores for c in result.captions)
    assert "over_budget" not in result.captions[0].flags


def test_evidence_decides_what_stays() -> None:
    def kept_with(label: str) -> str:
        evidence = Evidence(kind="object", label=label, source="test")
        return (
            fitted(Record(key="a", captions=(caption(LONG),), evidence=(evidence,)), limit=17).captions[-1].text
        )

    assert "bird" in kept_with("bird")
    assert "bucket" in kept_with("bucket")


def test_words_of_the_alt_text_back_what_a_model_says_but_not_the_alt_itself() -> None:
    source = caption("bird on a roof", "alt", "source")
    result = fitted(Record(key="a", captions=(source, caption(LONG))), limit=17)
    assert "bird" in result.captions[-1].text
    alone = fitted(Record(key="a", captions=(caption(LONG, "alt", "source"),)), limit=17)
    assert len(alone.captions) == 2


def test_pixel_facts_back_nothing() -> None:
    evidence = Evidence(kind="pixel", label="roof bird", source="test")
    with_pixels = fitted(Record(key="a", captions=(caption(LONG),), evidence=(evidence,)), limit=17)
    assert with_pixels.captions == fitted(Record(key="a", captions=(caption(LONG),)), limit=17).captions


def test_split_keeps_all_of_it() -> None:
    result = fitted(Record(key="a", captions=(caption(LONG),)), limit=24, mode="split")
    children = result.captions[1:]
    assert " ".join(c.text for c in children) == LONG
    assert [(c.provenance.details["part"], c.provenance.details["of"]) for c in children] == [(1, 2), (2, 2)]
    assert all(c.scores["tokens"].value is not None and c.scores["tokens"].value <= 24 for c in children)


def test_two_equal_parts_are_said_once() -> None:
    result = fitted(Record(key="a", captions=(caption("A red dog. A red dog."),)), limit=3, mode="split")
    assert [c.text for c in result.captions] == ["A red dog. A red dog.", "A red dog."]


def test_a_second_run_adds_nothing() -> None:
    record = Record(key="a", captions=(caption(LONG, "alt", "source"), caption(LONG)))
    once = fitted(record, limit=24)
    assert fitted(once, limit=24) == once


def test_what_cannot_be_cut_is_ruled_out_and_says_why() -> None:
    record = Record(key="a", captions=(caption("x" * 50, "alt", "source"), caption("y" * 50)))
    result = fitted(record, budget="characters", limit=10)
    assert [c.kept for c in result.captions] == [True, False]
    assert "cannot be cut" in result.captions[1].flags["over_budget"]


def test_a_hard_cut_is_flagged() -> None:
    result = fitted(Record(key="a", captions=(caption("一只黑色的猫" * 9),)), budget="characters", limit=9)
    assert "between characters" in result.captions[1].flags["hard_cut"]


def test_what_was_dropped_is_remembered_within_bounds() -> None:
    text = "A red dog sits. " + ("The mood is " + "very " * 90 + "calm. ") * 40
    details = fitted(Record(key="a", captions=(caption(text),)), limit=8).captions[1].provenance.details
    dropped = details["dropped"]
    assert isinstance(dropped, list)
    assert len(dropped) == 10
    assert all(isinstance(lost, str) and len(lost) <= 200 for lost in dropped)


def test_records_come_back_in_order_and_inputs_are_untouched() -> None:
    records = [Record(key=str(i), captions=(caption(LONG, "alt", "source"),)) for i in range(50)]
    copies = [replace(record) for record in records]
    stage = Fit(Fit.Params(budget="clip77", limit=40))
    whole = stage.process(records, cast("Context", None))
    with ThreadPoolExecutor(4) as pool:
        single = list(pool.map(lambda r: stage.process([r], cast("Context", None))[0], records))
    assert whole == single
    assert [outcome.record.key for outcome in whole if isinstance(outcome, Kept)] == [str(i) for i in range(50)]
    assert records == copies


def test_clip_limits_hold_for_every_child() -> None:
    result = fitted(Record(key="a", captions=(caption(LONG * 4),)), budget="clip77")
    assert clip77().fits(result.captions[1].text)


@pytest.mark.parametrize("text", ["", " \n", "\ud800" * 300, "\x00 " * 300, "dog " * 5000])
def test_hostile_captions_are_no_trouble(text: str) -> None:
    result = fitted(Record(key="a", captions=(caption(text, "alt", "source"),)), budget="clip77")
    assert result.original_text == text


def test_unknown_budgets_and_parameters_are_refused_with_a_hint() -> None:
    with pytest.raises(UserError, match="Did you mean 'clip77'"):
        Fit(Fit.Params(budget="clip7"))
    with pytest.raises(UserError, match="needs a limit"):
        Fit(Fit.Params(budget="words"))
    with pytest.raises(RecipeError, match="budget"):
        validated(Fit.Params, {"buget": "clip77"}, "x")
