"""People have the last word: what becomes of a record whose caption was accepted, put right, rejected, outdone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.errors import ImageError
from recaption.core.protocols import Context, Stage
from recaption.core.types import (
    Caption,
    Dropped,
    Failed,
    Image,
    JsonValue,
    Kept,
    Origin,
    Outcome,
    Provenance,
    Record,
    Score,
)
from recaption.datasets.rulings import Ruling
from recaption.datasets.schema import from_row, to_row
from recaption.recipes.strict import validated
from recaption.stages.fit import Fit
from recaption.stages.heed import STALE, Heed, effect_of
from tests.unit.stages.composing import CONTEXT


class Scorer:
    """Stands where the stage `score` does: gives what is kept its length, and remembers whom it was asked about."""

    name = "score"
    version = "1"
    fingerprint = ""

    def __init__(self, failing: str = "nobody") -> None:
        self.failing = failing
        self.asked: list[str] = []

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        return [self._scored(record) for record in records]

    def _scored(self, record: Record) -> Outcome:
        self.asked += [c.text for c in record.captions if c.kept]
        if record.key == self.failing:
            return Failed("image: gone", retryable=True)
        captions = tuple(
            replace(c, scores={**c.scores, "length": Score(value=float(len(c.text)))}) if c.kept else c
            for c in record.captions
        )
        return Kept(replace(record, captions=captions))


def said(
    text: str, stage: str = "caption", rank: int | None = None, origin: Origin = "model", **more: Any
) -> Caption:
    parents = tuple(p.id for p in more.pop("of", ()))
    details: dict[str, JsonValue] = {} if rank is None else {"selection": {"rank": rank, "of": 9}}
    provenance = Provenance(stage=stage, parents=parents, details=details)
    return Caption(text=text, origin=origin, provenance=provenance, **more)


ALT = said("dog | Shop", "source", origin="alt")
CLEAN = said("dog", "normalise", rank=3, origin="alt", of=[ALT])
LONG = said("A red dog, in a field of green grass.", kept=False)
BEST = said("A red dog.", "fit", rank=1, of=[LONG])
NEXT = said("A dog.", rank=2)
LOST = said("A cat.", kept=False)
RECORD = Record(key="k", captions=(ALT, CLEAN, LONG, NEXT, LOST, BEST), chosen=BEST.id)


def ruling(outcome: str, shown: Caption = BEST, **more: Any) -> Ruling:
    more = {
        "auditors": ("Ann", "Bo"),
        "said": 2,
        "of": 3,
        "guideline": "g1",
        "at": 5.0,
        "verdicts": (3, 8),
    } | more
    return Ruling(key="k", shown=shown.id, outcome=outcome, **more)  # type: ignore[arg-type]


def fit(limit: int) -> Fit:
    return Fit(validated(Fit.Params, {"budget": "words", "limit": limit}, "fit"))


def outcome(
    decided: Ruling, record: Record = RECORD, after: Sequence[Stage] = (), originals: bool = True
) -> Outcome:
    before = to_row(record)
    (result,) = Heed({"k": [decided]}, after, originals=originals).process([record], CONTEXT)
    assert to_row(record) == before
    return result


def heeded(
    decided: Ruling, record: Record = RECORD, after: Sequence[Stage] = (), originals: bool = True
) -> Record:
    result = outcome(decided, record, after, originals)
    assert isinstance(result, Kept)
    ids = [caption.id for caption in result.record.captions]
    assert set(ids) >= {caption.id for caption in record.captions}, "no caption is ever lost"
    assert len(ids) == len(set(ids))
    return result.record


def best(record: Record) -> Caption:
    assert record.best is not None
    return record.best


def named(record: Record, like: Caption) -> Caption:
    return next(caption for caption in record.captions if caption.id == like.id)


def told(caption: Caption) -> dict[str, JsonValue]:
    details = caption.provenance.details["audit"]
    assert isinstance(details, dict)
    return details


def test_a_record_nobody_ruled_on_is_handed_on_as_it_is() -> None:
    other = replace(RECORD, key="other")
    (result,) = Heed({"k": [ruling("reject")]}, []).process([other], CONTEXT)
    assert result == Kept(other)


class TestAccept:
    def test_it_is_remembered_and_the_choice_stays(self) -> None:
        record = heeded(ruling("accept"))
        assert record.chosen == BEST.id
        assert told(best(record)) == {
            "outcome": "accept",
            "auditors": ["Ann", "Bo"],
            "said": 2,
            "of": 3,
            "guideline": "g1",
            "at": 5.0,
            "verdicts": [3, 8],
            "effect": "accepted",
        }
        assert best(record).provenance.details["selection"] == {"rank": 1, "of": 9}
        assert record.captions[:-1] == RECORD.captions[:-1]

    def test_where_the_recipe_now_chooses_another_that_choice_stays(self) -> None:
        record = heeded(ruling("accept", NEXT))
        assert record.chosen == BEST.id
        assert told(named(record, NEXT))["effect"] == "accepted, not chosen"


class TestEdit:
    def test_the_text_of_a_person_is_chosen_and_says_who_why_and_when(self) -> None:
        record = heeded(ruling("edit", text="A brown dog.", reason="colour"), after=[Scorer()])
        human = best(record)
        assert (human.text, human.origin, human.kept, human.aspect) == (
            "A brown dog.",
            "human",
            True,
            BEST.aspect,
        )
        assert (human.provenance.stage, human.provenance.parents) == ("audit", (BEST.id,))
        assert human.scores["length"].value == 12.0
        assert {
            "auditors": ["Ann", "Bo"],
            "outcome": "edit",
            "reason": "colour",
            "guideline": "g1",
        }.items() <= told(human).items()
        assert "Ann and Bo (2 of 3)" in str(human.provenance.details["chosen_by"])
        assert effect_of(record, ruling("edit", text="A brown dog.", reason="colour")) == "edited"

    def test_what_was_shown_and_its_longer_form_are_history(self) -> None:
        record = heeded(ruling("edit", text="A brown dog."))
        assert [named(record, c).kept for c in (BEST, LONG, NEXT, CLEAN, ALT)] == [
            False,
            False,
            True,
            True,
            True,
        ]
        assert "edited" in named(record, BEST).flags
        assert best(record).id in named(record, BEST).flags["edited"]

    def test_only_the_new_text_is_fitted_and_scored(self) -> None:
        scorer = Scorer()
        record = heeded(ruling("edit", text="A brown dog."), after=[fit(5), scorer])
        assert scorer.asked == ["A brown dog."]
        assert [c for c in record.captions if c.id not in {BEST.id, LONG.id}][:-1] == [ALT, CLEAN, NEXT, LOST]

    def test_over_the_budget_it_is_shortened_and_the_short_form_stands(self) -> None:
        scorer = Scorer()
        text = "A brown dog stands here. It is a calm day."
        record = heeded(ruling("edit", text=text), after=[fit(5), scorer])
        child = best(record)
        assert (child.text, child.origin, child.provenance.stage) == (
            "A brown dog stands here.",
            "human",
            "fit",
        )
        parent = next(c for c in record.captions if c.id == child.provenance.parents[0])
        assert (parent.text, parent.kept, parent.provenance.stage) == (text, False, "audit")
        assert scorer.asked == [child.text]
        assert "length" in child.scores

    def test_too_long_and_not_to_be_cut_it_stands_all_the_same(self) -> None:
        class Uncut(Scorer):
            name = "fit"

            def _scored(self, record: Record) -> Outcome:
                captions = tuple(replace(c, kept=False, flags={"over_budget": "long"}) for c in record.captions)
                return Kept(replace(record, captions=captions))

        record = heeded(ruling("edit", text="x"), after=[Uncut()])
        assert (best(record).text, best(record).kept, best(record).flags) == (
            "x",
            True,
            {"over_budget": "long"},
        )

    def test_it_wins_where_what_was_shown_is_gone_and_says_so(self) -> None:
        gone = said("Something else.")
        record = heeded(ruling("edit", gone, text="A brown dog."))
        assert best(record).provenance.parents == (gone.id,)
        assert told(best(record))["shown_is_gone"] is True
        assert [named(record, c).kept for c in RECORD.captions] == [c.kept for c in RECORD.captions]

    def test_a_text_that_cannot_be_scored_fails_alone(self) -> None:
        decided = {key: [replace(ruling("edit", text="A brown dog."), key=key)] for key in "kl"}
        records = [RECORD, replace(RECORD, key="l"), replace(RECORD, key="m")]
        results = Heed(decided, [Scorer(failing="k")]).process(records, CONTEXT)
        assert results[0] == Failed("image: gone", retryable=True)
        assert isinstance(results[1], Kept)
        assert best(results[1].record).origin == "human"
        assert results[2] == Kept(records[2])


class TestReject:
    def test_the_next_by_rank_stands(self) -> None:
        decided = ruling("reject", reason="wrong colour")
        record = heeded(decided)
        assert record.chosen == NEXT.id
        assert named(record, BEST).flags["rejected"] == "wrong colour"
        assert not named(record, BEST).kept
        assert "rejected by Ann and Bo" in str(best(record).provenance.details["chosen_by"])
        assert effect_of(record, decided) == "rejected, another candidate stands"

    def test_longer_and_shorter_forms_and_equal_texts_go_with_it(self) -> None:
        same = said("a  RED dog.", rank=2)
        record = replace(RECORD, captions=(ALT, LONG, BEST, same, replace(NEXT, kept=False)))
        result = heeded(ruling("reject"), record)
        assert result.chosen == ALT.id
        assert {c.id for c in result.captions if "rejected" in c.flags} == {LONG.id, BEST.id, same.id}
        below = heeded(ruling("reject", LONG))
        assert "rejected" in named(below, BEST).flags
        assert below.chosen == NEXT.id

    def test_of_a_text_that_was_split_the_other_parts_stand(self) -> None:
        other = said("It sits in a field.", "fit", rank=5, of=[LONG])
        record = replace(RECORD, captions=(ALT, LONG, BEST, other))
        assert heeded(ruling("reject"), record).chosen == other.id

    def test_ranks_of_its_own_aspect_come_first_and_the_original_competes(self) -> None:
        brief = said("Dog!", rank=1, aspect="brief")
        record = replace(RECORD, captions=(*RECORD.captions, brief))
        assert heeded(ruling("reject"), record).chosen == NEXT.id
        competing = replace(RECORD, captions=(ALT, CLEAN, LONG, BEST, brief))
        assert heeded(ruling("reject"), competing).chosen == CLEAN.id

    def test_without_ranks_the_latest_stands_and_then_the_original(self) -> None:
        one, two = said("one", "compose", origin="composed"), said("two", "compose", origin="composed")
        clean = said("dog", "normalise", origin="alt", of=[ALT])
        record = Record(key="k", captions=(ALT, clean, one, two), chosen=two.id)
        assert heeded(ruling("reject", two), record).chosen == one.id
        alone = replace(record, captions=(ALT, clean, two))
        assert heeded(ruling("reject", two), alone).chosen == clean.id
        decided = ruling("reject", two)
        assert effect_of(heeded(decided, alone), decided) == "rejected, the original stands"

    def test_the_first_of_several_originals_stands_in_its_latest_form(self) -> None:
        second = said("hound", "source", origin="alt")
        short = said("d", "fit", origin="alt", of=[said("dog", "normalise", origin="alt", of=[ALT])])
        clean = said("dog", "normalise", origin="alt", of=[ALT])
        record = Record(key="k", captions=(ALT, second, clean, BEST, short), chosen=BEST.id)
        assert heeded(ruling("reject"), record).chosen == short.id

    def test_what_is_blank_stands_for_nothing(self) -> None:
        blank = said("  ", "source", origin="alt")
        result = outcome(
            ruling("reject", reason="wrong"), Record(key="k", captions=(blank, BEST), chosen=BEST.id)
        )
        assert isinstance(result, Dropped)
        assert result.reason == "rejected by Ann and Bo (2 of 3): wrong; nothing else may stand"

    def test_a_recipe_that_lets_no_original_stand_is_obeyed(self) -> None:
        record = Record(key="k", captions=(ALT, BEST), chosen=BEST.id)
        assert heeded(ruling("reject"), record).chosen == ALT.id
        assert isinstance(outcome(ruling("reject"), record, originals=False), Dropped)

    def test_a_rejected_original_stays_in_the_record_but_stands_in_no_form(self) -> None:
        record = Record(key="k", captions=(ALT, CLEAN), chosen=CLEAN.id)
        assert isinstance(outcome(ruling("reject", CLEAN), record), Dropped)
        beside = heeded(ruling("reject", CLEAN), replace(record, captions=(ALT, CLEAN, NEXT)))
        assert beside.chosen == NEXT.id
        assert (named(beside, ALT).kept, named(beside, ALT).text) == (True, ALT.text)
        assert "rejected" in named(beside, ALT).flags

    def test_what_is_no_longer_chosen_is_ruled_out_and_the_choice_stays(self) -> None:
        record = heeded(ruling("reject", NEXT))
        assert record.chosen == BEST.id
        assert not named(record, NEXT).kept
        assert effect_of(record, ruling("reject", NEXT)) == "rejected, not chosen"

    def test_with_others_of_one_screen_all_are_ruled_out(self) -> None:
        result = outcome(
            ruling("reject", rejected=(ALT.id, NEXT.id)), replace(RECORD, captions=(ALT, LONG, NEXT, BEST))
        )
        assert isinstance(result, Dropped)


class TestPrefer:
    def test_the_one_preferred_stands_and_the_others_stay(self) -> None:
        record = heeded(ruling("prefer", preferred=CLEAN.id))
        assert record.chosen == CLEAN.id
        assert named(record, BEST).kept
        assert effect_of(record, ruling("prefer", preferred=CLEAN.id)) == "preferred"

    def test_what_has_been_ruled_out_since_stands_again(self) -> None:
        record = heeded(ruling("prefer", preferred=LOST.id))
        assert (best(record).id, best(record).kept) == (LOST.id, True)

    def test_over_the_budget_its_short_form_stands(self) -> None:
        assert (
            heeded(ruling("prefer", NEXT, preferred=LONG.id), replace(RECORD, chosen=NEXT.id)).chosen == BEST.id
        )

    def test_a_preference_for_what_was_shown_does_not_undo_a_later_choice(self) -> None:
        assert heeded(ruling("prefer", preferred=BEST.id)).chosen == BEST.id
        assert heeded(ruling("prefer", NEXT, preferred=NEXT.id)).chosen == BEST.id


@pytest.mark.parametrize("decided", ["accept", "reject", "prefer"])
def test_on_a_caption_that_is_gone_nothing_is_done_and_that_is_said(decided: str) -> None:
    gone = said("Something else.")
    extra = {"preferred": gone.id} if decided == "prefer" else {}
    made = ruling(decided, gone, **extra)
    record = heeded(made)
    assert record.chosen == BEST.id
    assert gone.id in best(record).flags[STALE]
    assert effect_of(record, made) == "stale"
    assert [c.kept for c in record.captions] == [c.kept for c in RECORD.captions]


def in_turn(*rulings: Ruling, record: Record = RECORD, after: Sequence[Stage] = ()) -> Outcome:
    (result,) = Heed({"k": rulings}, after).process([record], CONTEXT)
    return result


def kept(result: Outcome) -> Record:
    assert isinstance(result, Kept)
    return result.record


class TestSeveralAudits:
    """What the first audit left is what the second was shown."""

    EDIT = ruling("edit", text="A brown dog.", audit=1)
    HUMAN = best(heeded(EDIT))

    @pytest.mark.parametrize(
        ("outcome", "more", "text", "effect"),
        [
            ("accept", {}, "A brown dog.", "accepted"),
            ("edit", {"text": "A hound."}, "A hound.", "edited"),
            ("reject", {}, "A dog.", "rejected, another candidate stands"),
            ("prefer", {"preferred": CLEAN.id}, "dog", "preferred"),
        ],
    )
    def test_the_second_rules_on_the_text_of_the_first_and_both_are_told(
        self, outcome: str, more: dict[str, Any], text: str, effect: str
    ) -> None:
        second = ruling(outcome, self.HUMAN, audit=2, **more)
        record = kept(in_turn(self.EDIT, second, after=[fit(9)]))
        assert best(record).text == text
        assert (effect_of(record, self.EDIT), effect_of(record, second)) == ("edited", effect)
        stored = from_row(to_row(record))
        assert (effect_of(stored, self.EDIT), effect_of(stored, second)) == ("edited", effect)

    def test_who_wrote_a_text_is_still_told_once_another_has_accepted_it(self) -> None:
        record = kept(in_turn(self.EDIT, ruling("accept", self.HUMAN, audit=2, auditors=("Cy",))))
        latest = told(best(record))
        assert (latest["outcome"], latest["auditors"], latest["audit"]) == ("accept", ["Cy"], 2)
        before = latest["before"]
        assert isinstance(before, dict)
        assert (before["outcome"], before["auditors"], before["audit"]) == ("edit", ["Ann", "Bo"], 1)

    def test_of_two_that_were_shown_the_same_the_later_text_stands_and_none_is_stale(self) -> None:
        for text in ("A hound.", "A brown dog."):
            second = ruling("edit", text=text, audit=2)
            record = kept(in_turn(self.EDIT, second, after=[fit(3)]))
            assert best(record).text == text
            assert [effect_of(record, r) for r in (self.EDIT, second)] == ["edited", "edited"]
        agreed = ruling("accept", audit=2)
        record = kept(in_turn(self.EDIT, agreed))
        assert (best(record).text, effect_of(record, agreed)) == ("A brown dog.", "accepted, not chosen")

    def test_a_record_that_one_drops_is_gone_unless_a_later_one_writes_a_text(self) -> None:
        record = Record(key="k", captions=(BEST,), chosen=BEST.id)
        reject = ruling("reject", audit=1)
        assert isinstance(in_turn(reject, ruling("accept", audit=2), record=record), Dropped)
        written = kept(in_turn(reject, ruling("edit", text="A hound.", audit=2), record=record))
        assert best(written).text == "A hound."
        assert effect_of(written, reject) == "rejected, not chosen"

    def test_of_a_text_that_cannot_be_scored_nothing_later_is_asked(self) -> None:
        result = in_turn(self.EDIT, ruling("accept", self.HUMAN, audit=2), after=[Scorer(failing="k")])
        assert result == Failed("image: gone", retryable=True)

    def test_all_that_are_stale_are_told(self) -> None:
        one, two = (ruling("accept", said(f"Gone {n}."), audit=n) for n in (1, 2))
        record = kept(in_turn(one, two, ruling("edit", text="A hound.", audit=3)))
        assert [effect_of(record, r) for r in (one, two)] == ["stale", "stale"]


class Pictures:
    """Digests by key; what is not among them cannot be read."""

    def __init__(self, **digests: str) -> None:
        self.digests, self.asked = digests, 0

    def digest(self, record: Record) -> str:
        self.asked += 1
        if record.key not in self.digests:
            raise ImageError("gone", retryable=True)
        return self.digests[record.key]


class TestPicture:
    """Whoever judged a caption saw a picture; where another one lies there now, nobody has judged it."""

    SEEN = replace(RECORD, image=Image(path="k.png"))

    @staticmethod
    def heeded(decided: Ruling, record: Record, images: Pictures) -> Record:
        context = replace(CONTEXT, images=images)  # type: ignore[arg-type]
        (result,) = Heed({"k": [decided]}, [fit(9)]).process([record], context)
        return kept(result)

    @pytest.mark.parametrize("decided", ["accept", "edit", "reject", "prefer"])
    def test_beside_another_one_nothing_is_done_and_that_is_said(self, decided: str) -> None:
        extra = {"edit": {"text": "A hound."}, "prefer": {"preferred": CLEAN.id}}
        more: dict[str, Any] = {**extra.get(decided, {})}
        made = ruling(decided, picture="one", **more)
        record = self.heeded(made, self.SEEN, Pictures(k="two"))
        assert record.chosen == BEST.id
        assert "another picture" in best(record).flags[STALE]
        assert effect_of(record, made) == "stale"
        assert [c.kept for c in record.captions] == [c.kept for c in RECORD.captions]
        same = self.heeded(made, self.SEEN, Pictures(k="one"))
        assert effect_of(same, made) not in (None, "stale")

    def test_one_that_cannot_be_read_is_not_known_to_be_another(self) -> None:
        made = ruling("edit", text="A hound.", picture="one")
        assert best(self.heeded(made, self.SEEN, Pictures())).text == "A hound."

    def test_none_is_read_where_there_is_none_or_nobody_knows_which_was_judged(self) -> None:
        images = Pictures()
        self.heeded(ruling("edit", text="A hound.", picture="one"), RECORD, images)
        self.heeded(ruling("edit", text="A hound."), self.SEEN, images)
        assert images.asked == 0

    def test_an_edit_of_another_one_saves_no_record_from_being_dropped(self) -> None:
        record = replace(self.SEEN, captions=(BEST,))
        rulings = [ruling("reject", audit=1), ruling("edit", text="A hound.", audit=2, picture="one")]
        context = replace(CONTEXT, images=Pictures(k="two"))  # type: ignore[arg-type]
        (result,) = Heed({"k": rulings}, []).process([record], context)
        assert isinstance(result, Dropped)


class TestEffectOf:
    """A record read from an earlier run's folder tells what people said there; here they may say otherwise."""

    EARLIER = heeded(ruling("edit", text="A brown dog.", at=1.0, verdicts=(1,)))

    @pytest.mark.parametrize(
        ("said_now", "effect"),
        [
            ({"outcome": "accept"}, "accepted"),
            ({"outcome": "reject"}, "rejected, another candidate stands"),
            ({"outcome": "edit", "text": "A hound."}, "edited"),
            ({"outcome": "accept", "shown": NEXT}, "accepted, not chosen"),
        ],
    )
    def test_what_was_done_for_an_earlier_run_is_not_told_again(
        self, said_now: dict[str, Any], effect: str
    ) -> None:
        now = ruling(**{"shown": best(self.EARLIER), **said_now})
        assert effect_of(self.EARLIER, now) is None
        for before in (self.EARLIER, from_row(to_row(self.EARLIER))):
            assert effect_of(heeded(now, before), now) == effect

    def test_what_was_stale_there_is_not_stale_here(self) -> None:
        gone = said("Something else.")
        before = heeded(ruling("accept", gone, at=1.0, verdicts=(1,)))
        now = ruling("accept", said("Nothing like it."))
        assert effect_of(before, now) is None
        assert effect_of(heeded(now, before), now) == "stale"
        accepted = ruling("accept")
        assert effect_of(heeded(accepted, before), accepted) == "accepted"


