"""The recipes in which models write: they run, and what must come before what does."""

import numpy as np
import pytest
from PIL import Image

from recaption.core.errors import RecipeError, UserError
from recaption.core.types import Record
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.run_folder import RunFolder
from recaption.recipes.recipe import load_recipe
from recaption.runs.models_named import budget_of, captioner_of, recipe_with
from recaption.runs.run import RunOptions, Summary, run

RECIPES = ["blip2", "clip77", "hybrid", "llava", "multi-aspect", "server"]
SCORED = ["clip77", "hybrid", "multi-aspect"]
ORDER = ["gather", "normalise", "triage", "caption", "check", "fit", "score", "select", "mark_for_audit"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "images"
    folder.mkdir()
    for i in range(6):
        pixels = np.random.default_rng(i).integers(0, 256, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((80, 60)).save(folder / f"{i}.png")
        (folder / f"{i}.txt").write_text("Laugharne Castle at dusk" if i % 2 else "IMG_2041.JPG")
    return folder


def made(images, tmp_path, name: str, behaviour: str = "truthful", **settings) -> tuple[Summary, list[Record]]:
    captioner = {"scripted": {"behaviour": behaviour}}
    values = {"caption.captioner": captioner, "caption.canary": False, "caption.beams": 1, **settings}
    recipe = recipe_with(name, values, scorer="repetition" if name in SCORED else None)
    reader = open_dataset(str(images), options=ReaderOptions())
    folder = RunFolder(tmp_path / "out")
    summary = run(reader, recipe, folder, RunOptions(workers=1), source={"path": str(images)})
    return summary, list(folder.records())


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_judged_is_what_will_be_read(name):
    stages = [spec.name for spec in load_recipe(name).stages]
    assert stages == [stage for stage in ORDER if stage in stages]
    assert {"caption", "check", "fit", "select", "mark_for_audit"} <= set(stages)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_runs(name, images, tmp_path):
    summary, records = made(images, tmp_path, name)
    assert summary.kept == 6
    assert all(record.best is not None for record in records)
    assert sum(record.best.origin == "model" for record in records if record.best) >= 3
    for record in records:
        assert record.best is not None
        assert record.best.scores["tokens"].value is not None
        assert record.best.scores["tokens"].value <= (248 if name in ("llava", "server") else 77)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("behaviour", ["bang", "echo"])
def test_bad_texts_never_stand_for_an_image(name, behaviour, images, tmp_path):
    summary, records = made(images, tmp_path, name, behaviour)
    assert summary.kept == 6
    assert all(record.best is not None and record.best.origin == "alt" for record in records)
    assert not any(c.kept for record in records for c in record.captions if c.origin == "model")


def test_hybrid_keeps_two_and_says_why_the_others_went(images, tmp_path):
    _, records = made(images, tmp_path, "hybrid")
    for record in records:
        made_by_rank = [c for c in record.captions if c.kept and c.provenance.stage != "source"]
        assert 1 <= len(made_by_rank) <= 2
        gone = [c for c in record.captions if not c.kept and "not_selected" in c.flags]
        assert all(c.flags["not_selected"] for c in gone)
        assert record.best is not None
        why = "rule 1: origin model" if record.best.origin == "model" else "the original competes"
        assert str(record.best.provenance.details["chosen_by"]).startswith(f"{why}; rank 1 of")


def test_multi_aspect_has_a_winner_for_each_aspect(images, tmp_path):
    _, records = made(images, tmp_path, "multi-aspect")
    for record in records:
        kept = [c.aspect for c in record.captions if c.kept and c.origin == "model"]
        assert sorted(set(kept)) == sorted(kept)
        assert {"appearance", "texture", "context"} <= set(kept)


def test_models_are_named_in_short(tmp_path):
    (tmp_path / "model").mkdir()
    recipe = recipe_with("hybrid", {}, captioner="http://h:1/v1#M", scorer=f"clip={tmp_path}/model")
    captioner = captioner_of(recipe)
    assert captioner is not None
    assert captioner.name == "openai"
    score = next(spec for spec in recipe.stages if spec.name == "score").params.model_dump()["scorers"]
    assert score == {"image_text": f"clip={tmp_path}/model", "repetition": "repetition"}
    with pytest.raises(UserError, match=r"'rules' has no stage `caption`.*blip2, clip77, hybrid"):
        recipe_with("rules", {}, captioner="scripted")
    with pytest.raises(UserError, match=r"'llava' has no stage `score`.*clip77, hybrid, multi-aspect"):
        recipe_with("llava", {}, scorer="embedded")
    with pytest.raises(RecipeError, match="Did you mean 'scripted'"):
        recipe_with("llava", {}, captioner="scriptd")


def test_prices_and_budgets_go_where_they_are_counted():
    prices = {"input_per_million": 0.5, "output_per_million": 2.0}
    recipe = recipe_with("server", {}, prices=prices)
    captioner = captioner_of(recipe)
    assert captioner is not None
    assert captioner.params.model_dump()["price"] == prices
    assert captioner.params.model_dump()["model"] == "Qwen/Qwen3-VL-8B-Instruct"
    assert budget_of(recipe, None, None, 3.0).cost == 3.0
    assert budget_of(load_recipe("rules"), None, None, None).unlimited
    assert budget_of(load_recipe("server"), 5, 7, None).requests == 5
    with pytest.raises(UserError, match="no price is known"):
        budget_of(load_recipe("server"), None, None, 3.0)
    with pytest.raises(UserError, match="has no captioner"):
        budget_of(load_recipe("rules"), 5, None, None)
    with pytest.raises(UserError, match="prices belong to a captioner behind an address"):
        recipe_with("hybrid", {}, prices=prices)
