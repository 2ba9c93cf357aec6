"""Tables of any format."""

import base64
import contextlib
import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recaption.core.errors import UserError
from recaption.core.types import Box
from recaption.datasets.readers.csv_stream import csv_rows
from recaption.datasets.readers.rows import BadRow, Row
from recaption.datasets.readers.source_text import safe_key
from recaption.media.images import read_bytes
from tests.unit.datasets.reader_samples import png, read, texts

ROWS: list[dict[str, Any]] = [
    {"id": "a", "image_path": "images/a.png", "caption": "a dog", "tags": "dog, grass", "price": 3},
    {"id": "b", "image_path": "images/b.png", "caption": "", "tags": None, "price": None},
    {
        "id": "c",
        "image_path": "https://example.org/c.png",
        "caption": "三只猫 \U0001f600",
        "tags": "cat",
        "price": 4,
    },
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows in the format that a name says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("name", ["t.jsonl", "t.json", "t.csv", "t.tsv", "t.parquet"])
def test_every_format_gives_the_same_records(tmp_path: Path, name: str) -> None:
    records, rejects, reader = read(write(tmp_path / name, ROWS))
    assert not rejects
    assert [record.key for record in records] == ["a", "b", "c"]
    assert [texts(record) for record in records] == [["a dog"], [], ["三只猫 \U0001f600"]]
    first, _, last = records
    assert first.image is not None
    assert last.image is not None
    assert first.image.path == str(tmp_path / "images/a.png")
    assert (last.image.path, last.image.url) == (None, "https://example.org/c.png")
    assert [(e.kind, e.label, e.source) for e in first.evidence] == [
        ("tag", "dog", "column:tags"),
        ("tag", "grass", "column:tags"),
    ]
    assert str(first.metadata["price"]) == "3"
    assert first.captions[0].origin == "alt"
    assert first.captions[0].provenance.stage == "source"
    for word in ("'id'", "'caption'", "'image_path'"):
        assert word in reader.description


def test_columns_asked_for_are_used_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [{"n": "1", "caption": "x", "words": "y"}])
    records, _, reader = read(path, key_column="n", caption_column="words")
    assert (records[0].key, texts(records[0])) == ("1", ["y"])
    assert records[0].metadata == {"caption": "x"}
    assert "caption 'words' (asked)" in reader.description


def test_a_column_that_is_not_there_is_an_error_with_a_suggestion(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ROWS)
    with pytest.raises(UserError, match=r"captoin.*Did you mean 'caption'"):
        read(path, caption_column="captoin")
    with pytest.raises(UserError, match=r"no caption column and no image column among: n\."):
        read(write(tmp_path / "u.csv", [{"n": "1"}]))


def test_images_in_parquet_cells_are_places_not_bytes(tmp_path: Path) -> None:
    rows = [{"id": str(i), "image": {"bytes": png(i), "path": f"{i}.png"}, "text": f"t{i}"} for i in range(700)]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=300)
    records, _, reader = read(path)
    assert reader.count_hint() == 700
    for i in (0, 299, 300, 699):
        image = records[i].image
        assert image is not None
        assert image.data is None
        assert read_bytes(image) == png(i)


@pytest.mark.parametrize("as_list", [False, True])
def test_without_a_key_column_content_is_the_key(tmp_path: Path, as_list: bool) -> None:
    rows = [{"image_bytes": [png(i)] if as_list else png(i), "text": "same"} for i in range(5)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    records, _, _ = read(tmp_path / "t.parquet")
    (tmp_path / "shards").mkdir()
    for i, row in enumerate(reversed(rows)):
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / "shards" / f"{i}.parquet")
    other, rejects, _ = read(tmp_path / "shards")
    assert not rejects
    assert len({record.key for record in records}) == 5
    assert {record.key for record in records} == {record.key for record in other}
    assert all(record.image is not None and read_bytes(record.image) for record in records + other)


