"""A shard at work: what of it is known, what goes through which stages, and how the results come together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from recaption.core.types import Record, Rejected
from recaption.datasets.run_folder import Marker, RunFolder
from recaption.pipeline import Pipeline
from recaption.runs.heeding import Heeding
from recaption.runs.input_digest import InputDigest

__all__ = ["Batch", "Job", "ShardPlanner", "chunks"]

Item = TypeVar("Item")


class Batch(list[Record | Rejected]):
    """Records that go through the same stages together."""

    def __init__(
        self, items: Iterable[Record | Rejected], pipeline: Pipeline, wanted: Set[str] | None = None
    ) -> None:
        """Take the records of a batch.

        Args:
            wanted: Keys of those whose results are asked for; the others are there because stages compare neighbours.
        """
        super().__init__(items)
        self._pipeline = pipeline
        self.keys = [item.key for item in self if wanted is None or item.key in wanted]
        """Of the results that `run` returns, in their order."""

    def run(self) -> list[Record | Rejected]:
        """Return the results that are wanted. Raises what `Pipeline.run_batch` raises."""
        wanted = set(self.keys)
        results = self._pipeline.run_batch(self)
        return [result for item, result in zip(self, results, strict=True) if item.key in wanted]


@dataclass(slots=True)
class Job:
    """A shard at work: its items, the results known from before, and those that come in."""

    shard: int
    items: list[Record | Rejected]
    input_digest: str
    rulings: Mapping[str, str]
    """What its marker will say of people's rulings."""
    known: Mapping[str, Record | Rejected]
    batches: Sequence[Batch]
    batches_left: int = field(init=False)
    fresh: list[Record | Rejected] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.batches_left = len(self.batches)

    def results(self) -> list[Record | Rejected]:
        """Return one result per item, in the order of the items."""
        keys = [key for batch in self.batches for key in batch.keys]
        found = {**self.known, **dict(zip(keys, self.fresh, strict=True))}
        return [item if isinstance(item, Rejected) else found[item.key] for item in self.items]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlanner:
    """Says what is to be done for a shard, given what is committed of it."""

    folder: RunFolder
    heeding: Heeding
    whole: Pipeline
    """The recipe's stages, and then what people decided."""
    people: Pipeline
    """What people decided, alone."""
    work_digest: str
    compares_neighbours: bool
    batch_size: int
    retry: bool
    digest: InputDigest = field(default_factory=InputDigest)

    def job(self, shard: int, items: list[Record | Rejected]) -> Job | Marker:
        """Return what is to be done for a shard; its marker where nothing is."""
        digest, rulings = self.digest.of(items), self.heeding.marks(items)
        marker = self.folder.marker(shard)
        if marker is None or marker.input_digest != digest or marker.work_digest != self.work_digest:
            return Job(shard, items, digest, rulings, {}, self._batches(_records(items), self.whole))
        again = self.retry and marker.retryable > 0
        if not again and marker.rulings == rulings:
            return marker
        known = _settled(self.folder, marker, retry=again)
        batches = self._again(_records(items), known, marker.rulings, rulings)
        for batch in batches:
            for key in batch.keys:
                known.pop(key, None)
        return Job(shard, items, digest, rulings, known, batches)

    def _again(
        self,
        records: Sequence[Record],
        known: Mapping[str, Record | Rejected],
        before: Mapping[str, str],
        now: Mapping[str, str],
    ) -> list[Batch]:
        """Return what is to be done of a shard whose work is known: what people decided, and what is tried again.

        A record nobody had ruled on is what the recipe made of it, and only waits to hear people. One whose ruling
        has changed or is gone goes through the recipe again, which the ledger answers.
        """
        heard: list[Record] = []
        wanted: set[str] = set()
        anew = False
        for record in records:
            made, name = known.get(record.key), self.heeding.name(record.key)
            if made is None:
                wanted.add(record.key)
            elif before.get(name) == now.get(name):
                continue
            elif name in before:
                wanted.add(record.key)
                anew = True
            elif isinstance(made, Record):
                heard.append(made)
        batches = self._batches(heard, self.people)
        if anew and self.compares_neighbours:
            return [*batches, *self._beside_neighbours(records, known, wanted)]
        return batches + self._batches([record for record in records if record.key in wanted], self.whole)

    def _beside_neighbours(
        self, records: Sequence[Record], known: Mapping[str, Record | Rejected], wanted: Set[str]
    ) -> Iterator[Batch]:
        """Yield the records wanted, with those they stood beside the first time."""
        for part in chunks(records, self.batch_size):
            if any(record.key in wanted for record in part):
                # A neighbour that had failed for a passing reason would be asked for again, and paid for.
                there = [r for r in part if r.key in wanted or not _may_pass(known[r.key])]
                yield Batch(there, self.whole, wanted)

    def _batches(self, records: Iterable[Record], pipeline: Pipeline) -> list[Batch]:
        return [Batch(part, pipeline) for part in chunks(records, self.batch_size)]


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of `size`, the last one maybe shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _records(items: Iterable[Record | Rejected]) -> list[Record]:
    return [item for item in items if isinstance(item, Record)]


def _settled(folder: RunFolder, marker: Marker, *, retry: bool) -> dict[str, Record | Rejected]:
    """Return the results of a committed shard that may stay as they are, by key.

    What was rejected while reading is left out: the reader says it again, and a duplicate bears a record's key. With
    `retry`, so is what may be tried again.
    """
    return {
        item.key: item
        for item in folder.results(marker.shard)
        if isinstance(item, Record) or (item.stage != "read" and not (retry and item.retryable))
    }


def _may_pass(result: Record | Rejected) -> bool:
    return isinstance(result, Rejected) and result.retryable
