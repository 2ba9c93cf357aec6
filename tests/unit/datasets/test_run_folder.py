"""The run folder: shards whole or not at all, one run at a time."""

import json
from contextlib import contextmanager

import pytest

from recaption.core.errors import RunFolderError
from recaption.core.types import Caption, Provenance, Record, Rejected
from recaption.datasets.run_folder import RunFolder

TEXT = Caption(text="a dog", origin="alt", provenance=Provenance(stage="source"))
KEPT = Record(key="a", captions=(TEXT,), chosen=TEXT.id)
DROPPED = Rejected(key="b", stage="select", kind="dropped", reason="no caption")
FAILED = Rejected(key="c", stage="gather", kind="failed", reason="image: torn", retryable=True, raw="was")


def about(**more):
    return {"format": 1, "complete": False, "input": {"path": "in"}, "seed": 0, "shard_size": 10, **more}


@contextmanager
def opened(folder: RunFolder, **more):
    with folder.locked():
        folder.begin(about(**more))
        yield


def commit(folder: RunFolder, shard: int = 0, results=(KEPT, DROPPED, FAILED)):
    return folder.commit(shard, results, input_digest="i", work_digest="w", stats={"flags": {"x": 1}})


def test_a_shard_comes_back_as_it_was_committed(tmp_path):
    folder = RunFolder(tmp_path / "out")
    with opened(folder):
        marker = commit(folder)
    assert (marker.items, marker.kept, marker.dropped, marker.failed, marker.retryable) == (3, 1, 1, 1, 1)
    assert list(folder.results(0)) == [KEPT, DROPPED, FAILED]
    assert list(folder.records()) == [KEPT]
    assert folder.marker(0) == marker
    assert folder.committed() == [marker]


def test_a_marker_speaks_of_rulings_only_where_there_are_any(tmp_path):
    folder = RunFolder(tmp_path / "out")
    with opened(folder):
        commit(folder)
        before = folder.markers / "00000.json"
        assert "rulings" not in json.loads(before.read_text())  # as markers were before people were heeded
        (plain,) = folder.committed()
        assert plain.rulings == {}
        heeded = folder.commit(0, [KEPT], input_digest="i", work_digest="w", stats={}, rulings={"k": "r"})
    assert folder.marker(0) == heeded
    assert heeded.rulings == {"k": "r"}


def test_the_same_results_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        folder = RunFolder(tmp_path / name)
        with opened(folder):
            commit(folder)
    for path in ("captions/00000.parquet", "rejects/00000.parquet", "shards/00000.json"):
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_without_rejects_there_is_no_rejects_file_left_from_before(tmp_path):
    folder = RunFolder(tmp_path / "out")
    with opened(folder):
        commit(folder)
        commit(folder, results=(KEPT,))
    assert not (tmp_path / "out/rejects/00000.parquet").exists()


def test_a_second_run_is_kept_out_and_let_in_later(tmp_path):
    folder = RunFolder(tmp_path / "out")
    with folder.locked(), pytest.raises(RunFolderError, match="another run"), RunFolder(folder.root).locked():
        pass
    with RunFolder(folder.root).locked():
        pass


@pytest.mark.parametrize("name", ["holiday.jpg", "recipe.yaml", "captions"])
def test_a_foreign_folder_is_refused_untouched(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".lock").write_bytes(b"")
    with pytest.raises(RunFolderError, match=rf"not a run folder .*{name}"), RunFolder(tmp_path).locked():
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", name]


def test_a_copy_without_its_hidden_files_is_still_a_run_folder(tmp_path):
    folder = RunFolder(tmp_path / "out")
    with opened(folder):
        commit(folder)
    (folder.root / ".lock").unlink()
    with opened(folder):
        assert len(folder.committed()) == 1


def test_a_file_in_the_way_is_said(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(RunFolderError, match="cannot make"), RunFolder(tmp_path / "out").locked():
        pass


def test_another_input_is_refused_and_nothing_changes(tmp_path):
    folder = RunFolder(tmp_path / "out")
    with opened(folder):
        commit(folder)
    with (
        pytest.raises(RunFolderError, match="holds captions of in, not of elsewhere"),
        opened(folder, input={"path": "elsewhere"}),
    ):
        pass
    assert len(folder.committed()) == 1


def test_another_shard_size_starts_over(tmp_path):
    folder = RunFolder(tmp_path / "out")
    with opened(folder):
        commit(folder)
    with opened(folder, shard_size=20):
        assert folder.committed() == []
        assert not list(folder.captions.iterdir())


def test_a_damaged_marker_is_never_read_as_absent(tmp_path):
    folder = RunFolder(tmp_path / "out")
    with opened(folder):
        commit(folder)
    (tmp_path / "out/shards/00000.json").write_text('{"shard": 0')
    with pytest.raises(RunFolderError, match="damaged"):
        folder.marker(0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "not a run folder"),
        ("{", "cannot be read"),
        ("[]", "format 'list'"),
        (json.dumps({"format": 99}), "format 99"),
        (json.dumps({"format": 1}), "lacks input, seed"),
    ],
)
def test_a_folder_that_is_no_run_folder_is_said(tmp_path, content, message):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunFolderError, match=message):
        RunFolder(tmp_path).describe()
