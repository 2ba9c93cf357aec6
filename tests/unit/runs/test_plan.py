"""What a run would cost, before anything is spent."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recaption.core.protocols import Reader
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.run_folder import RunFolder
from recaption.recipes.recipe import Recipe, load_recipe
from recaption.runs.image_tokens import ImageTokens, image_tokens
from recaption.runs.models_named import recipe_with
from recaption.runs.plan import Plan, PlannedStage, Prices, plan
from recaption.runs.run import RunOptions, run

RECIPE = """
stages:
  - gather: {experts: {pixels: {}}}
  - normalise
  - caption: {captioner: scripted, aspects: [brief, dense], n: 3, temperature: 1.0, max_tokens: 40, canary: false}
  - select: {prefer: [{origin: model}]}
"""


def add_images(folder: Path, numbers: range) -> None:
    folder.mkdir(exist_ok=True)
    for i in numbers:
        pixels = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((56, 84)).save(folder / f"{i:02d}.png")
        (folder / f"{i:02d}.txt").write_text(f"Photo number {i} of a lighthouse")


@pytest.fixture
def images(tmp_path):
    add_images(tmp_path / "images", range(10))
    return tmp_path / "images"


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "mine.yaml").write_text(RECIPE)
    return load_recipe(str(tmp_path / "mine.yaml"))


def opened(images: Path) -> Reader:
    return open_dataset(str(images), options=ReaderOptions())


def planned(images: Path, recipe: Recipe, out: Path | None = None, **more) -> Plan:
    return plan(opened(images), recipe, folder=RunFolder(out) if out else None, **more)


def stage(made: Plan, name: str) -> PlannedStage:
    return next(s for s in made.stages if s.name == name)


def done(images: Path, recipe: Recipe, out: Path) -> None:
    run(opened(images), recipe, RunFolder(out), RunOptions(), source={"path": str(images)})


def test_calls_and_tokens_are_counted_per_stage(images, recipe):
    made = planned(images, recipe, shard_size=4)
    assert (made.items, made.images, made.shards) == (10, 10, 3)
    assert stage(made, "gather").calls == 10
    caption = stage(made, "caption")
    assert (caption.calls, caption.remembered) == (20, 0)  # two aspects
    assert caption.completion_tokens == 20 * 3 * 40
    assert caption.prompt_tokens is None  # nobody knows how this one counts images
    assert caption.cost is None
    assert "not known" in caption.notes[0]
    assert stage(made, "select").what == ""
    assert made.seconds is None
    assert not caption.is_paid  # it runs here
    assert made.cost == 0


def test_what_the_ledger_knows_is_not_counted_again(images, recipe, tmp_path):
    out = tmp_path / "out"
    done(images, recipe, out)
    made = planned(images, recipe, out)
    assert (stage(made, "caption").calls, stage(made, "caption").remembered) == (0, 20)
    assert (stage(made, "gather").calls, stage(made, "gather").remembered) == (0, 10)
    assert made.seconds == 0
    add_images(images, range(10, 13))
    made = planned(images, recipe, out, prices=Prices(1.0, 2.0))
    assert (stage(made, "caption").calls, stage(made, "caption").remembered) == (6, 20)
    assert stage(made, "gather").calls == 3
    assert made.seconds is not None
    assert made.seconds > 0  # at the rate of the run before
    hotter = load_recipe(str(tmp_path / "mine.yaml"), {"caption.temperature": 0.5})
    made = planned(images, hotter, out)
    assert stage(made, "caption").calls == 26
    assert stage(made, "gather").calls == 3
    assert stage(planned(images, recipe, out, seed=1), "caption").calls == 26


def test_planning_leaves_everything_as_it_is(images, recipe, tmp_path):
    out = tmp_path / "out"
    planned(images, recipe, out)
    assert not out.exists()
    done(images, recipe, out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    add_images(images, range(10, 12))
    planned(images, recipe, out)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_time_at_a_rate_that_is_given(images, recipe):
    made = planned(images, recipe, rate=2.5)
    assert made.seconds == pytest.approx(4.0)
    assert "2.5 images a second" in made.rate_source


def test_what_cannot_work_here_is_said_and_the_rest_is_planned(images, tmp_path):
    (tmp_path / "mine.yaml").write_text(RECIPE + "  - fit: {budget: t5_512, tokenizer: no/such-model}\n")
    made = planned(images, load_recipe(str(tmp_path / "mine.yaml")))
    assert stage(made, "fit").problem
    assert stage(made, "caption").calls == 20


def test_records_without_a_usable_image_cost_nothing(tmp_path, recipe):
    table = tmp_path / "table.jsonl"
    table.write_text('{"key": "a", "text": "A dog"}\n{"key": "b", "text": "A cat", "url": "http://x/y.jpg"}\n')
    made = planned(table, recipe)
    assert (made.items, made.images) == (2, 0)
    assert stage(made, "caption").calls == 0


def test_disk_is_an_upper_bound(images, recipe, tmp_path):
    made = planned(images, recipe)
    done(images, recipe, tmp_path / "out")
    parts = [p for name in ("captions", "ledger") for p in (tmp_path / "out" / name).iterdir()]
    assert sum(p.stat().st_size for p in parts) < made.disk_bytes


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", 6),  # 56 × 84 px in squares of 28
        ("Qwen/Qwen3-VL-8B-Instruct", 6),  # 2 × 3 squares of 32, rounded
        ("Salesforce/blip2-opt-2.7b", 32),
        ("Salesforce/instructblip-vicuna-7b", 32),
        ("llava-hf/llava-1.5-7b-hf", 576),
        ("google/paligemma-3b-mix-448", 1024),
        ("google/gemma-3-12b-it", 256),
        ("microsoft/Florence-2-large", 577),
    ],
)
def test_known_models_count_images_as_they_do(model, tokens):
    known = image_tokens(model)
    assert known is not None
    assert known.of((56, 84)) == tokens


def test_unknown_models_are_said_to_be_unknown():
    assert image_tokens("some/other-model") is None
    assert ImageTokens(None, 28).of((1, 1)) == 1


def test_a_paid_service_is_planned_with_tokens_and_cost(images):
    recipe = load_recipe("server")  # nobody is asked, so nobody need be there
    caption = stage(planned(images, recipe, prices=Prices(1.0, 10.0)), "caption")
    assert caption.calls == 10
    assert caption.completion_tokens == 10 * 256
    assert caption.prompt_tokens is not None
    per_prompt = caption.prompt_tokens / 10
    assert 6 + 100 < per_prompt < 6 + 400  # the image's cells, and the wording with the original text in it
    assert caption.is_paid
    assert planned(images, recipe).cost is None  # at no price known
    assert caption.cost == pytest.approx((caption.prompt_tokens * 1.0 + 2560 * 10.0) / 1e6)
    priced = recipe_with("server", {}, prices={"input_per_million": 1.0, "output_per_million": 10.0})
    made = planned(images, priced)
    assert made.cost == pytest.approx(caption.cost)


def test_where_only_the_prompts_are_unknown_the_cost_of_the_rest_is_told(images):
    recipe = recipe_with("server", {}, captioner="http://localhost:1/v1#nobody-knows")
    caption = stage(planned(images, recipe, prices=Prices(1.0, 10.0)), "caption")
    assert caption.prompt_tokens is None
    assert caption.cost is None
    assert caption.writing_cost == pytest.approx(2560 * 10.0 / 1e6)
    assert stage(planned(images, recipe), "caption").writing_cost is None


def test_pictures_are_counted_at_the_size_they_are_sent(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (4000, 3000), "red").save(tmp_path / "images" / "0.png")
    full = load_recipe("server", {"images.max_side_px": None, "caption.context": []})
    half = load_recipe("server", {"images.max_side_px": 512, "caption.context": []})
    large = stage(planned(tmp_path / "images", full), "caption").prompt_tokens
    small = stage(planned(tmp_path / "images", half), "caption").prompt_tokens
    assert large is not None
    assert small is not None
    assert large < 1310720 / 32**2 + 400  # as the family's grid has it, not 4000 × 3000
    assert large - small == pytest.approx((1310720 - 512 * 384) / 32**2, rel=0.05)


def test_scores_that_are_remembered_are_not_counted_again(images, tmp_path):
    text = RECIPE + "  - score: {scorers: {repetition: repetition}}\n"
    (tmp_path / "mine.yaml").write_text(text)
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    assert (
        stage(planned(images, recipe), "score").calls == 10 * 8
    )  # 6 candidates, the original and its cleaned form
    done(images, recipe, tmp_path / "out")
    made = planned(images, recipe, tmp_path / "out")
    assert stage(made, "score").calls == 0
    assert stage(made, "score").remembered == 80
