"""Models are found on this machine or not at all, and are told apart by their files."""

import json
from pathlib import Path
from typing import Any

import pytest

from recaption.core.errors import UserError
from recaption.models.hf.identity import find_model, require_safetensors

COMMIT = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"


def saved(folder: Path, weights: bytes = b"1", **config: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", **config}))
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_folder_is_named_by_its_last_part_and_its_contents(tmp_path: Path) -> None:
    found = find_model(str(saved(tmp_path / "tiny")))
    assert found.model_type == "clip"
    assert found.commit is None
    assert found.name == f"tiny@{found.digest[:8]}"
    assert str(tmp_path) not in found.name


def test_every_file_that_is_read_counts_and_no_other(tmp_path: Path) -> None:
    one, two = saved(tmp_path / "a"), saved(tmp_path / "b")
    assert find_model(str(one)).digest == find_model(str(two)).digest
    (two / "README.md").write_text("for people")
    (two / "pytorch_model.bin").write_bytes(b"never read")
    assert find_model(str(one)).digest == find_model(str(two)).digest
    (two / "model.safetensors").write_bytes(b"22")
    assert find_model(str(one)).digest != find_model(str(two)).digest


def test_a_cached_repository_is_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "models--owner--name"
    saved(repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for revision in (None, COMMIT):
        found = find_model("owner/name", revision)
        assert (found.commit, found.name) == (COMMIT, "owner/name@3d74acf9")
    assert find_model("owner/name", COMMIT, trust_remote_code=True).folder.name == COMMIT


@pytest.mark.parametrize(
    ("model", "revision", "trusted", "message"),
    [
        ("owner/absent", None, False, "hf download owner/absent"),
        ("owner/absent", "v2", False, "hf download owner/absent --revision v2"),
        ("owner/absent", "main", True, "full commit"),
        ("no such/thing/at all", None, False, "neither a folder nor the name of a repository"),
    ],
)
def test_what_is_not_here_is_said_with_a_way_out(
    model: str, revision: str | None, trusted: bool, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        find_model(model, revision, trust_remote_code=trusted)


@pytest.mark.parametrize("config", [None, "[]", "{", "\xff"])
def test_a_folder_without_a_usable_config_is_no_model(tmp_path: Path, config: str | None) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config, encoding="latin-1")
    with pytest.raises(UserError, match=r"config\.json"):
        find_model(str(tmp_path))


def test_a_folder_has_no_revision(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no revision"):
        find_model(str(saved(tmp_path / "m")), "main")


@pytest.mark.parametrize("part", ["x.bin", "../x.safetensors", "/x.safetensors", "a/x.safetensors", "..", 7])
def test_an_index_names_safetensors_beside_it_and_nothing_else(part: object, tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model.safetensors", "b": part}}))
    with pytest.raises(UserError, match="nothing else"):
        require_safetensors(find_model(str(folder)))
    index.write_text(json.dumps({"weight_map": {"a": "model.safetensors"}}))
    require_safetensors(find_model(str(folder)))


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"weight_map": []}', "[" * 100_000])
def test_what_is_no_index_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    (folder / "model.safetensors.index.json").write_text(text)
    with pytest.raises(UserError, match="no index of weights"):
        require_safetensors(find_model(str(folder)))


def test_a_config_as_deep_as_memory_is_refused_in_one_line(tmp_path: Path) -> None:
    (saved(tmp_path / "m") / "config.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="not a JSON object"):
        find_model(str(tmp_path / "m"))


@pytest.mark.parametrize(
    "config",
    [
        {"attn_implementation": "someone/code"},
        {"_attn_implementation": {"text_config": "someone/code", "": "sdpa"}},
        {"text_config": {"experts_implementation": "someone/code"}},
    ],
)
def test_a_config_fetches_no_compiled_code(config: dict[str, Any], tmp_path: Path) -> None:
    folder = str(saved(tmp_path / "m", **config))
    with pytest.raises(UserError, match="someone/code"):
        find_model(folder)
    assert find_model(folder, trust_remote_code=True).config
    assert find_model(str(saved(tmp_path / "plain", attn_implementation="sdpa"))).config
