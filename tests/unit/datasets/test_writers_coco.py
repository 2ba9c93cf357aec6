"""COCO captions and instances."""

import json
from dataclasses import replace

import pytest

from recaption.core.types import Box, Image, Record
from recaption.datasets.writers import export
from tests.unit.datasets.samples import BALL, TREE, composed, on_disk, picture, record, source, without_image


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_folder_holds_captions_and_images(tmp_path):
    one = record("7", text="IMG_1", image=Image(data=picture(2)), metadata={"license": 3, "id": 9})
    counts = export([one], "coco", tmp_path / "out")
    assert counts == {"written": 1, "annotations": 1}
    data = read(tmp_path / "out" / "captions.json")
    assert data["images"] == [
        {
            "id": 7,
            "file_name": "7.png",
            "width": 6,
            "height": 4,
            "key": "7",
            "original_captions": ["IMG_1"],
            "license": 3,
            "id_": 9,
        }
    ]
    assert data["annotations"] == [
        {"id": 1, "image_id": 7, "caption": "A red ball.", "original_caption": "IMG_1"}
    ]
    assert (tmp_path / "out" / "images" / "7.png").read_bytes() == picture(2)
    assert not (tmp_path / "out" / "instances.json").exists()


def test_every_kept_caption_can_be_an_annotation(tmp_path):
    first, second = source("one", "human"), source("two", "human")
    best, bad = composed("Best."), composed("Bad.")
    captions = (first, second, replace(bad, kept=False), best)
    one = Record(key="k", image=Image(data=picture()), captions=captions, chosen=best.id)
    export([one], "coco", tmp_path / "out", {"all_captions": True})
    data = read(tmp_path / "out" / "captions.json")
    assert [a["caption"] for a in data["annotations"]] == ["Best.", "one", "two"]
    assert data["images"][0]["original_captions"] == ["one", "two"]


@pytest.mark.parametrize(
    ("keys", "ids"),
    [
        (["139", "42", "x", "y"], [139, 42, 10**12 + 1, 10**12 + 2]),
        (["x", "139", "y"], [1, 2, 3]),
        (["007", "7"], [1, 2]),
        (["5", "005", "9" * 30], [5, 10**12 + 1, 10**12 + 2]),
        (["٣", "3"], [1, 2]),
    ],
)
def test_ids_are_numbers_and_never_meet(tmp_path, keys, ids):
    export([record(key) for key in keys], "coco", tmp_path / "out")
    data = read(tmp_path / "out" / "captions.json")
    assert [image["id"] for image in data["images"]] == ids
    assert [a["image_id"] for a in data["annotations"]] == ids


def test_boxes_become_instances(tmp_path):
    boxless = replace(BALL, label="fog", box=None)
    records = [record("1", evidence=(BALL, TREE, boxless)), record("2", evidence=(TREE,))]
    counts = export(records, "coco", tmp_path / "out", {"instances": True})
    assert counts == {"written": 2, "annotations": 2, "instances": 3}
    data = read(tmp_path / "out" / "instances.json")
    assert data["categories"] == [{"id": 1, "name": "ball"}, {"id": 2, "name": "tree"}]
    assert [(a["id"], a["image_id"], a["category_id"], a["iscrowd"]) for a in data["annotations"]] == [
        (1, 1, 1, 0),
        (2, 1, 2, 1),
        (3, 2, 2, 1),
    ]
    assert (data["annotations"][0]["bbox"], data["annotations"][0]["area"]) == ([1, 1, 2, 3], 6)
    assert [image["file_name"] for image in data["images"]] == ["1.png", "2.png"]


def test_a_file_alone_names_the_images_where_they_are(tmp_path):
    records = [
        record("a", image=on_disk(tmp_path, "images/a/1.png")),
        record("b", image=on_disk(tmp_path / "far", "1.png")),
        record("c", image=on_disk(tmp_path / "farther", "1.png")),
        record("d/e", image=Image(path="/x.tar", offset=0, length=1)),
        without_image(record("f")),
    ]
    target = tmp_path / "images" / "captions_new.json"
    counts = export(records, "coco", target, {"instances": True})
    assert counts == {"written": 5, "annotations": 5, "instances": 0}
    names = [image["file_name"] for image in read(target)["images"]]
    assert names == ["a/1.png", "1.png", records[2].image.path, "d/e", "f"]
    assert "categories" in read(target.with_name("instances_new.json"))


def test_what_is_left_out_is_counted(tmp_path):
    records = [
        without_image(record("a")),
        record("b", image=Image(data=b"nothing")),
        Record(key="c", image=Image(data=picture())),
        record("d"),
        record("d"),
    ]
    counts = export(records, "coco", tmp_path / "out")
    assert counts == {
        "written": 1,
        "annotations": 1,
        "no_image": 1,
        "unreadable_image": 1,
        "no_text": 1,
        "duplicate_key": 1,
    }


def test_hostile_values_are_still_json(tmp_path):
    strange = replace(BALL, label="\ud800", box=Box(0, 0, 1e300, 1e300))
    one = record("k", text="\ud800", better='"\\\n\0', evidence=(strange,), metadata={"nan": float("nan")})
    export([one], "coco", tmp_path / "out", {"instances": True})
    data = read(tmp_path / "out" / "captions.json")
    assert data["annotations"][0]["caption"] == '"\\\n\0'
    assert data["images"][0]["nan"] == "nan"
    boxes = read(tmp_path / "out" / "instances.json")
    assert boxes["annotations"][0]["area"] == "inf"


def test_no_records_are_a_document_too(tmp_path):
    export([], "coco", tmp_path / "captions.json")
    assert read(tmp_path / "captions.json")["images"] == []
