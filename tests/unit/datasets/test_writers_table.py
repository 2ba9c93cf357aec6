"""Parquet keeps everything; JSONL is for everybody."""

import base64
import json

import pyarrow.parquet as pq
import pytest

from recaption.core.errors import RecipeError, RunFolderError, UnknownNameError
from recaption.core.types import Image, Record
from recaption.datasets.schema import from_row
from recaption.datasets.writers import export
from tests.unit.datasets.samples import BALL, on_disk, picture, record, source


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def test_parquet_gives_every_record_back(tmp_path):
    records = [record("a", evidence=(BALL,), metadata={"url": "u"}), record("b", better=None)]
    assert export(records, "parquet", tmp_path / "x.parquet") == {"written": 2}
    assert [from_row(row) for row in pq.read_table(tmp_path / "x.parquet").to_pylist()] == records


def test_a_folder_gets_a_named_file(tmp_path):
    export([record()], "parquet", tmp_path / "out")
    export([record()], "jsonl", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["captions.jsonl", "captions.parquet"]


def test_embedded_parquet_needs_no_other_file(tmp_path):
    image = on_disk(tmp_path, "a.png", 1)
    gone = Image(path=str(tmp_path / "gone.png"))
    counts = export(
        [record(image=image), record("b", image=gone)], "parquet", tmp_path / "x.parquet", {"images": "embed"}
    )
    assert counts == {"written": 2, "unreadable_image": 1}
    first, second = (from_row(row) for row in pq.read_table(tmp_path / "x.parquet").to_pylist())
    assert first.image == Image(data=picture(1), name="a.png")
    assert second.image == gone


@pytest.mark.parametrize("format", ["parquet", "jsonl", "coco"])
def test_nothing_is_written_over_unless_asked_for(tmp_path, format):
    target = tmp_path / f"x.{'json' if format == 'coco' else format}"
    target.write_text("mine")
    with pytest.raises(RunFolderError, match="already there"):
        export([record()], format, target)
    assert target.read_text() == "mine"
    export([record()], format, target, {"overwrite": True})
    assert target.read_bytes() != b"mine"


@pytest.mark.parametrize("format", ["parquet", "jsonl", "coco", "imagefolder", "webdataset"])
def test_a_failure_halfway_leaves_no_file_behind(tmp_path, format):
    def failing():
        yield record()
        raise KeyError("backend gone")

    suffix = {"coco": ".json", "imagefolder": "", "webdataset": ""}.get(format, f".{format}")
    with pytest.raises(KeyError):
        export(failing(), format, tmp_path / f"x{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_jsonl_says_what_was_chosen_and_keeps_the_rest(tmp_path):
    image = on_disk(tmp_path, "images/a.png")
    one = record(
        "k", image=image, size=(6, 4), evidence=(BALL,), metadata={"url": "u", "caption": "taken", "n": [1]}
    )
    assert export([one], "jsonl", tmp_path / "x.jsonl") == {"written": 1}
    (row,) = lines(tmp_path / "x.jsonl")
    assert list(row)[:4] == ["key", "image", "caption", "original_caption"]
    assert row["image"] == "images/a.png"
    assert (row["caption"], row["original_caption"], row["chosen"]) == ("A red ball.", "IMG_1", one.chosen)
    assert (row["width"], row["height"], row["url"], row["caption_"], row["n"]) == (6, 4, "u", "taken", [1])
    assert [c["text"] for c in row["captions"]] == ["IMG_1", "A red ball."]
    assert row["captions"][1]["scores"] == {"length": {"value": 4.0, "reason": None}}
    assert row["evidence"][0]["box"] == [1, 1, 3, 4]


def test_jsonl_names_images_as_well_as_it_can(tmp_path):
    elsewhere = on_disk(tmp_path / "elsewhere", "a.png")
    records = [
        record("far", image=elsewhere),
        record("address", image=Image(url="https://example.org/a.png")),
        record("member", image=Image(path="/x.tar", offset=512, length=9)),
        record("bytes", image=Image(data=picture())),
        Record(key="text", captions=(source("alone"),)),
    ]
    assert export(records, "jsonl", tmp_path / "out" / "x.jsonl") == {"written": 5, "unnamed_image": 1}
    far, address, member, data, text = (row["image"] for row in lines(tmp_path / "out" / "x.jsonl"))
    assert (far, address) == (elsewhere.path, "https://example.org/a.png")
    assert (member, text) == (None, None)
    assert base64.b64decode(data.removeprefix("data:image/png;base64,")) == picture()


@pytest.mark.parametrize("text", ["a\u2028b\u2029c\x85d", "line\nbreak\r\n", '"quoted" \\ \0', "日本語 😀"])
def test_jsonl_is_one_line_a_record_for_any_reader(tmp_path, text):
    export([record(text=text, better=text), record("b")], "jsonl", tmp_path / "x.jsonl")
    content = (tmp_path / "x.jsonl").read_text(encoding="utf-8")
    assert len(content.splitlines()) == 2
    assert json.loads(content.splitlines()[0])["caption"] == text


def test_hostile_values_do_not_stop_jsonl(tmp_path):
    one = record(text="\ud800x", better="\ud83d\ude00", metadata={"a": float("nan"), "\udfff": 10**5000})
    export([one], "jsonl", tmp_path / "x.jsonl")
    (row,) = lines(tmp_path / "x.jsonl")
    assert (row["original_caption"], row["caption"], row["a"]) == ("\ufffdx", "😀", "nan")
    assert row["\ufffd"] == "an integer of 16610 bits"


def test_the_first_kept_text_stands_where_nothing_was_chosen(tmp_path):
    one = record(better="Kept.")
    export([Record(key="k", captions=one.captions)], "jsonl", tmp_path / "x.jsonl")
    assert lines(tmp_path / "x.jsonl")[0]["caption"] == "IMG_1"


def test_unknown_formats_and_parameters_are_named(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'parquet'"):
        export([], "parqet", tmp_path)
    with pytest.raises(RecipeError, match=r"export to jsonl\.imags: unknown key\. Did you mean 'images'"):
        export([], "jsonl", tmp_path, {"imags": "embed"})
