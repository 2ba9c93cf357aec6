"""What it takes to bring people's verdicts back into a run: calls, records touched, time; and what a kill does to it.

    OMP_NUM_THREADS=1 python -m benchmarks.audit_apply [--scenes 200] [--pictures 2000] [--share 0.05] [--kills 20]

Rendered scenes are captioned by the hybrid recipe with the models of this package, and pictures of noise by the same
recipe with a captioner that answers by a script, so that what is left is the work of files and stages. A share of
each run is judged: a third put right, a third rejected, a third accepted. Beside `apply` stand the first run, and
the same recipe again over everything with all calls remembered, which is what is saved where nothing else is.

Then `apply` is killed at seeded random moments, called again, and every file compared.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.kill_resume import outputs
from recaption.core.digests import seed_from
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.rulings import Ruling, read_rulings, write_rulings
from recaption.datasets.run_folder import RunFolder
from recaption.demo.dataset import write_demo
from recaption.recipes.recipe import load_recipe
from recaption.runs.audit_applying import apply
from recaption.runs.run import RunOptions, Summary, run

SCRIPTED: Mapping[str, Any] = {
    "caption.captioner": "scripted",
    "score.scorers": {"image_text": "repetition"},
} | {
    "select.by": {"image_text": -1},
    "select.units": {},
}
SHARD_SIZE = 200
REMEMBERED = "all from the ledger"


def captioned(images: Path, out: Path, changes: Mapping[str, Any]) -> Summary:
    """Run the hybrid recipe, or go on with it."""
    reader = open_dataset(str(images), options=ReaderOptions())
    options = RunOptions(shard_size=SHARD_SIZE)
    source = {"path": str(images), "options": {}}
    return run(reader, load_recipe("hybrid", changes), RunFolder(out), options, source=source)


def make_pictures(folder: Path, count: int) -> None:
    """Write small pictures of noise, each with a text."""
    folder.mkdir(parents=True)
    for i in range(count):
        pixels = np.random.default_rng(i).integers(0, 256, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 64)).save(folder / f"{i:06d}.png")
        (folder / f"{i:06d}.txt").write_text(f"Photo {i} of a lighthouse | Shop")


def judged(out: Path, share: float) -> list[Ruling]:
    """Return rulings on a share of the records: put right, rejected, accepted in turn."""
    records = [r for r in RunFolder(out).records() if r.chosen is not None]
    drawn = sorted(records, key=lambda r: seed_from("audit", r.key))[: max(3, round(share * len(records)))]
    made = []
    for number, record in enumerate(drawn):
        told: dict[str, Any] = {
            "key": record.key,
            "shown": record.chosen,
            "auditors": ("Ann",),
            "verdicts": (number,),
        }
        if number % 3 == 0:
            told |= {"outcome": "edit", "text": f"Somebody looked at {record.key} and wrote this."}
        else:
            told |= {"outcome": "reject", "reason": "wrong"} if number % 3 == 1 else {"outcome": "accept"}
        made.append(Ruling(**told))
    return made


def rows(out: Path) -> dict[str, Any]:
    """Return every row that was written, by key."""
    paths = sorted((out / "captions").glob("*.parquet"))
    return {row["key"]: row for path in paths for row in pq.read_table(path).to_pylist()}


@contextmanager
def stopwatch(found: dict[str, tuple[float, float]], name: str) -> Iterator[None]:
    """Note the seconds that a block takes: by the clock, and of processors, which a busy machine tells better."""
    wall, busy = time.perf_counter(), time.process_time()
    yield
    found[name] = time.perf_counter() - wall, time.process_time() - busy


def measured(what: str, images: Path, work: Path, share: float, changes: Mapping[str, Any]) -> Iterator[str]:
    """Run, judge, apply, and run again over everything."""
    out, seconds = work / "out", dict[str, tuple[float, float]]()
    with stopwatch(seconds, "run"):
        first = captioned(images, out, changes)
    before, rulings = rows(out), judged(out, share)
    with stopwatch(seconds, "apply"):
        found = apply(RunFolder(out), rulings)
    after, expected = rows(out), outputs(out)
    touched = {key for key in before if after.get(key) != before[key]}
    edits = sum(ruling.outcome == "edit" for ruling in rulings)
    asked = sum(u.requests for u in found.summary.usage.values()) - sum(
        u.requests for u in first.usage.values()
    )
    yield (
        f"{what}: {first.items:,} records, {len(rulings)} judged ({edits} edits); generator requests "
        f"{sum(u.requests for u in first.usage.values()):,} in the run, {asked} to apply; calls paid "
        f"{first.calls_paid:,} and {found.calls_paid}"
    )
    yield (
        f"  rows touched {len(touched)}, of them not judged {len(touched - {r.key for r in rulings})}; "
        f"human texts without a score {unscored(out)}"
    )
    with stopwatch(seconds, "again"):
        again = apply(RunFolder(out), rulings)
    for part in ("shards", "captions", "rejects"):
        for path in (out / part).glob("*"):
            path.unlink()
    with stopwatch(seconds, REMEMBERED):
        whole = captioned(images, out, changes)
    for number, kind in enumerate(("seconds", "processor seconds")):
        told = {name: both[number] for name, both in seconds.items()}
        yield (
            f"  {kind}: {', '.join(f'{name} {s:.2f}' for name, s in told.items())}; apply is "
            f"{told['apply'] / told['run']:.3f} of the run, {told['apply'] / told[REMEMBERED]:.3f} of {REMEMBERED}"
        )
    yield f"  applied again: {again.redone} redone, {again.calls_paid} paid"
    yield f"  {REMEMBERED}: paid {whole.calls_paid}, same bytes {outputs(out) == expected}"


def unscored(out: Path) -> int:
    """Return how many chosen captions of people lack a score by the recipe's scorer."""
    best = [record.best for record in RunFolder(out).records()]
    return sum(b.origin == "human" and "image_text" not in b.scores for b in best if b is not None)


