"""Which of several captions wins by its scores, what becomes of the others, and what is kept for the audit."""

from dataclasses import replace
from typing import Any

import pytest

from recaption.core.errors import RecipeError, UserError
from recaption.core.protocols import Context
from recaption.core.types import Caption, Dropped, JsonValue, Kept, Outcome, Provenance, Record, Score
from recaption.recipes.strict import validated
from recaption.stages.select import Select
from tests.unit.stages.composing import CONTEXT, record

PREFER = [{"origin": "model"}, {"origin": "alt", "min_triage": 0.4}]


def by_model(text: str, aspect: str = "dense", *, scored_by: str | None = None, **scores: float) -> Caption:
    """Return a caption of a model, scored."""
    details: dict[str, JsonValue] = {} if scored_by is None else {"scored_by": {"clip": scored_by}}
    return Caption(
        text=text,
        origin="model",
        aspect=aspect,
        provenance=Provenance(stage="caption", details=details),
        scores={label: Score(value=value) for label, value in scores.items()},
    )


def source(text: str, origin: str = "alt", **scores: float) -> Caption:
    """Return a text that came with the image, scored."""
    return Caption(
        text=text,
        origin=origin,  # type: ignore[arg-type]
        provenance=Provenance(stage="source"),
        scores={label: Score(value=value) for label, value in scores.items()},
    )


def outcome(*captions: Caption, key: str = "k", context: Context = CONTEXT, **params: object) -> Outcome:
    stage = Select(validated(Select.Params, {"prefer": PREFER, **params}, "select"))
    (result,) = stage.process([record(captions=captions, key=key)], context)
    return result


def selected(*captions: Caption, key: str = "k", context: Context = CONTEXT, **params: object) -> Record:
    result = outcome(*captions, key=key, context=context, **params)
    assert isinstance(result, Kept)
    assert [c.id for c in result.record.captions] == [c.id for c in captions]
    return result.record


def chosen(*captions: Caption, key: str = "k", context: Context = CONTEXT, **params: object) -> Caption:
    best = selected(*captions, key=key, context=context, **params).best
    assert best is not None
    return best


def selection(caption: Caption) -> dict[str, JsonValue]:
    details = caption.provenance.details["selection"]
    assert isinstance(details, dict)
    return details


FIVE = tuple(
    by_model(f"Text {name}.", clip=value) for name, value in zip("abcde", (3, 5, 1, 4, 2), strict=True)
)


def test_the_highest_score_wins_within_the_first_condition_met() -> None:
    assert chosen(*FIVE, by={"clip": 1}).text == "Text b."
    assert chosen(*FIVE, by={"clip": -1}).text == "Text c."
    composed = Caption(
        text="Rules.",
        origin="composed",
        provenance=Provenance(stage="compose"),
        scores={"clip": Score(value=99.0)},
    )
    assert chosen(*FIVE, composed, by={"clip": 1}).text == "Text b."
    prefer = [{"origin": "composed"}, {"origin": "model"}]
    assert chosen(*FIVE, composed, prefer=prefer, by={"clip": 1}).text == "Rules."


def test_the_best_k_stay_and_the_rest_says_why_not() -> None:
    after = selected(*FIVE, by={"clip": 1}, keep=2).captions
    assert [c.text for c in after if c.kept] == ["Text b.", "Text d."]
    reasons = {c.text: c.flags["not_selected"] for c in after if not c.kept}
    assert reasons == {
        "Text a.": "rank 3 of 5 by clip: 3, 2 behind the best",
        "Text e.": "rank 4 of 5 by clip: 2, 3 behind the best",
        "Text c.": "rank 5 of 5 by clip: 1, 4 behind the best",
    }
    assert all(c.kept for c in selected(*FIVE, by={"clip": 1}).captions)


def test_the_choice_explains_itself_for_people_and_for_the_audit() -> None:
    best = chosen(*FIVE, by={"clip": 1}, keep=2)
    said = "rule 1: origin model; rank 1 of 5 by clip: 5, 1 before the next"
    assert best.provenance.details["chosen_by"] == said
    assert selection(best) == {"rank": 1, "of": 5, "value": 5.0, "by": {"clip": 1.0}, "margin": 1.0}
    runner_up = selected(*FIVE, by={"clip": 1}, keep=2).captions[3]
    assert selection(runner_up) == {"rank": 2, "of": 5, "value": 4.0}