def test_cells_without_bytes_fall_back_to_the_path_or_nothing(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "image": {"bytes": png(), "path": None}, "text": "x"},
        {"id": "b", "image": {"bytes": None, "path": "b.png"}, "text": "y"},
        {"id": "c", "image": None, "text": "z"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    a, b, c = read(tmp_path / "t.parquet")[0]
    assert a.image is not None
    assert read_bytes(a.image) == png()
    assert b.image is not None
    assert b.image.path == str(tmp_path / "b.png")
    assert c.image is None


def test_neighbouring_rows_of_one_key_are_one_record_with_several_captions(tmp_path: Path) -> None:
    rows = [
        {"image_id": 1, "caption": "one", "worker": "u"},
        {"image_id": 1, "caption": "two", "worker": "v"},
        {"image_id": 2, "caption": "three", "worker": "u"},
        {"image_id": 1, "caption": "four", "worker": "u"},
    ]
    records, rejects, _ = read(write(tmp_path / "t.jsonl", rows))
    assert [(record.key, texts(record)) for record in records] == [("1", ["one", "two"]), ("2", ["three"])]
    assert records[0].metadata == {"worker": "u"}
    assert records[0].captions[1].provenance.details["columns"] == {"worker": "v"}
    assert [(reject.key, reject.raw) for reject in rejects] == [("1", "four")]
    assert "duplicate key" in rejects[0].reason


def test_one_key_for_two_images_is_a_duplicate(tmp_path: Path) -> None:
    rows = [{"id": "1", "image_path": name, "caption": name} for name in ("a.png", "b.png")]
    records, rejects, _ = read(write(tmp_path / "t.jsonl", rows))
    assert (len(records), len(rejects)) == (1, 1)


def test_lists_of_texts_are_several_captions_and_objects_are_evidence(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "captions": ["one", "two", "one", None],
        "objects": {"bbox": [[1, 2, 3, 4]], "category": ["cat"]},
    }
    (record,), _, _ = read(write(tmp_path / "t.jsonl", [row]))
    assert record.key == "7"
    assert texts(record) == ["one", "two"]
    assert [(e.label, e.box, e.source) for e in record.evidence] == [("cat", Box(1, 2, 4, 6), "column:objects")]


def test_class_numbers_get_the_names_stored_in_the_file(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([{"text": "x", "objects": {"bbox": [[0.0, 0, 1, 1]], "category": [1]}}])
    names = {"_type": "ClassLabel", "names": ["dog", "cat"]}
    features = {"objects": {"bbox": {}, "category": {"feature": names, "_type": "List"}}}
    stored = json.dumps({"info": {"features": features}})
    pq.write_table(table.replace_schema_metadata({"huggingface": stored}), tmp_path / "t.parquet")
    (record,), _, _ = read(tmp_path / "t.parquet")
    assert [e.label for e in record.evidence] == ["cat"]


def test_captions_that_are_no_text_stay_as_metadata_and_are_counted(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "caption": {"en": "x"}},
        {"id": "b", "caption": True},
        {"id": "c", "caption": 2024},
    ]
    records, _, reader = read(write(tmp_path / "t.jsonl", rows))
    assert [texts(record) for record in records] == [[], [], ["2024"]]
    assert records[0].metadata["caption"] == {"en": "x"}
    assert reader.notes == ["captions that are not text, kept as metadata: 2 (1 bool, 1 dict)"]


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/passwd", "a/../../x.png", "..\\x.png", "nul\0.png", "."]
)
def test_paths_that_lead_out_are_rejected_unless_allowed(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    table = write(
        folder / "t.jsonl", [{"id": "a", "image_path": path, "caption": "x"}, {"id": "b", "caption": "y"}]
    )
    records, rejects, _ = read(table)
    assert [record.key for record in records] == ["b"]
    assert [reject.key for reject in rejects] == ["a"]
    if path == "../secret.png":
        assert "--image-root" in rejects[0].reason
    outside = write(folder / "u.jsonl", [{"id": "a", "image_path": str(tmp_path / "x.png"), "caption": "x"}])
    assert len(read(outside, image_root=tmp_path)[0]) == 1


def test_images_inside_the_text_are_read_within_limits(tmp_path: Path) -> None:
    address = "data:image/png;base64," + base64.b64encode(png()).decode()
    bad = [{"id": "b", "image": "data:image/png;base64,&&&"}, {"id": "c", "image": "data:x"}]
    rows: list[dict[str, Any]] = [{"id": "a", "image": address}, *bad]
    records, rejects, _ = read(write(tmp_path / "t.jsonl", rows))
    assert records[0].image is not None
    assert records[0].image.data == png()
    assert [reject.key for reject in rejects] == ["b", "c"]


def test_rows_that_img2dataset_could_not_download_are_rejected(tmp_path: Path) -> None:
    rows = [
        {"key": "0", "caption": "x", "status": "success", "error_message": None, "jpg": png()},
        {"key": "1", "caption": "y", "status": "failed_to_download", "error_message": "HTTP 404", "jpg": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "00000.parquet")
    records, rejects, _ = read(tmp_path / "00000.parquet")
    assert [record.key for record in records] == ["0"]
    assert [(r.key, r.kind, r.raw) for r in rejects] == [("1", "failed", "y")]
    assert "img2dataset: failed_to_download: HTTP 404" in rejects[0].reason


def test_unknown_columns_pass_through_as_json(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "text": "x", "score": math.nan, "extra": np.int16(4), "raw": b"\x00", "deep": {"a": [1.5]}}
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    (record,), _, reader = read(tmp_path / "t.parquet")
    assert record.metadata == {"score": None, "extra": 4, "deep": {"a": [1.5]}}
    assert any("'raw'" in note for note in reader.notes)


def test_damaged_characters_are_replaced_and_flagged(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfid,caption\na,caf\xe9\nb,fine\n")
    a, b = read(tmp_path / "t.csv")[0]
    assert texts(a) == ["caf\ufffd"]
    assert a.captions[0].flags.keys() == {"bad_encoding"}
    assert not b.captions[0].flags
    (tmp_path / "t.jsonl").write_bytes(b'{"id": "a", "caption": "caf\xe9 \\ud800"}\n')
    (c,), _, _ = read(tmp_path / "t.jsonl")
    assert texts(c) == ["caf\ufffd \ufffd"]


def test_text_in_parquet_that_is_not_utf8_is_mended_cell_by_cell(tmp_path: Path) -> None:
    column = pa.array([b"fine", b"caf\xe9"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": column, "id": ["a", "b"]}), tmp_path / "t.parquet")
    a, b = read(tmp_path / "t.parquet")[0]
    assert (texts(a), texts(b)) == (["fine"], ["caf\ufffd"])
    assert b.captions[0].flags


def test_parquet_torn_anywhere_never_raises(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    rows = [{"id": f"b{i}", "text": f"text {i} " * 20} for i in range(300)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "b.parquet", row_group_size=50)
    data = bytearray((folder / "b.parquet").read_bytes())
    write(folder / "a.parquet", [{"id": "a", "text": "x"}])
    rng = np.random.default_rng(7)
    for damage in range(40):
        changed = bytearray(data)
        if damage % 2:
            changed = changed[: int(rng.integers(0, len(data)))]
        else:
            changed[int(rng.integers(4, len(data) - 300))] ^= 0xFF
        (folder / "b.parquet").write_bytes(changed)
        records, rejects, _ = read(folder)
        assert records[0].key == "a"
        assert len(records) == 301 or rejects or len(changed) == len(data)


def test_shards_are_read_in_order_of_their_names_and_keys_hold_across_them(tmp_path: Path) -> None:
    for name, ids in (("10", ["x", "a"]), ("02", ["b", "c"]), ("sub", [])):
        if ids:
            write(tmp_path / f"{name}.jsonl", [{"id": i, "text": i} for i in ids])
    (tmp_path / "s").mkdir()
    write(tmp_path / "s" / "1.jsonl", [{"id": "b", "text": "again"}])
    (tmp_path / "00_stats.json").write_text("{}")
    records, rejects, _ = read(tmp_path)
    assert [record.key for record in records] == ["b", "c", "x", "a"]
    assert "first seen in 02.jsonl" in rejects[0].reason
    assert len(read(tmp_path, recursive=False)[1]) == 0


def test_texts_over_the_limit_are_rejected_alone(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "x" * 1_200_000}, {"id": "b", "text": "y"}]
    for name in ("t.jsonl", "t.csv", "t.parquet"):
        records, rejects, _ = read(write(tmp_path / name, rows))
        assert [record.key for record in records] == ["b"]
        assert len(rejects) == 1
        assert len(rejects[0].raw or "") <= 2048


def test_limit_counts_records(tmp_path: Path) -> None:
    rows = [{"id": str(i), "text": "x", **({"image_path": "../x"} if i % 2 else {})} for i in range(20)]
    records, rejects, _ = read(write(tmp_path / "t.jsonl", rows), limit=4)
    assert [record.key for record in records] == ["0", "2", "4", "6"]
    assert len(rejects) == 3


def csv_of(path: Path, text: str) -> list[Row | BadRow]:
    path.write_text(text, encoding="utf-8", newline="")
    return list(csv_rows(path))


def test_csv_oddities(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = csv_of(path, 'a,b\r\n1,"x, ""y""\r\nz"\r\n\r\n2\r\n3,4,5\r\n')
    good = [row.values for row in rows if isinstance(row, Row)]
    assert good == [{"a": "1", "b": 'x, "y"\r\nz'}, {"a": "2", "b": None}]
    assert [row.place for row in rows if isinstance(row, BadRow)] == ["line 6"]
    assert [row.values for row in csv_of(path, "a;b\n1;2,5\n") if isinstance(row, Row)] == [
        {"a": "1", "b": "2,5"}
    ]


def test_a_quote_that_is_never_closed_is_said_not_swallowed(tmp_path: Path) -> None:
    rows = csv_of(tmp_path / "t.csv", 'a,b\n1,2\n3,"4\n' + "5,6\n" * 100)
    assert isinstance(rows[0], Row)
    assert isinstance(rows[1], BadRow)
    assert "lines 3 to 103" in rows[1].reason
    rows = csv_of(tmp_path / "t.csv", 'a,b\n1,2\n3,"4\n' + "5,6\n" * 1_200_000)
    assert isinstance(rows[1], BadRow)
    assert "nothing after it was read" in rows[1].reason


def test_a_table_in_utf16_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,caption\na,x\n", encoding="utf-16")
    with pytest.raises(UserError, match="save it as UTF-8"):
        read(tmp_path / "t.csv")


CELL = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(captions=st.lists(CELL, min_size=1, max_size=6))
def test_texts_survive_every_format(tmp_path: Path, captions: list[str]) -> None:
    rows = [{"id": f"k{i}", "caption": text} for i, text in enumerate(captions)]
    for name in ("t.jsonl", "t.json", "t.parquet", "t.csv"):
        records, rejects, _ = read(write(tmp_path / name, rows))
        assert not rejects
        expected = [[text] if text.strip() else [] for text in captions]
        if name == "t.csv" and any("\r" in text or "\n" in text for text in captions):
            continue  # the csv module's own writer leaves some line ends bare
        assert [texts(record) for record in records] == expected


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), name=st.sampled_from(["t.jsonl", "t.json", "t.csv", "t.tsv", "t.parquet"]))
def test_random_bytes_are_a_user_error_or_rejects(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(data)
    with contextlib.suppress(UserError):
        read(tmp_path / name)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["id", "key", "caption", "image", "image_path", "url", "tags", "objects", "evidence", "captions"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from([*NAMES, "original_caption"]), ODD, max_size=6), min_size=1, max_size=4
    )
)
def test_rows_of_anything_are_accounted_for(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [{"caption": "first"}, *rows]))
    records, rejects, _ = read(tmp_path / "t.jsonl")
    assert 1 <= len(records) + len(rejects) <= len(rows) + 1


def test_real_tables(shared_data: Path) -> None:
    records, rejects, _ = read(shared_data / "alt_texts" / "web_alt_texts_1000.parquet")
    assert (len(records), len(rejects)) == (1000, 0)
    assert all(
        record.image and record.image.url and record.key == safe_key(record.image.url) for record in records
    )
    records, rejects, _ = read(shared_data / "tables" / "images_bytes.parquet")
    first = records[0]
    assert texts(first) == ["A comfortable bed."]
    assert first.image is not None
    assert read_bytes(first.image).startswith(b"\x89PNG")
    records, rejects, _ = read(shared_data / "vlm_captions" / "llava_detailed_2000.json")
    assert (len(records), len(rejects)) == (2000, 0)
    naughty = shared_data / "bad_inputs" / "text" / "blns.json"
    records, rejects, _ = read(naughty)
    assert len(records) + len(rejects) == len(json.loads(naughty.read_text(encoding="utf-8")))
