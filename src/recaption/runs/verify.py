"""Check a run folder: nothing lost, nothing doubled, nothing torn."""

from collections.abc import Iterator
from dataclasses import dataclass

from recaption.core.digests import digest_bytes
from recaption.core.types import Record
from recaption.datasets.run_folder import Marker, RunFolder

__all__ = ["Verdict", "verify"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found; `faults` is empty for a sound folder."""

    shards: int
    items: int
    kept: int
    dropped: int
    failed: int
    faults: tuple[str, ...]


def verify(folder: RunFolder) -> Verdict:
    """Read every file of a run folder and hold it against its marker.

    Raises:
        RunFolderError: There is no run folder, or a marker cannot be read.
    """
    description = folder.describe()
    markers = folder.committed()
    faults = list(_missing_shards(markers))
    if not description.get("complete"):
        faults.append("the run has not finished; run it again with the same input to go on")
    keys: set[str] = set()
    for marker in markers:
        faults.extend(_file_faults(folder, marker))
    if not faults:
        for marker in markers:
            faults.extend(_content_faults(folder, marker, keys))
    expected = description.get("counts", {}).get("items")
    items = sum(m.items for m in markers)
    if expected is not None and expected != items:
        faults.append(f"run.json speaks of {expected} items, the shards hold {items}")
    faults.extend(_orphans(folder, markers))
    return Verdict(
        shards=len(markers),
        items=items,
        kept=sum(m.kept for m in markers),
        dropped=sum(m.dropped for m in markers),
        failed=sum(m.failed for m in markers),
        faults=tuple(faults),
    )


def _missing_shards(markers: list[Marker]) -> Iterator[str]:
    numbers = {m.shard for m in markers}
    for number in range(max(numbers, default=-1) + 1):
        if number not in numbers:
            yield f"shard {number:05d} is missing; run again to make it"


def _file_faults(folder: RunFolder, marker: Marker) -> Iterator[str]:
    if marker.items != marker.kept + marker.dropped + marker.failed:
        yield f"shard {marker.shard:05d}: {marker.items} items do not add up"
    for name, digest in marker.files.items():
        path = folder.root / name
        if not path.is_file():
            yield f"{name} is missing"
        elif digest_bytes(path.read_bytes()) != digest:
            yield f"{name} is not what was written (digest differs)"


def _content_faults(folder: RunFolder, marker: Marker, keys: set[str]) -> Iterator[str]:
    kept = rejected = 0
    for item in folder.results(marker.shard):
        if not isinstance(item, Record):
            rejected += 1
            continue
        kept += 1
        if item.key in keys:
            yield f"key {item.key!r} stands twice"
        keys.add(item.key)
        if item.chosen is not None and item.best is None:
            yield f"key {item.key!r}: the chosen caption {item.chosen} is not among its captions"
    if (kept, rejected) != (marker.kept, marker.dropped + marker.failed):
        yield f"shard {marker.shard:05d}: rows do not match its marker"


def _orphans(folder: RunFolder, markers: list[Marker]) -> Iterator[str]:
    known = {name for marker in markers for name in marker.files}
    for place in (folder.captions, folder.rejects):
        for path in sorted(place.glob("*")):
            if f"{place.name}/{path.name}" not in known:
                yield f"{place.name}/{path.name} belongs to no shard; run again to clear it"
