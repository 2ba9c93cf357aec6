"""How long does it take to find every text's own image among all, and how much memory?

    OMP_NUM_THREADS=2 python -m benchmarks.retrieval [--n 50000] [--d 512] [--rounds 2]

Contenders take turns, each in a process of its own on the same seeded vectors, and are held against each other:

- ours: `rank_own`, the exact rank of each text's own image among all n, with its ties counted.
- faiss: `IndexFlatIP`, the ten nearest images of each text; says whether the own one is among them, and not its rank
  if it is not. Needs `pip install faiss-cpu`, which is no part of this project.
- argsort: the whole order of every text's images by numpy, in blocks; a part of the texts, its time scaled up.

On vectors that are all different the three must agree wherever two scores are further apart than a float's last
digits. Where images are there ten times over, faiss and argsort break ties as they happen to; each of their answers
must lie between ours for ties lost and ties won.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import peak_of
from recaption.evaluation.ranks import Ranks, Vectors, rank_own

__all__ = ["CONTENDERS", "made"]

NEAREST = 10
SORTED_SHARE = 25
"""Argsort takes one text of so many."""
BLOCK = 250
COPIES = 10
CLOSE = 2e-6
"""Scores that two products of floats may put in either order."""


def made(kind: str, n: int, d: int) -> tuple[Vectors, Vectors]:
    """Return images and texts of length 1, each text near the image of its number."""
    rng = np.random.default_rng(5)
    images = rng.standard_normal((n, d), dtype=np.float32)
    if kind == "copies":
        images[:] = images[rng.integers(max(1, n // COPIES), size=n)]
    texts = rng.standard_normal((n, d), dtype=np.float32)
    texts *= 8
    texts += images
    for rows in (images, texts):
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return images, texts


def ours(images: Vectors, texts: Vectors) -> dict[str, Any]:
    """Return the counts of ranks."""
    numbers = np.arange(len(images))
    ranks = rank_own(texts, numbers, images, numbers)
    return {"greater": ranks.greater, "equal": ranks.equal}


def faiss(images: Vectors, texts: Vectors) -> dict[str, Any]:
    """Return the place of each own image among the nearest, 0 the first, or `NEAREST` where it is not there."""
    import faiss as library

    index = library.IndexFlatIP(images.shape[1])
    index.add(images)
    _, found = index.search(texts, NEAREST)
    return {"place": _place(found)}


def argsort(images: Vectors, texts: Vectors) -> dict[str, Any]:
    """Return the place of every few texts' own image among all."""
    asked = np.arange(0, len(texts), SORTED_SHARE)
    places = np.empty(len(asked), dtype=np.int64)
    for start in range(0, len(asked), BLOCK):
        some = asked[start : start + BLOCK]
        order = np.argsort(-(texts[some] @ images.T), axis=1)
        places[start : start + BLOCK] = np.argmax(order == some[:, None], axis=1)
    return {"asked": asked, "place": places}


CONTENDERS: dict[str, Callable[[Vectors, Vectors], dict[str, Any]]] = {
    "ours": ours,
    "faiss": faiss,
    "argsort": argsort,
}


