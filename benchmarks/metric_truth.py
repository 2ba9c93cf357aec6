"""Which metrics can be trusted? Every metric beside the truth, in the demo's world, where each claim can be checked.

    python -m benchmarks.metric_truth --scenes 200 [--demo FOLDER]

Seven columns over the same scenes: the noisy alt-text, what rules, a model and the hybrid make of it, the hybrid's
candidate with the lowest rank, another scene's caption, and one sentence that fits every scene. For every figure that
items have of their own: rank correlation (Spearman) with the share of claims that hold (precision) and the share of
the scene's facts that are stated (recall) over all texts; and, within one scene, how often the figure prefers of two
texts the one whose F1 of the two is higher, ties counting half. The scorer is the embedded one, which knows this
world: how well it does says nothing about encoders of photos.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from recaption.core.registry import known_names, resolve
from recaption.core.types import Record
from recaption.datasets.detect import open_dataset
from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.meter import SqliteMeter
from recaption.datasets.readers.options import ReaderOptions
from recaption.demo.captions import describe
from recaption.demo.facts import judge
from recaption.demo.run import run_demo
from recaption.demo.vocabulary import vocabulary
from recaption.demo.world import Scene
from recaption.evaluation.comparison import compared, item_values
from recaption.evaluation.engine import measure
from recaption.evaluation.loading import Column, load
from recaption.evaluation.measures import Additive
from recaption.evaluation.options import Options
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.evaluation.wording import number
from recaption.media.images import BatchImages
from recaption.recipes.backends import backend

STRATEGIES = ("rules", "model", "hybrid")
GENERIC = "A picture of some things."
SHOWN = ("recall_at_1.t2i", "recall_at_1.i2t", "cosine", "chair.i", "chair.recall")
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--demo", type=Path, help="Folder of a demo that was run before.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.demo or Path(scratch) / "demo"
        if not (folder / "hybrid" / "run.json").is_file():
            run_demo(folder, arguments.scenes, 0)
        report(folder, Path(scratch))


def report(folder: Path, scratch: Path) -> None:
    """Print both tables."""
    readers = [open_dataset(str(folder / name), options=ReaderOptions()) for name in STRATEGIES]
    columns = [
        Column("original", "original"),
        *(Column(name, "chosen", i) for i, name in enumerate(STRATEGIES)),
    ]
    hybrid = {
        r.key: r
        for r in open_dataset(str(folder / "hybrid"), options=ReaderOptions()).records()
        if isinstance(r, Record)
    }
    subject = extended(load(readers, columns).subject, hybrid)
    words = scratch / "classes.yaml"
    words.write_text(
        yaml.safe_dump({n: [*s.also, *s.also_plural, s.plural] for n, s in vocabulary().shapes.items()})
    )
    ledger, meter = SqliteLedger(scratch / "calls.sqlite"), SqliteMeter(scratch / "spent.sqlite")
    tools = Tools(
        ledger=ledger,
        meter=meter,
        make_images=lambda: BatchImages(max_side_px=1024),
        image_text={"embedded": backend("scorers", "embedded", "benchmark").build()},
        options=Options(class_words=words),
    )
    metrics = [resolve("metrics", name)() for name in known_names("metrics")]  # type: ignore[operator]
    found = measure(subject, tools, metrics)
    ledger.close()
    meter.close()
    truth = [[judged(texts, scene_of(item)) for texts in item.texts] for item in subject.items]
    by_strategy(subject, found.results, truth)
    by_metric(subject, [r for r in found.results if isinstance(r, Additive)], truth)
    print("not run: " + ", ".join(sorted({s.metric for s in found.skipped})))


def extended(subject: Subject, hybrid: dict[str, Record]) -> Subject:
    """Return the subject with true sentences as references, the shapes as labels, and three worse columns."""
    items = []
    n = len(subject)
    for i, item in enumerate(subject.items):
        scene = scene_of(item)
        worst = [c.text for c in hybrid[item.key].captions if c.provenance.stage == "caption"][-1:]
        other = subject.items[(i + n // 2) % n].texts[-1]
        items.append(
            replace(
                item,
                texts=(*item.texts, tuple(worst), other, (GENERIC,)),
                candidates=(),
                references=tuple(describe(scene, "dense", seed) for seed in range(3)),
                labels=frozenset(thing.shape for thing in scene.things),
            )
        )
    names = (*subject.columns, "candidate", "swapped", "generic")
    return replace(subject, columns=names, items=tuple(items), label_source="the drawing")


def scene_of(item: Item) -> Scene:
    """Return what is drawn."""
    assert item.record is not None
    facts = item.record.metadata["facts"]
    return Scene.from_json(json.loads(facts) if isinstance(facts, str) else facts)  # type: ignore[arg-type]


def judged(texts: Sequence[str], scene: Scene) -> tuple[float, float, float]:
    """Return precision, recall and F1 of the claims of an item's text; a text without claims has precision NaN."""
    verdict = judge(" ".join(texts), scene)
    precision, recall = verdict.precision, verdict.recall or 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
    return np.nan if precision is None else precision, recall, f1


