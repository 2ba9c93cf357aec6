"""From a store of verdicts to a head in a file: what is read, what is paid, what is written and when.

The encoder is the package's own, which knows rendered scenes and nothing else.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recaption.audit.opening import create_store, open_store
from recaption.audit.project import About
from recaption.audit.sheets import Role, Sheet, ShownCaption
from recaption.audit.store import AuditStore
from recaption.audit.types import AuditItem, Settings
from recaption.core.digests import digest_text
from recaption.core.errors import UserError
from recaption.core.types import Caption, Image, Provenance, Record
from recaption.demo.auditors import DemoAuditor, work
from recaption.demo.captions import describe
from recaption.demo.render import Renderer
from recaption.demo.world import Scene, sample_scenes
from recaption.media.images import BatchImages
from recaption.models.preference import PreferenceScorer
from recaption.models.preference_head import read_head
from recaption.recipes.recipe import load_recipe
from recaption.runs.audit_learning import Learned, learn
from recaption.runs.audit_scores import COSINE

SCENES = 120
SHORT = DemoAuditor(name="ann", enough=0.0, most_sentences=1, edits=0.0)
"""Wants one sentence, of which the cosine knows nothing."""


@pytest.fixture(scope="module")
def scenes() -> Mapping[str, Scene]:
    return {f"s{i:03d}": scene for i, scene in enumerate(sample_scenes(SCENES, 11))}


@pytest.fixture(scope="module")
def sheets(scenes: Mapping[str, Scene]) -> Mapping[str, Sheet]:
    """True captions, long ones and short ones."""
    renderer = Renderer(96)
    found = {}
    for i, (key, scene) in enumerate(scenes.items()):
        file = io.BytesIO()
        renderer.render(scene).save(file, "PNG")
        texts = [describe(scene, "dense", i), describe(scene, "brief", i)]
        subject, other = texts if i % 2 else texts[::-1]
        found[key] = Sheet(
            captions=(shown(subject, "subject", 0.5), shown(other, "candidate", 0.4)),
            image=Image(data=file.getvalue()),
        )
    return found


def shown(text: str, role: Role, score: float) -> ShownCaption:
    scores = {"repetition": 0.1 * score}
    return ShownCaption(id=digest_text(text)[:12], text=text, role=role, origin="model", scores=scores)


def judged(
    folder: Path, sheets: Mapping[str, Sheet], scenes: Mapping[str, Scene], person: DemoAuditor, **about: Any
) -> AuditStore:
    """A store in which one person has judged everything."""
    project = About(**about)
    store = create_store(folder / "audit" / "store.sqlite", Settings(about=project.to_json()))
    store.add_items(AuditItem(key=key, payload=sheet.to_payload()) for key, sheet in sheets.items())
    work(store, [person], scenes, captions=project.captions if project.task == "compare" else None)
    return store


@pytest.fixture(scope="module")
def first(
    tmp_path_factory: pytest.TempPathFactory, sheets: Mapping[str, Sheet], scenes: Mapping[str, Scene]
) -> tuple[Learned, Path]:
    """What is learned from somebody who wants one sentence, and the folder of their audit."""
    folder = tmp_path_factory.mktemp("first")
    with judged(folder, sheets, scenes, SHORT) as store:
        return learn(folder, store, scorer="embedded"), folder


@pytest.fixture
def folder(first: tuple[Learned, Path], tmp_path: Path) -> Path:
    """A folder for another audit of the same captions, where the models' answers are remembered already."""
    (tmp_path / "audit").mkdir()
    shutil.copy2(first[1] / "audit" / "calls.sqlite", tmp_path / "audit")
    return tmp_path


def refused(*given: object, **more: object) -> None:
    raise AssertionError("the encoder was asked again")


@pytest.mark.slow
def test_what_people_want_beyond_the_score_is_learned_and_written(first: tuple[Learned, Path]) -> None:
    found, folder = first
    assert (found.lesson.verdict, found.file) == ("better", folder / "audit" / "preference.json")
    assert (found.lesson.items, found.left_out) == (SCENES, {})
    assert found.paid == 2 * SCENES + 1, "each image, each text, and what the encoder says of itself"
    assert "Better than cosine between images" in found.sentence
    assert any("an audit that compares them" in note for note in found.notes)
    header, row = found.rows()
    assert len(header) == len(row)
    assert row[0] == "accepted above not accepted"


