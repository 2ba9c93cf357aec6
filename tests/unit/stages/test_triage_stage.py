"""The stage that judges: flags and a score on every alt caption, nothing dropped, nothing rewritten."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.core.types import Caption, Kept, Provenance, Record, Score
from recaption.stages.normalise import Normalise
from recaption.stages.triage import Triage
from tests.unit.stages.composing import CONTEXT

SOURCE = Provenance(stage="source")
NORMALISE = Normalise(Normalise.Params())
TRIAGE = Triage(Triage.Params())


def record(*texts: str) -> Record:
    return Record(
        key="k", captions=tuple(Caption(text=text, origin="alt", provenance=SOURCE) for text in texts)
    )


def judged(item: Record, stage: Triage = TRIAGE) -> Record:
    (cleaned,) = NORMALISE.process([item], CONTEXT)
    assert isinstance(cleaned, Kept)
    (outcome,) = stage.process([cleaned.record], CONTEXT)
    assert isinstance(outcome, Kept)
    return outcome.record


def test_original_and_cleaned_text_are_judged_apart() -> None:
    original, cleaned = judged(record("red-house-by-the-lake.jpg")).captions
    assert set(original.flags) == {"file_name"}
    assert original.scores["triage"].value == 0.15
    assert cleaned.text == "Red house by the lake"
    assert cleaned.flags == {}
    assert cleaned.scores["triage"] == Score(value=1.0)


def test_a_text_of_which_nothing_is_left_says_why() -> None:
    (original,) = judged(record("DSC_2481")).captions
    assert set(original.flags) == {"emptied", "file_name", "empty"}


def test_copies_counted_by_the_survey_make_duplicates_of_the_cleaned_text_too() -> None:
    before = record("a dog on a  sofa")
    counted = replace(before.captions[0], scores={"copies": Score(value=50.0)})
    after = judged(replace(before, captions=(counted,)), Triage(Triage.Params(max_copies=10)))
    assert [set(caption.flags) for caption in after.captions] == [{"duplicate"}, {"duplicate"}]
    assert after.captions[0].scores["copies"] == Score(value=50.0)


def test_captions_of_other_origin_are_not_judged() -> None:
    written = Caption(text="x", origin="model", provenance=Provenance(stage="caption"))
    before = Record(key="k", captions=(written,))
    assert TRIAGE.process([before], CONTEXT) == [Kept(before)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_texts_and_ids_stay_and_twice_is_once(texts: list[str]) -> None:
    before = record(*texts)
    after = judged(before)
    assert [c.id for c in after.originals] == [c.id for c in before.captions]
    for caption in after.captions:
        value = caption.scores["triage"].value
        assert value is not None
        assert 0 <= value <= 1
    assert TRIAGE.process([after], CONTEXT) == [Kept(after)]
