"""The one place that puts files on disk: whole or not at all.

Order of every write: temp file in the same folder → fsync of the file → rename → fsync of the folder.
After a kill or a power cut the file is the old one or the new one, never half of either.
"""

import fcntl
import os
import secrets
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from recaption.core.errors import RunFolderError

__all__ = [
    "PART_SUFFIX",
    "SYNCS_AT_ONCE",
    "check_new",
    "make_folder",
    "remove_stale_parts",
    "staged_folder",
    "sync_folder",
    "write_atomic",
    "write_atomic_stream",
]

PART_SUFFIX = ".recaption.part"
"""Ends the name of every unfinished file of ours; long enough not to be anybody else's."""
SYNCS_AT_ONCE = 16


def write_atomic(path: Path, data: bytes, *, sync_parent: bool = True) -> None:
    """Write a file whole or not at all, replacing what is there.

    Args:
        sync_parent: False where many files go into one folder: call `sync_folder` once, after the last.

    Raises:
        RunFolderError: The disk is full, the folder is missing or may not be written.
    """
    with write_atomic_stream(path, sync_parent=sync_parent) as file:
        file.write(data)


@contextmanager
def write_atomic_stream(path: Path, *, sync_parent: bool = True) -> Iterator[IO[bytes]]:
    """Yield a binary file that becomes `path` when the block ends, and nothing at all when it raises.

    Raises:
        RunFolderError: Any OSError while writing; the cause is chained.
    """
    # A random name, not one made from `path`: a name near the length limit of the file system still works.
    part = path.parent / f".{secrets.token_hex(8)}{PART_SUFFIX}"
    try:
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        if sync_parent:
            sync_folder(path.parent)
    except OSError as error:
        raise _cannot("write", path, error) from error


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield a hidden folder beside `target` that becomes `target` when the block ends; nobody sees half of it.

    Files in it need no sync of their own: all are synced before the folder gets its name. What a killed run left
    is removed at the next attempt; a block that raises leaves nothing.

    Raises:
        RunFolderError: `target` exists and is not an empty folder, another process is writing it, or an OSError.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a link that is the target
    check_new(target)
    stage = target.parent / f".{target.name}{PART_SUFFIX}"
    make_folder(stage)
    try:
        descriptor = os.open(stage, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _lock(descriptor, target)
            _empty(stage)
            try:
                yield stage
                _sync_tree(stage)
                stage.replace(target)
            except BaseException:
                shutil.rmtree(stage, ignore_errors=True)
                raise
            sync_folder(target.parent)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _cannot("write", target, error) from error


def check_new(target: Path) -> None:
    """Refuse to write over anything.

    Raises:
        RunFolderError: There is a file, or a folder that is not empty.
    """
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise RunFolderError(f"{target} is already there. Name a new one, or move it away first.")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, if they are not there.

    Raises:
        RunFolderError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot("make", folder, error) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: what was renamed or removed stays so after a power cut.

    Raises:
        RunFolderError: The folder is missing or cannot be synced.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _cannot("sync", folder, error) from error


def remove_stale_parts(folder: Path) -> int:
    """Remove what a killed run left unfinished in a folder (not below it); return how many files.

    Only for a folder nobody else is writing to.

    Raises:
        RunFolderError: The folder is missing, or a file in it cannot be removed.
    """
    try:
        stale = [p for p in folder.iterdir() if p.name.startswith(".") and p.name.endswith(PART_SUFFIX)]
        for part in stale:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot("clean", folder, error) from error
    return len(stale)


def _sync_tree(root: Path) -> None:
    """Sync every file below a folder, then every folder."""
    # Many syncs at once share one commit of the file system's journal; one after the other each waits for its own.
    with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
        for folder, _, names in os.walk(root):
            deque(pool.map(_sync_file, (Path(folder, name) for name in names)), maxlen=0)
            sync_folder(Path(folder))


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, target: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunFolderError(
            f"another process is writing {target}. Wait for it, or name another folder."
        ) from error


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _cannot(verb: str, path: Path, error: OSError) -> RunFolderError:
    reason = error.strerror or str(error)
    return RunFolderError(
        f"cannot {verb} {path}: {reason}. Make room or mend the permissions there, or name another folder; "
        "then run the same command again."
    )
