"""What the captioning benchmarks share: pictures, the command, and what came of it."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.memory import peak_of
from recaption.datasets.run_folder import RunFolder

__all__ = [
    "Captioned",
    "Finished",
    "captioned",
    "command",
    "finish",
    "jpeg",
    "make_pictures",
    "median",
    "photo",
    "start",
]

WHOLE = "ground."
"""How a caption of the fault server ends."""


@dataclass(frozen=True)
class Finished:
    """A process that ended."""

    code: int
    wall_s: float
    cpu_s: float
    """Of the process and those it waited for."""
    peak_mb: float
    """Most memory the process had at once."""
    said: str


@dataclass(frozen=True)
class Captioned:
    """What a run folder says about the pictures it was given."""

    right: int
    """Captions of the very picture, whole."""
    wrong: int
    """Captions that speak of another picture, are cut, or are empty."""
    missing: int


def jpeg(rng: np.random.Generator, side_px: int = 64, quality: int = 85) -> bytes:
    """Return a JPEG of coarse noise, different from all others."""
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((side_px, side_px), Image.Resampling.NEAREST)
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def photo(rng: np.random.Generator, width: int, height: int, quality: int = 92) -> bytes:
    """Return a JPEG with detail at every scale, as photographs have, different from all others."""
    base = _landscape(width, height)
    moved = np.roll(base, (int(rng.integers(height)), int(rng.integers(width))), axis=(0, 1))
    tinted = moved + rng.integers(-40, 40, 3, dtype=np.int16)
    file = BytesIO()
    Image.fromarray(np.clip(tinted, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return file.getvalue()


@cache
def _landscape(width: int, height: int) -> NDArray[np.int16]:
    """Return noise whose strength falls with its frequency."""
    rng = np.random.default_rng(0)
    total = rng.normal(128, 9, (height, width, 3))
    for octave in range(2, 9):
        grid = rng.normal(0, 60 / 1.5**octave, (2**octave, 2**octave, 3)).astype(np.float32)
        bands = [
            Image.fromarray(grid[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(3)
        ]
        total += np.stack([np.asarray(band) for band in bands], axis=-1)
    return total.astype(np.int16)


def make_pictures(
    folder: Path, count: int, make: Callable[[np.random.Generator], bytes] = jpeg, first: int = 0, seed: int = 7
) -> None:
    """Write `count` different pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        (folder / f"{i:06d}.jpg").write_bytes(make(np.random.default_rng([seed, i])))


def command(pictures: Path, out: Path, address: str, **settings: object) -> list[str]:
    """Return the command line of a run of the built-in recipe `server`, checks and all.

    Args:
        address: `http://host:port/v1`.
        settings: Parameters of the client.
    """
    run = [
        sys.executable,
        "-m",
        "recaption",
        "run",
        str(pictures),
        str(out),
        "--recipe",
        "server",
        "--show",
        "0",
    ]
    if not settings:
        return [*run, "--captioner", f"{address}#m"]
    told = {"openai": {"url": address, "model": "m", **settings}}
    return [*run, "--set", f"caption.captioner={json.dumps(told)}"]


def start(arguments: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(arguments, stdout=log, stderr=log, env=env, start_new_session=True)


def finish(
    arguments: Sequence[str], until: Callable[[], bool] = lambda: False, limit_s: float = 600.0
) -> Finished:
    """Run a command to its end, or kill its process group once `until` says so or `limit_s` are over."""
    with TemporaryFile() as log:
        started = time.monotonic()
        process = start(arguments, log)
        usage: resource.struct_rusage | None = None
        peak_mb = 0.0
        while usage is None:
            peak_mb = max(peak_mb, peak_of(process.pid))
            pid, status, found = os.wait4(process.pid, os.WNOHANG)
            if pid:
                usage, process.returncode = found, os.waitstatus_to_exitcode(status)
            elif until() or time.monotonic() - started > limit_s:
                os.killpg(process.pid, signal.SIGKILL)
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(0.05)
        wall_s = time.monotonic() - started
        log.seek(0)
        said = log.read().decode("utf-8", "replace")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Finished(process.returncode, wall_s, cpu_s, peak_mb, said)


def captioned(out: Path, pictures: Path, mark: Callable[[bytes], str] | None = None) -> Captioned:
    """Compare the chosen captions of a run with the pictures they are about.

    Args:
        mark: What a right caption of a picture's bytes contains; the beginning of their sha256 if None.
    """
    marks: Mapping[str, str] = {
        path.stem: mark(path.read_bytes()) if mark else sha256(path.read_bytes()).hexdigest()[:16]
        for path in pictures.glob("*.jpg")
    }
    counts: Counter[str] = Counter()
    for record in RunFolder(out).records():
        text = record.best.text if record.best is not None else ""
        key = Path(record.key).stem
        right = marks[key] in text and text.endswith(WHOLE)
        counts["right" if right else "wrong" if text else "missing"] += 1
    return Captioned(counts["right"], counts["wrong"], len(marks) - counts["right"] - counts["wrong"])


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return float(np.median(values))
