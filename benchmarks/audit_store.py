"""How long the store of an audit takes to open, and to hand out the next item, at a million items.

    python -m benchmarks.audit_store [--items 1000000] [--people 20] [--rounds 50] [--overlap 1] [--postgres]

Every auditor is a thread that asks for the next item and submits a verdict: first one item a second each, which no
person keeps up, then without a pause. `--judged` sets how much of the sample is finished before the clock starts, so
that what stands at the head of the queue is done. At the end verdicts are imported, as many at a time as an import
takes.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from recaption.audit.interchange.recording import AT_ONCE
from recaption.audit.opening import create_store, open_store
from recaption.audit.schema import items, project
from recaption.audit.store import AuditStore
from recaption.audit.types import AuditItem, Draft, Foreign, Settings
from tests.servers.postgres import running_postgres

CAPTION = "A brown dog runs over wet sand while two children watch from a wooden pier in the background. " * 3


def sample(count: int) -> Iterator[AuditItem]:
    for n in range(count):
        yield AuditItem(
            key=f"images/{n:09d}.jpg", stratum=f"bin {n % 10}", payload={"captions": [CAPTION, CAPTION[:90]]}
        )


def judge_head(store: AuditStore, share: float) -> None:
    """Mark the first part of the sample as finished, in one statement: people would take weeks."""
    count = int(store.progress().items * share)
    with store._database.writing() as turn:
        head = items.c.position < count
        turn.run(sa.update(items).where(head).values(done=items.c.needed, open=0))
        turn.count(done=count * store.settings.overlap, finished=count)
        turn.run(sa.update(project).values(id=1))


def race(store: AuditStore, people: list[int], rounds: int, pause_s: float = 0.0) -> dict[str, list[float]]:
    """Let all auditors work at once; return the seconds of every call."""
    times: dict[str, list[float]] = {"next": [], "submit": []}
    start = threading.Barrier(len(people))

    def work(auditor: int) -> None:
        start.wait()
        time.sleep(pause_s * people.index(auditor) / len(people))
        for n in range(rounds):
            begin = time.perf_counter()
            got = store.next_item(auditor)
            middle = time.perf_counter()
            assert got is not None
            time.sleep(pause_s)
            begin_submit = time.perf_counter()
            draft = Draft(action="accept", took_ms=3000)
            store.submit(
                auditor, got.lease.item, draft, request=f"r{n}-{got.lease.fence}", fence=got.lease.fence
            )
            times["next"].append(middle - begin)
            times["submit"].append(time.perf_counter() - begin_submit)

    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(work, people))
    return times


def foreign(auditor: int, items: int, count: int) -> list[list[Foreign]]:
    """Return verdicts from elsewhere on the last of the sample, in parts."""
    keys = [f"images/{items - n:09d}.jpg" for n in range(1, count + 1)]
    accept = Draft(action="accept")
    told = [Foreign(auditor=auditor, key=key, draft=accept, request=key) for key in keys]
    return [told[start : start + AT_ONCE] for start in range(0, count, AT_ONCE)]


def _timed(call: Callable[..., object], *values: object, **named: object) -> float:
    begin = time.perf_counter()
    call(*values, **named)
    return time.perf_counter() - begin


def describe(name: str, seconds: list[float]) -> str:
    values = np.array(seconds) * 1000
    middle, high, most = np.percentile(values, [50, 95, 100])
    return f"{name}: n={len(values)} median {middle:.1f} ms, p95 {high:.1f} ms, max {most:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--overlap", type=int, default=1)
    parser.add_argument("--judged", type=float, default=0.5)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres() if options.postgres else nullcontext() as url,
    ):
        place = url or Path(folder) / "audit.sqlite"
        begin = time.perf_counter()
        with create_store(place, Settings(overlap=options.overlap)) as store:
            store.add_items(sample(options.items))
            print(f"filled with {options.items} items in {time.perf_counter() - begin:.1f} s", flush=True)
            judge_head(store, options.judged)
        begin = time.perf_counter()
        with open_store(place) as store:
            store.progress()
            opened = time.perf_counter() - begin
            print(f"opened, with progress, in {opened * 1000:.0f} ms")
            people = [store.add_auditor(f"auditor {n}")[0].id for n in range(options.people)]
            begin = time.perf_counter()
            store.next_item(people[0])
            print(f"first item of a newcomer: {(time.perf_counter() - begin) * 1000:.1f} ms")
            alone = race(store, people[:1], options.rounds)
            print(describe("next item, one auditor", alone["next"]))
            print(describe("submit, one auditor", alone["submit"]))
            paced = race(store, people, 15, 1.0)
            print(describe(f"next item, {options.people} auditors, one a second", paced["next"]))
            print(describe(f"submit, {options.people} auditors, one a second", paced["submit"]))
            begin = time.perf_counter()
            together = race(store, people, options.rounds)
            rate = options.people * options.rounds / (time.perf_counter() - begin)
            print(describe(f"next item, {options.people} auditors, no pause", together["next"]))
            print(describe(f"submit, {options.people} auditors, no pause", together["submit"]))
            print(f"{rate:.0f} items judged per second, all together")
            newcomer = store.add_auditor("importer")[0].id
            parts = foreign(newcomer, options.items, min(5_000, options.items // 4))
            seconds = [_timed(store.record, part) for part in parts]
            print(describe(f"import of {AT_ONCE}", seconds))
            print(f"{sum(map(len, parts)) / sum(seconds):.0f} verdicts imported per second")
            print(describe("progress", [_timed(store.progress, newcomer) for _ in range(200)]))


if __name__ == "__main__":
    main()
