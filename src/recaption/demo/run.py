"""The demo: render scenes with known answers, caption them in three ways, count the facts that came out right."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from recaption import console
from recaption.core.types import Record
from recaption.datasets.atomic import write_atomic
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.run_folder import RunFolder
from recaption.demo.dataset import write_demo
from recaption.demo.retrieval import Retrieval, retrieval
from recaption.demo.score import fact_table
from recaption.demo.sheet import picture_sheet
from recaption.demo.world import Scene
from recaption.recipes.recipe import load_recipe
from recaption.runs.run import RunOptions, Summary, run

__all__ = ["STRATEGIES", "captioned", "run_demo"]

STRATEGIES: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "rules": ("rules", {}),
    "model": ("hybrid", {"caption.n": 1, "caption.temperature": 0.0, "select.original": "only_if_nothing"}),
    "hybrid": ("hybrid", {"caption.temperature": 1.5}),
}
"""Name to recipe and what is changed in it. One greedy caption is the model on its own. The hybrid draws hotter than
its recipe says: at 1 the small captioner hardly errs in this world, and there is nothing to choose."""
SCORE: Final = "image_text"
PAIRS_SHOWN: Final = 6
SHEET_SCENES: Final = 10
MAX_POOL: Final = 300
"""Records for retrieval at most; every text is held against every picture."""


def run_demo(out: Path, scenes: int, seed: int) -> None:
    """Render `scenes` scenes under `out/input`, caption them into `out/rules`, `out/model` and `out/hybrid`, compare.

    Raises:
        UserError: A folder cannot be written, or is in use, or the extra `hf` is not installed.
    """
    images = out / "input"
    with console.err.status(f"rendering {scenes} scenes"):
        write_demo(images, scenes, seed, evidence=False)
    runs = {name: captioned(name, images, out / name, seed) for name in STRATEGIES}
    console.out.rule(f"{scenes} rendered scenes with noisy alt-texts")
    console.show_summary(runs["hybrid"], str(out / "hybrid"))
    records = {name: list(RunFolder(out / name).records()) for name in runs}
    hybrid = records["hybrid"]
    console.out.rule("before and after (hybrid)")
    console.before_after(hybrid[:PAIRS_SHOWN])
    console.out.rule(f"how {hybrid[0].key} came to be: * chosen, + kept, - not")
    console.show_table(("", "score", "from", "text", "flags"), _candidates(hybrid[0]))
    _compare(records)
    facts = [(record, _scene(record)) for record in hybrid[:SHEET_SCENES]]
    write_atomic(out / "sheet.png", picture_sheet(facts, SCORE))
    console.out.print(f"\nEvery candidate:    {out}/sheet.png shows {len(facts)} scenes; red is wrong")
    console.out.print(f"Look at one:        recaption explain {out / 'hybrid'} {hybrid[0].key}")
    console.out.print("Your own data:      recaption run FOLDER_OR_TABLE OUT --recipe hybrid --captioner MODEL")
    console.out.print(f"To train on it:     recaption export {out / 'hybrid'} TARGET --format imagefolder")
    console.out.print("What else is there: recaption recipes · recaption doctor")


def captioned(name: str, images: Path, target: Path, seed: int) -> Summary:
    """Caption the scenes under `images` by one of the strategies, or go on where that stopped."""
    recipe, changes = STRATEGIES[name]
    console.err.print(f"strategy {name}: recipe {recipe}")
    source = {"path": str(images.absolute()), "options": {}}
    reader = open_dataset(str(images.absolute()), options=ReaderOptions())
    with console.progress_bar() as watch:
        options = RunOptions(seed=seed)
        return run(reader, load_recipe(recipe, changes), RunFolder(target), options, source=source, watch=watch)


def _compare(records: Mapping[str, Sequence[Record]]) -> None:
    first = next(iter(records.values()))
    columns = {"original": [record.original_text or "" for record in first]}
    columns |= {name: [_text(record) for record in some] for name, some in records.items()}
    scenes = [_scene(record) for record in first]
    judged = {name: list(zip(scenes, texts, strict=True)) for name, texts in columns.items()}
    judged["all drawn"] = [(_scene(record), text) for record in records["hybrid"] for text in _drawn(record)]
    console.out.rule("facts held against the drawing")
    header, *rows = fact_table(judged).rows()
    console.show_table(tuple(header), [tuple(row) for row in rows])
    pool = first[:MAX_POOL]
    found = retrieval(pool, {name: texts[: len(pool)] for name, texts in columns.items()})
    console.out.rule(f"image-text score and retrieval among {len(pool)}")
    console.show_table(("", *columns), _score_rows(found))
    console.out.print(
        '"all drawn" are the candidates that the hybrid chose from; "model" is one greedy caption each.'
    )
    console.out.print(
        "The captioner and the scorer are small models inside this package that know this rendered world and nothing "
        "else: the table shows that the parts work together, not how well any model captions photos. The scorer that "
        "chose is the scorer that is shown here; the facts are counted without it."
    )


def _score_rows(found: Mapping[str, Retrieval]) -> list[tuple[str, ...]]:
    return [
        ("mean image-text score", *(f"{r.mean_score:.3f}" for r in found.values())),
        ("R@1 picture → text", *(f"{100 * r.to_text:.1f} %" for r in found.values())),
        ("R@1 text → picture", *(f"{100 * r.to_image:.1f} %" for r in found.values())),
    ]


def _candidates(record: Record) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for caption in record.captions:
        score = caption.scores.get(SCORE)
        value = "" if score is None or score.value is None else f"{score.value:.3f}"
        mark = "*" if caption.id == record.chosen else "+" if caption.kept else "-"
        rows.append((mark, value, caption.provenance.stage, caption.text, ", ".join(caption.flags)))
    return rows


def _drawn(record: Record) -> list[str]:
    """Return every candidate as it was drawn, each as often as it was."""
    drawn = [c for c in record.captions if c.provenance.stage == "caption"]
    return [c.text for c in drawn for _ in cast(list[int], c.provenance.details["draws"])]


def _text(record: Record) -> str:
    best = record.best
    return best.text if best else ""


def _scene(record: Record) -> Scene:
    facts = record.metadata["facts"]
    return Scene.from_json(json.loads(facts) if isinstance(facts, str) else facts)
