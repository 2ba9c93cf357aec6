"""What an auditor is shown: made from any record, and the same again after the store."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from recaption.audit.project import About
from recaption.audit.sheets import MAX_CAPTIONS, MAX_TEXT_CHARS, Sheet, sheet_of, standing
from recaption.core.types import Box, Caption, Evidence, Image, Provenance, Record, Score

ALT = Caption(text="teh dog", origin="alt", provenance=Provenance(stage="source"))
MODEL = Caption(
    text="A dog runs.",
    origin="model",
    provenance=Provenance(stage="caption", details={"generator": "acme/vlm@1"}),
    scores={"image_text": Score(value=0.3), "broken": Score(value=None, reason="no image")},
    flags={"short": "3 words", "audit": "drawn, 5 % of all"},
)
OTHER = replace(MODEL, text="A dog sleeps.")
GONE = replace(MODEL, text="A cat.", kept=False)
RECORD = Record(
    key="k",
    captions=(ALT, MODEL, OTHER, GONE),
    chosen=MODEL.id,
    size=(640, 480),
    image=Image(path="/data/shard.tar", offset=512, length=100),
    evidence=(Evidence(kind="object", label="dog", source="coco", box=Box(1, 2, 30, 40), score=0.9),),
)


def test_the_chosen_caption_comes_first_then_the_original_then_what_was_kept() -> None:
    sheet = sheet_of(RECORD)
    assert sheet is not None
    assert [(c.role, c.text) for c in sheet.captions] == [
        ("subject", "A dog runs."),
        ("original", "teh dog"),
        ("candidate", "A dog sleeps."),
    ]
    assert (sheet.subject.writer, sheet.subject.scores) == ("acme/vlm@1", {"image_text": 0.3})
    assert (sheet.subject.flags, sheet.why) == ({"short": "3 words"}, "drawn, 5 % of all")


def test_of_data_that_is_no_run_the_text_that_came_with_it_is_judged() -> None:
    record = Record(key="k", captions=(replace(ALT, text="  "), ALT))
    assert standing(record) == ALT
    sheet = sheet_of(record)
    assert sheet is not None
    assert [c.role for c in sheet.captions] == ["subject"]
    assert sheet_of(Record(key="k", captions=(replace(ALT, text=" "),))) is None


def test_a_sheet_is_bounded() -> None:
    many = tuple(replace(MODEL, text=f"A dog {i}. " + "x" * 30_000) for i in range(30))
    sheet = sheet_of(replace(RECORD, captions=(ALT, *many), chosen=many[3].id))
    assert sheet is not None
    assert len(sheet.captions) == MAX_CAPTIONS
    assert max(len(c.text) for c in sheet.captions) == MAX_TEXT_CHARS


@given(text=st.text(st.characters(codec=None)), data=st.none() | st.binary(max_size=40))
def test_a_sheet_comes_back_equal_through_json(text: str, data: bytes | None) -> None:
    image = Image(data=data) if data is not None else Image(path=text, row=3, column="image")
    caption = replace(MODEL, text=text + "x", flags={text: text})
    record = replace(RECORD, captions=(ALT, caption), chosen=caption.id, image=image)
    sheet = sheet_of(record)
    assert sheet is not None
    again = Sheet.from_payload(json.loads(json.dumps(sheet.to_payload())))
    assert again == sheet
    assert again.version == sheet.version


def test_another_text_is_another_version() -> None:
    first, second = sheet_of(RECORD), sheet_of(replace(RECORD, captions=(ALT, MODEL)))
    assert first is not None
    assert second is not None
    assert first.version != second.version


def test_what_is_remembered_of_an_audit_comes_back_equal() -> None:
    about = About(task="compare", captions=3, guideline="Only what you see.", sizes={"all": 9}, drawn=4, seed=7)
    assert About.of(json.loads(json.dumps(about.to_json()))) == about
    assert About(guideline="a").guideline_version != About(guideline="b").guideline_version
