"""Run a recipe over a dataset into a run folder; run it again and it goes on where it stopped."""

import json
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recaption.core.errors import BackendError, RunFolderError, UserError
from recaption.core.protocols import Busy, Closing, Reader, Stage, Usage
from recaption.core.types import Record, Rejected
from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.meter import Budget, SqliteMeter
from recaption.datasets.run_folder import Marker, RunFolder
from recaption.datasets.survey import Survey, survey, with_survey
from recaption.executors.local import LocalExecutor
from recaption.media.images import BatchImages, Limits
from recaption.pipeline import Pipeline
from recaption.recipes.recipe import ImagePolicy, Recipe
from recaption.runs.description import compares_neighbours, description, work_digest
from recaption.runs.heeding import APPLYING, Heeding
from recaption.runs.shards import Batch, Job, ShardPlanner, chunks
from recaption.runs.stats import merge, tally

__all__ = ["Progress", "RunOptions", "Summary", "limits_of", "run"]

BATCHES_A_SLOT = 6
"""Records at work for each call a backend takes at once: the rest wait for stragglers, or are being prepared.

With 4 % of the calls slow or told to wait, a run takes 1.7 times as long at 3; 12 is no faster than 6, and the
encoded images of a batch stay in memory as long as it is at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run. Of all this, `seed` changes what is written, and `batch_size` where a stage compares neighbours."""

    seed: int = 0
    shard_size: int = 1000
    batch_size: int = 32
    """Records a batch. The stage `check` looks for shared and swapped answers within one."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    budget: Budget = field(default_factory=Budget)
    """The most that model calls may cost in this run folder, earlier runs included."""
    retry: bool = False
    """Do again what failed and may be retried; finished calls are not paid again."""
    ask_generators: bool = True
    """False: the first call to a generator that is not remembered stops the run, as a budget that is spent does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is. `total` is None while the input is surveyed."""

    done: int
    total: int | None
    failed: int = 0
    resumed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a run folder holds now, and what this run did for it."""

    items: int
    kept: int
    dropped: int
    failed: int
    retryable: int
    resumed: int
    """Items whose shard was committed before."""
    calls_paid: int
    calls_recalled: int
    usage: Mapping[str, Usage]
    """What each generator has cost in this run folder, earlier runs included."""
    seconds: float
    stats: Mapping[str, Mapping[str, int]]
    notes: Sequence[str]
    redone: int = 0
    """Records that this run made, or made again."""


def run(
    reader: Reader,
    recipe: Recipe,
    folder: RunFolder,
    options: RunOptions,
    *,
    source: Mapping[str, Any],
    watch: Callable[[Progress], None] = lambda progress: None,
    before: Callable[[], None] = lambda: None,
    applying: bool = False,
) -> Summary:
    """Bring the run folder to where the recipe over this input is done, doing only what is not.

    Args:
        source: How to open the input again; written to `run.json`, used by `retry`.
        watch: Told about progress, after every batch.
        before: Called before anything is written, once no other run can write to the folder; it may write people's
            rulings there, which are read next, or raise.
        applying: Say in `run.json`, until the run has ended, that it only brings rulings into a run that had ended.

    Raises:
        UserError: The input is empty, the folder is in use or holds something else, or a stage cannot work.
        BackendError: A model or service is gone. What is committed stays; run again to go on.
    """
    _refuse_itself(source, folder)
    stages = [spec.build() for spec in recipe.stages]
    with folder.locked(), ExitStack() as open_until_done:
        backends = open_until_done.enter_context(ExitStack())
        for stage in stages:
            if isinstance(stage, Closing):
                backends.callback(stage.close)
        found = survey(reader.records(), lambda n: watch(Progress(done=n, total=None)))
        if found.items == 0:
            raise UserError(f"the input holds no records, nothing was changed: {reader.description}")
        _refuse_to_shrink(folder, source, found.items)
        before()
        heeding = Heeding.of(folder.root, recipe, stages)
        about = description(reader, recipe, stages, options, source) | heeding.told()
        folder.begin({**about, APPLYING: True} if applying else about)
        folder.write_text("recipe.yaml", recipe.to_yaml())
        ledger = SqliteLedger(folder.root / "ledger" / "calls.sqlite")
        open_until_done.callback(ledger.close)
        meter = _meter(folder.root / "ledger" / "spent.sqlite", options)
        open_until_done.callback(meter.close)
        summary = _Run(
            reader,
            recipe,
            stages,
            heeding,
            folder,
            options,
            ledger,
            meter,
            found,
            watch,
            abandoned=backends.close,
        ).all()
        folder.write_description({**about, "complete": True, **_counts(summary)})
        _log(folder, summary)
        return summary


