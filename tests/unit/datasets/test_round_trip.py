"""Every format in, every format out, and in again: the same keys, texts, images and columns.

Sidecars have room for a text and nothing else, so they give back keys, texts and images.
"""

import io
import json
import tarfile
import warnings
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recaption.core.digests import digest_bytes
from recaption.core.types import Record
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.schema import CAPTIONS, table_bytes, to_row
from recaption.datasets.writers import export
from recaption.datasets.writers.content import chosen_text
from recaption.media.images import read_bytes
from tests.unit.datasets.samples import BALL, TREE, composed, picture

TEXTS = {"7": "A red ball on grass.", "12": "Straße & 日本 😀, “quoted”", "31": "IMG_2041.JPG"}
KINDS = {"7": ("PNG", "png"), "12": ("JPEG", "jpg"), "31": ("WEBP", "webp")}
IMAGES = {key: picture(i, KINDS[key][0]) for i, key in enumerate(TEXTS)}
FILES = {key: f"{key}.{KINDS[key][1]}" for key in TEXTS}
COLUMNS = {key: {"license": int(key), "author": f"é {key}", "score": int(key) / 4} for key in TEXTS}


def folder(place):
    place.mkdir()
    for key in TEXTS:
        (place / FILES[key]).write_bytes(IMAGES[key])
        (place / f"{key}.txt").write_text(TEXTS[key], encoding="utf-8")
    return place


