"""Hugging Face's own library loads what we write."""

import json
import warnings

import pyarrow.parquet as pq
import pytest

from recaption.core.types import Image, Record
from recaption.datasets.writers import export
from tests.unit.datasets.samples import picture, record, without_image


def rows(folder):
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]


def loaded(folder, cache):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library that is not ours
        from datasets import load_dataset

        return load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(cache))


TRAPS = [
    "test_1",
    "a/test/2.jpg",
    "validation-3.png",
    "train",
    "metadata.jsonl",
    "eval.4",
    "../up",
    "日本/x",
    "a b",
]
"""The loader makes splits of files and folders with names like these."""


@pytest.mark.parametrize("metadata", ["jsonl", "parquet"])
def test_load_dataset_loads_it_whatever_the_keys(tmp_path, metadata):
    records = [
        record(
            key,
            text=f"alt {i}",
            better=f"Text {i}.",
            image=Image(data=picture(i)),
            metadata={"n": i, "file_name": "x"},
        )
        for i, key in enumerate(TRAPS)
    ]
    params = {"metadata": metadata}
    assert export(records, "imagefolder", tmp_path / "out", params) == {"written": len(TRAPS)}
    data = loaded(tmp_path / "out", tmp_path / "cache")
    assert list(data) == ["train"]
    assert len(data["train"]) == len(TRAPS)
    by_key = {row["key"]: row for row in data["train"]}
    for i, key in enumerate(TRAPS):
        row = by_key[key]
        assert (row["text"], row["original_caption"], row["n"]) == (f"Text {i}.", f"alt {i}", i)
        assert row["image"].size == (6, 4)
        assert row["image"].getpixel((0, 0))[0] == i * 40 % 256


def test_columns_that_differ_from_row_to_row_load_too(tmp_path):
    metadata = [
        {"mixed": 1, "number": 1, "list": [1], "sparse": "x", "big": 2**70, "flag": True},
        {"mixed": "one", "number": 1.5, "list": ["a"], "big": 1, "flag": None},
        {"mixed": None, "number": 2, "list": {"a": 1}, "image": "taken", "label": 3},
    ]
    records = [record(str(i), metadata=m) for i, m in enumerate(metadata)]
    export(records, "imagefolder", tmp_path / "out", {"all_captions": True})
    train = loaded(tmp_path / "out", tmp_path / "cache")["train"]
    assert train["mixed"][:] == ["1", '"one"', None]
    assert train["number"][:] == [1.0, 1.5, 2.0]
    assert train["list"][:] == ["[1]", '["a"]', '{"a":1}']
    assert train["sparse"][:] == ["x", None, None]
    assert train["big"][:] == [str(2**70), "1", None]
    assert train["flag"][:] == [True, None, None]
    assert train["image_"][:] == [None, None, "taken"]
    assert [c["text"] for c in json.loads(train["captions"][0])] == ["IMG_1", "A red ball."]


def test_names_are_those_of_the_keys_where_they_can_be(tmp_path):
    jpeg = Image(data=picture(1, "JPEG"))
    records = [
        record("a.jpg", image=jpeg),
        record("b.JPEG", image=jpeg),
        record("a", image=jpeg),
        record("c.png", image=jpeg),
        record("d"),
    ]
    export(records, "imagefolder", tmp_path / "out")
    names = [row["file_name"] for row in rows(tmp_path / "out" / "train")]
    assert (names[0], names[1], names[4]) == ("a.jpg", "b.JPEG", "d.png")
    assert names[2].startswith("a~")
    assert names[3].startswith("c-png~")
    assert len(set(names)) == 5
    for name, one in zip(names, records, strict=True):
        assert (tmp_path / "out" / "train" / name).read_bytes() == one.image.data


def test_surrogates_and_breaks_do_not_stop_the_loader(tmp_path):
    one = record(
        "\ud800", text="a\u2028b \udfff", better="c\nd\x00", metadata={"\ud800": "\udfff", "nan": float("nan")}
    )
    export([one], "imagefolder", tmp_path / "out")
    (row,) = loaded(tmp_path / "out", tmp_path / "cache")["train"]
    assert (row["original_caption"], row["text"]) == ("a\u2028b \ufffd", "c\nd\x00")
    assert (row["key"], row["\ufffd"], row["nan"]) == ("\ufffd", "\ufffd", "nan")


def test_parquet_columns_have_types_even_where_all_is_empty(tmp_path):
    export([record(metadata={"empty": None, "n": 1})], "imagefolder", tmp_path / "out", {"metadata": "parquet"})
    schema = pq.read_schema(tmp_path / "out" / "train" / "metadata.parquet")
    assert {name: str(schema.field(name).type) for name in ("empty", "n", "text")} == {
        "empty": "string",
        "n": "int64",
        "text": "string",
    }


def test_what_is_left_out_is_counted(tmp_path):
    records = [
        without_image(record("a")),
        record("b", image=Image(data=b"nothing")),
        Record(key="c", image=Image(data=picture())),
        record("d"),
        record("d"),
        record("d"),
    ]
    counts = export(records, "imagefolder", tmp_path / "out", {"split": "test"})
    assert counts == {"written": 1, "no_image": 1, "unreadable_image": 1, "no_text": 1, "duplicate_key": 2}
    assert sorted(p.name for p in (tmp_path / "out" / "test").iterdir()) == ["d.png", "metadata.jsonl"]