@pytest.mark.slow
def test_learning_again_pays_nothing_and_gives_the_same_bytes(
    first: tuple[Learned, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, folder = first
    monkeypatch.setattr("recaption.models.hf.dual_encoder.DualEncoderScorer.embed_images", refused)
    monkeypatch.setattr("recaption.models.hf.dual_encoder.DualEncoderScorer.embed_texts", refused)
    with open_store(folder / "audit" / "store.sqlite") as store:
        again = learn(folder, store, folder / "again" / "head.json", scorer="embedded")
    assert again.paid == 0
    assert found.file is not None
    assert (folder / "again" / "head.json").read_bytes() == found.file.read_bytes()


@pytest.mark.slow
def test_a_recipe_s_scorer_likes_what_they_like(
    first: tuple[Learned, Path], sheets: Mapping[str, Sheet]
) -> None:
    found, _ = first
    assert found.file is not None
    assert read_head(found.file) == found.head
    judge = PreferenceScorer(PreferenceScorer.Params(file=found.file))
    asked = [
        (
            Record(key=key, image=sheet.image),
            Caption(text=c.text, origin="model", provenance=Provenance(stage="caption")),
        )
        for key, sheet in list(sheets.items())[:12]
        for c in sheet.captions
    ]
    values = [score.value or 0.0 for score in judge.score(asked, BatchImages())]
    short = [
        value for (_, caption), value in zip(asked, values, strict=True) if len(caption.text.split()) <= 12
    ]
    long = [value for (_, caption), value in zip(asked, values, strict=True) if len(caption.text.split()) > 16]
    assert min(len(short), len(long)) >= 3
    assert sum(short) / len(short) > 0.5 > sum(long) / len(long)
    assert "better than" in judge.name


@pytest.mark.slow
def test_what_is_no_better_is_not_written_unless_asked_for(
    folder: Path, sheets: Mapping[str, Sheet], scenes: Mapping[str, Scene]
) -> None:
    coin = DemoAuditor(name="ann", error=0.5, edits=0.0)
    with judged(folder, sheets, scenes, coin) as store:
        found = learn(folder, store, scorer="embedded")
        assert found.lesson.verdict == "no better"
        assert found.file is None
        assert not (folder / "audit" / "preference.json").exists()
        assert "--even-so" in found.sentence
        even_so = learn(folder, store, scorer="embedded", even_so=True)
        assert even_so.file is not None
        assert read_head(even_so.file).verdict == "no better"
        assert "no better than" in PreferenceScorer(PreferenceScorer.Params(file=even_so.file)).name


@pytest.mark.slow
def test_cards_that_were_preferred_are_learned_from(
    folder: Path, sheets: Mapping[str, Sheet], scenes: Mapping[str, Scene]
) -> None:
    """Of two true captions the one that says more is taken."""
    with judged(folder, sheets, scenes, DemoAuditor(name="ann"), task="compare", captions=2) as store:
        found = learn(folder, store, scorer="embedded")
    (comparison,) = found.lesson.comparisons
    assert (comparison.kind, comparison.enough) == ("preferred", True)
    assert comparison.learned.value > 0.9


@pytest.mark.slow
def test_too_few_and_images_that_are_gone_are_said(
    folder: Path, sheets: Mapping[str, Sheet], scenes: Mapping[str, Scene]
) -> None:
    few = dict(list(sheets.items())[:14])
    few["s000"] = replace(few["s000"], image=Image(path=str(folder / "gone.png")))
    few["s001"] = replace(few["s001"], image=None)
    with judged(folder, few, scenes, SHORT) as store:
        found = learn(folder, store, scorer="embedded")
    assert found.lesson.verdict == "too few"
    assert found.file is None
    assert found.lesson.items == 12
    assert found.left_out == {"items whose image cannot be read": 2}
    assert "it takes 50" in found.sentence


@pytest.mark.slow
def test_the_recipe_of_the_run_says_which_encoder_and_scores_what_people_wrote(
    folder: Path, sheets: Mapping[str, Sheet], scenes: Mapping[str, Scene]
) -> None:
    (folder / "recipe.yaml").write_text(load_recipe("hybrid").to_yaml())
    few = dict(list(sheets.items())[:24])
    eager = replace(SHORT, edits=1.0)
    with judged(folder, few, scenes, eager) as store:
        found = learn(folder, store)
    kinds = {comparison.kind: comparison for comparison in found.lesson.comparisons}
    assert found.head.encoder.name.startswith("embedded@")
    assert found.lesson.pairs["edit"] == kinds["edited"].pairs > 3
    assert set(kinds["edited"].plain) == {COSINE, "repetition"}, "what was written was scored too"


def test_a_scorer_that_is_not_here_is_noted_and_does_without(
    folder: Path, sheets: Mapping[str, Sheet], scenes: Mapping[str, Scene]
) -> None:
    gone = {"image_text": "embedded", "repetition": "clip=nobody/nowhere"}
    recipe = load_recipe("hybrid", {"score.scorers": gone, "select.by": {"image_text": 1}, "select.units": {}})
    (folder / "recipe.yaml").write_text(recipe.to_yaml())
    few = dict(list(sheets.items())[:24])
    with judged(folder, few, scenes, replace(SHORT, edits=1.0)) as store:
        found = learn(folder, store)
    kinds = {comparison.kind: comparison for comparison in found.lesson.comparisons}
    assert set(kinds["edited"].plain) == {COSINE}
    assert len(found.notes) == 1
    assert "nobody/nowhere" in found.notes[0]


def test_without_an_encoder_it_is_said_how_to_name_one(
    folder: Path, sheets: Mapping[str, Sheet], scenes: Mapping[str, Scene]
) -> None:
    few = dict(list(sheets.items())[:4])
    with judged(folder, few, scenes, SHORT) as store:
        with pytest.raises(UserError, match="--scorer MODEL"):
            learn(folder, store)
        with pytest.raises(UserError, match="embeds no images"):
            learn(folder, store, scorer="repetition")


def test_before_anybody_judged_there_is_nothing_to_learn_and_nothing_is_loaded(
    tmp_path: Path, sheets: Mapping[str, Sheet], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path
    monkeypatch.setattr("recaption.runs.audit_learning.backend", refused)
    few = dict(list(sheets.items())[:4])
    with create_store(folder / "audit" / "store.sqlite", Settings(about=About().to_json())) as store:
        store.add_items(AuditItem(key=key, payload=sheet.to_payload()) for key, sheet in few.items())
        with pytest.raises(UserError, match="nothing to learn from yet"):
            learn(folder, store)
    assert not (folder / "audit" / "calls.sqlite").exists()
