"""Commands that caption: run, plan, retry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recaption.cli.app import EXIT_CHECK_FAILED, Interrupted, app, complain
from recaption.cli.options import (
    CaptionColumn,
    Captioner,
    Expert,
    Format,
    ImageColumn,
    ImageRoot,
    KeyColumn,
    Limit,
    MaxCost,
    MaxRequests,
    MaxTokens,
    OutFolder,
    PriceIn,
    PriceOut,
    Rate,
    RecipeName,
    Recursive,
    Scorer,
    Set,
    Source,
    Table,
    open_reader,
    pairs,
    spec_of,
)
from recaption.core.errors import UserError

if TYPE_CHECKING:
    from recaption.recipes.recipe import Recipe
    from recaption.runs.run import Summary

__all__ = ["plan", "retry", "run"]


@app.command()
def run(
    source: Source,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write; an existing run goes on.")],
    recipe: RecipeName = "rules",
    captioner: Captioner = None,
    scorer: Scorer = None,
    format: Format = None,
    table: Table = None,
    key_column: KeyColumn = None,
    caption_column: CaptionColumn = None,
    image_column: ImageColumn = None,
    image_root: ImageRoot = None,
    recursive: Recursive = True,
    expert: Expert = None,
    set_: Set = None,
    limit: Limit = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides every random choice.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Batches in flight; default: one per core.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Records a batch.")] = 32,
    shard_size: Annotated[int, typer.Option(min=1, help="Records a shard, the unit of commit.")] = 1000,
    max_failed: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of failed records above which the exit code is 3.")
    ] = 0.1,
    show: Annotated[int, typer.Option(min=0, help="Print so many changed captions at the end.")] = 3,
    max_requests: MaxRequests = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Caption a dataset. Run it again to go on, or after adding images or changing the recipe."""
    loaded = _recipe(recipe, captioner, scorer, expert, set_, price_in, price_out)
    spec = spec_of(
        source, format, table, key_column, caption_column, image_column, image_root, recursive, limit
    )
    if dry_run:
        from recaption import console

        problems = _plan(spec, loaded, out, shard_size=shard_size, seed=seed)
        console.out.print("nothing was written (--dry-run)")
        if problems:
            raise UserError("this recipe cannot run here yet, see above")
        return
    from recaption.runs.models_named import budget_of

    summary = _run(
        spec,
        loaded,
        out,
        seed=seed,
        workers=workers,
        batch_size=batch_size,
        shard_size=shard_size,
        budget=budget_of(loaded, max_requests, max_tokens, max_cost),
    )
    _finish(summary, out, show, max_failed)


@app.command()
def plan(
    source: Source,
    out: Annotated[
        Path | None, typer.Argument(metavar="[OUT]", help="A run folder: what it remembers is not counted.")
    ] = None,
    recipe: RecipeName = "rules",
    captioner: Captioner = None,
    scorer: Scorer = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    rate: Rate = None,
    format: Format = None,
    table: Table = None,
    key_column: KeyColumn = None,
    caption_column: CaptionColumn = None,
    image_column: ImageColumn = None,
    image_root: ImageRoot = None,
    recursive: Recursive = True,
    expert: Expert = None,
    set_: Set = None,
    limit: Limit = None,
    seed: Annotated[int, typer.Option(min=0, help="That of the run; another one draws other texts.")] = 0,
    shard_size: Annotated[int, typer.Option(min=1, help="Records a shard.")] = 1000,
) -> None:
    """Say what a run would cost: calls, tokens, money, time, disk. Nothing is spent, loaded or written."""
    loaded = _recipe(recipe, captioner, scorer, expert, set_)
    spec = spec_of(
        source, format, table, key_column, caption_column, image_column, image_root, recursive, limit
    )
    _plan(
        spec,
        loaded,
        out,
        shard_size=shard_size,
        seed=seed,
        price_in=price_in,
        price_out=price_out,
        rate=rate,
    )


