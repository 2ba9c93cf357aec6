"""WebDataset tars, and img2dataset's, whose failed downloads stand in the parquet beside each tar."""

import itertools
import json
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

from recaption.core.errors import DataError, UserError
from recaption.core.types import Image, Record, Rejected
from recaption.datasets.readers.accounting import Seen, Tally, rejected
from recaption.datasets.readers.base import BaseReader
from recaption.datasets.readers.conventions import (
    MAX_IMAGE_BYTES,
    MAX_JSON_BYTES,
    MAX_TEXT_BYTES,
    Conventions,
    conventions,
)
from recaption.datasets.readers.folder_items import side_parts, with_side
from recaption.datasets.readers.img2dataset import failed_rows
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.readers.rows import Parts, source_caption, unique
from recaption.datasets.readers.source_text import decode, safe_key
from recaption.datasets.readers.tar_stream import Member, TarStream, Torn

__all__ = ["WebDatasetReader", "expand_braces", "tar_shards"]

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_RANGE: Final = re.compile(r"(\d{1,12})\.\.(\d{1,12})")
_MAX_SHARDS: Final = 1_000_000
_MAX_MEMBERS: Final = 64
"""Of one sample; more are counted and ignored."""


class WebDatasetReader(BaseReader):
    """Reads neighbouring members with one base name as one sample; its key is that name."""

    def __init__(self, source: str, options: ReaderOptions) -> None:
        super().__init__(source, options)
        self._shards = tar_shards(source, recursive=options.recursive)
        if not any(path.is_file() for path in self._shards):
            raise UserError(f"{source}: no such tar file")
        self._count = _downloaded(self._shards)
        tables = sum(path.with_suffix(".parquet").is_file() for path in self._shards)
        kind = f"img2dataset shards, {tables} with a parquet of their rows" if tables else "WebDataset"
        count = "" if self._count is None else f", {self._count:,} samples"
        self.description = f"{kind}: {len(self._shards)} tar file{'s'[: len(self._shards) > 1]}{count}"

    def count_hint(self) -> int | None:
        """Return the number of samples where img2dataset's statistics tell."""
        return self._count

    def _items(self, tally: Tally) -> Generator[Record | Rejected, None, None]:
        seen = Seen()
        for number, path in enumerate(self._shards):
            for item in _Shard(path, self.options.caption_column, tally).items():
                if not isinstance(item, Record):
                    yield item
                    continue
                before = seen.first(item.key, number)
                if before is None:
                    yield item
                    continue
                where = f"in {self._shards[before].name}" if before != number else "earlier in the same tar"
                yield rejected(
                    item.key,
                    f"duplicate key in {path.name}, first seen {where}; the members of a sample must be "
                    "neighbours, and keys must differ",
                    raw=item.original_text,
                )
            table = path.with_suffix(".parquet")
            if table.is_file():
                yield from failed_rows(table, tally, seen=seen)


@dataclass(slots=True)
class _Sample:
    """The members with one base name, as they come."""

    key: str
    image: Image | None = None
    texts: list[tuple[str, str, bool]] = field(default_factory=list)
    """Extension, text, whether characters were replaced."""
    facts: list[tuple[str, bytes]] = field(default_factory=list)
    """Name, JSON."""
    kinds: set[str] = field(default_factory=set)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Shard:
    path: Path
    caption_column: str | None
    tally: Tally

    def items(self) -> Iterator[Record | Rejected]:
        """Yield the samples of one tar; where it is torn, all whole ones before the tear, then the tear."""
        try:
            with closing(TarStream(self.path)) as tar:
                yield from self._samples(tar)
        except OSError as error:
            yield rejected(
                self.path.name, f"{self.path.name} cannot be read: {error.strerror or error}", retryable=True
            )

    def _samples(self, tar: TarStream) -> Iterator[Record | Rejected]:
        sample: _Sample | None = None
        usual: set[str] = set()
        count = 0
        tear: Torn | None = None
        try:
            for member in tar.members():
                key, kind = _split(member.name)
                if sample is not None and key != sample.key:
                    usual = sample.kinds or usual
                    count += 1
                    yield from self._finished(sample)
                    sample = None
                sample = sample or _Sample(key)
                self._add(sample, member, kind, tar)
        except Torn as error:
            tear = error
        if sample is not None and (tar.has_end or _is_whole(sample, usual, tear)):
            count += 1
            yield from self._finished(sample)
            sample = None
        if tar.others:
            self.tally.add("tar members ignored, they are links, folders or sparse", times=tar.others)
        yield from self._cut(sample, tear, tar.has_end, count)

    def _cut(self, sample: _Sample | None, tear: Torn | None, has_end: bool, count: int) -> Iterator[Rejected]:
        """Say where a tar is cut, if it is, and which sample was lost with it."""
        name = self.path.name
        if tear is None and (has_end or sample is None or not sample.kinds):
            if not has_end:
                self.tally.add("tars without an end mark, perhaps cut off", name)
            return
        reason = str(tear) if tear is not None else "the archive ends without an end mark"
        lost = f"; sample {safe_key(sample.key)!r} may lack members" if sample and sample.kinds else ""
        yield rejected(name, f"{name}: {reason}{lost}; {count:,} samples before it were read")

    def _add(self, sample: _Sample, member: Member, kind: str, tar: TarStream) -> None:
        """Take in a member that is read; count any other."""
        known = conventions()
        last = kind.rpartition(".")[2]
        name = PurePosixPath(member.name).name
        role = _role(known, last)
        if role is None or not sample.key or len(sample.kinds) >= _MAX_MEMBERS:
            self.tally.add("tar members ignored", f".{kind[:40]}" if kind else "without extension")
            return
        if ".." in re.split(r"[/\\]", member.name):
            sample.problem = f"the member name {member.name[:200]!r} leads out of the archive"
        limit = {"image": MAX_IMAGE_BYTES, "text": MAX_TEXT_BYTES, "json": MAX_JSON_BYTES}[role]
        if member.size > limit:
            sample.problem = f"{name[:200]!r} has {member.size:,} bytes, more than the limit of {limit:,}"
        elif role == "text":
            text, damaged = decode(tar.read(member))
            sample.texts.append((kind, text, damaged))
        elif role == "json":
            sample.facts.append((name, tar.read(member)))
        elif sample.image is not None:
            self.tally.add("further images of a sample ignored", f".{kind[:40]}")
        elif tar.compressed:
            sample.image = Image(data=tar.read(member), name=name)
        else:
            path = str(self.path.absolute())
            sample.image = Image(path=path, offset=member.offset, length=member.size, name=name)
        sample.kinds.add(kind)

    def _finished(self, sample: _Sample) -> Iterator[Record | Rejected]:
        if not sample.kinds:
            return
        key = safe_key(sample.key)
        try:
            if sample.problem is not None:
                raise DataError(sample.problem)
            made = [
                source_caption(text.rstrip("\r\n"), damaged=damaged, column=kind)
                for kind, text, damaged in sample.texts
            ]
            parts = Parts(captions=unique([caption for caption in made if caption is not None]))
            for name, data in sample.facts:
                said = side_parts(data, name, self.caption_column, self.tally)
                parts = with_side(parts, said, caption_asked=self.caption_column is not None)
            if sample.image is None and not parts.captions:
                raise DataError("the sample has neither an image nor a text")
        except DataError as error:
            yield rejected(
                key, f"{self.path.name}: {error}", raw=next((text for _, text, _ in sample.texts), None)
            )
            return
        metadata = {n: v for n, v in parts.metadata.items() if (n, v) != ("key", sample.key)}
        key = safe_key(parts.key) if parts.key else key
        yield replace(parts.record(key, sample.image), metadata=metadata)


