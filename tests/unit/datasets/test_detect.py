"""What is made of an input."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recaption.core.errors import UnknownNameError, UserError
from recaption.datasets.detect import detect_format, open_dataset
from recaption.datasets.readers.options import ReaderOptions
from tests.unit.datasets.reader_samples import png, write_tar

PLAIN = ReaderOptions()
COCO = {"images": [{"id": 1}], "annotations": [{"image_id": 1, "caption": "x"}]}


def test_files_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    for name in ("t.jsonl", "t.ndjson", "t.csv", "t.tsv"):
        (tmp_path / name).write_text("id,text\n")
        assert detect_format(str(tmp_path / name), PLAIN) == "table"
    (tmp_path / "coco.json").write_text(json.dumps(COCO, indent=1))
    (tmp_path / "late.json").write_text(json.dumps({"info": {"x": ["y" * 1000] * 50}, **COCO}))
    (tmp_path / "rows.json").write_text('{"images": ["a.png"], "text": "x"}\n')
    (tmp_path / "list.json").write_text('["a", "b"]')
    (tmp_path / "bad.json").write_text('{"images": [')
    found = {
        name: detect_format(str(tmp_path / f"{name}.json"), PLAIN)
        for name in ("coco", "late", "rows", "list", "bad")
    }
    assert found == {"coco": "coco", "late": "coco", "rows": "table", "list": "table", "bad": "table"}
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "t.parquet")
    assert detect_format(str(tmp_path / "t.parquet"), PLAIN) == "table"
    assert detect_format(str(write_tar(tmp_path / "x.tar.gz", [])), PLAIN) == "webdataset"
    assert detect_format(f"{tmp_path}/{{0..3}}.tar", PLAIN) == "webdataset"
    assert detect_format("hf:someone/pictures:train", PLAIN) == "huggingface"


def test_folders_are_known_by_their_files(tmp_path: Path) -> None:
    def folder(name: str, **files: bytes) -> str:
        path = tmp_path / name
        for file, data in files.items():
            full = path / file.replace("__", "/").replace("_DOT_", ".")
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_bytes(data)
        return str(path)

    coco = json.dumps(COCO).encode()
    cases = {
        folder("images", sub__a_DOT_png=png(), metadata_DOT_jsonl=b"{}", x_DOT_tar=b""): "folder",
        folder("tars", a_DOT_tar=b"", a_DOT_parquet=b"", a_stats_DOT_json=b"{}"): "webdataset",
        folder("shards", a_DOT_jsonl=b"{}", notes_DOT_md=b""): "table",
        folder("coco", captions_DOT_json=coco, images__a_DOT_png=png()): "coco",
        folder("coco2", annotations__captions_val_DOT_json=coco, val__a_DOT_png=png()): "coco",
        folder("run", run_DOT_json=b"{}", captions__a_DOT_parquet=b""): "run",
        folder("hf", dataset_info_DOT_json=b"{}", state_DOT_json=b"{}"): "huggingface",
        folder("hf2", dataset_dict_DOT_json=b"{}"): "huggingface",
    }
    assert {path: detect_format(path, PLAIN) for path in cases} == cases


def test_a_table_makes_a_folder_of_images(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("name,text\n")
    assert detect_format(str(tmp_path), ReaderOptions(table=table)) == "folder"
    with pytest.raises(UserError, match="only be joined onto a folder"):
        detect_format(str(table), ReaderOptions(table=table))


def test_what_cannot_be_read_says_what_can(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        open_dataset(str(tmp_path / "gone"), options=PLAIN)
    with pytest.raises(UserError, match=r"it is empty.*WebDataset"):
        open_dataset(str(tmp_path), options=PLAIN)
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(UserError, match=r"1 \.md"):
        open_dataset(str(tmp_path), options=PLAIN)
    with pytest.raises(UserError, match="md is nothing to read"):
        open_dataset(str(tmp_path / "notes.md"), options=PLAIN)


def test_the_format_can_be_forced(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "t.jsonl").write_text('{"text": "x"}\n')
    assert "folder of" in open_dataset(str(tmp_path), options=PLAIN).description
    assert "JSON table" in open_dataset(str(tmp_path), options=ReaderOptions(format="table")).description
    with pytest.raises(UnknownNameError, match="Did you mean 'table'"):
        open_dataset(str(tmp_path), options=ReaderOptions(format="tabel"))