def test_counter_terms_pull_down() -> None:
    fluent = by_model("A dog on grass.", clip=0.30, perplexity=40.0)
    stuffed = by_model("dog grass dog photo stock.", clip=0.32, perplexity=900.0)
    dull = by_model("A thing.", clip=0.20, perplexity=35.0)
    both = {"clip": 1, "perplexity": -1}
    assert chosen(fluent, stuffed, dull, by={"clip": 1}).text == stuffed.text
    best = chosen(fluent, stuffed, dull, by=both)
    assert best.text == fluent.text
    assert "disagreement" not in selection(best)  # a counter-term is there to disagree


def test_two_judges_leave_their_disagreement() -> None:
    one = by_model("One.", clip=0.3, siglip=0.1)
    two = by_model("Two.", clip=0.2, siglip=0.2)
    three = by_model("Three.", clip=0.1, siglip=0.05)
    best = chosen(one, two, three, by={"clip": 1, "siglip": 0})
    assert best.text == "One."
    assert selection(best)["disagreement"] == pytest.approx(1 / 3, abs=1e-5)


def test_a_caption_without_the_score_ranks_last_and_is_never_a_crash() -> None:
    failed = replace(by_model("No score."), scores={"clip": Score(value=None, reason="image too large")})
    assert chosen(failed, FIVE[2], by={"clip": 1}).text == FIVE[2].text
    alone = chosen(failed, by={"clip": 1})
    assert alone.text == "No score."
    assert selection(alone)["missing"] == ["clip"]
    kept = selected(failed, *FIVE, by={"clip": 1}, keep=1).captions[0]
    assert kept.flags["not_selected"] == "rank 6 of 6 by clip: no score by clip"


def test_a_label_that_nobody_scored_under_is_an_error_and_not_a_tie() -> None:
    wrong: list[dict[str, Any]] = [{"by": {"clop": 1}}, {"by": {"clip": 1}, "min": {"clop": 1}}]
    for params in wrong:
        with pytest.raises(UserError, match="no caption has a score clop; there are: clip"):
            outcome(*FIVE, **params)
    assert chosen(*FIVE, by={"clip": 1, "watched": 0}).text == "Text b."
    assert chosen(source("Castle"), by={"clip": 1}).text == "Castle"  # nothing was made, so nothing is missing


def test_the_original_competes_and_may_win() -> None:
    good = source("Laugharne Castle at dusk", clip=6.0, triage=0.8)
    best = chosen(good, *FIVE, by={"clip": 1}, keep=2)
    assert best.text == good.text
    assert str(best.provenance.details["chosen_by"]).startswith("the original competes; rank 1 of 6")
    bad = replace(good, scores={**good.scores, "triage": Score(value=0.1)})
    assert chosen(bad, *FIVE, by={"clip": 1}).text == "Text b."  # meets no condition, so it is not asked
    weak = source("A castle", clip=2.5, triage=0.8)
    after = selected(weak, *FIVE, by={"clip": 1}, keep=2).captions[0]
    assert after.kept
    assert selection(after)["rank"] == 4


def test_of_the_original_only_its_latest_version_competes() -> None:
    raw = source("Teh castle", clip=9.0, triage=0.8)
    clean = replace(
        raw,
        text="The castle",
        scores={"clip": Score(value=1.5), "triage": Score(value=0.8)},
        provenance=Provenance(stage="normalise", parents=(raw.id,)),
    )
    record_ = selected(raw, clean, *FIVE, by={"clip": 1}, keep=2)
    assert record_.best is not None
    assert record_.best.text == "Text b."
    assert [c.kept for c in record_.captions[:2]] == [True, False]


def test_nothing_better_than_the_original_is_nothing_better() -> None:
    for key in map(str, range(20)):
        assert chosen(source("Same", clip=5.0, triage=1.0), *FIVE, key=key, by={"clip": 1}).text == "Same"