def _is_whole(sample: _Sample, usual: set[str], tear: Torn | None) -> bool:
    """Return whether the last sample before a cut is likely whole: it has what the one before it had."""
    if tear is not None and tear.member is not None and _split(tear.member)[0] == sample.key:
        return False
    return bool(usual) and sample.kinds >= usual


def _role(known: Conventions, extension: str) -> str | None:
    if extension in known.image_extensions:
        return "image"
    if extension in known.member_text:
        return "text"
    return "json" if extension in known.member_json else None


def _split(name: str) -> tuple[str, str]:
    """Return a member's sample and its kind: a path up to the first dot of its last part, and what follows."""
    folder, slash, base = name.rpartition("/")
    stem, _, kind = base.partition(".")
    if not stem:
        return "", kind.lower()
    return (folder + slash + stem).lstrip("/").removeprefix("./"), kind.lower()


def tar_shards(source: str, *, recursive: bool) -> list[Path]:
    """Return the tars that a path, a folder or a pattern like `{00000..00069}.tar` means, in order of names.

    Raises:
        UserError: It is an address or a command, or the pattern means too many.
    """
    if source.startswith("pipe:") or "://" in source:
        raise UserError(
            f"{source}: addresses and commands are not read; download the tars and name their folder"
        )
    path = Path(source)
    if path.is_dir():
        endings = tuple(f".{ending}" for ending in conventions().tar_extensions)
        found = [p for p in path.glob("**/*" if recursive else "*") if p.name.lower().endswith(endings)]
        found = [p for p in found if p.is_file() and not p.is_symlink() and not p.name.startswith(".")]
        return sorted(found, key=lambda p: p.relative_to(path).as_posix())
    return [path] if path.exists() else [Path(text) for text in expand_braces(source)]


def expand_braces(pattern: str) -> list[str]:
    """Return the texts that a pattern with `{a,b}` and `{000..069}` means. Raises UserError over a million."""
    pieces: list[list[str]] = []
    at, total = 0, 1
    for match in _BRACES.finditer(pattern):
        span = _RANGE.fullmatch(match[1])
        if span:
            low, high = int(span[1]), int(span[2])
            count = abs(high - low) + 1
        else:
            count = match[1].count(",") + 1
        total *= count
        if total > _MAX_SHARDS:
            raise UserError(f"{pattern} means more than {_MAX_SHARDS:,} files")
        if span:
            width = len(span[1]) if span[1].startswith("0") or len(span[1]) == len(span[2]) else 0
            step = 1 if high >= low else -1
            choices = [str(n).zfill(width) for n in range(low, high + step, step)]
        else:
            choices = match[1].split(",")
        pieces += [[pattern[at : match.start()]], choices]
        at = match.end()
    return ["".join(parts) for parts in itertools.product(*pieces, [pattern[at:]])]


def _downloaded(shards: list[Path]) -> int | None:
    """Return the number of images that img2dataset's statistics speak of; None where any are missing."""
    total = 0
    for path in shards:
        try:
            with path.with_name(f"{path.stem}_stats.json").open("rb") as file:
                total += int(json.loads(file.read(MAX_JSON_BYTES))["successes"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
    return total
