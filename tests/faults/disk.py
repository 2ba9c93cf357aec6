"""Disks as a power cut may leave them: what a process wrote, recorded by strace, and then only part of it.

What a file system owes is what POSIX says: what was synced is there. Of the rest of a file any subset may be, torn
into sectors, in any order; and a name in a folder is only safe once that folder was synced.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Disk", "recorded", "why_not_recorded"]

SECTOR = 512
# A question mark: not every machine has each of these calls.
HEEDED = "openat,close,write,pwrite64,fsync,fdatasync,ftruncate,?open,?unlink,unlinkat,?mkdir,mkdirat"
STRANGE = (
    "writev,pwritev,pwritev2,fallocate,?rename,renameat,renameat2,?link,linkat,sync_file_range,copy_file_range"
)
"""Calls that would change a disk and that the model does not know: the recording fails where one comes up."""
_CALL = re.compile(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.{3})?')


def why_not_recorded() -> str | None:
    """Return why nothing can be recorded on this machine; None where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (Debian: apt-get install strace)"
    tried = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[-200:]}"


@dataclass
class Inode:
    """A file or a folder: all that was done to it, each with the time, and when it was synced."""

    is_folder: bool
    deeds: list[tuple[int, Any]] = field(default_factory=list)
    """Of a file `(offset, bytes)` or `(size, None)`; of a folder `(name, inode or None)`."""
    syncs: list[int] = field(default_factory=list)
    names: dict[str, Inode] = field(default_factory=dict)
    """Of a folder: what a process sees in it now."""

    def until(self, moment: int) -> tuple[list[Any], list[Any]]:
        """Return what is on disk for sure at a moment, and what may be."""
        synced = max((when for when in self.syncs if when <= moment), default=-1)
        sure = [deed for when, deed in self.deeds if when <= synced]
        return sure, [deed for when, deed in self.deeds if synced < when <= moment]


@dataclass
class Disk:
    """All that happened below one folder, and what was said meanwhile."""

    root: Inode
    said: list[tuple[int, str]]
    end: int

    def said_by(self, moment: int) -> list[str]:
        """Return the lines that were said up to a moment."""
        return [line for when, line in self.said if when <= moment]

    def lay_out(self, moment: int, chance: random.Random, target: Path) -> None:
        """Make `target` what the folder may be after a power cut at a moment."""
        _lay_out_folder(self.root, moment, chance, target)


def _lay_out_folder(folder: Inode, moment: int, chance: random.Random, target: Path) -> None:
    target.mkdir()
    sure, unsure = folder.until(moment)
    kept = [deed for deed in unsure if chance.random() < 0.5]
    for name, inode in dict([*sure, *kept]).items():
        if inode is not None and inode.is_folder:
            _lay_out_folder(inode, moment, chance, target / name)
        elif inode is not None:
            (target / name).write_bytes(_content(inode, moment, chance))


def _content(file: Inode, moment: int, chance: random.Random) -> bytes:
    sure, unsure = file.until(moment)
    content = bytearray()
    for deed in [*sure, *_survivors(unsure, chance)]:
        _do(content, *deed)
    return bytes(content)


def _do(content: bytearray, offset: int, data: bytes | None) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if data is None:
        del content[offset:]
    else:
        content[offset : offset + len(data)] = data


def _survivors(unsure: Sequence[Any], chance: random.Random) -> list[Any]:
    """Return what became of writes that nobody has synced."""
    pieces = [piece for deed in unsure for piece in _torn(*deed)]
    match chance.choice(["none", "all", "few", "sectors", "writes", "all but one"]):
        case "none":
            return []
        case "few":
            return [piece for piece in pieces if chance.random() < 0.1]
        case "sectors":
            return [piece for piece in pieces if chance.random() < 0.5]
        case "writes":
            return [deed for deed in unsure if chance.random() < 0.5]
        case "all but one" if pieces:
            pieces.pop(chance.randrange(len(pieces)))
    return pieces


def _torn(offset: int, data: bytes | None) -> Iterator[tuple[int, bytes | None]]:
    """Yield a write in pieces that lie in one sector each."""
    if data is None:
        yield offset, None
        return
    start = 0
    while start < len(data):
        end = start + SECTOR - (offset + start) % SECTOR
        yield offset + start, data[start:end]
        start = end


