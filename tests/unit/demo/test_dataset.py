import json
from pathlib import Path

import pytest
from PIL import Image

from recaption.core.errors import RunFolderError
from recaption.demo import dataset
from recaption.demo.dataset import MARKER, evidence_of, write_demo
from recaption.demo.facts import judge
from recaption.demo.world import Scene, sample_scenes


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    write_demo(tmp_path / "a", 6, 1)
    write_demo(tmp_path / "b", 6, 1)
    write_demo(tmp_path / "c", 6, 2)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")
    assert len(contents(tmp_path / "a")) == 6 + 2


def test_a_larger_set_begins_with_the_smaller(tmp_path: Path) -> None:
    write_demo(tmp_path / "a", 3, 1)
    write_demo(tmp_path / "b", 5, 1)
    assert rows(tmp_path / "b")[:3] == rows(tmp_path / "a")


def test_rows_hold_picture_text_evidence_and_facts(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", 12, 4, size_px=96)
    for row, scene in zip(rows(tmp_path / "demo"), sample_scenes(12, 4, 96), strict=True):
        assert Scene.from_json(row["facts"]) == scene
        assert row["evidence"] == evidence_of(scene)
        assert isinstance(row["text"], str)
        with Image.open(tmp_path / "demo" / str(row["file_name"])) as picture:
            assert picture.size == (96, 96)


def test_evidence_says_everything_that_the_facts_say() -> None:
    for scene in sample_scenes(30, 4):
        pieces = evidence_of(scene)
        words = []
        for piece in pieces:
            assert isinstance(piece, dict)
            looks = piece["attributes"]
            assert isinstance(looks, dict)
            if piece["label"] == "sign":
                assert scene.sign is not None
            elif piece["kind"] == "object":
                words.append(f"a {looks['size']} {looks['colour']} {looks['material']} {piece['label']}")
            elif piece["kind"] == "text":
                words.append(f'a sign reads "{piece["label"]}"')
            else:
                assert looks == {"role": "background"}
                words.append(f"the background is {piece['label']}")
        verdict = judge(". ".join(words), scene)
        assert (verdict.precision, verdict.recall) == (1.0, 1.0)


def test_a_complete_folder_is_left_alone(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", 3, 0)
    times = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "demo").iterdir()}
    write_demo(tmp_path / "demo", 3, 0)
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "demo").iterdir()} == times


def test_another_set_is_not_written_over(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", 3, 0)
    before = contents(tmp_path / "demo")
    for n, seed, size_px in ((4, 0, 192), (3, 1, 192), (3, 0, 96)):
        with pytest.raises(RunFolderError, match="other rendered scenes"):
            write_demo(tmp_path / "demo", n, seed, size_px=size_px)
    assert contents(tmp_path / "demo") == before


def test_a_foreign_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunFolderError):
        write_demo(tmp_path, 3, 0)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("damage", ["000001.jpg", "metadata.jsonl"])
def test_a_damaged_folder_is_noticed(tmp_path: Path, damage: str) -> None:
    write_demo(tmp_path / "demo", 3, 0)
    (tmp_path / "demo" / damage).unlink()
    with pytest.raises(RunFolderError, match="not whole"):
        write_demo(tmp_path / "demo", 3, 0)


def test_an_unreadable_marker_is_noticed(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", 1, 0)
    (tmp_path / "demo" / MARKER).write_text("{")
    with pytest.raises(RunFolderError, match="cannot be read"):
        write_demo(tmp_path / "demo", 1, 0)


def test_an_interrupted_write_leaves_nothing_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object) -> tuple[str, str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "noisy_alt", stop)
        with pytest.raises(KeyboardInterrupt):
            write_demo(tmp_path / "demo", 3, 0)
    assert list(tmp_path.iterdir()) == []
    write_demo(tmp_path / "demo", 3, 0)
    assert len(rows(tmp_path / "demo")) == 3


def test_no_scenes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="at least one"):
        write_demo(tmp_path / "demo", 0, 0)
