"""Kill a run at random moments and run it again: what is lost, doubled, different, paid twice?

    python -m benchmarks.kill_resume --images 2000 --kills 50

Some images are torn, so that there are rejects. Every trial starts the command in a process group of its own, kills
the whole group with SIGKILL after a seeded random time, runs the same command again to its end, and compares every
file with those of a run nobody disturbed. An expert that logs each call it is paid for (a third-party package, found
through its entry point) counts the calls made twice.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

PLUGIN = Path(__file__).resolve().parent.parent / "tests" / "plugin_package"
SHARD_SIZE = 100
TORN_EVERY = 25


@dataclass(frozen=True)
class Trial:
    """One kill: when, what the second run found, and what it cost."""

    killed_after_s: float
    was_running: bool
    identical: bool
    calls: int
    repeated: int


def make_images(folder: Path, count: int, seed: int = 0) -> None:
    """Write small JPEGs of distinct noise, each with a noisy text beside it; every `TORN_EVERY`th is cut in half."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for i in range(count):
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        path = folder / f"{i:06d}.jpg"
        Image.fromarray(coarse).resize((64, 64)).save(path, quality=90)
        if i % TORN_EVERY == TORN_EVERY - 1:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        (folder / f"{i:06d}.txt").write_text(f"Nice photo {i} buy now!!  | Shop {rng.integers(99)}")


def command(images: Path, out: Path, log: Path, *extra: str) -> list[str]:
    """Return the command line of the run: rules and the counting expert."""
    return [
        *(sys.executable, "-m", "recaption", "run", str(images), str(out), "--recipe", "rules", "--show", "0"),
        *("--shard-size", str(SHARD_SIZE), "--workers", "4"),
        *("--expert", "counting", "--set", f"gather.experts.counting.log={log}", *extra),
    ]


def environment() -> dict[str, str]:
    """Return an environment in which the counting expert is an installed package."""
    path = os.pathsep.join(filter(None, [str(PLUGIN), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def run(arguments: Sequence[str]) -> None:
    """Run a command to its end; what it printed is shown if it fails."""
    done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} left with {done.returncode}:\n{done.stdout}\n{done.stderr}")


def outputs(out: Path) -> dict[str, str]:
    """Return the digest of every file whose bytes a run promises: not the ledger, the lock or the side log."""
    private = {".lock", "log.jsonl", "ledger"}
    files = [p for p in sorted(out.rglob("*")) if p.is_file() and p.relative_to(out).parts[0] not in private]
    return {str(p.relative_to(out)): sha256(p.read_bytes()).hexdigest() for p in files}


def logged(log: Path) -> list[str]:
    """Return the calls an expert was paid for."""
    return log.read_text().split() if log.exists() else []


def trial(images: Path, work: Path, reference: dict[str, str], after_s: float) -> Trial:
    """Kill one run after `after_s` seconds, run it again, and compare."""
    out, log = work / "out", work / "calls.log"
    arguments = command(images, out, log)
    victim = subprocess.Popen(
        arguments,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(after_s)
    was_running = victim.poll() is None
    if was_running:
        os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    run(arguments)
    calls = logged(log)
    return Trial(after_s, was_running, outputs(out) == reference, len(calls), len(calls) - len(set(calls)))


def campaign(root: Path, images: int, moments_s: Sequence[float] | int, seed: int) -> Iterator[Trial]:
    """Yield one trial per moment; a number instead of moments draws that many within an undisturbed run's time.

    Every trial works at the same path, because the paths a recipe names are part of what is compared.
    """
    make_images(root / "images", images)
    work = root / "work"
    work.mkdir()
    started = time.monotonic()
    run(command(root / "images", work / "out", work / "calls.log"))
    whole_s = time.monotonic() - started
    reference = outputs(work / "out")
    calls, whole = len(logged(work / "calls.log")), images - images // TORN_EVERY
    if calls != whole:
        raise RuntimeError(f"an undisturbed run made {calls} calls for {whole} whole images")
    if isinstance(moments_s, int):
        draw = random.Random(seed)
        moments_s = [draw.uniform(0, whole_s) for _ in range(moments_s)]
    for after_s in moments_s:
        shutil.rmtree(work)
        work.mkdir()
        yield trial(root / "images", work, reference, after_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    trials = []
    with tempfile.TemporaryDirectory() as folder:
        for found in campaign(Path(folder), options.images, options.kills, options.seed):
            trials.append(found)
            print(f"{len(trials)}/{options.kills}: {found}", flush=True)
    repeated = [t.repeated for t in trials if t.was_running]
    print(f"killed while running: {len(repeated)} of {len(trials)}")
    print(f"output byte-identical: {sum(t.identical for t in trials)} of {len(trials)}")
    print(f"expert calls repeated per kill: median {statistics.median(repeated)}, most {max(repeated)}")
    return 0 if all(t.identical for t in trials) else 1


if __name__ == "__main__":
    sys.exit(main())