def killed(work: Path, images: Path, share: float, kills: int, seed: int) -> Iterator[str]:
    """Kill `apply` at random moments, call it again, compare."""
    out, kept, file = work / "out", work / "kept", work / "rulings.jsonl"
    captioned(images, out, SCRIPTED)
    shutil.copytree(out, kept)
    write_rulings(file, judged(out, share))
    command = [sys.executable, "-m", "benchmarks.audit_apply", "--worker", str(out), str(file)]
    mark = work / "mark"
    started = time.time()
    subprocess.run([*command, str(mark)], check=True)
    whole, span, expected = time.time() - started, time.time() - mark.stat().st_mtime, outputs(out)
    draw, same, running = random.Random(seed), 0, 0
    for _ in range(kills):
        shutil.rmtree(out)
        shutil.copytree(kept, out)
        victim = subprocess.Popen([*command, str(mark)], start_new_session=True)
        # Much of the time goes into starting Python; moments are drawn from when the work itself begins.
        time.sleep(whole - draw.uniform(0, span))
        running += victim.poll() is None
        if victim.poll() is None:
            os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
        subprocess.run([*command, str(mark)], check=True)
        same += outputs(out) == expected
    yield f"killed while applying: {running} of {kills}; same bytes in the end {same} of {kills}"


def worker(out: Path, rulings: Path, mark: Path) -> None:
    """Apply rulings, in a process that may be killed; `mark` is touched when the work begins."""
    mark.touch()
    apply(RunFolder(out), read_rulings(rulings).values(), workers=2)


def main() -> int:
    if sys.argv[1:2] == ["--worker"]:
        worker(*map(Path, sys.argv[2:5]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if options.scenes:
            write_demo(root / "scenes", options.scenes, options.seed, evidence=False)
            hot = {"caption.temperature": 1.5}
            for line in measured("demo, hybrid", root / "scenes", root / "demo", options.share, hot):
                print(line, flush=True)
        make_pictures(root / "pictures", options.pictures)
        for line in measured("scripted", root / "pictures", root / "scripted", options.share, SCRIPTED):
            print(line, flush=True)
        if options.kills:
            (root / "kills").mkdir()
            for line in killed(root / "kills", root / "pictures", options.share, options.kills, options.seed):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
