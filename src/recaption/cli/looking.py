"""Commands that look at what is there, and hand it on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recaption.cli.app import EXIT_CHECK_FAILED, app
from recaption.cli.options import (
    OutFolder,
    pairs,
)

__all__ = ["demo", "doctor", "explain", "export", "recipes", "verify"]


@app.command()
def explain(out: OutFolder, key: Annotated[str, typer.Argument(help="The record's key.")]) -> None:
    """Print how a record's caption came to be: evidence, every candidate, rules, scores, choices."""
    from recaption import console
    from recaption.datasets.run_folder import RunFolder
    from recaption.runs.explain import explain_lines, find

    for line in explain_lines(find(RunFolder(out), key)):
        console.out.print(console.safe(line))


@app.command()
def verify(out: OutFolder) -> None:
    """Check a run folder: nothing lost, nothing doubled, nothing torn."""
    from recaption import console
    from recaption.datasets.run_folder import RunFolder
    from recaption.runs.verify import verify as check

    verdict = check(RunFolder(out))
    console.out.print(
        f"{verdict.shards} shards, {verdict.items:,} items = {verdict.kept:,} kept + {verdict.dropped:,} dropped "
        f"+ {verdict.failed:,} failed"
    )
    for fault in verdict.faults:
        console.out.print(f"[red]fault:[/] {console.safe(fault)}")
    if verdict.faults:
        raise typer.Exit(EXIT_CHECK_FAILED)
    console.out.print("sound")


@app.command()
def export(
    out: OutFolder,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="File or folder to write.")],
    format: Annotated[
        str, typer.Option(help="parquet, jsonl, sidecar, webdataset, imagefolder or coco.")
    ] = "jsonl",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the format: `mode=append`.")
    ] = None,
    best: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Only so much of the records, the best by --by: 0.5 for half of them."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="SCORE", help="A score of the chosen captions, as `explain` shows it: image_text."
        ),
    ] = None,
    lowest: Annotated[
        bool, typer.Option("--lowest", help="With --best: the lowest score is the best.")
    ] = False,
) -> None:
    """Write a run's captions in the format your training reads; the originals go along."""
    from recaption import console
    from recaption.core.errors import UserError
    from recaption.datasets.run_folder import RunFolder
    from recaption.datasets.writers import export as write
    from recaption.runs.best import best_share

    if (best is None) != (by is None) or (lowest and best is None):
        raise UserError("--best and --by go together, and --lowest with them: --best 0.5 --by image_text")
    folder = RunFolder(out)
    folder.require_complete()
    records = folder.records()
    if best is not None and by is not None:
        found = best_share(folder, by, best, lowest=lowest)
        records = found.records()
        console.out.print(
            f"the best {found.kept:,} of {found.kept + found.worse:,} by {console.safe(by)}, "
            f"{found.limit:.4g} or {'less' if lowest else 'more'}; left out: {found.worse:,} that are worse, "
            f"{found.lacking:,} without that score"
        )
    counts = write(records, format, target, pairs(set_ or []))
    console.out.print(", ".join(f"{console.safe(k)}: {v:,}" for k, v in counts.items()))
    made = {"written", "unchanged", "skipped", "shards", "annotations", "instances"}
    if any(count for name, count in counts.items() if name not in made):
        console.err.print("not every record could be written as it is in this format; see the counts")


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this one, resolved.")] = None,
) -> None:
    """List the built-in recipes, or show one with every default filled in."""
    from recaption import console
    from recaption.recipes.recipe import builtin_recipes, load_recipe

    if name is not None:
        for line in load_recipe(name).to_yaml().splitlines():
            console.out.print(console.safe(line))
    else:
        console.show_table(("recipe", "what it does"), builtin_recipes().items())


@app.command()
def doctor(
    recipe: Annotated[str | None, typer.Option(help="Check that this recipe can run here.")] = None,
) -> None:
    """Say what is installed, what is missing, and how to get it."""
    from recaption import console
    from recaption.core.registry import known_names
    from recaption.recipes.recipe import load_recipe
    from recaption.runs.doctor import check_hardware, check_libraries, check_models, check_parts

    rows = [
        (lib.name, lib.version or "not installed", lib.serves, "" if lib.version else lib.install)
        for lib in check_libraries()
    ]
    console.show_table(("library", "version", "serves", "how to get it"), rows)
    models = [(m.name, m.state, m.serves, m.install) for m in check_models()]
    console.show_table(("model", "what is here", "serves", "how to get it"), models)
    for kind in ("generators", "scorers"):
        console.out.print(f"{kind}: {console.safe(', '.join(known_names(kind)))}")
    console.out.print(console.safe(check_hardware()))
    findings = check_parts()
    for finding in findings:
        console.out.print(console.safe(f"{finding.kind} {finding.name}: {finding.problem}"))
    if recipe is not None:
        for spec in load_recipe(recipe).stages:
            spec.build()
        console.out.print(f"recipe {console.safe(recipe)}: ready")
    if findings:
        raise typer.Exit(EXIT_CHECK_FAILED)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Where to write.")] = Path("demo-out"),
    limit: Annotated[int, typer.Option(min=1, help="How many scenes to render.")] = 200,
    seed: Annotated[int, typer.Option(help="Decides the scenes.")] = 0,
) -> None:
    """Render scenes with known answers, caption them, and show how many facts came out right."""
    from recaption.demo.run import run_demo

    run_demo(out, limit, seed)
