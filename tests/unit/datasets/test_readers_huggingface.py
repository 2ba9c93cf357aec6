"""Hugging Face data sets on disk and in the cache."""

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from recaption.core.errors import MissingExtraError, UserError
from recaption.core.types import Box
from recaption.media.images import read_bytes
from tests.unit.datasets.reader_samples import png, read, texts

datasets: Any = pytest.importorskip("datasets")


def made(count: int = 3) -> Any:
    """Return a data set with images, texts and boxes."""
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["x", "y"]),
            "objects": {
                "bbox": datasets.Sequence(datasets.Sequence(datasets.Value("float32"))),
                "category": datasets.Sequence(datasets.ClassLabel(names=["cat", "dog"])),
            },
        }
    )
    rows = [
        {
            "image": {"bytes": png(i), "path": None},
            "text": f"text {i}",
            "label": 1,
            "objects": {"bbox": [[0, 0, 2, 2]], "category": [1]},
        }
        for i in range(count)
    ]
    return datasets.Dataset.from_list(rows, features=features)


def test_a_data_set_saved_to_disk(tmp_path: Path) -> None:
    made().save_to_disk(tmp_path / "d")
    records, rejects, reader = read(tmp_path / "d")
    assert not rejects
    assert [texts(record) for record in records] == [["text 0"], ["text 1"], ["text 2"]]
    assert [(e.label, e.box) for e in records[0].evidence] == [("dog", Box(0, 0, 2, 2))]
    assert records[0].metadata == {"label": 1}
    assert [read_bytes(record.image) for record in records if record.image] == [png(0), png(1), png(2)]
    assert reader.count_hint() == 3
    assert "caption 'text', image 'image'" in reader.description


def test_several_splits_are_told_apart(tmp_path: Path) -> None:
    datasets.DatasetDict(train=made(2), test=made(2)).save_to_disk(tmp_path / "d")
    records, rejects, _ = read(tmp_path / "d")
    assert [record.key.split("/")[0] for record in records] == ["train", "train", "test", "test"]
    assert not rejects


def test_parquet_written_by_the_library(tmp_path: Path) -> None:
    made().to_parquet(tmp_path / "d.parquet")
    records, _, _ = read(tmp_path / "d.parquet")
    assert [e.label for e in records[0].evidence] == ["dog"]
    assert [read_bytes(record.image) for record in records if record.image] == [png(0), png(1), png(2)]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)


@pytest.mark.usefixtures("no_network")
def test_a_cached_data_set_is_read_without_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    name = tmp_path / "someone___pictures" / "default" / "0.0.0" / "0123456789abcdef"
    name.mkdir(parents=True)
    made().save_to_disk(tmp_path / "saved")
    source = tmp_path / "saved" / "data-00000-of-00001.arrow"
    with source.open("rb"):
        (name / "pictures-train.arrow").write_bytes(source.read_bytes())
    info = made().info
    info.builder_name, info.dataset_name, info.config_name = "parquet", "pictures", "default"
    info.version = datasets.Version("0.0.0")
    info.splits = datasets.SplitDict.from_split_dict(
        [{"name": "train", "num_examples": 3, "dataset_name": "pictures"}]
    )
    info.write_to_directory(str(name))
    records, _, _ = read("hf:someone/pictures")
    assert [texts(record) for record in records] == [["text 0"], ["text 1"], ["text 2"]]
    assert len(read("hf:someone/pictures:train")[0]) == 3


@pytest.mark.usefixtures("no_network")
def test_what_is_not_cached_is_a_user_error() -> None:
    with pytest.raises(UserError, match="without the network"):
        read("hf:nobody/nothing")
    assert datasets.config.HF_HUB_OFFLINE is False


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"recaption\[hf-data\]"):
        read("hf:someone/pictures")
