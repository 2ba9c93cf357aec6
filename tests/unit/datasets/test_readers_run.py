"""What Recaption wrote is read back as it was."""

from pathlib import Path
from typing import Any

import pytest

from recaption.core.errors import UserError
from recaption.core.types import Box, Caption, Evidence, Image, Provenance, Record, Score
from recaption.datasets.run_folder import RunFolder
from recaption.datasets.schema import CAPTIONS, table_bytes, to_row
from recaption.datasets.writers import export
from tests.unit.datasets.reader_samples import png, read


def records_with_history(folder: Path) -> list[Record]:
    """Return records as they are after a run: several captions, one chosen, scores, evidence."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for i, key in enumerate(("a", "b", "c")):
        (folder / f"{key}.png").write_bytes(png(i))
        original = Caption(text=f"alt {key}", origin="alt", provenance=Provenance(stage="source"))
        better = Caption(
            text=f"A better text about {key}, “quoted” 三.",
            origin="composed",
            aspect="brief",
            provenance=Provenance(stage="compose", version="2", parents=(original.id,), details={"seed": 5}),
            scores={"copies": Score(value=3.0), "clip": Score(value=None, reason="no model")},
            flags={"vague": "says little"},
        )
        evidence = Evidence(kind="object", label="dog", source="coco", box=Box(0, 1, 2.5, 3), score=0.5)
        found.append(
            Record(
                key=key,
                image=Image(path=str(folder / f"{key}.png"), name=f"{key}.png"),
                size=(4, 3),
                captions=(original, better) if key != "c" else (original,),
                evidence=(evidence,),
                metadata={"author": "someone", "n": i, "list": [1, "x"], "none": None},
                chosen=better.id if key == "a" else original.id if key == "b" else None,
            )
        )
    return found


def finished_run(folder: Path, records: list[Record]) -> RunFolder:
    """Write a run folder of one record a shard."""
    run = RunFolder(folder)
    about = {"format": 1, "complete": False, "input": {"path": "in"}, "seed": 0, "shard_size": 1}
    with run.locked():
        run.begin(about)
        for i, record in enumerate(records):
            run.commit(i, [record], input_digest="i", work_digest="w", stats={})
        run.write_description({**about, "complete": True})
    return run


def test_a_run_folder_gives_equal_records(tmp_path: Path) -> None:
    records = records_with_history(tmp_path / "images")
    run = finished_run(tmp_path / "out", records)
    # What a killed run left behind has no marker, and is not read.
    (run.captions / "00003.parquet").write_bytes(table_bytes([to_row(records[0])], CAPTIONS))
    found, rejects, reader = read(run.root)
    assert found == records
    assert not rejects
    assert reader.count_hint() == 3
    assert "run folder" in reader.description


def test_an_unfinished_or_damaged_run_folder_is_a_user_error(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "out", records_with_history(tmp_path / "images"))
    path = run.captions / "00000.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match="recaption verify"):
        read(run.root)
    run.write_description({**run.describe(), "complete": False})
    with pytest.raises(UserError, match="has not ended"):
        read(run.root)


@pytest.mark.parametrize(
    ("writer", "source", "params"),
    [
        ("parquet", "captions.parquet", {}),
        ("jsonl", "captions.jsonl", {}),
    ],
)
def test_tables_that_were_exported_beside_the_images_give_equal_records(
    tmp_path: Path, writer: str, source: str, params: dict[str, Any]
) -> None:
    records = records_with_history(tmp_path)
    export(records, writer, tmp_path / source, params)
    found, rejects, _ = read(tmp_path / source)
    assert not rejects
    assert found == records


@pytest.mark.parametrize(
    ("writer", "params"),
    [("webdataset", {}), ("imagefolder", {"all_captions": True}), ("coco", {"instances": True})],
)
def test_exports_with_images_keep_keys_texts_and_columns(
    tmp_path: Path, writer: str, params: dict[str, Any]
) -> None:
    records = records_with_history(tmp_path / "images")
    export(records, writer, tmp_path / "out", params)
    found, rejects, _ = read(tmp_path / "out")
    assert not rejects
    assert [record.key for record in found] == [record.key for record in records]
    for one, before in zip(found, records, strict=True):
        assert one.original_text == before.original_text
        # Hugging Face wants one type a column, so the imagefolder writer makes lists text
        expected = {**before.metadata, "list": '[1,"x"]'} if writer == "imagefolder" else before.metadata
        assert one.metadata == expected
        assert one.image is not None
        if writer != "coco":
            assert one.captions == before.captions
        if writer == "webdataset":
            assert (one.evidence, one.size) == (before.evidence, before.size)
        if writer == "coco":
            assert [(e.label, e.box) for e in one.evidence] == [("dog", Box(0, 1, 2.5, 3))]
    assert found[0].chosen == (records[0].chosen if writer != "coco" else None)


def test_an_exported_row_that_was_changed_beyond_reading_is_read_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(
        '{"key": "a", "caption": "x", "original_caption": "y", "captions": [{"text": "no provenance"}]}\n'
        '{"key": "b", "caption": "x", "original_caption": "y", "captions": "oops"}\n'
    )
    found, rejects, _ = read(tmp_path / "t.jsonl")
    assert [(record.key, record.original_text) for record in found] == [("a", "x"), ("b", "x")]
    assert found[0].metadata["original_caption"] == "y"
    assert not rejects