def test_the_original_may_be_kept_for_need_or_never() -> None:
    good = source("Castle", clip=9.0, triage=0.8)
    for original in ("only_if_nothing", "never"):
        assert chosen(good, *FIVE, by={"clip": 1}, original=original).text == "Text b."
    assert chosen(good, by={"clip": 1}, original="only_if_nothing").text == "Castle"
    last = outcome(good, by={"clip": 1}, original="never")
    assert last == Dropped(
        "no caption but the one that came with the image, which this recipe does not let stand"
    )
    assert chosen(source("x"), by={"clip": 1}, original="only_if_nothing").text == "x"


def test_thresholds_rule_out_and_name_the_model() -> None:
    low, high = (by_model(f"Text {v}.", clip=v, scored_by="clip-b32@abc") for v in (0.1, 0.3))
    after = selected(low, high, by={"clip": 1}, min={"clip": 0.2})
    assert after.captions[0].flags["below_threshold"] == "clip 0.1 is below 0.2 (clip-b32@abc)"
    assert not after.captions[0].kept
    assert after.best is not None
    assert selection(after.best)["thresholds"] == {"min clip": {"value": 0.2, "scorer": "clip-b32@abc"}}
    assert selection(after.best)["scorers"] == {"clip": "clip-b32@abc"}
    high_bar = chosen(source("Castle", clip=0.05), low, high, by={"clip": 1}, max={"clip": 0.2})
    assert high_bar.text == "Text 0.1."


def test_a_threshold_may_differ_by_aspect() -> None:
    brief, dense = by_model("B.", "brief", clip=0.2), by_model("D.", "dense", clip=0.2)
    limits = {"clip": {"value": 0.1, "aspects": {"brief": 0.25}}}
    after = selected(brief, dense, by={"clip": 1}, min=limits)
    assert [c.kept for c in after.captions] == [False, True]
    after = selected(brief, dense, by={"clip": 1}, min={"clip": {"aspects": {"dense": 0.25}}})
    assert [c.kept for c in after.captions] == [True, False]


def test_a_threshold_of_another_model_is_refused() -> None:
    caption = by_model("Text.", clip=0.3, scored_by="clip-b32@abc")
    for own in ("clip-b32", "clip-b32@abc"):
        assert chosen(caption, by={"clip": 1}, min={"clip": {"value": 0.2, "scorer": own}}).text == "Text."
    with pytest.raises(UserError, match="set for 'clip-l14', but the scores are by clip-b32@abc"):
        outcome(caption, by={"clip": 1}, min={"clip": {"value": 0.2, "scorer": "clip-l14"}})


def test_where_all_miss_the_threshold_the_original_stays_or_the_record_is_dropped() -> None:
    best = chosen(source("Castle", clip=0.0), *FIVE, by={"clip": 1}, min={"clip": 9})
    assert best.text == "Castle"
    assert best.flags["below_threshold"]
    last = outcome(*FIVE, by={"clip": 1}, min={"clip": 9})
    assert last == Dropped("no caption: nothing came with the image, and all that was written is ruled out")


def test_what_a_check_ruled_out_does_not_come_back() -> None:
    refusal = replace(by_model("I cannot see it.", clip=9.0), kept=False, flags={"refusal": "said so"})
    assert isinstance(outcome(refusal, by={"clip": 1}), Dropped)
    assert isinstance(outcome(refusal), Dropped)


def test_diversity_keeps_what_differs() -> None:
    near = (by_model("A red dog on grass.", clip=1.0), by_model("A red dog on the grass.", clip=0.95))
    far = by_model("Two boats at sea.", clip=0.5)
    worst = by_model("Nothing.", clip=0.0)
    assert [c.kept for c in selected(*near, far, worst, by={"clip": 1}, keep=2).captions] == [
        True,
        True,
        False,
        False,
    ]
    after = selected(*near, far, worst, by={"clip": 1}, keep=2, diversity=0.5).captions
    assert [c.kept for c in after] == [True, False, True, False]
    assert after[1].flags["not_selected"].endswith("too like those picked before it")