def by_strategy(
    subject: Subject, results: Sequence[object], truth: Sequence[Sequence[tuple[float, ...]]]
) -> None:
    """Print the figures that matter beside what is true of each column."""
    table = np.array(truth)
    rows = {row.about.name: row for row in compared([r for r in results if isinstance(r, Additive)], subject)}
    print(f"\n{len(subject)} scenes" + " " * 21 + "".join(f"{c:>11}" for c in subject.columns))
    for k, name in enumerate(("claims that hold", "facts stated", "F1 of the two")):
        print(f"{'truth: ' + name:32}" + "".join(f"{share(table[:, j, k]):>11}" for j in range(table.shape[1])))
    for name in SHOWN:
        if name in rows:
            row = rows[name]
            print(
                f"{row.about.title:32.32}"
                + "".join(f"{number(row.values[c].value, row.about):>11}" for c in subject.columns)
            )


def share(values: Floats) -> str:
    """Return the mean of what is known, in percent."""
    known = values[~np.isnan(values)]
    return f"{100 * known.mean():.1f} %" if len(known) else "–"


def by_metric(
    subject: Subject, figures: Sequence[Additive], truth: Sequence[Sequence[tuple[float, ...]]]
) -> None:
    """Print how every figure goes with the truth, the best first."""
    table = np.array(truth)
    rows = []
    for figure in figures:
        values = np.full(table.shape[:2], np.nan)
        for j, column in enumerate(subject.columns):
            if column in figure.parts:
                values[:, j] = item_values(figure, column)
        sign = -1.0 if figure.about.better == "lower" else 1.0
        precision, recall = (spearman(sign * values, table[:, :, k]) for k in (0, 1))
        agrees, pairs = preference(sign * values, table[:, :, 2])
        if pairs:
            rows.append((agrees, figure, precision, recall, pairs))
    print(
        f"\n{'figure':40} {'better':>7} {'rho precision':>14} {'rho recall':>11} {'prefers right':>14} {'pairs':>7}"
    )
    for agrees, figure, precision, recall, pairs in sorted(rows, key=lambda row: -row[0]):
        better = figure.about.better or "–"
        told = f"{precision:>14.2f} {recall:>11.2f} {100 * agrees:>12.1f} % {pairs:>7,}"
        print(f"{figure.about.name:40.40} {better:>7} {told}")


def preference(values: Floats, truth: Floats) -> tuple[float, int]:
    """Return how often the better of two texts of one scene has the higher value, and over how many pairs."""
    right, pairs = 0.0, 0
    for a, b in combinations(range(values.shape[1]), 2):
        gap = truth[:, a] - truth[:, b]
        said = values[:, a] - values[:, b]
        decided = (gap != 0) & ~np.isnan(said)
        right += float(((np.sign(said) == np.sign(gap)) + 0.5 * (said == 0))[decided].sum())
        pairs += int(decided.sum())
    return (right / pairs if pairs else 0.0), pairs


def spearman(values: Floats, truth: Floats) -> float:
    """Return the rank correlation over all texts where both are known; 0 where one of them never differs."""
    known = ~np.isnan(values) & ~np.isnan(truth)
    if known.sum() < 3:
        return 0.0
    x, y = ranks(values[known]), ranks(truth[known])
    return float(np.corrcoef(x, y)[0, 1]) if x.std() and y.std() else 0.0


def ranks(values: Floats) -> Floats:
    """Return ranks from 0, equal values sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle: Floats = (ends - counts + ends - 1) / 2
    return middle[inverse]


if __name__ == "__main__":
    main()