def _place(found: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    own = found == np.arange(len(found))[:, None]
    place: np.ndarray[Any, Any] = np.where(own.any(axis=1), own.argmax(axis=1), found.shape[1])
    return place


def child(name: str, kind: str, n: int, d: int, out: Path) -> None:
    """Run one contender here, keep its answer and print what it took."""
    images, texts = made(kind, n, d)
    if name == "faiss":
        import faiss as _  # noqa: F401 - what it takes to load is no part of the contest
    before = peak_of()
    start, cpu = time.perf_counter(), time.process_time()
    answer = CONTENDERS[name](images, texts)
    took = {
        "wall_s": time.perf_counter() - start,
        "cpu_s": time.process_time() - cpu,
        "more_mb": peak_of() - before,
        "peak_mb": peak_of(),
    }
    np.savez(out, **answer)
    print(json.dumps(took))


def contest(kind: str, n: int, d: int, rounds: int, names: list[str], scratch: Path) -> None:
    """Let everybody take turns, print what it took and whether they agree."""
    took: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        for name in names:
            place = scratch / f"{kind}-{name}.npz"
            command = [sys.executable, "-m", "benchmarks.retrieval", "--n", str(n), "--d", str(d)]
            done = subprocess.run(
                [*command, "--child", name, "--kind", kind, "--out", str(place)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise RuntimeError(done.stderr)
            took[name].append(json.loads(done.stdout))
    print(f"\n{n:,} texts x {n:,} images, d = {d}, {kind}")
    print("| who | wall s | range | processor s | memory beyond the vectors, MB |")
    print("|---|---|---|---|---|")
    for name, turns in took.items():
        times = SORTED_SHARE if name == "argsort" else 1
        wall = [turn["wall_s"] * times for turn in turns]
        cpu = statistics.median(turn["cpu_s"] * times for turn in turns)
        scaled = f" (1/{times} of the texts, scaled)" if times > 1 else ""
        memory = max(turn["more_mb"] for turn in turns)
        print(
            f"| {name}{scaled} | {statistics.median(wall):.1f} | {min(wall):.1f}-{max(wall):.1f} | {cpu:.1f} "
            f"| {memory:.0f} |",
            flush=True,
        )
    compare({name: np.load(scratch / f"{kind}-{name}.npz") for name in names}, *made(kind, n, d))


def compare(answers: dict[str, Any], images: Vectors, texts: Vectors) -> None:
    """Print how many answers lie outside of what ours allows, and how many of these are no close call."""
    mine = answers["ours"]
    ranks = Ranks(mine["greater"], mine["equal"], np.ones_like(mine["greater"]))
    recalls = ", ".join(f"R@{k} {100 * ranks.hits(k).mean():.2f} %" for k in (1, 5, NEAREST))
    print(f"ours: {recalls}; texts with ties {100 * (ranks.equal > 0).mean():.1f} %")
    for name in [name for name in answers if name != "ours"]:
        asked = answers[name]["asked"] if "asked" in answers[name] else np.arange(len(texts))
        place = answers[name]["place"]
        most = NEAREST if name == "faiss" else len(images)
        low, high = ranks.greater[asked], ranks.greater[asked] + ranks.equal[asked]
        outside = (place < np.minimum(low, most)) | (place > np.minimum(high, most))
        wrong = sum(
            not _is_close(images, texts, int(i), int(p))
            for i, p in zip(asked[outside], place[outside], strict=True)
        )
        print(f"{name}: {len(asked):,} places compared, {outside.sum()} outside, {wrong} of them no close call")


def _is_close(images: Vectors, texts: Vectors, i: int, place: int) -> bool:
    """Say whether the own image could stand at that place (or one after it) were all scores known exactly."""
    scores = images.astype(np.float64) @ texts[i].astype(np.float64)
    surely_before = int((scores > scores[i] + CLOSE).sum())
    maybe_before = int((scores > scores[i] - CLOSE).sum())
    return surely_before <= place <= maybe_before or (place == NEAREST and maybe_before >= NEAREST)


def main() -> None:
    """Run the contest on vectors that are all different, and on such as are there ten times over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=50_000)
    parser.add_argument("--d", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--kind", default="different", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.kind, options.n, options.d, options.out)
        return
    names = list(CONTENDERS)
    if importlib.util.find_spec("faiss") is None:
        print("faiss is not installed and takes no part; install it with: pip install faiss-cpu")
        names.remove("faiss")
    with tempfile.TemporaryDirectory() as scratch:
        for kind in ("different", "copies"):
            contest(kind, options.n, options.d, options.rounds, names, Path(scratch))


if __name__ == "__main__":
    main()