def imagefolder(place):
    place.mkdir()
    rows = [{"file_name": FILES[key], "text": TEXTS[key], **COLUMNS[key]} for key in TEXTS]
    for key in TEXTS:
        (place / FILES[key]).write_bytes(IMAGES[key])
    (place / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return place


def jsonl(place):
    place.mkdir()
    rows = [{"key": key, "image_path": FILES[key], "caption": TEXTS[key], **COLUMNS[key]} for key in TEXTS]
    for key in TEXTS:
        (place / FILES[key]).write_bytes(IMAGES[key])
    (place / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return place / "rows.jsonl"


def parquet_with_bytes(place):
    rows = [
        {"key": k, "image": {"bytes": IMAGES[k], "path": None}, "text": TEXTS[k], **COLUMNS[k]} for k in TEXTS
    ]
    path = place.with_suffix(".parquet")
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def webdataset(place):
    path = place.with_suffix(".tar")
    with tarfile.open(path, "w") as tar:
        for key in TEXTS:
            facts = json.dumps(COLUMNS[key]).encode()
            for name, data in (
                (FILES[key], IMAGES[key]),
                (f"{key}.txt", TEXTS[key].encode()),
                (f"{key}.json", facts),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return path


def coco(place):
    (place / "images").mkdir(parents=True)
    for key in TEXTS:
        (place / "images" / FILES[key]).write_bytes(IMAGES[key])
    entries = [{"id": int(k), "file_name": FILES[k], "width": 6, "height": 4, **COLUMNS[k]} for k in TEXTS]
    notes = [{"id": i, "image_id": int(key), "caption": TEXTS[key]} for i, key in enumerate(TEXTS)]
    (place / "captions.json").write_text(
        json.dumps({"images": entries, "annotations": notes}), encoding="utf-8"
    )
    return place / "captions.json"


def huggingface(place):
    rows = [
        {"key": k, "image": {"bytes": IMAGES[k], "path": None}, "text": TEXTS[k], **COLUMNS[k]} for k in TEXTS
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library that is not ours
        datasets = pytest.importorskip("datasets")
        datasets.Dataset.from_list(rows).save_to_disk(str(place))
    return place


def captions_table(place):
    path = place.with_suffix(".parquet")
    given = read(parquet_with_bytes(place.with_name("given")))
    path.write_bytes(table_bytes(map(to_row, given), CAPTIONS))
    return path


SOURCES = [folder, imagefolder, jsonl, parquet_with_bytes, webdataset, coco, huggingface, captions_table]
WRITERS: dict[str, tuple[str, dict[str, object], str]] = {
    "parquet": ("parquet", {}, "out.parquet"),
    "parquet with images": ("parquet", {"images": "embed"}, "out.parquet"),
    "jsonl": ("jsonl", {"images": "embed"}, "out.jsonl"),
    "sidecar": ("sidecar", {"images": True}, "out"),
    "webdataset": ("webdataset", {}, "out"),
    "imagefolder": ("imagefolder", {}, "out"),
    "imagefolder with parquet": ("imagefolder", {"metadata": "parquet"}, "out"),
    "coco": ("coco", {"instances": True}, "out"),
}


def read(path) -> list[Record]:
    items = list(open_dataset(str(path), options=ReaderOptions()).records())
    records = [item for item in items if isinstance(item, Record)]
    assert len(records) == len(items), [item for item in items if not isinstance(item, Record)]
    return records


def key_of(record):
    """The key it had: formats with keys of their own keep it as a column."""
    return str(record.metadata.get("key", record.key))


def seen(record):
    assert record.image is not None
    return key_of(record), chosen_text(record), digest_bytes(read_bytes(record.image))


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("make", SOURCES)
def test_what_was_read_is_read_again(tmp_path, make, writer):
    format, params, name = WRITERS[writer]
    before = read(make(tmp_path / "source"))
    assert {key_of(r): r.original_text for r in before} == TEXTS
    counts = export(before, format, tmp_path / name, params)
    assert counts["written"] == len(before)
    after = {key_of(record): record for record in read(tmp_path / name)}
    for old in before:
        new = after[old.key]
        assert seen(new) == (old.key, TEXTS[old.key], digest_bytes(IMAGES[old.key]))
        assert new.original_text == old.original_text
        if format != "sidecar":
            assert {name: new.metadata.get(name) for name in old.metadata} == dict(old.metadata)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_new_caption_stands_and_the_original_is_still_there(tmp_path, writer):
    format, params, name = WRITERS[writer]
    before = []
    for record in read(parquet_with_bytes(tmp_path / "source")):
        better = composed(f"Better {record.key}.", *record.captions)
        before.append(replace(record, captions=(*record.captions, better), chosen=better.id))
    export(before, format, tmp_path / name, params)
    for record in read(tmp_path / name):
        key = key_of(record)
        said = [caption.text for caption in record.captions]
        if format == "coco":  # both are captions of the image; which was chosen is not said
            assert said == [TEXTS[key], f"Better {key}."]
            continue
        assert chosen_text(record) == f"Better {key}."
        if format != "sidecar":
            assert TEXTS[key] in [*said, record.metadata.get("original_caption")]


LOSSLESS: dict[str, tuple[str, dict[str, object], str]] = {
    "parquet": ("parquet", {}, "out.parquet"),
    "jsonl": ("jsonl", {"images": "embed"}, "out.jsonl"),
    "webdataset": ("webdataset", {}, "out"),
    "imagefolder": ("imagefolder", {"all_captions": True}, "out"),
}


@pytest.mark.parametrize("writer", LOSSLESS)
def test_every_caption_comes_back_with_all_that_is_known_of_it(tmp_path, writer):
    format, params, name = LOSSLESS[writer]
    before = {}
    for record in read(parquet_with_bytes(tmp_path / "source")):
        worse = replace(composed("Worse."), kept=False)
        better = composed(f"Better {record.key}.", *record.captions)
        captions = (*record.captions, worse, better)
        before[record.key] = replace(record, captions=captions, chosen=better.id, evidence=(BALL, TREE))
    export(before.values(), format, tmp_path / name, params)
    after = {key_of(record): record for record in read(tmp_path / name)}
    for key, old in before.items():
        new = after[key]
        assert (new.captions, new.chosen) == (old.captions, old.chosen)
        if format != "imagefolder":
            assert new.evidence == old.evidence


@pytest.mark.parametrize("make", SOURCES)
def test_parquet_gives_back_equal_records(tmp_path, make):
    before = read(make(tmp_path / "source"))
    export(before, "parquet", tmp_path / "out.parquet")
    assert read(tmp_path / "out.parquet") == before


def test_boxes_and_all_captions_survive_coco(tmp_path, shared_data):
    before = read(shared_data / "photos" / "coco" / "captions.json")
    counts = export(before, "coco", tmp_path / "out", {"instances": True, "all_captions": True})
    after = read(tmp_path / "out" / "captions.json")
    assert counts["written"] == len(before) == len(after) == 80
    for old, new in zip(before, after, strict=True):
        assert (new.key, new.size, new.evidence) == (old.key, old.size, old.evidence)
        assert [c.text for c in new.captions] == [c.text for c in old.captions]
        assert {name: new.metadata[name] for name in old.metadata} == dict(old.metadata)


def test_hostile_keys_and_texts_go_through_every_format(tmp_path):
    keys = ["a/b.c", "..", "test_1", "日本 語", "x" * 300, "A.B.C", "a~0123456789abcdef", "?*|<>", "-", "12"]
    (record, *_) = read(parquet_with_bytes(tmp_path / "source"))
    before = [replace(record, key=key) for key in keys]
    for writer, (format, params, name) in WRITERS.items():
        if format == "sidecar":
            continue  # the only one that keeps the key as a file name and nowhere else
        place = tmp_path / writer / name
        place.parent.mkdir()
        assert export(before, format, place, params)["written"] == len(keys)
        assert sorted(map(key_of, read(place))) == sorted(keys)