TEXTS = st.sampled_from(["A dog.", "a dog.", "A cat.", "", " ", "x" * 50, "\ud800", "Two words."])


@st.composite
def records(draw: st.DrawFn) -> Record:
    captions: list[Caption] = []
    for text in draw(st.lists(TEXTS, min_size=1, max_size=6)):
        stage = draw(st.sampled_from(["source", "caption", "normalise", "fit", "check"]))
        parents = (
            [draw(st.sampled_from(captions))] if captions and stage in ("normalise", "fit", "check") else []
        )
        rank = draw(st.none() | st.integers(1, 5))
        origin: Origin = "alt" if stage in ("source", "normalise") else "model"
        kept = stage == "source" or draw(st.booleans())
        captions.append(said(text, stage, rank, origin, of=parents, kept=kept))
    unique = tuple({caption.id: caption for caption in captions}.values())
    return Record(key="k", captions=unique, chosen=draw(st.sampled_from(unique)).id)


@st.composite
def decisions(draw: st.DrawFn) -> tuple[Record, Ruling]:
    record = draw(records())
    ids = st.sampled_from([*(c.id for c in record.captions), "0" * 12])
    what = draw(st.sampled_from(["accept", "edit", "reject", "prefer"]))
    more: dict[str, Any] = {}
    if what == "edit":
        more["text"] = draw(TEXTS.filter(lambda text: bool(text.strip())))
    if what == "prefer":
        more["preferred"] = draw(ids)
    return record, Ruling(key="k", shown=draw(ids), outcome=what, **more)  # type: ignore[arg-type]