class _Run:
    def __init__(
        self,
        reader: Reader,
        recipe: Recipe,
        stages: Sequence[Stage],
        heeding: Heeding,
        folder: RunFolder,
        options: RunOptions,
        ledger: SqliteLedger,
        meter: SqliteMeter,
        found: Survey,
        watch: Callable[[Progress], None],
        *,
        abandoned: Callable[[], None],
    ) -> None:
        self.reader, self.folder, self.options = reader, folder, options
        self.ledger, self.meter, self.found, self.watch = ledger, meter, found, watch
        self.heeding = heeding
        limits = limits_of(recipe.images)
        pipeline = Pipeline(
            stages=[],
            make_images=lambda: BatchImages(limits, recipe.images.max_side_px),
            ledger=ledger,
            meter=meter,
            seed=options.seed,
        )
        last: Sequence[Stage] = () if heeding.stage is None else (heeding.stage,)
        self.planner = ShardPlanner(
            folder=folder,
            heeding=heeding,
            whole=replace(pipeline, stages=[*stages, *last]),
            people=replace(pipeline, stages=last),
            work_digest=work_digest(recipe, stages, options),
            compares_neighbours=compares_neighbours(stages),
            batch_size=options.batch_size,
            retry=options.retry,
        )
        self.executor = LocalExecutor(_workers(stages, options), abandoned)
        self.jobs: deque[Job] = deque()
        self.markers: list[Marker] = []
        self.done = self.failed = self.resumed = self.redone = 0

    def all(self) -> Summary:
        """Do the whole run."""
        started = time.monotonic()
        self._report()  # the survey is over; the first batch may take minutes
        with closing(self.executor.run(self._batches(), self._work)) as stream:
            for results in stream:
                # Shards without work, all rejects say, may stand before the one these results belong to.
                self._commit_finished()
                self.jobs[0].fresh.extend(results)
                self.jobs[0].batches_left -= 1
                self.done += len(results)
                self.redone += len(results)
                self.failed += sum(isinstance(r, Rejected) for r in results)
                self._report()
        self._commit_finished()
        summary = self._summary(time.monotonic() - started)
        if self.jobs or summary.items != self.found.items:
            raise BackendError(
                f"the input changed while it was read: {self.found.items} items before, {summary.items} now"
            )
        for stale in self.folder.committed():
            if stale.shard >= len(self.markers):  # the input has shrunk since
                self.folder.discard(stale.shard)
        return summary

    def _batches(self) -> Iterator[Batch]:
        """Yield what is to be done, shard by shard, and queue a job for each shard that has any."""
        stream = with_survey(self.reader.records(), self.found)
        for shard, items in enumerate(chunks(stream, self.options.shard_size)):
            job = self.planner.job(shard, items)
            if isinstance(job, Marker):
                self._skip(job)
                continue
            self.jobs.append(job)
            known = [job.known[i.key] for i in items if isinstance(i, Record) and i.key in job.known]
            self.done += len(items) - sum(len(batch.keys) for batch in job.batches)
            self.resumed += len(known)
            self.failed += sum(isinstance(i, Rejected) for i in [*items, *known])
            yield from job.batches

    @staticmethod
    def _work(batch: Sequence[Record | Rejected]) -> list[Record | Rejected]:
        if not isinstance(batch, Batch):
            raise TypeError("only batches of this run are worked on")
        return batch.run()

    def _skip(self, marker: Marker) -> None:
        # A skipped shard may overtake one still at work; markers are put in order in the summary.
        self.markers.append(marker)
        self.done += marker.items
        self.resumed += marker.items
        self.failed += marker.dropped + marker.failed
        self._report()

    def _commit_finished(self) -> None:
        while self.jobs and self.jobs[0].batches_left == 0:
            job = self.jobs.popleft()
            results = job.results()
            marker = self.folder.commit(
                job.shard,
                results,
                input_digest=job.input_digest,
                work_digest=self.planner.work_digest,
                stats=tally(results) | self.heeding.tally(results),
                rulings=job.rulings,
            )
            self.markers.append(marker)

    def _report(self) -> None:
        self.watch(Progress(done=self.done, total=self.found.items, failed=self.failed, resumed=self.resumed))

    def _summary(self, seconds: float) -> Summary:
        markers = sorted(self.markers, key=lambda m: m.shard)
        return Summary(
            items=sum(m.items for m in markers),
            kept=sum(m.kept for m in markers),
            dropped=sum(m.dropped for m in markers),
            failed=sum(m.failed for m in markers),
            retryable=sum(m.retryable for m in markers),
            resumed=self.resumed,
            calls_paid=self.ledger.paid,
            calls_recalled=self.ledger.recalled,
            usage=self.meter.spent(),
            seconds=seconds,
            stats=merge(m.stats for m in markers),
            notes=list(self.reader.notes),
            redone=self.redone,
        )


