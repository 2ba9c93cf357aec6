"""What is here, and how to get what is not."""

import hashlib

from recaption.models.embedded import folder
from recaption.recipes.recipe import load_recipe
from recaption.runs import doctor
from recaption.runs.doctor import check_hardware, check_models, models_loaded


def test_models_that_a_recipe_loads_are_named_once_and_servers_are_not():
    values = {"score.scorers": {"a": "acme/clip", "b": {"clip": {"model": "acme/clip"}}, "c": "repetition"}}
    recipe = load_recipe("hybrid", {"caption.captioner": "acme/vlm", **values})
    assert models_loaded(recipe) == ["acme/vlm", "acme/clip"]
    assert models_loaded(load_recipe("server")) == []
    assert models_loaded(load_recipe("rules")) == []


def test_what_is_not_here_comes_with_its_command(monkeypatch):
    monkeypatch.setattr(doctor, "_cached_repositories", lambda: iter(["acme/torn"]))
    rows = {model.name: model for model in check_models()}
    assert rows["llava-hf/llava-1.5-7b-hf"].install == "hf download llava-hf/llava-1.5-7b-hf"
    assert rows["llava-hf/llava-1.5-7b-hf"].serves == "llava"
    assert rows["acme/torn"].install == "hf download acme/torn"


def test_the_embedded_models_are_told_by_their_digest():
    row = next(model for model in check_models() if model.name == "embedded captioner")
    digest = hashlib.sha256((folder("captioner") / "model.safetensors").read_bytes()).hexdigest()
    assert digest[:12] in row.state
    assert not row.install


def test_the_hardware_is_said_in_one_line():
    assert check_hardware().startswith("models ")
