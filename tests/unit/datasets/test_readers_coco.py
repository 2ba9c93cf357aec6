"""COCO captions with boxes."""

import json
from pathlib import Path
from typing import Any

import pytest

from recaption.core.errors import UserError
from recaption.core.types import Box
from recaption.media.images import read_bytes
from tests.unit.datasets.reader_samples import png, read, texts

IMAGES: list[dict[str, Any]] = [
    {"id": 7, "file_name": "7.png", "width": 640, "height": 480, "license": 3},
    {"id": 5, "file_name": "5.png", "coco_url": "http://example.org/5.png"},
]
CAPTIONS: list[dict[str, Any]] = [
    {"id": 1, "image_id": 5, "caption": "five"},
    {"id": 2, "image_id": 7, "caption": "seven"},
    {"id": 3, "image_id": 7, "caption": "sieben"},
    {"id": 4, "image_id": 7, "caption": "seven"},
    {"id": 5, "image_id": 99, "caption": "nobody"},
    {"id": 6, "image_id": 5},
]
BOXES: list[dict[str, Any]] = [
    {
        "id": 1,
        "image_id": 7,
        "category_id": 18,
        "bbox": [10.5, 20, 30, 40],
        "iscrowd": 0,
        "segmentation": [[1, 2]],
    },
    {"id": 2, "image_id": 7, "category_id": 18, "bbox": [0, 0, 0, 5]},
    {"id": 3, "image_id": 5, "category_id": 99, "bbox": [0, 0, 5, 5], "iscrowd": 1},
]


def write(
    folder: Path, captions: str = "captions.json", instances: str = "instances.json", images: str = "images"
) -> Path:
    """Write a small data set with these names."""
    (folder / captions).parent.mkdir(parents=True, exist_ok=True)
    (folder / images).mkdir(parents=True, exist_ok=True)
    for name in ("5.png", "7.png"):
        (folder / images / name).write_bytes(png())
    (folder / captions).write_text(json.dumps({"info": {}, "images": IMAGES, "annotations": CAPTIONS}))
    boxes = {"annotations": BOXES, "categories": [{"id": 18, "name": "dog"}]}
    (folder / instances).write_text(json.dumps(boxes))
    return folder


@pytest.mark.parametrize(
    ("captions", "instances", "images"),
    [
        ("captions.json", "instances.json", "images"),
        ("captions.json", "instances.json", "."),
        ("annotations/captions_val2017.json", "annotations/instances_val2017.json", "val2017"),
        ("annotations/captions_val2017.json", "annotations/instances_val2017.json", "images/val2017"),
    ],
)
def test_captions_boxes_and_images_find_each_other(
    tmp_path: Path, captions: str, instances: str, images: str
) -> None:
    write(tmp_path, captions, instances, images)
    for source in (tmp_path, tmp_path / captions):
        seven, five = read(source)[0]
        assert (seven.key, five.key) == ("7", "5")
        assert texts(seven) == ["seven", "sieben"]
        assert seven.captions[0].origin == "human"
        assert seven.captions[0].provenance.details["times"] == 2
        assert seven.size == (640, 480)
        assert five.size is None
        assert seven.metadata == {"license": 3}
        assert [(e.kind, e.label, e.box, e.source) for e in seven.evidence] == [
            ("object", "dog", Box(10.5, 20, 40.5, 60), "coco")
        ]
        assert seven.image is not None
        assert read_bytes(seven.image) == png()


def test_what_does_not_fit_is_rejected_or_counted(tmp_path: Path) -> None:
    _, rejects, reader = read(write(tmp_path))
    assert [reject.key for reject in rejects] == ["5", "7", "99"]
    assert "neither a caption nor" in rejects[0].reason
    assert "not among the images" in rejects[2].reason
    assert reader.notes == ["boxes without a category name, not used: 1"]
    assert "instances.json" in reader.description


def test_without_images_the_address_stays(tmp_path: Path) -> None:
    write(tmp_path)
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    seven, five = read(tmp_path)[0]
    assert seven.image is None
    assert five.image is not None
    assert five.image.url == "http://example.org/5.png"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "7.png").write_bytes(png(3))
    seven = read(tmp_path, image_root=tmp_path / "elsewhere")[0][0]
    assert seven.image is not None
    assert read_bytes(seven.image) == png(3)


def test_file_names_that_lead_out_are_rejected(tmp_path: Path) -> None:
    write(tmp_path)
    data = json.loads((tmp_path / "captions.json").read_text())
    data["images"].append({"id": 8, "file_name": "../../../etc/passwd"})
    data["images"].append({"id": 7, "file_name": "again.png"})
    (tmp_path / "captions.json").write_text(json.dumps(data))
    records, rejects, _ = read(tmp_path)
    assert [record.key for record in records] == ["7", "5"]
    assert {"7", "8"} <= {reject.key for reject in rejects}


def test_a_torn_file_gives_what_stood_before(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "captions.json"
    text = path.read_text()
    for cut in range(text.index("}") + 1, len(text) - 1, 23):
        path.write_text(text[:cut])
        try:
            records, rejects, _ = read(path, format="coco")
        except UserError:
            assert cut < text.index('"height"') + 50
            continue
        assert "damaged" in rejects[0].reason
        assert [record.key for record in records] == ["7", "5"][: len(records)]
        assert len(records) == text[:cut].count('"file_name"') or text[:cut].count("}") < 3


def test_several_captions_files_need_a_name(tmp_path: Path) -> None:
    write(tmp_path, "annotations/captions_a.json", "annotations/instances_a.json")
    write(tmp_path, "annotations/captions_b.json", "annotations/instances_b.json")
    with pytest.raises(UserError, match=r"captions_a\.json, captions_b\.json"):
        read(tmp_path)
    assert len(read(tmp_path / "annotations" / "captions_b.json")[0]) == 2


def test_real_coco(shared_data: Path) -> None:
    records, rejects, reader = read(shared_data / "photos" / "coco")
    assert (len(records), len(rejects)) == (80, 0)
    assert sum(len(record.captions) for record in records) == 400
    assert sum(len(record.evidence) for record in records) == 739
    assert len({e.label for record in records for e in record.evidence}) == 80
    assert all(record.image is not None and Path(record.image.path or "").is_file() for record in records)
    assert "instances.json" in reader.description
