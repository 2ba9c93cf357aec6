"""A few steps of training end with a folder that the stock classes and this package's backends load."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import train
from safetensors.torch import load_file
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    VisionEncoderDecoderModel,
    VisionTextDualEncoderModel,
)

from recaption.media.images import BatchImages
from recaption.models.embedded import EMBEDDED, folder
from recaption.recipes.backends import backend
from tests.conformance.laws import ask, request_for
from tests.conformance.pictures import blocks
from tests.training.conftest import Run
from tests.unit.models.hf.scoring_pairs import pairs, record

STOCK: Mapping[str, Any] = {
    "captioner": VisionEncoderDecoderModel,
    "dual_encoder": VisionTextDualEncoderModel,
}


pytestmark = pytest.mark.slow
"""Whole trainings, if of a few steps."""


@pytest.fixture(scope="module")
def trained(run_training: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("models")
    return {name: run_training(name, out, "--seed", "3") for name in EMBEDDED}


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_folder_holds_the_files_of_the_one_that_ships(trained: dict[str, Path], name: str) -> None:
    made = {file.name for file in trained[name].iterdir()}
    assert made == {file.name for file in folder(name).iterdir()}


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_stock_class_loads_every_weight(trained: dict[str, Path], name: str) -> None:
    model, problems = STOCK[name].from_pretrained(trained[name], output_loading_info=True)
    assert not any(problems.values()), problems
    assert all(bool(torch.isfinite(values).all()) for values in model.state_dict().values())
    assert {values.dtype for values in model.parameters()} == {torch.float32}
    assert len(AutoTokenizer.from_pretrained(trained[name])) > 259
    processor = AutoImageProcessor.from_pretrained(trained[name])
    picture = np.zeros((40, 60, 3), dtype=np.uint8)
    assert processor(images=[picture], return_tensors="pt").pixel_values.shape == (1, 3, 96, 96)


@pytest.mark.parametrize("name", EMBEDDED)
def test_weights_are_stored_in_half_precision_to_be_loaded_in_single(
    trained: dict[str, Path], name: str
) -> None:
    weights = load_file(trained[name] / "model.safetensors")
    assert {values.dtype for values in weights.values()} <= {torch.float16, torch.int64}
    config = json.loads((trained[name] / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == [STOCK[name].__name__]
    parts = [config, *(part for part in config.values() if isinstance(part, dict) and "model_type" in part)]
    assert [part["dtype"] for part in parts] == ["float32"] * 3


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_same_seed_and_threads_give_the_same_bytes(
    trained: dict[str, Path], run_training: Run, tmp_path: Path, name: str
) -> None:
    again = run_training(name, tmp_path, "--seed", "3")
    assert _bytes(again) == _bytes(trained[name])


def test_another_seed_gives_other_weights(trained: dict[str, Path], run_training: Run, tmp_path: Path) -> None:
    assert _bytes(run_training("captioner", tmp_path, "--seed", "4")) != _bytes(trained["captioner"])


def test_a_training_goes_on_from_given_weights(
    trained: dict[str, Path], run_training: Run, tmp_path: Path
) -> None:
    # A step so small that half precision cannot hold it: what was learned is all that is left.
    start = ["--start", str(trained["captioner"]), "--lr", "1e-12", "--steps", "1"]
    before = load_file(trained["captioner"] / "model.safetensors")
    after = load_file(run_training("captioner", tmp_path, *start) / "model.safetensors")
    learned = [name for name, values in before.items() if values.is_floating_point() and "running_" not in name]
    assert learned
    assert all(torch.allclose(before[name], after[name], atol=1e-3) for name in learned)


def test_the_generator_of_a_recipe_writes_with_it(trained: dict[str, Path]) -> None:
    made = backend("generators", str(trained["captioner"]), "caption.captioner").build()
    (answer,) = ask(made, [request_for("<dense>", blocks(1)[0])])
    assert answer[0].error is None
    assert answer[0].text is not None


def test_the_scorer_of_a_recipe_scores_with_it(trained: dict[str, Path]) -> None:
    made = backend("scorers", str(trained["dual_encoder"]), "score.with").build()
    scores = made.score(pairs([record(1), record(2)], ["A red cup on sand", "Two balls"]), BatchImages())
    values = [score.value for score in scores]
    assert len(set(values)) == 4
    assert all(value is not None and -1 <= value <= 1 for value in values)


def test_the_log_tells_steps_and_the_development_scenes(trained: dict[str, Path]) -> None:
    for name, path in trained.items():
        lines = (path.parent / f"{name}.log").read_text(encoding="utf-8").splitlines()
        events: Sequence[dict[str, Any]] = [json.loads(line) for line in lines]
        assert [e.get("step") for e in events] == [None, 0, 1, 2]
        # --first 1 --every 1: the second shard joins at step 1.
        assert [e["pool"] for e in events if "pool" in e] == [1, 2]
        assert events[0]["arguments"]["seed"] == 3
        assert events[-1]["dev"]["cells"] > 0


@pytest.mark.parametrize(
    ("start", "told"),
    [("nowhere", "cannot read the model"), ("dual_encoder", "not those of a captioner for pictures of 96 px")],
)
def test_a_start_that_does_not_fit_is_told(
    trained: dict[str, Path], run_training: Run, tmp_path: Path, start: str, told: str
) -> None:
    path = trained.get(start, tmp_path / start)
    with pytest.raises(SystemExit, match=told) as error:
        run_training("captioner", tmp_path / "out", "--start", str(path))
    assert len(str(error.value).splitlines()) == 1


def test_shards_of_another_size_are_told(
    run_training: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "SHARD", 9)
    with pytest.raises(SystemExit, match="does not hold 9 scenes"):
        run_training("captioner", tmp_path)


def _bytes(path: Path) -> bytes:
    return (path / "model.safetensors").read_bytes()