@app.command()
def retry(
    out: OutFolder,
    workers: Annotated[int | None, typer.Option(min=1, help="Batches in flight.")] = None,
    max_failed: Annotated[float, typer.Option(min=0.0, max=1.0, help="See `run`.")] = 0.1,
    max_requests: MaxRequests = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
) -> None:
    """Do again what failed and may be retried; finished calls are not paid again."""
    from recaption.datasets.run_folder import RunFolder
    from recaption.recipes.recipe import load_recipe
    from recaption.runs.models_named import budget_of

    folder = RunFolder(out)
    about = folder.describe()
    if about["complete"] and not any(marker.retryable for marker in folder.committed()):
        failed = sum(marker.failed for marker in folder.committed())
        typer.echo(f"nothing to retry: {failed:,} records failed, none of them for a passing reason")
        return
    recipe = load_recipe(str(out / "recipe.yaml"))
    summary = _run(
        about["input"],
        recipe,
        out,
        seed=about["seed"],
        workers=workers,
        batch_size=about.get("batch_size", 32),
        shard_size=about["shard_size"],
        again=True,
        budget=budget_of(recipe, max_requests, max_tokens, max_cost),
    )
    _finish(summary, out, 0, max_failed)


def _run(spec: dict[str, Any], recipe: Recipe, out: Path, *, again: bool = False, **options: Any) -> Summary:
    from recaption import console
    from recaption.cli.stopping import two_steps
    from recaption.datasets.run_folder import RunFolder
    from recaption.runs.models_named import caveat_of
    from recaption.runs.run import RunOptions
    from recaption.runs.run import run as run_recipe

    if options["workers"] is None:
        del options["workers"]
    reader = open_reader(spec)
    console.err.print(f"input: {console.safe(reader.description)}")
    if caveat := caveat_of(recipe):
        console.err.print(f"[yellow]note:[/] {console.safe(caveat)}")
    run_options = RunOptions(retry=again, **options)
    try:
        with two_steps(), console.progress_bar() as watch:
            return run_recipe(reader, recipe, RunFolder(out), run_options, source=spec, watch=watch)
    except KeyboardInterrupt as error:
        raise Interrupted from error


def _finish(summary: Summary, out: Path, show: int, max_failed: float) -> None:
    from itertools import islice

    from recaption import console
    from recaption.datasets.run_folder import RunFolder

    console.show_summary(summary, str(out))
    if show:
        changed = (r for r in RunFolder(out).records() if r.best and r.best.text != r.original_text)
        console.before_after(islice(changed, show))
    if summary.failed:
        console.out.print(f"Why {summary.failed:,} failed: {console.safe(str(out / 'rejects'))}")
        if summary.retryable:
            console.out.print(
                f"{summary.retryable:,} may be tried again: recaption retry {console.safe(str(out))}"
            )
    if summary.failed > max_failed * summary.items:
        complain(f"{summary.failed} of {summary.items} records failed, more than --max-failed {max_failed:g}")
        raise typer.Exit(EXIT_CHECK_FAILED)


def _plan(
    spec: dict[str, Any],
    recipe: Recipe,
    out: Path | None,
    *,
    shard_size: int,
    seed: int,
    price_in: float | None = None,
    price_out: float | None = None,
    rate: float | None = None,
) -> bool:
    """Print what a run would do; return whether some stage cannot work here."""
    from recaption import console
    from recaption.datasets.run_folder import RunFolder
    from recaption.runs.plan import Prices
    from recaption.runs.plan import plan as plan_recipe

    reader = open_reader(spec)
    planned = plan_recipe(
        reader,
        recipe,
        folder=RunFolder(out) if out is not None else None,
        shard_size=shard_size,
        seed=seed,
        prices=Prices(price_in, price_out),
        rate=rate,
    )
    console.out.print(f"input: {console.safe(reader.description)}")
    console.out.print(f"recipe {console.safe(recipe.name)}, digest {recipe.digest[:12]}")
    console.show_plan(planned)
    return any(stage.problem for stage in planned.stages)


def _recipe(
    name: str,
    captioner: str | None,
    scorer: str | None,
    experts: list[str] | None,
    settings: list[str] | None,
    price_in: float | None = None,
    price_out: float | None = None,
) -> Recipe:
    from recaption.runs.models_named import recipe_with

    prices = {"input_per_million": price_in, "output_per_million": price_out}
    return recipe_with(
        name,
        pairs(settings or []),
        captioner=captioner,
        scorer=scorer,
        experts=experts or [],
        prices={key: price for key, price in prices.items() if price is not None},
    )
