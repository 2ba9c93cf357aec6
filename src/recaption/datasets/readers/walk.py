"""A folder and what is in it, in a stable order, staying inside."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["Folder", "Problem", "walk"]

_MAX_DEPTH: Final = 64


@dataclass(frozen=True, slots=True)
class Problem:
    """A folder that could not be listed."""

    path: str
    reason: str


@dataclass(slots=True)
class Folder:
    """One folder: the names of its files, sorted, and of what is in it but is not read."""

    path: str
    relative: str
    """POSIX path from the root, empty for the root itself."""
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    hidden: int = 0
    links_out: int = 0
    special: int = 0

    def inner(self, name: str) -> str:
        """Return a file's POSIX path from the root."""
        return f"{self.relative}/{name}" if self.relative else name


def walk(root: Path, *, recursive: bool) -> Iterator[Folder | Problem | None]:
    """Yield a folder and those below it, each before its children; None where a folder's subtree ends.

    Links are followed to files inside the root only, never to folders.
    """
    real_root = os.path.realpath(root)
    yield from _walk(real_root, os.path.abspath(root), "", 0, recursive)  # noqa: PTH100 - keep links in the name


def _walk(
    real_root: str, path: str, relative: str, depth: int, recursive: bool
) -> Iterator[Folder | Problem | None]:
    folder = Folder(path, relative)
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                _sort_in(folder, entry, real_root)
    except OSError as error:
        yield Problem(relative or ".", f"the folder cannot be listed: {error.strerror or type(error).__name__}")
        return
    folder.files.sort()
    folder.folders.sort()
    yield folder
    for name in folder.folders if recursive else ():
        inner = folder.inner(name)
        if depth == _MAX_DEPTH:
            yield Problem(inner, f"folders nested deeper than {_MAX_DEPTH} are not read")
        else:
            yield from _walk(real_root, f"{path}/{name}", inner, depth + 1, recursive)
    yield None


def _sort_in(folder: Folder, entry: "os.DirEntry[str]", real_root: str) -> None:
    if entry.name.startswith("."):
        folder.hidden += 1
    elif entry.is_symlink():
        if _is_file_inside(entry.path, real_root):
            folder.files.append(entry.name)
        else:
            folder.links_out += 1
    elif entry.is_dir(follow_symlinks=False):
        folder.folders.append(entry.name)
    elif entry.is_file(follow_symlinks=False):
        folder.files.append(entry.name)
    else:
        folder.special += 1


def _is_file_inside(path: str, real_root: str) -> bool:
    target = os.path.realpath(path)
    if not target.startswith(real_root.rstrip("/") + "/"):
        return False
    try:
        return stat.S_ISREG(os.stat(target).st_mode)  # noqa: PTH116
    except OSError:
        return False
