"""Which caption stands for the record, and why."""

from dataclasses import replace

import pytest

from recaption.core.errors import RecipeError
from recaption.core.protocols import Context
from recaption.core.types import Caption, Dropped, Kept, Provenance, Record, Score
from recaption.recipes.strict import validated
from recaption.stages.select import Select
from tests.unit.stages.composing import CONTEXT, alt, caption, record


def select(of: Record, context: Context = CONTEXT, **params: object) -> Caption:
    (outcome,) = Select(Select.Params.model_validate(params)).process([of], context)
    assert isinstance(outcome, Kept)
    assert [c.id for c in outcome.record.captions] == [c.id for c in of.captions]
    best = outcome.record.best
    assert best is not None
    return best


def fitted(parent: Caption, text: str) -> Caption:
    """Return a shortened caption as fit writes it: no scores of its own."""
    return Caption(
        text=text,
        origin=parent.origin,
        aspect=parent.aspect,
        provenance=Provenance(stage="fit", parents=(parent.id,)),
    )


ORIGINAL = alt("DSC_0042.jpg", None, stage="source")
CLEAN = alt("Laugharne Castle", 0.8)
DENSE = caption("Laugharne Castle, with two people and a dog.", support=3)
PIXELS = caption("The picture is dark.", aspect="appearance", support=0)


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        ((ORIGINAL, CLEAN, PIXELS, DENSE), DENSE),
        ((ORIGINAL, CLEAN, PIXELS), CLEAN),
        ((ORIGINAL, alt("Buy now", 0.1), PIXELS), PIXELS),
        ((ORIGINAL, alt("Buy now", 0.1)), ORIGINAL),
        ((ORIGINAL,), ORIGINAL),
    ],
)
def test_default_order(captions: tuple[Caption, ...], expected: Caption) -> None:
    best = select(record(captions=captions))
    assert best.id == expected.id
    assert best.provenance.details["chosen_by"]


def test_the_reason_names_the_rule() -> None:
    best = select(record(captions=(ORIGINAL, CLEAN)))
    assert best.provenance.details["chosen_by"] == "rule 4: origin alt, min triage 0.5"


def test_the_latest_wins_and_ruled_out_captions_do_not() -> None:
    older, newer = caption("A dog."), caption("A dog and a cat.")
    assert select(record(captions=(older, newer))).text == newer.text
    assert select(record(captions=(older, replace(newer, kept=False)))).text == older.text
    assert select(record(captions=(older, caption(" \n")))).text == older.text


def test_a_shortened_caption_inherits_what_its_parent_earned() -> None:
    long = replace(DENSE, kept=False)
    short = fitted(long, "Laugharne Castle.")
    assert select(record(captions=(ORIGINAL, CLEAN, long, short))).text == short.text
    cut = fitted(replace(CLEAN, kept=False), "Castle")
    assert select(record(captions=(ORIGINAL, replace(CLEAN, kept=False), cut))).text == "Castle"
    prefer = [{"from_stage": "compose"}]
    assert select(record(captions=(CLEAN, long, short)), prefer=prefer).text == short.text


def test_a_shortened_older_caption_is_no_newer_than_the_one_after_it() -> None:
    long = alt("A very long text that came with the image", 0.9, stage="source")
    short = fitted(long, "A long text")
    assert select(record(captions=(long, CLEAN, short))).text == CLEAN.text
    assert select(record(captions=(long, short))).text == short.text


def test_of_a_split_text_the_first_part_stands_for_the_whole() -> None:
    long = replace(DENSE, kept=False)
    parts = (fitted(long, "Laugharne Castle."), fitted(long, "Two people and a dog."))
    assert select(record(captions=(ORIGINAL, long, *parts))).text == "Laugharne Castle."


def test_the_original_stays_when_no_rule_fits() -> None:
    best = select(record(captions=(replace(ORIGINAL, kept=False), PIXELS)), prefer=[{"origin": "human"}])
    assert best.text == ORIGINAL.text
    assert "no rule fits" in str(best.provenance.details["chosen_by"])


@pytest.mark.parametrize("captions", [(), (alt("", None, stage="source"),), (alt(" \t", 0.9),)])
def test_nothing_to_choose_from_is_said_so(captions: tuple[Caption, ...]) -> None:
    (outcome,) = Select(Select.Params()).process([record(captions=captions)], CONTEXT)
    assert outcome == Dropped("no caption: nothing came with the image and nothing is known about it")


def test_a_seeded_draw_takes_each_of_several() -> None:
    aspects = [caption(f"Text {n}.", aspect=f"aspect {n}") for n in range(3)]
    drawn = {select(record(captions=aspects, key=str(n)), seeded=True).text for n in range(60)}
    assert drawn == {"Text 0.", "Text 1.", "Text 2."}
    again = select(record(captions=aspects, key="1"), seeded=True)
    assert again == select(record(captions=aspects, key="1"), seeded=True)


def test_inputs_are_not_changed() -> None:
    before = record(captions=(ORIGINAL, CLEAN))
    select(before)
    assert before.chosen is None
    assert not before.captions[1].flags


def test_a_misspelt_condition_is_an_error_with_its_place() -> None:
    with pytest.raises(RecipeError, match="min_suport"):
        validated(Select.Params, {"prefer": [{"min_suport": 1}]}, "rules.yaml: stages[5].select")


def written(text: str) -> Caption:
    return Caption(text=text, origin="human", provenance=Provenance(stage="source"))


def test_what_people_wrote_stands_and_the_first_of_it() -> None:
    texts = [written("One of five."), written("Two of five.")]
    composed = Caption(
        text="A dog.",
        origin="composed",
        provenance=Provenance(stage="compose"),
        scores={"support": Score(value=3)},
    )
    assert select(record(captions=(*texts, composed))).text == "One of five."
    clean = replace(texts[1], text="Two", provenance=Provenance(stage="normalise", parents=(texts[1].id,)))
    assert select(record(captions=(*texts, composed, clean))).text == "One of five."
