"""Made-up auditors know what is true, err as often as told, and say the same whoever asks first."""

from dataclasses import replace
from pathlib import Path

import pytest

from recaption.audit.opening import create_store
from recaption.audit.project import About
from recaption.audit.sheets import Sheet, ShownCaption
from recaption.audit.types import AuditItem, Settings
from recaption.core.digests import digest_text
from recaption.core.types import Box
from recaption.demo.auditors import DemoAuditor, reason_against, work
from recaption.demo.captions import describe
from recaption.demo.facts import judge
from recaption.demo.world import Scene, Thing, sample_scenes

BALL = Scene("grass", (Thing("ball", "red", "plain", "small", Box(10, 10, 40, 40)),), None, 192)
TRUE, WRONG = "A small red plain ball on grass.", "A small blue plain ball on grass."


def sheet(*texts: str) -> Sheet:
    roles = ("subject", "original", *["candidate"] * len(texts))
    return Sheet(
        captions=tuple(
            ShownCaption(id=digest_text(text)[:12], text=text, role=role, origin="model")  # type: ignore[arg-type]
            for text, role in zip(texts, roles, strict=False)
        )
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TRUE, None),
        (WRONG, "wrong detail"),
        ("A small red ball and a dog on grass.", "invented"),
        ('A small red plain ball on grass. A sign reads "STOP".', "invented"),
        ("A ball.", "too vague"),
        ("", "misses the main thing"),
        ("Free shipping!", "misses the main thing"),
    ],
)
def test_what_is_held_against_a_caption(text: str, reason: str | None):
    assert reason_against(text, BALL, 0.6) == reason


def test_a_wrong_word_on_a_sign_is_a_reason_of_its_own():
    scene = next(
        scene for scene in sample_scenes(50, 1) if scene.sign is not None and scene.sign.word != "STOP"
    )
    assert reason_against('A sign reads "STOP".', scene, 0.0) == "wrong text"


def test_who_never_errs_accepts_what_is_good_and_nothing_else():
    exact = DemoAuditor(name="ann", edits=0.0)
    assert exact.judged("a", sheet(TRUE), BALL).action == "accept"
    rejected = exact.judged("a", sheet(WRONG), BALL)
    assert (rejected.action, rejected.reason) == ("reject", "wrong detail")
    rejected.check()
    short = replace(exact, most_sentences=1)
    assert short.judged("a", sheet(TRUE), BALL).action == "accept"
    assert short.judged("a", sheet(f"{TRUE} {TRUE}"), BALL).reason == "poor language"


def test_edits_are_true_and_rich_enough():
    scenes = list(sample_scenes(30, 4))
    eager = DemoAuditor(name="ann", edits=1.0)
    for i, scene in enumerate(scenes):
        draft = eager.judged(str(i), sheet("A purple zeppelin: two cats."), scene)
        assert draft.action == "edit"
        draft.check()
        assert reason_against(draft.text or "", scene, 0.6) is None


def test_errors_come_as_often_as_told_and_hang_on_nothing_but_name_key_text_and_seed():
    shown = sheet(TRUE)
    hasty = DemoAuditor(name="ann", error=0.2, edits=0.0)
    keys = [str(i) for i in range(200)]
    said = [hasty.judged(key, shown, BALL) for key in keys]
    assert 0.12 < sum(draft.action == "reject" for draft in said) / 200 < 0.28
    assert said == [hasty.judged(key, shown, BALL) for key in reversed(keys)][::-1]
    for other in (replace(hasty, name="bob"), replace(hasty, seed=1)):
        assert said != [other.judged(key, shown, BALL) for key in keys]


def test_of_several_cards_the_true_one_that_says_most_is_preferred():
    exact = DemoAuditor(name="ann")
    shown = sheet(WRONG, "A red ball.", TRUE)
    draft = exact.compared("a", shown, BALL, captions=3)
    draft.check()
    assert (draft.action, draft.preferred) == ("prefer", shown.captions[2].id)
    assert exact.compared("a", shown, BALL, captions=2).preferred == shown.captions[1].id
    brief = replace(exact, shortest=True, enough=0.1)
    assert brief.compared("a", shown, BALL, captions=3).preferred == shown.captions[1].id
    assert exact.compared("a", sheet(WRONG, "A cat."), BALL).action == "reject"
    wrong = replace(exact, error=1.0)
    assert wrong.compared("a", shown, BALL, captions=3).preferred != shown.captions[2].id


def test_a_store_is_worked_through_and_everybody_has_said_what_they_say(tmp_path: Path):
    scenes = {f"s{i}": scene for i, scene in enumerate(sample_scenes(12, 3))}
    sheets = {key: sheet(describe(scene, "dense", 1), "cheap stuff") for key, scene in scenes.items()}
    people = [DemoAuditor(name=name, error=0.3) for name in ("ann", "bob", "eve")]
    with create_store(tmp_path / "a.sqlite", Settings(overlap=2, about=About().to_json())) as store:
        store.add_items(AuditItem(key=key, payload=one.to_payload()) for key, one in sheets.items())
        assert work(store, people, scenes) == 24
        assert work(store, people, scenes) == 0
        said = list(store.verdicts(standing_only=True))
    by_name = {person.name: person for person in people}
    assert len(said) == 24
    assert {v.auditor for v in said} == {"ann", "bob", "eve"}
    for verdict in said:
        assert verdict.draft == by_name[verdict.auditor].judged(
            verdict.key, sheets[verdict.key], scenes[verdict.key]
        )


def test_cards_are_compared_in_a_store(tmp_path: Path):
    scenes = {f"s{i}": scene for i, scene in enumerate(sample_scenes(6, 3))}
    about = About(task="compare", captions=2)
    with create_store(tmp_path / "a.sqlite", Settings(about=about.to_json())) as store:
        store.add_items(
            AuditItem(key=key, payload=sheet("a zeppelin", describe(scene, "dense", 1)).to_payload())
            for key, scene in scenes.items()
        )
        assert work(store, [DemoAuditor(name="ann")], scenes, captions=2) == 6
        for verdict in store.verdicts():
            best = sheet("a zeppelin", describe(scenes[verdict.key], "dense", 1)).captions[1]
            assert verdict.draft.preferred == best.id
            assert judge(best.text, scenes[verdict.key]).fully_correct