@given(decisions())
def test_whatever_is_decided_originals_stay_and_what_stands_may_stand(drawn: tuple[Record, Ruling]) -> None:
    record, decided = drawn
    result = outcome(decided, record, [fit(3), Scorer()])
    assert isinstance(result, Kept | Dropped)
    if isinstance(result, Dropped):
        assert decided.outcome == "reject"
        return
    after = result.record
    assert [(c.id, c.text, c.kept) for c in after.originals] == [
        (c.id, c.text, c.kept) for c in record.originals
    ]
    assert {c.id for c in after.captions} >= {c.id for c in record.captions}
    assert after.best is not None
    assert "rejected" not in after.best.flags
    if decided.outcome == "edit":
        assert after.best.origin == "human"
    if after.chosen != record.chosen:
        assert after.best.kept
        assert decided.outcome != "accept"


@given(decisions())
def test_a_record_as_it_was_stored_is_heeded_like_one_fresh_from_the_recipe(
    drawn: tuple[Record, Ruling],
) -> None:
    record, decided = drawn
    fresh, stored = (outcome(decided, r, [fit(3)]) for r in (record, from_row(to_row(record))))
    if isinstance(fresh, Kept):
        assert isinstance(stored, Kept)
        assert to_row(fresh.record) == to_row(stored.record)
    else:
        assert fresh == stored


@given(decisions(), st.integers(0, 3))
def test_a_record_is_heeded_alike_whatever_comes_with_it(drawn: tuple[Record, Ruling], place: int) -> None:
    record, decided = drawn
    others = [replace(RECORD, key=f"other {i}") for i in range(3)]
    beside = replace(ruling("edit", text="x y z w"), key="other 1")
    stage = Heed({"k": [decided], "other 1": [beside]}, [fit(3)])
    batch = [*others[:place], record, *others[place:]]
    assert stage.process(batch, CONTEXT)[place] == stage.process([record], CONTEXT)[0]