def recorded(command: Sequence[str], root: Path, said: Path, **options: Any) -> Disk:
    """Run a process and return what it did below the empty folder `root`; lines it writes to `said` are what it said.

    It must name files by their whole paths, and write with one thread.
    """
    trace = said.with_suffix(".trace")
    tracer = ["strace", "-f", "-qq", "-xx", "-s", str(1 << 24), "-o", str(trace)]
    done = subprocess.run(
        [*tracer, "-e", f"trace={HEEDED},{STRANGE}", "-e", "signal=none", *command],
        capture_output=True,
        text=True,
        **options,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    reader = _Reader(root, said)
    with trace.open(encoding="ascii") as lines:
        for line in lines:
            reader.read(line)
    trace.unlink()
    return Disk(reader.root, reader.said, reader.now)


class _Reader:
    """Reads a trace; the clock counts what was done."""

    def __init__(self, root: Path, said: Path) -> None:
        self.top, self.voice = root, said
        self.root = Inode(is_folder=True)
        self.said: list[tuple[int, str]] = []
        self.now = 0
        self.open: dict[int, Inode | None] = {}
        """By descriptor; None stands for the file in which things are said."""

    def read(self, line: str) -> None:
        found = _CALL.match(line)
        if found is None:
            # A call that another thread interrupted; of the files that matter there must be none.
            assert "+++" in line or "---" in line or "resumed" in line or not self._concerns(line), line
            return
        call, arguments, result = found[1], found[2], int(found[3])
        if result < 0:
            return
        if call in ("open", "openat"):
            self._opened(arguments, result)
        elif call == "close":
            self.open.pop(_number(arguments), None)
        elif call in ("unlink", "unlinkat", "mkdir", "mkdirat"):
            self._named(call, Path(_paths(arguments)[0]))
        elif (number := _number(arguments)) in self.open:
            self._done(call, self.open[number], arguments, result)
        else:
            assert call not in STRANGE or not any(self._is_below(path) for path in _paths(arguments)), line

    def _concerns(self, line: str) -> bool:
        number = re.search(r"\((\d+)", line)
        return number is not None and int(number[1]) in self.open

    def _opened(self, arguments: str, number: int) -> None:
        path = Path(_paths(arguments)[0])
        self.open.pop(number, None)
        if path == self.voice:
            self.open[number] = None
        elif path == self.top:
            self.open[number] = self.root
        elif path.is_relative_to(self.top) and not path.name.endswith("-shm"):  # which is memory, and made anew
            assert "O_TRUNC" not in arguments, arguments
            self.open[number] = self._at(path) or self._link(path, Inode(is_folder=False))

    def _is_below(self, path: str) -> bool:
        return Path(path).is_relative_to(self.top)

    def _at(self, path: Path) -> Inode | None:
        if not path.is_relative_to(self.top):
            return None
        inode: Inode | None = self.root
        for name in path.relative_to(self.top).parts:
            inode = inode and inode.names.get(name)
        return inode

    def _link(self, path: Path, inode: Inode) -> Inode:
        folder = self._at(path.parent)
        assert folder is not None, path
        folder.names[path.name] = inode
        self._note(folder, (path.name, inode))
        return inode

    def _named(self, call: str, path: Path) -> None:
        folder = self._at(path.parent)
        if folder is None or path.name.endswith("-shm"):
            return
        if call.startswith("mkdir"):
            self._link(path, Inode(is_folder=True))
        else:
            del folder.names[path.name]
            self._note(folder, (path.name, None))

    def _done(self, call: str, inode: Inode | None, arguments: str, result: int) -> None:
        if inode is None:
            assert call == "write", call
            self.now += 1
            self.said += [(self.now, line) for line in _data(arguments).decode().splitlines()]
        elif call == "pwrite64":
            data = _data(arguments)
            assert len(data) >= result
            self._note(inode, (_number(arguments, -1), data[:result]))
        elif call == "ftruncate":
            self._note(inode, (_number(arguments, -1), None))
        else:
            assert call in ("fsync", "fdatasync"), call
            self.now += 1
            inode.syncs.append(self.now)

    def _note(self, inode: Inode, deed: Any) -> None:
        self.now += 1
        inode.deeds.append((self.now, deed))


def _number(arguments: str, place: int = 0) -> int:
    word = arguments.split(", ")[place]
    return int(word) if word.isdigit() else -1


def _data(arguments: str) -> bytes:
    found = _TEXT.search(arguments)
    assert found is not None, arguments[:200]
    assert not found[2], "the recording has cut a write short"
    return bytes.fromhex(found[1].replace("\\x", ""))


def _paths(arguments: str) -> list[str]:
    return [_data(found[0]).decode("utf-8", "surrogateescape") for found in _TEXT.finditer(arguments)]
