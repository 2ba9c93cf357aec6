"""Files appear whole or not at all."""

import errno
import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from recaption.core.errors import RunFolderError
from recaption.datasets.atomic import (
    PART_SUFFIX,
    check_new,
    remove_stale_parts,
    staged_folder,
    sync_folder,
    write_atomic,
    write_atomic_stream,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_nothing_else_stays(tmp_path):
    write_atomic(tmp_path / "a.txt", b"one")
    write_atomic(tmp_path / "a.txt", b"two")
    assert (tmp_path / "a.txt").read_bytes() == b"two"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_before_the_rename_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_atomic(path, b"old")
    with suppress(KeyError), write_atomic_stream(path) as file:
        file.write(b"half of the new")
        raise KeyError("killed")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.txt"]


def test_a_killed_process_leaves_the_old_file_and_a_part_that_the_next_run_removes(tmp_path):
    path = tmp_path / "a.txt"
    write_atomic(path, b"old")
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from recaption.datasets.atomic import write_atomic_stream\n"
        "with write_atomic_stream(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    assert remove_stale_parts(tmp_path) == 1
    assert names(tmp_path) == ["a.txt"]


def test_only_our_own_parts_are_removed(tmp_path):
    for name in ("a.part", f"b{PART_SUFFIX}", ".part", f".c{PART_SUFFIX}"):
        (tmp_path / name).write_text("x")
    assert remove_stale_parts(tmp_path) == 1
    assert names(tmp_path) == [".part", "a.part", f"b{PART_SUFFIX}"]


def test_the_file_is_synced_before_the_rename_and_the_folder_after(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, Path.replace

    def noting_fsync(descriptor):
        events.append("fsync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync file")
        fsync(descriptor)

    def noting_replace(self, target):
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "replace", noting_replace)
    write_atomic(tmp_path / "a", b"x")
    assert events == ["fsync file", "rename", "fsync folder"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_full_disk_is_one_clear_line(tmp_path, monkeypatch, number):
    def no_room(descriptor):
        raise OSError(number, os.strerror(number))

    write_atomic(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(RunFolderError, match=os.strerror(number)) as caught:
        write_atomic(tmp_path / "a", b"new")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("action", [lambda p: write_atomic(p / "a", b""), sync_folder, remove_stale_parts])
def test_a_missing_folder_is_named(tmp_path, action):
    with pytest.raises(RunFolderError, match="gone"):
        action(tmp_path / "gone")


def test_the_longest_name_there_can_be_works(tmp_path):
    path = tmp_path / ("n" * 255)
    write_atomic(path, b"x")
    assert path.read_bytes() == b"x"


def test_a_folder_appears_whole(tmp_path):
    target = tmp_path / "out"
    with staged_folder(target) as stage:
        (stage / "a").mkdir()
        (stage / "a" / "b").write_text("x")
        assert not target.exists()
    assert (target / "a" / "b").read_text() == "x"
    assert names(tmp_path) == ["out"]


def test_a_folder_that_fails_never_appears(tmp_path):
    with suppress(KeyError), staged_folder(tmp_path / "out") as stage:
        (stage / "a").write_text("x")
        raise KeyError("killed")
    assert names(tmp_path) == []


def test_what_a_kill_left_of_a_folder_is_not_in_the_next(tmp_path):
    stale = tmp_path / f".out{PART_SUFFIX}"
    (stale / "deep").mkdir(parents=True)
    (stale / "deep" / "old").write_text("x")
    with staged_folder(tmp_path / "out") as stage:
        (stage / "new").write_text("x")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["new"]


def test_an_empty_folder_may_be_filled_and_a_full_one_not(tmp_path):
    (tmp_path / "empty").mkdir()
    with staged_folder(tmp_path / "empty") as stage:
        (stage / "a").write_text("x")
    with pytest.raises(RunFolderError, match="already there"), staged_folder(tmp_path / "empty"):
        pass
    assert names(tmp_path / "empty") == ["a"]


def test_two_writers_of_one_folder_do_not_meet(tmp_path):
    with staged_folder(tmp_path / "out") as stage:
        (stage / "a").write_text("x")
        with pytest.raises(RunFolderError, match="another process"), staged_folder(tmp_path / "out"):
            pass
    assert names(tmp_path / "out") == ["a"]


def test_a_link_is_something_that_is_already_there(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunFolderError, match="already there"):
        check_new(tmp_path / "link")
