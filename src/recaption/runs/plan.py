"""What a run would cost, before anything is spent: calls, tokens, money, time, disk.

Figures are bounds or come from what was measured; what is not known is said to be unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Final

from recaption.core.errors import ImageError, RecaptionError
from recaption.core.protocols import Closing, Reader, Stage
from recaption.core.types import Record, Rejected
from recaption.datasets.run_folder import RunFolder
from recaption.datasets.survey import survey
from recaption.media.images import BatchImages, read_header
from recaption.recipes.recipe import Recipe
from recaption.runs.planned_stage import (
    Amounts,
    PlannedStage,
    Prices,
    asks_the_ledger,
    most_bytes,
    planned,
    texts_added,
)
from recaption.runs.remembered import remembered
from recaption.runs.run import limits_of

__all__ = ["Plan", "PlannedStage", "Prices", "plan"]

_NO_PRICES: Final = Prices()
SAMPLE: Final = 200
"""Records that are looked at: for image sizes, text lengths, and what the ledger knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do."""

    items: int
    images: int
    """Records with an image that can be looked at."""
    shards: int
    stages: Sequence[PlannedStage]
    seconds: float | None
    """None where no rate is known."""
    rate_source: str
    disk_bytes: int
    """At most, the ledger included."""
    sampled: int
    """Records that figures were taken from."""
    notes: Sequence[str] = ()

    @property
    def cost(self) -> float | None:
        """The cost of all paid services, at most; None where that of one is not known."""
        costs = [stage.cost for stage in self.stages if stage.is_paid]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None


@dataclass(slots=True)
class _Input:
    """What a pass over the input found."""

    items: int = 0
    images: int = 0
    texts: int = 0
    inline_bytes: int = 0

    def watch(self, items: Iterable[Record | Rejected]) -> Iterator[Record | Rejected]:
        for item in items:
            if isinstance(item, Record):
                self.texts += len(item.originals)
                self.images += item.has_image
                if item.image is not None and item.image.data is not None and item.image.path is None:
                    self.inline_bytes += len(item.image.data)
            yield item


def plan(
    reader: Reader,
    recipe: Recipe,
    *,
    folder: RunFolder | None = None,
    shard_size: int = 1000,
    seed: int = 0,
    prices: Prices = _NO_PRICES,
    rate: float | None = None,
) -> Plan:
    """Return what the recipe over this input would cost. Nothing is written, called, loaded or downloaded.

    Args:
        folder: Where the run would write; what its ledger knows of a sample is not counted again.
        rate: Images a second; without it, that of the last run in `folder`.
    """
    seen = _Input()
    seen.items = survey(seen.watch(reader.records())).items
    paying = [i for i, spec in enumerate(recipe.stages) if asks_the_ledger(spec)]
    records, sizes = _sample(reader, recipe, seen.images) if paying and seen.images else ([], [])
    with _built(recipe) as built:
        known = _known(folder, recipe, built[: paying[-1] + 1], records, seed) if records else []
        problems = [stage if isinstance(stage, str) else None for stage in built]
    texts = -(-seen.texts // seen.items) if seen.items else 0
    stages = []
    for number, spec in enumerate(recipe.stages):
        share = known[number] / len(records) if number < len(known) else 0.0
        amounts = Amounts(seen.items, seen.images, texts, share, records, sizes)
        stages.append(planned(spec, amounts, prices, problems[number]))
        texts += texts_added(spec)
    seconds, source = _time(folder, seen, stages, rate)
    return Plan(
        items=seen.items,
        images=seen.images,
        shards=-(-seen.items // shard_size),
        stages=stages,
        seconds=seconds,
        rate_source=source,
        disk_bytes=seen.inline_bytes + most_bytes(recipe.stages, seen.items, seen.images),
        sampled=len(records),
        notes=list(reader.notes),
    )


@contextmanager
def _built(recipe: Recipe) -> Iterator[list[Stage | str]]:
    """Give the stages, or why one cannot be made here: its model is not on this machine, say."""
    built: list[Stage | str] = []
    with ExitStack() as open_until_planned:
        for spec in recipe.stages:
            try:
                stage = spec.build()
            except RecaptionError as error:
                built.append(str(error))
                continue
            built.append(stage)
            if isinstance(stage, Closing):
                open_until_planned.callback(stage.close)
        yield built


def _sample(reader: Reader, recipe: Recipe, images: int) -> tuple[list[Record], list[tuple[int, int]]]:
    """Return some of the records that have an image, evenly spread, and the sizes of those images as decoded."""
    stride = -(-images // SAMPLE)
    limits, longest = limits_of(recipe.images), recipe.images.max_side_px
    records, sizes = [], []
    with_image = (item for item in reader.records() if isinstance(item, Record) and item.has_image)
    for record in islice(with_image, 0, None, stride):
        records.append(record)
        try:
            _, size = read_header(BatchImages(limits).encoded(record), limits)
        except ImageError:
            continue
        factor = min(1.0, longest / max(size)) if longest else 1.0
        sizes.append((round(size[0] * factor), round(size[1] * factor)))
    return records, sizes


def _known(
    folder: RunFolder | None, recipe: Recipe, built: Sequence[Stage | str], records: Sequence[Record], seed: int
) -> list[int]:
    """Return, for each of the stages, of how many records all calls are remembered."""
    path = folder.root / "ledger" / "calls.sqlite" if folder else None
    if path is None or not path.is_file():
        return []
    stages = list(takewhile(lambda stage: not isinstance(stage, str), built))
    limits, longest = limits_of(recipe.images), recipe.images.max_side_px
    return remembered(path, stages, records, lambda: BatchImages(limits, longest), seed)  # type: ignore[arg-type]


def _time(
    folder: RunFolder | None, seen: _Input, stages: Sequence[PlannedStage], rate: float | None
) -> tuple[float | None, str]:
    """Return the seconds, and where the rate comes from."""
    todo = max(
        (
            s.calls / (s.calls + s.remembered)
            for s in stages
            if s.what in ("requests", "expert calls") and s.calls
        ),
        default=1.0 if not any(s.remembered for s in stages) else 0.0,
    )
    images = (seen.images or seen.items) * todo
    if rate is not None:
        return images / rate, f"at the {rate:g} images a second given"
    measured = _measured_rate(folder) if folder else None
    if measured is not None:
        return (
            images / measured,
            f"at the {measured:.3g} images a second of the last run in {folder and folder.root}",
        )
    return None, "unknown: give --rate, or let a first run with --limit 50 measure it"


def _measured_rate(folder: RunFolder) -> float | None:
    """Return the records a second of the last run that did something, None if there was none."""
    path = folder.root / "log.jsonl"
    if not path.is_file():
        return None
    found = None
    for line in path.read_text("utf-8", "replace").splitlines():
        try:
            entry = json.loads(line)
            fresh, seconds = entry["items"] - entry["resumed"], entry["seconds"]
        except (ValueError, KeyError, TypeError):
            continue
        if fresh > 0 and seconds > 0 and entry.get("calls_paid"):
            found = fresh / seconds
    return found
