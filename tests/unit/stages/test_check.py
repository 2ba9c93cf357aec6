"""The stage that rules on what models wrote: what is flagged, mended, dropped, and that it is done once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recaption.core.errors import RecipeError
from recaption.core.protocols import Context
from recaption.core.types import Caption, Dropped, Evidence, Image, JsonValue, Kept, Origin, Provenance, Record
from recaption.recipes.strict import validated
from recaption.stages.check import DEFAULT_POLICY, Check
from tests.unit.stages.composing import CONTEXT

SOURCE = Provenance(stage="source")


def written(text: str, origin: Origin = "model", aspect: str = "dense", **details: JsonValue) -> Caption:
    told: Mapping[str, JsonValue] = {"generator": "g", "language": "en", "finish": "stop", **details}
    return Caption(
        text=text, origin=origin, aspect=aspect, provenance=Provenance(stage="caption", details=told)
    )


def record(*captions: Caption, key: str = "k", alt: str = "my dog", image: bytes | None = None) -> Record:
    return Record(
        key=key,
        image=None if image is None else Image(data=image),
        captions=(Caption(text=alt, origin="alt", provenance=SOURCE), *captions),
    )


def checked(*records: Record, context: Context = CONTEXT, **params: object) -> list[Record]:
    outcomes = Check(Check.Params.model_validate(params)).process(records, context)
    assert all(isinstance(outcome, Kept) for outcome in outcomes)
    return [outcome.record for outcome in outcomes if isinstance(outcome, Kept)]


def kept(item: Record) -> list[str]:
    return [caption.text for caption in item.captions if caption.kept and caption.origin == "model"]


def test_a_good_caption_goes_through_untouched() -> None:
    before = record(written("A brown dog sleeps on a grey sofa."))
    assert checked(before) == [before]


def test_what_is_ruled_out_stays_as_history_with_its_reason() -> None:
    (after,) = checked(record(written("I'm sorry, but I cannot assist with that.")))
    assert kept(after) == []
    assert (
        "cannot assist" in after.captions[1].flags["refusal"] or "sorry" in after.captions[1].flags["refusal"]
    )
    assert after.captions[1].text.startswith("I'm sorry")
    assert after.original_text == "my dog"


def test_what_can_be_mended_becomes_a_new_caption() -> None:
    (after,) = checked(record(written("Caption: The image shows a dog on a sofa. It is sleeping on the")))
    assert kept(after) == ["A dog on a sofa."]
    old, new = after.captions[1:]
    assert not old.kept
    assert {"label", "cut"} <= set(old.flags)
    assert new.provenance.stage == "check"
    assert new.provenance.parents == (old.id,)
    assert new.provenance.details["mended"] == ["label", "cut", "opener"]
    assert new.provenance.details["generator"] == "g"
    assert new.flags == {}
    assert new.aspect == "dense"


def test_what_cannot_be_mended_is_ruled_out() -> None:
    (after,) = checked(record(written("a dog lying on a sofa next to", finish="length")))
    assert kept(after) == []
    assert set(after.captions[1].flags) == {"cut"}


def test_a_doubt_is_only_said() -> None:
    (after,) = checked(record(written("A dog that may be called Bruno.")))
    assert kept(after) == ["A dog that may be called Bruno."]
    assert set(after.captions[1].flags) == {"hedge", "name"}


def test_the_policy_is_the_users() -> None:
    item = record(written("The image shows a dog that may be called Bruno."))
    (after,) = checked(item, policy={"opener": "keep", "hedge": "drop"})
    assert kept(after) == []
    assert set(after.captions[1].flags) == {"hedge", "name"}
    (after,) = checked(item, policy={"opener": "flag", "name": "keep"})
    assert kept(after) == ["The image shows a dog that may be called Bruno."]
    assert set(after.captions[1].flags) == {"opener", "hedge"}


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"opner": "drop"}, "did you mean|Did you mean"),
        ({"refusal": "fix"}, "cannot be fixed"),
        ({"loop": "burn"}, "burn"),
    ],
)
def test_a_policy_that_cannot_be_is_an_error(policy: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        validated(Check.Params, {"policy": policy}, "r.yaml: stages[1].check")


def test_only_kept_captions_of_models_are_looked_at() -> None:
    human = Caption(text="Caption: I'm sorry", origin="human", provenance=SOURCE)
    gone = replace(written("!!!!"), kept=False)
    before = replace(record(), captions=(human, gone, written("!!!!", origin="composed")))
    assert checked(before) == [before]


def test_names_are_supported_by_alt_text_evidence_and_metadata() -> None:
    item = replace(
        record(written('Bruno at 3:25 near Main Street with a sign "OPEN".'), alt="Bruno the dog"),
        evidence=(Evidence(kind="text", label="OPEN 3:25", source="ocr@1"),),
        metadata={"place": "Main Street"},
    )
    assert checked(item)[0].captions[1].flags == {}


def test_the_prompt_is_known_by_its_name() -> None:
    text = "Say what words can be read in the picture, letter by letter, in quotation marks."
    (after,) = checked(record(written(text, prompt="text/en@1")))
    assert "echo" in after.captions[1].flags
    (after,) = checked(
        record(
            written(
                "Count all the stones along the whole road twice.",
                prompt_text="Count all the stones along the whole road.",
            )
        )
    )
    assert "echo" in after.captions[1].flags


def test_what_the_caption_stage_found_counts() -> None:
    flagged = replace(written("A brown dog sleeps on a grey sofa."), flags={"echo": "says the prompt"})
    assert kept(checked(record(flagged))[0]) == []


def test_the_language_is_the_one_that_was_asked_for() -> None:
    zh = written("一只棕色的狗睡在灰色的沙发上。", language="zh")
    assert kept(checked(record(zh))[0]) == [zh.text]
    assert kept(checked(record(zh), language="en")[0]) == []


def test_two_answers_that_are_one_when_mended_are_one() -> None:
    (after,) = checked(record(written("Caption: A dog on a sofa."), written('"A dog on a sofa."')))
    assert kept(after) == ["A dog on a sofa."]
    (after,) = checked(record(written("A dog on a sofa."), written('"A dog on a sofa."')))
    assert kept(after) == ["A dog on a sofa."]
    other = written("Caption: A dog on a sofa.", aspect="brief")
    assert len(kept(checked(record(written("A dog on a sofa."), other))[0])) == 2


def test_a_record_that_loses_all_goes_on_with_its_original_or_is_rejected() -> None:
    item = record(written("I cannot see the image."), written("!!!!!!"))
    assert kept(checked(item)[0]) == []
    (outcome,) = Check(Check.Params(on_all_dropped="reject")).process([item], CONTEXT)
    assert isinstance(outcome, Dropped)
    assert "symbols" in outcome.reason
    assert "'!!!!!!'" in outcome.reason
    only_source = record()
    assert Check(Check.Params(on_all_dropped="reject")).process([only_source], CONTEXT) == [Kept(only_source)]


@dataclass
class Bytes:
    """Images that are their bytes."""

    fingerprint: str = ""

    def digest(self, item: Record) -> str:
        assert item.image is not None
        return str(item.image.data)


WITH_IMAGES = replace(CONTEXT, images=Bytes())  # type: ignore[arg-type]
LONG = "A quiet street with parked cars and tall trees along both of its sides."


def test_one_text_on_many_pictures() -> None:
    items = [record(written("A man in a suit."), key=str(n), alt="", image=bytes([n])) for n in range(5)]
    after = checked(*items, context=WITH_IMAGES)
    assert [kept(item) for item in after] == [[]] * 5
    assert after[0].captions[1].flags == {"shared": "the same text on 5 of 5 pictures"}


def test_equal_pictures_may_share_a_text() -> None:
    items = [record(written(LONG), key=str(n), image=b"same") for n in range(5)]
    assert checked(*items, context=WITH_IMAGES) == items


def test_a_stale_answer_is_told_from_a_short_text_said_twice() -> None:
    pair = [record(written(LONG), key=str(n), image=bytes([n])) for n in range(2)]
    assert [set(item.captions[1].flags) for item in checked(*pair, context=WITH_IMAGES)] == [{"stale"}] * 2
    short = [record(written("A street."), key=str(n), image=bytes([n])) for n in range(2)]
    assert [set(item.captions[1].flags) for item in checked(*short, context=WITH_IMAGES)] == [{"twin"}] * 2


def test_of_a_stale_answer_the_one_that_its_alt_text_supports_stays() -> None:
    pair = [
        record(written(LONG), key="a", alt="street with cars", image=b"a"),
        record(written(LONG), key="b", alt="a bowl of soup", image=b"b"),
    ]
    first, second = checked(*pair, context=WITH_IMAGES)
    assert set(first.captions[1].flags) == {"twin"}
    assert kept(second) == []


def test_swapped_answers() -> None:
    dog = record(written("Two boats lie in a small harbour."), key="a", alt="brown dog on the sofa")
    boats = record(written("A brown dog is asleep on a sofa."), key="b", alt="boats in the harbour")
    for item in checked(dog, boats):
        assert set(item.captions[1].flags) == {"swapped"}
        assert kept(item) == []


def test_findings_about_one_text_do_not_depend_on_the_batch() -> None:
    items = [
        record(written("The image shows a dog."), key="a"),
        record(written("!!!!"), key="b"),
        record(written("A dog that may sleep."), key="c"),
    ]
    assert checked(*items) == [checked(item)[0] for item in items]


def test_every_default_action_is_one_that_can_be_done() -> None:
    assert Check.Params(policy=dict(DEFAULT_POLICY)).policy == DEFAULT_POLICY


replies = st.one_of(
    st.text(max_size=80),
    st.text(alphabet=st.characters(categories=["Cs", "Cc", "Cf", "L", "P", "S"]), max_size=40),
    st.sampled_from(
        ["Caption: A dog.", "The image shows a dog.", "", "A dog. A", '{"caption": "x y"}', "\ud800"]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(replies, max_size=3), min_size=1, max_size=3))
def test_nothing_is_lost_and_twice_is_once(answers: list[list[str]]) -> None:
    before = [
        record(*[written(text) for text in dict.fromkeys(texts)], key=str(n)) for n, texts in enumerate(answers)
    ]
    once = checked(*before)
    for item, judged in zip(before, once, strict=True):
        assert [c.text for c in judged.captions[: len(item.captions)]] == [c.text for c in item.captions]
        assert judged.originals == item.originals
        assert all(c.flags for c in judged.captions if not c.kept)
    assert [kept(item) for item in checked(*once)] == [kept(item) for item in once]
