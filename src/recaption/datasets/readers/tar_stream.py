"""Tar archives, member by member: bounded, nothing extracted, nothing believed.

Headers are checked by the standard library (`TarInfo.frombuf`); everything that could make it read without bound
(long names, pax records, sparse maps) is handled here. A hole in an archive is said, with its place.
"""

import gzip
import re
import tarfile
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from recaption.core.errors import DataError

__all__ = ["Member", "TarStream", "Torn"]

_BLOCK: Final = 512
_MAX_EXTENSION_BYTES: Final = 1 << 16
"""Long names and pax records; real ones have a few hundred bytes."""
_MAX_SPARSE_BLOCKS: Final = 1 << 14
_MAX_EXPANSION: Final = 200
"""Times that a compressed archive may grow; images hardly grow at all."""
_FREE_EXPANSION_BYTES: Final = 1 << 28
_SKIP_CHUNK: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_REGULAR: Final = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_LONG_NAME: Final = tarfile.GNUTYPE_LONGNAME
_PAX_HEADERS: Final = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_EXTENSIONS: Final = (*_PAX_HEADERS, tarfile.XGLTYPE, _LONG_NAME, tarfile.GNUTYPE_LONGLINK)
_PAX_RECORD: Final = re.compile(rb"(\d{1,10}) ([^=\n]{1,200})=")


class Torn(DataError):
    """An archive ends or is damaged at a place; nothing after it can be read."""

    def __init__(self, message: str, member: str | None = None) -> None:
        super().__init__(message)
        self.member = member
        """Name of the member that is cut."""


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file, whose bytes can be read until the next member is asked for."""

    name: str
    size: int
    offset: int
    """Of its bytes in the uncompressed archive."""


class TarStream:
    """The regular files of an archive, in order. Plain or gzip."""

    def __init__(self, path: Path) -> None:
        """Open an archive. Raises OSError."""
        self._raw: IO[bytes] = path.open("rb")
        try:
            self.size = self._raw.seek(0, 2)
            self._raw.seek(0)
            self.compressed = self._raw.read(2) == _GZIP
            self._raw.seek(0)
        except OSError:
            self._raw.close()
            raise
        self._file = cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw)) if self.compressed else self._raw
        self._position = 0
        self.others = 0
        """Members so far that are links, folders, devices or sparse."""
        self.has_end = False
        """Whether the end-of-archive mark was there."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._raw.close()

    def members(self) -> Generator[Member, None, None]:
        """Yield the regular files.

        Raises:
            Torn: The archive ends in the middle of something, or a header is damaged.
        """
        long_name: str | None = None
        pax: dict[str, str] = {}
        while True:
            start = self._position
            header = self._read(_BLOCK)
            if not header:
                return
            if len(header) < _BLOCK:
                raise Torn(f"the archive ends in the middle of a header at byte {start:,}")
            if not header.strip(b"\0"):
                self.has_end = True
                return
            info = _parsed(header, start)
            size = _size(info, pax, start)
            end = self._position + size + (-size % _BLOCK)
            if info.type in _EXTENSIONS:
                body = self._extension(info, size, start)
                if info.type == _LONG_NAME:
                    long_name = body.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
                elif info.type in _PAX_HEADERS:
                    pax = _pax(body)
                self._skip_to(end, start)
                continue
            if info.type == tarfile.GNUTYPE_SPARSE:
                end += self._sparse_blocks(header, start)
            name = pax.get("path") or long_name or info.name
            sparse = any(key.startswith("GNU.sparse.") for key in pax)
            long_name, pax = None, {}
            if info.type in _REGULAR and not sparse and not name.endswith("/"):
                self._check_end(self._position + size, name)
                yield Member(name, size, self._position)
            else:
                self.others += 1
            self._skip_to(end, start)

    def read(self, member: Member) -> bytes:
        """Return the bytes of the member that was yielded last. Raises Torn where the archive ends before."""
        data = self._read(member.size)
        if len(data) < member.size:
            raise Torn(
                f"the archive ends in the middle of {member.name[-200:]!r}, "
                f"after {len(data):,} of its {member.size:,} bytes",
                member.name,
            )
        return data

    def _extension(self, info: tarfile.TarInfo, size: int, start: int) -> bytes:
        if size > _MAX_EXTENSION_BYTES:
            raise Torn(f"a name or pax record of {size:,} bytes at byte {start:,} is over the limit")
        body = self._read(size)
        if len(body) < size:
            raise Torn(f"the archive ends in the middle of a {info.type!r} record at byte {start:,}")
        return body

    def _sparse_blocks(self, header: bytes, start: int) -> int:
        """Step over the blocks that go on with an old GNU sparse map; return how many bytes they have."""
        more, count = header[482], 0
        while more:
            block = self._read(_BLOCK)
            count += 1
            if len(block) < _BLOCK or count > _MAX_SPARSE_BLOCKS:
                raise Torn(f"the sparse map at byte {start:,} has no end")
            more = block[504]
        return count * _BLOCK

    def _check_end(self, end: int, name: str) -> None:
        if not self.compressed and end > self.size:
            raise Torn(
                f"the archive ends in the middle of {name[-200:]!r}, at byte {self.size:,} of at least {end:,}",
                name,
            )

    def _skip_to(self, end: int, start: int) -> None:
        if not self.compressed:
            if end > self.size:
                # the padding of the last member may be missing, its bytes may not; those were checked
                end = self.size
            self._file.seek(end)
            self._position = end
            return
        while self._position < end:
            if not self._read(min(_SKIP_CHUNK, end - self._position)):
                raise Torn(f"the archive ends in the middle of the member at byte {start:,}")

    def _read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except (EOFError, OSError, zlib.error) as error:
            raise Torn(
                f"the archive cannot be read at byte {self._position:,}: {type(error).__name__}"
            ) from error
        self._position += len(data)
        if self.compressed and self._position > _FREE_EXPANSION_BYTES + _MAX_EXPANSION * self.size:
            raise Torn(f"the archive grows to more than {_MAX_EXPANSION} times its size")
        return data


def _parsed(header: bytes, start: int) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise Torn(f"damaged header at byte {start:,}: {error}") from error


def _size(info: tarfile.TarInfo, pax: dict[str, str], start: int) -> int:
    size = info.size
    if "size" in pax and info.type in _REGULAR:
        if not (pax["size"].isascii() and pax["size"].isdigit() and len(pax["size"]) < 19):
            raise Torn(f"damaged pax size at byte {start:,}")
        size = int(pax["size"])
    if not 0 <= size < 1 << 60:
        raise Torn(f"damaged header at byte {start:,}: a size of {size}")
    return size


def _pax(body: bytes) -> dict[str, str]:
    """Return the records of a pax header; a damaged one ends the list."""
    found: dict[str, str] = {}
    at = 0
    while match := _PAX_RECORD.match(body, at):
        end = at + int(match[1])
        if end > len(body) or end <= match.end():
            break
        found[match[2].decode("utf-8", "replace")] = body[match.end() : end - 1].decode(
            "utf-8", "surrogateescape"
        )
        at = end
    return found