def _meter(path: Path, options: RunOptions) -> SqliteMeter:
    if options.ask_generators:
        return SqliteMeter(path, options.budget)
    meter = SqliteMeter(path)
    spent = sum(usage.requests for usage in meter.spent().values())
    meter.close()
    return SqliteMeter(path, Budget(requests=spent))


def _workers(stages: Sequence[Stage], options: RunOptions) -> int:
    """Return how many batches to work on at once: enough that no backend ever waits for the slowest of a batch."""
    wanted = max((stage.in_flight for stage in stages if isinstance(stage, Busy)), default=0)
    return max(options.workers, math.ceil(BATCHES_A_SLOT * wanted / options.batch_size))


def _refuse_itself(source: Mapping[str, Any], folder: RunFolder) -> None:
    """Refuse to read what is about to be written."""
    path, root = Path(str(source.get("path", ""))).absolute().resolve(), folder.root.absolute().resolve()
    if path == root or root in path.parents:
        raise UserError(f"the input {path} lies in the output {root}; name another folder to write to")


def _refuse_to_shrink(folder: RunFolder, source: Mapping[str, Any], items: int) -> None:
    """Refuse to let a limit, given for a quick look, drop what is finished."""
    if source.get("options", {}).get("limit") is None or not (folder.root / "run.json").is_file():
        return
    done = sum(marker.items for marker in folder.committed())
    if done > items:
        raise UserError(
            f"{folder.root} holds {done:,} finished records and a limit would leave {items:,}. "
            "Name another folder, or run without --limit."
        )


def _counts(summary: Summary) -> dict[str, Any]:
    names = ("items", "kept", "dropped", "failed", "retryable")
    return {"counts": {name: getattr(summary, name) for name in names}, "notes": list(summary.notes)}


def _log(folder: RunFolder, summary: Summary) -> None:
    """Append what equal runs may differ in to the side log."""
    entry = {
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(summary.seconds, 3),
        "items": summary.items,
        "resumed": summary.resumed,
        "calls_paid": summary.calls_paid,
        "calls_recalled": summary.calls_recalled,
    }
    try:
        with (folder.root / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
    except OSError as error:
        raise RunFolderError(
            f"the run is done, but {folder.root}/log.jsonl cannot be written: {error}"
        ) from error


def limits_of(policy: ImagePolicy) -> Limits:
    """Return the decoder's limits that a recipe sets."""
    return Limits(formats=tuple(policy.formats), max_bytes=policy.max_bytes, max_pixels=policy.max_pixels)
