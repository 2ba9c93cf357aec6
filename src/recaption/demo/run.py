"""The demo: render scenes with known answers, run the rule recipe on them, count the facts that came out right."""

import json
from collections.abc import Iterator
from pathlib import Path

from recaption import console
from recaption.core.types import Record
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.run_folder import RunFolder
from recaption.demo.dataset import write_demo
from recaption.demo.score import fact_table
from recaption.demo.world import Scene
from recaption.recipes.recipe import load_recipe
from recaption.runs.run import RunOptions, run

__all__ = ["run_demo"]

RECIPE = "rules"
PAIRS_SHOWN = 8


def run_demo(out: Path, scenes: int, seed: int) -> None:
    """Render `scenes` scenes under `out/input`, caption them into `out/run`, and print what changed.

    Raises:
        UserError: A folder cannot be written, or is in use.
    """
    images, target = out / "input", out / "run"
    with console.err.status(f"rendering {scenes} scenes"):
        write_demo(images, scenes, seed)
    reader = open_dataset(str(images.absolute()), options=ReaderOptions())
    folder = RunFolder(target)
    with console.progress_bar() as watch:
        source = {"path": str(images.absolute()), "options": {}}
        summary = run(reader, load_recipe(RECIPE), folder, RunOptions(seed=seed), source=source, watch=watch)
    console.out.rule(f"{scenes} rendered scenes, recipe {RECIPE!r}")
    console.show_summary(summary, str(target))
    records = list(folder.records())
    console.out.rule("before and after")
    console.before_after(records[:PAIRS_SHOWN])
    console.out.rule("facts stated, held against what was drawn")
    table = fact_table(list(_judged(records)))
    header, *rows = table.rows()
    console.show_table(tuple(header), [tuple(row) for row in rows])
    console.out.print(
        "The scenes came with their boxes and words as evidence, so this shows what the rules make of good "
        "evidence, not how well anything sees."
    )
    console.out.print(f"\nLook at one:        recaption explain {target} {records[0].key}")
    console.out.print("Your own data:      recaption run FOLDER_OR_TABLE OUT --recipe rules")
    console.out.print(f"To train on it:     recaption export {target} TARGET --format imagefolder")
    console.out.print("What else is there: recaption recipes · recaption doctor")


def _judged(records: list[Record]) -> Iterator[tuple[Scene, str, str]]:
    """Yield each scene with the text it came with and the text that stands for it now."""
    for record in records:
        facts = record.metadata["facts"]
        scene = Scene.from_json(json.loads(facts) if isinstance(facts, str) else facts)
        best = record.best
        yield scene, record.original_text or "", best.text if best else ""
