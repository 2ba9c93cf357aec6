"""Folders of images, with what lies beside them."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recaption.core.errors import UserError
from recaption.media.images import read_bytes
from tests.unit.datasets.reader_samples import png, read, texts


def fill(folder: Path, *names: str) -> Path:
    """Write a picture under each name."""
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(i))
    return folder


def test_images_come_in_a_stable_order_with_their_texts(tmp_path: Path) -> None:
    fill(tmp_path, "b.jpg", "a.png", "sub/c.webp", "sub/deep/d.PNG", "Z.png")
    (tmp_path / "a.txt").write_text("first\n")
    (tmp_path / "a.caption").write_text("second")
    (tmp_path / "sub" / "c.txt").write_bytes(b"\xef\xbb\xbfcaf\xe9\r\n")
    (tmp_path / "b.jpg.txt").write_text("named after the whole file")
    (tmp_path / "Z.txt").write_text("  \n")
    records, rejects, reader = read(tmp_path)
    assert not rejects
    assert [record.key for record in records] == ["Z", "a", "b", "sub/c", "sub/deep/d"]
    assert [texts(record) for record in records] == [
        [],
        ["first", "second"],
        ["named after the whole file"],
        ["caf\ufffd"],
        [],
    ]
    assert records[3].captions[0].flags.keys() == {"bad_encoding"}
    assert all(record.image is not None and read_bytes(record.image)[:4] == b"\x89PNG" for record in records)
    assert "5 images, 5 text sidecars" in reader.description
    assert reader.count_hint() == 5
    assert len(read(tmp_path, recursive=False)[0]) == 3
    assert texts(read(tmp_path, sidecar_extension=".caption")[0][1]) == ["second"]


def test_keys_stay_unique_where_names_differ_in_their_extension_only(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "a.jpg", "a.jpg.png", "b.png", "c/a.png", "noext.webp")
    records, _, _ = read(tmp_path)
    keys = [record.key for record in records]
    assert len(set(keys)) == 6
    assert {"a.jpg", "a.png", "a.jpg.png", "b", "c/a", "noext"} == set(keys)


def test_every_file_is_read_or_counted(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "no_extension", "strange.xyz", ".hidden.png")
    for name in ("x.md", "y.md", "z.py", "LICENSE", "orphan.txt", "report.pdf", "BMW list.text", "other.json"):
        (tmp_path / name).write_text("BM some words")
    (tmp_path / "page.htm").write_text("<html>")
    outside = fill(tmp_path.parent / (tmp_path.name + "-outside"), "secret.png", "folder/x.png")
    (tmp_path / "leads_out.png").symlink_to(outside / "secret.png")
    (tmp_path / "leads_out").symlink_to(outside / "folder")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "inside.png").symlink_to(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    records, rejects, reader = read(tmp_path)
    assert not rejects
    assert [record.key for record in records] == ["a", "inside", "no_extension", "strange"]
    assert reader.notes == [
        "text files without an image: 1 (1 .txt)",
        "files ignored: 8 (2 .md, 1 .htm, 1 .json, 1 .pdf, 1 .py, 1 .text, 1 without extension)",
        "hidden files and folders ignored: 1",
        "links ignored, they lead out of the folder or to folders: 4",
        "special files ignored: 1",
    ]


def test_names_that_are_no_text_give_keys_that_are(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / name).write_bytes(png())
    (tmp_path / "line\nbreak.png").write_bytes(png(1))
    records, _, _ = read(tmp_path)
    assert len({record.key for record in records}) == 2
    for record in records:
        record.key.encode()
        assert "\n" not in record.key
        assert record.image is not None
        assert read_bytes(record.image)[:4] == b"\x89PNG"


def test_json_beside_an_image_adds_facts(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png", "c.png", "d.png")
    facts = {"caption": "from json", "tags": ["dog"], "width": 4, "sha256": "x"}
    for name in "ab":
        (tmp_path / f"{name}.json").write_text(json.dumps(facts))
    (tmp_path / "a.txt").write_text("from text")
    (tmp_path / "c.json").write_text("{")
    (tmp_path / "d.json").write_text("[" * 100_000)
    (a, b), rejects, _ = read(tmp_path)
    assert (texts(a), texts(b)) == (["from text"], ["from json"])
    assert a.metadata == {"caption": "from json", "width": 4, "sha256": "x"}
    assert [e.label for e in a.evidence] == ["dog"]
    assert [reject.key for reject in rejects] == ["c", "d"]


def test_sidecars_over_the_limit_reject_their_image_alone(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png")
    (tmp_path / "a.txt").write_text("x" * 1_100_000)
    records, rejects, _ = read(tmp_path)
    assert [record.key for record in records] == ["b"]
    assert "limit" in rejects[0].reason


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "metadata.parquet"])
def test_hugging_face_metadata_counts_from_its_own_folder(tmp_path: Path, name: str) -> None:
    fill(tmp_path, "train/a.png", "train/sub/b.png", "train/sub/c.png", "test/d.png")
    rows = [
        {"file_name": "a.png", "text": "A", "extra": "1"},
        {"file_name": "sub/b.png", "text": "B", "extra": "2"},
        {"file_name": "gone.png", "text": "G", "extra": "3"},
    ]
    path = tmp_path / "train" / name
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif name.endswith("csv"):
        path.write_text("file_name,text,extra\n" + "".join(",".join(row.values()) + "\n" for row in rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    records, rejects, reader = read(tmp_path)
    assert {record.key: texts(record) for record in records} == {
        "test/d": [],
        "train/a": ["A"],
        "train/sub/b": ["B"],
        "train/sub/c": [],
    }
    assert records[1].metadata == {"extra": "1"}
    assert [reject.key for reject in rejects] == ["gone.png"]
    assert f"train/{name}" in reader.description
    assert f"images without a row in {name}: 1" in reader.notes


def test_metadata_that_hugging_face_would_ignore_is_warned_of(tmp_path: Path) -> None:
    fill(tmp_path, "train/a.png")
    (tmp_path / "Metadata.jsonl").write_text('{"file_name": "train/a.png", "text": "x"}\n')
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "metadata.csv").write_text("file_name,text\na.png,x\n")
    records, rejects, reader = read(tmp_path)
    assert len(records) == 1
    assert [reject.key for reject in rejects] == ["a.png"]
    assert "Metadata.jsonl is ignored" in reader.description
    assert "docs has no images" in reader.description


def table(path: Path, *rows: str) -> Path:
    path.write_text("name,title,extra\n" + "".join(row + "\n" for row in rows))
    return path


def test_a_table_is_joined_by_path_name_or_stem(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.jpg", "sub/c.png", "sub/d.png", "e.png")
    rows = ["a,A,1", "b.jpg,B,2", "sub/c,C,3", "./sub/d.png,D,4", "nobody,N,5", ",empty,6", "a,A2,7"]
    path = table(tmp_path / "t.csv", *rows)
    records, rejects, reader = read(tmp_path, table=path, key_column="name", caption_column="title")
    assert {record.key: texts(record) for record in records} == {
        "a": ["A", "A2"],
        "b": ["B"],
        "e": [],
        "sub/c": ["C"],
        "sub/d": ["D"],
    }
    assert records[0].metadata == {"extra": "1"}
    assert records[0].captions[1].provenance.details["columns"] == {"extra": "7"}
    assert sorted(reject.key for reject in rejects) == ["nobody", "t.csv line 7"]
    assert "images without a row in t.csv: 1" in reader.notes
    assert not any("files ignored" in note for note in reader.notes)
    assert "joined with t.csv (key 'name' (asked), caption 'title' (asked))" in reader.description


def test_names_that_several_folders_share_match_by_path_only(tmp_path: Path) -> None:
    fill(tmp_path, "x/a.png", "y/a.png", "y/b.png")
    path = table(tmp_path / "t.csv", "a,wrong,1", "y/a,right,2", "b,fine,3")
    records, rejects, reader = read(tmp_path, table=path, key_column="name", caption_column="title")
    assert {record.key: texts(record) for record in records} == {"x/a": [], "y/a": ["right"], "y/b": ["fine"]}
    assert [reject.key for reject in rejects] == ["a"]
    assert any("full path only" in note for note in reader.notes)


def test_composed_and_decomposed_names_are_the_same(tmp_path: Path) -> None:
    fill(tmp_path, "cafe\u0301.png")
    path = table(tmp_path / "t.csv", "caf\u00e9,found,1")
    (record,), rejects, _ = read(tmp_path, table=path, key_column="name", caption_column="title")
    assert texts(record) == ["found"]
    assert not rejects


def test_bad_joins_are_user_errors(tmp_path: Path) -> None:
    fill(tmp_path, "a.png")
    path = table(tmp_path / "t.csv", "a,A,1")
    with pytest.raises(UserError, match="no column names the image"):
        read(tmp_path, table=path)
    with pytest.raises(UserError, match="Did you mean 'title'"):
        read(tmp_path, table=path, key_column="name", caption_column="titel")
    with pytest.raises(UserError, match="needs a table"):
        read(tmp_path, caption_column="title")
    with pytest.raises(UserError, match=r"cannot be read|is no table"):
        read(tmp_path, table=tmp_path / "gone.csv")


def test_failed_downloads_beside_img2dataset_folders_are_counted(tmp_path: Path) -> None:
    fill(tmp_path, "00000/000000000.jpg")
    (tmp_path / "00000" / "000000000.txt").write_text("fine")
    rows = [
        {"key": "000000000", "status": "success", "error_message": None, "caption": "fine"},
        {"key": "000000001", "status": "failed_to_resize", "error_message": "bad", "caption": "gone"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "00000.parquet")
    (tmp_path / "00000_stats.json").write_text("{}")
    records, rejects, _ = read(tmp_path)
    assert [record.key for record in records] == ["00000/000000000"]
    assert [(reject.key, reject.raw) for reject in rejects] == [("00000/000000001", "gone")]


def test_folders_nested_too_deep_are_rejected_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, "/".join(["d"] * 70) + "/a.png", "b.png")
    records, rejects, _ = read(tmp_path)
    assert [record.key for record in records] == ["b"]
    assert "deeper than 64" in rejects[0].reason


def test_a_folder_that_cannot_be_listed_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.png", "locked/b.png")
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    records, rejects, _ = read(tmp_path, format="folder")
    assert [record.key for record in records] == ["a"]
    assert (rejects[0].key, rejects[0].retryable) == ("locked", True)


def test_real_photos(shared_data: Path) -> None:
    folder = shared_data / "photos" / "conceptual"
    table_path = folder / "credits.csv"
    records, rejects, _ = read(folder, table=table_path, key_column="ImageID", caption_column="Title")
    assert (len(records), len(rejects)) == (18, 0)
    assert all(len(texts(record)) == 1 and record.metadata["Author"] for record in records)
    assert records[1].original_text == "Boston - 00201"


def test_hostile_images_are_all_accounted_for(shared_data: Path) -> None:
    folder = shared_data / "bad_inputs" / "images"
    records, rejects, reader = read(folder)
    everything = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    counted = sum(int(note.split(": ")[1].split(" ")[0]) for note in reader.notes if "hidden" not in note)
    assert len(records) + len(rejects) + counted == len(everything)
    assert len({record.key for record in records}) == len(records)
