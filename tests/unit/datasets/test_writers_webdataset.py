"""WebDataset tars: plain, adjacent, the same bytes every time."""

import json
import string
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.errors import RunFolderError
from recaption.core.types import Image, Record
from recaption.datasets.writers import export
from recaption.datasets.writers.names import MAX_STEM, stem
from tests.unit.datasets.samples import BALL, on_disk, picture, record, source, without_image


def members(path):
    with tarfile.open(path) as tar:
        files = [(m.name, tar.extractfile(m)) for m in tar]
        return [(name, file.read()) for name, file in files if file is not None]


def test_members_of_a_sample_are_neighbours_and_images_are_unchanged(tmp_path):
    jpeg = on_disk(tmp_path, "photo.png", 3, "JPEG")  # the name lies, the bytes do not
    records = [record("b", image=jpeg, better="A\nball."), record("a", image=Image(data=picture(1, "WEBP")))]
    assert export(records, "webdataset", tmp_path / "out") == {"written": 2, "shards": 1}
    found = members(tmp_path / "out" / "00000.tar")
    assert [name for name, _ in found] == ["b.jpg", "b.txt", "b.json", "a.webp", "a.txt", "a.json"]
    assert found[0][1] == picture(3, "JPEG")
    assert found[1][1] == b"A ball."
    assert json.loads(found[2][1])["caption"] == "A\nball."


def test_the_json_holds_all_that_is_known(tmp_path):
    one = record(
        "a/b.c", text="IMG_1", size=(6, 4), evidence=(BALL,), metadata={"url": "u", "caption": "c", "key": 7}
    )
    export([one], "webdataset", tmp_path / "out")
    (row,) = [
        json.loads(data) for name, data in members(tmp_path / "out" / "00000.tar") if name.endswith(".json")
    ]
    assert (row["key"], row["caption"], row["original_caption"]) == ("a/b.c", "A red ball.", "IMG_1")
    assert [c["text"] for c in row["captions"]] == ["IMG_1", "A red ball."]
    assert row["captions"][1]["provenance"]["details"] == {"template": 3}
    assert (row["width"], row["height"], row["url"], row["caption_"], row["key_"]) == (6, 4, "u", "c", 7)
    assert row["evidence"][0]["label"] == "ball"


def test_shards_are_cut_and_numbered(tmp_path):
    records = [record(f"k{i}") for i in range(5)]
    counts = export(records, "webdataset", tmp_path / "out", {"samples_per_shard": 2})
    assert counts == {"written": 5, "shards": 3}
    names = [[name for name, _ in members(path)] for path in sorted((tmp_path / "out").iterdir())]
    assert [len(shard) for shard in names] == [6, 6, 3]
    assert names[2] == ["k4.png", "k4.txt", "k4.json"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["00000.tar", "00001.tar", "00002.tar"]


def test_the_same_records_give_the_same_bytes_and_nothing_of_this_machine(tmp_path):
    for name in ("one", "two"):
        export([record("a"), record("b")], "webdataset", tmp_path / name)
    first = (tmp_path / "one" / "00000.tar").read_bytes()
    assert first == (tmp_path / "two" / "00000.tar").read_bytes()
    with tarfile.open(tmp_path / "one" / "00000.tar") as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode, m.type) for m in tar} == {
            (0, 0, 0, "", "", 0o644, tarfile.REGTYPE)
        }


@given(st.text(st.characters(exclude_categories=[]), max_size=150))
def test_stems_fit_a_plain_tar_header(key):
    name = stem(key)
    assert set(name) <= set(string.ascii_letters + string.digits + "_-~")
    assert 0 < len(name) <= MAX_STEM
    assert name == key or "~" in name


keys = st.text(st.sampled_from("ab~-_./\0é\ud800"), max_size=6)


@given(st.sets(keys | keys.map(stem), max_size=20))
def test_different_keys_get_different_stems(some):
    assert len({stem(key) for key in some}) == len(some)


def test_long_keys_stay_in_a_plain_header(tmp_path):
    export([record("x/" * 300)], "webdataset", tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "00000.tar") as tar:
        first = tar.next()
        assert first is not None
        assert first.offset == 0
        assert first.offset_data == 512  # no long-name or pax header before it
        assert len(first.name) <= 100


def test_what_is_left_out_is_counted(tmp_path):
    records = [
        without_image(record("no image")),
        record("page", image=Image(data=b"<html></html>")),
        record("gone", image=Image(path=str(tmp_path / "gone.png"))),
        Record(key="silent", image=Image(data=picture())),
        record("address", image=Image(url="https://example.org/a.png")),
        record("good"),
        record("good"),
    ]
    counts = export(records, "webdataset", tmp_path / "out")
    assert counts == {
        "written": 1,
        "shards": 1,
        "no_image": 1,
        "unreadable_image": 3,
        "no_text": 1,
        "duplicate_key": 1,
    }
    assert sum(counts.values()) - counts["shards"] == len(records)


def test_a_folder_that_is_there_is_not_touched(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(RunFolderError, match="already there"):
        export([record()], "webdataset", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine"]


def test_the_original_stands_where_nothing_was_chosen(tmp_path):
    export(
        [Record(key="k", image=Image(data=picture()), captions=(source("old"),))], "webdataset", tmp_path / "o"
    )
    assert members(tmp_path / "o" / "00000.tar")[1] == ("k.txt", b"old")