def test_a_text_said_twice_takes_one_place() -> None:
    twice = replace(by_model("text  B.", "brief", clip=4.5))
    after = selected(*FIVE, twice, by={"clip": 1}, keep=2)
    assert [c.text for c in after.captions if c.kept] == ["Text b.", "Text d."]
    assert after.best is not None
    assert selection(after.best)["margin"] == 1.0
    assert after.captions[-1].flags["not_selected"] == f"says the same as [{FIVE[1].id}]"


def test_one_text_that_came_twice_may_win() -> None:
    twice = source("One of five.", "human", clip=9.0)
    after = selected(twice, twice, *FIVE, prefer=[{"origin": "human"}, *PREFER], by={"clip": 1}, keep=1)
    assert after.best is not None
    assert after.best.text == "One of five."
    assert "rank 1 of 1" in str(after.best.provenance.details["chosen_by"])


def test_each_aspect_has_its_winner() -> None:
    captions = (
        by_model("Brief one.", "brief", clip=9.0),
        by_model("Brief two.", "brief", clip=8.0),
        by_model("Looks one.", "appearance", clip=1.0),
        by_model("Looks two.", "appearance", clip=2.0),
        by_model("Feel.", "texture", clip=0.5),
    )
    params: dict[str, Any] = {"by": {"clip": 1}, "keep": 1, "per_aspect": True}
    after = selected(*captions, aspects=["appearance", "texture"], **params)
    assert [c.text for c in after.captions if c.kept] == ["Brief one.", "Looks two.", "Feel."]
    assert after.best is not None
    assert after.best.text == "Looks two."
    assert chosen(*captions, **params).text == "Brief one."
    rival = source("Castle", clip=5.0, triage=1.0)
    assert chosen(rival, *captions, aspects=["appearance"], **params).text == "Castle"
    assert chosen(rival, *captions, aspects=["brief"], **params).text == "Brief one."


def test_ties_are_drawn_by_record_and_seed_and_by_nothing_else() -> None:
    same = tuple(by_model(f"Text {i}.", clip=1.0) for i in range(3))
    drawn = {key: chosen(*same, key=key, by={"clip": 1}).text for key in map(str, range(60))}
    assert set(drawn.values()) == {"Text 0.", "Text 1.", "Text 2."}
    for key, text in drawn.items():
        assert chosen(*reversed(same), key=key, by={"clip": 1}).text == text
    other = replace(CONTEXT, seed=8)
    assert any(chosen(*same, key=k, context=other, by={"clip": 1}).text != t for k, t in drawn.items())
    together = Select(validated(Select.Params, {"prefer": PREFER, "by": {"clip": 1}}, "select")).process(
        [record(captions=same, key=key) for key in drawn], CONTEXT
    )
    assert [o.record.best.text for o in together if isinstance(o, Kept) and o.record.best] == list(
        drawn.values()
    )


def test_inputs_are_not_changed() -> None:
    before = record(captions=FIVE)
    Select(validated(Select.Params, {"prefer": PREFER, "by": {"clip": 1}, "keep": 1}, "select")).process(
        [before], CONTEXT
    )
    assert all(c.kept and not c.flags and not c.provenance.details for c in before.captions)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"keep": 2}, "keep needs a score to rank with"),
        ({"by": {"clip": 0}}, "needs a score to rank with"),
        ({"per_aspect": True}, "per_aspect needs a score"),
        ({"by": {"clip": 1}, "diversity": 0.3}, "give keep"),
        ({"by": {"clip": 1}, "units": {"clop": 1}}, "units.clop"),
        ({"by": {"clip": 1}, "units": {"clip": 0}}, "units.clip"),
        ({"by": {"clip": 1}, "seeded": True}, "give one of them"),
        ({"by": {"clip": 1}, "min": {"clip": {"valeu": 1}}}, "valeu"),
        ({"by": {"clip": 1}, "keep": 0}, "keep"),
        ({"by": {"clip": float("nan")}}, "by.clip"),
        ({"original": "sometimes"}, "competes"),
    ],
)
def test_parameters_that_make_no_sense_are_errors(params: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        validated(Select.Params, params, "select")
