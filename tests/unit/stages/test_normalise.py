"""The stage that cleans: originals stay, cleaned texts stand beside them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.core.errors import RecipeError
from recaption.core.types import Caption, Evidence, Kept, Provenance, Record
from recaption.recipes.strict import validated
from recaption.stages.normalise import EMPTIED, Normalise
from tests.unit.stages.composing import CONTEXT

SOURCE = Provenance(stage="source")
STAGE = Normalise(Normalise.Params())


def record(*texts: str, evidence: tuple[Evidence, ...] = ()) -> Record:
    captions = tuple(Caption(text=text, origin="alt", provenance=SOURCE) for text in texts)
    return Record(key="k", captions=captions, evidence=evidence)


def run(item: Record, stage: Normalise = STAGE) -> Record:
    (outcome,) = stage.process([item], CONTEXT)
    assert isinstance(outcome, Kept)
    return outcome.record


def test_a_changed_text_is_a_new_caption_that_names_its_parent_and_rules() -> None:
    before = record("red  car | Stock Photo")
    original, cleaned = run(before).captions
    assert original == before.captions[0]
    assert (cleaned.text, cleaned.origin, cleaned.aspect, cleaned.kept) == ("Red car", "alt", "default", True)
    assert cleaned.provenance.stage == "normalise"
    assert cleaned.provenance.parents == (original.id,)
    assert cleaned.provenance.details == {"rules": {"spacing": 1, "sentence_case": 1, "boilerplate": 1}}


def test_a_clean_text_adds_nothing() -> None:
    before = record("A red car")
    assert run(before) is before


def test_an_emptied_text_is_flagged_and_kept() -> None:
    (original,) = run(record("IMG_2024.jpg")).captions
    assert original.text == "IMG_2024.jpg"
    assert original.flags[EMPTIED] == "nothing left after file_names"


def test_personal_data_is_a_flag_on_both() -> None:
    captions = run(record("A house, write to a@b.org")).captions
    assert [caption.flags["personal_data"] for caption in captions] == ["email", "email"]


def test_only_texts_that_came_with_the_data_are_cleaned() -> None:
    written = Caption(text="red  car", origin="model", provenance=Provenance(stage="caption"))
    before = replace(record(), captions=(written,))
    assert run(before) is before


def test_words_read_in_the_picture_are_not_corrected() -> None:
    sign = Evidence(kind="text", label='"Recieve" HERE', source="given")
    assert run(record("A recieve sign", evidence=(sign,))).captions[-1].text == "A recieve sign"
    assert run(record("A recieve sign")).captions[-1].text == "A receive sign"


def test_twice_is_once() -> None:
    once = run(record("red  car | Stock Photo", "DSC_2481", "blue  car"))
    assert run(once) == once
    assert [c.text for c in once.captions[3:]] == ["Red car", "Blue car"]


def test_an_unknown_rule_is_an_error_that_says_where() -> None:
    with pytest.raises(RecipeError, match=r"stages\[1\].*unknown rule 'emojis'. Did you mean 'emoji'"):
        validated(Normalise.Params, {"rules": {"emojis": False}}, "r.yaml: stages[1].normalise")
    with pytest.raises(RecipeError, match=r"unknown key.*'emoji'"):
        validated(Normalise.Params, {"emojis": "drop"}, "r.yaml: stages[1].normalise")


def test_rules_switch_off() -> None:
    stage = Normalise(Normalise.Params(rules={"sentence_case": False}))
    assert run(record("red  car"), stage).captions[-1].text == "red car"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.text(max_size=60), max_size=3), max_size=3))
def test_one_outcome_per_record_and_no_original_lost(items: list[list[str]]) -> None:
    records = [record(*texts) for texts in items]
    outcomes = STAGE.process(records, CONTEXT)
    assert len(outcomes) == len(records)
    for before, outcome in zip(records, outcomes, strict=True):
        assert isinstance(outcome, Kept)
        assert [c.text for c in outcome.record.originals] == [c.text for c in before.captions]
        assert all(caption.text for caption in outcome.record.captions[len(before.captions) :])
        assert STAGE.process([before], CONTEXT) == [outcome]
