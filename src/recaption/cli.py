"""The command line: arguments, wiring, exit codes; nothing else.

Exit codes: 0 done · 1 unexpected error · 2 the caller can mend it · 3 done, but more records failed than
`--max-failed` allows, or a check found faults · 130 interrupted, run again to go on.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from recaption import __version__
from recaption.core.errors import BackendError, RecaptionError, UserError
from recaption.core.printable import printable

if TYPE_CHECKING:
    from recaption.core.protocols import Reader
    from recaption.recipes.recipe import Recipe
    from recaption.runs.run import Summary

__all__ = ["main"]

EXIT_USER_ERROR, EXIT_TOO_MANY_FAILED, EXIT_INTERRUPTED = 2, 3, 130

app = typer.Typer(
    name="recaption",
    help="Rewrite the captions of image-text datasets, and prove that they got better.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

OutFolder = Annotated[Path, typer.Argument(metavar="OUT", help="A run folder.")]
Source = Annotated[str, typer.Argument(metavar="INPUT", help="A folder, table, tar, COCO json or run folder.")]
RecipeName = Annotated[str, typer.Option("--recipe", help="A built-in recipe's name, or a YAML file.")]
Format = Annotated[str | None, typer.Option("--format", help="Read INPUT as this instead of detecting it.")]
Table = Annotated[Path | None, typer.Option("--table", help="A table with texts for a folder of images.")]
KeyColumn = Annotated[str | None, typer.Option("--key-column", help="Column that names the record.")]
CaptionColumn = Annotated[str | None, typer.Option("--caption-column", help="Column with the original text.")]
ImageColumn = Annotated[
    str | None, typer.Option("--image-column", help="Column with the image: bytes, path or URL.")
]
ImageRoot = Annotated[
    Path | None, typer.Option("--image-root", help="Folder that image paths in a table start from.")
]
Recursive = Annotated[bool, typer.Option(help="Look for images in folders below, too.")]
Expert = Annotated[
    list[str] | None,
    typer.Option("--expert", help="Ask one more expert: `ocr`, or `yolox=MODEL.onnx`. May be repeated."),
]
Captioner = Annotated[
    str | None,
    typer.Option(
        "--captioner",
        help="Who writes: `embedded`, OWNER/MODEL or a folder, `http://HOST:8000/v1#MODEL`, or NAME=MODEL.",
    ),
]
Scorer = Annotated[
    str | None, typer.Option("--scorer", help="Who scores images against texts: `embedded`, OWNER/MODEL, …")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one value: `fit.budget=longclip248`. May be repeated."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many records.")]
PriceIn = Annotated[float | None, typer.Option("--price-in", min=0.0, help="Price of a million prompt tokens.")]
PriceOut = Annotated[
    float | None, typer.Option("--price-out", min=0.0, help="Price of a million tokens written.")
]
MaxRequests = Annotated[
    int | None,
    typer.Option("--max-requests", min=0, help="Stop before more requests in all, earlier runs included."),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=0, help="The same in tokens, prompts and answers together.")
]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", min=0.0, help="The same in money, at the prices given.")
]
Rate = Annotated[float | None, typer.Option("--rate", min=1e-6, help="Images a second, to foretell the time.")]


def main() -> NoReturn:
    """Run the command line and leave with its exit code; wrong use is said by the argument parser, with code 2."""
    # A polite end by the system is an interruption like any other: what is committed stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What that library has to say is for those who program with it; what matters is raised.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        app()
    except (_Interrupted, KeyboardInterrupt):
        _complain("interrupted; run the same command again to go on where it stopped")
        sys.exit(EXIT_INTERRUPTED)
    except UserError as error:
        _complain(str(error))
        sys.exit(EXIT_USER_ERROR)
    except BackendError as error:
        _complain(f"{error}\nWhat was committed stays; run the same command again to go on.")
    except RecaptionError as error:
        _complain(str(error))
    sys.exit(1)


class _Interrupted(Exception):
    """The argument parser may keep KeyboardInterrupt to itself, without a word; this one passes through it."""


def _complain(message: str) -> None:
    for line in message.splitlines():
        sys.stderr.write(f"recaption: {printable(line)}\n")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"recaption {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


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
    seed: Annotated[int, typer.Option(help="Decides every random choice.")] = 0,
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
    spec = _spec(source, format, table, key_column, caption_column, image_column, image_root, recursive, limit)
    if dry_run:
        problems = _plan(spec, loaded, out, shard_size=shard_size, seed=seed)
        _say("nothing was written (--dry-run)")
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
    seed: Annotated[int, typer.Option(help="That of the run; another one draws other texts.")] = 0,
    shard_size: Annotated[int, typer.Option(min=1, help="Records a shard.")] = 1000,
) -> None:
    """Say what a run would cost: calls, tokens, money, time, disk. Nothing is spent, loaded or written."""
    loaded = _recipe(recipe, captioner, scorer, expert, set_)
    spec = _spec(source, format, table, key_column, caption_column, image_column, image_root, recursive, limit)
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
        raise typer.Exit(EXIT_TOO_MANY_FAILED)
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
) -> None:
    """Write a run's captions in the format your training reads; the originals go along."""
    from recaption import console
    from recaption.datasets.run_folder import RunFolder
    from recaption.datasets.writers import export as write

    folder = RunFolder(out)
    folder.require_complete()
    counts = write(folder.records(), format, target, _pairs(set_ or []))
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
        raise typer.Exit(EXIT_TOO_MANY_FAILED)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Where to write.")] = Path("demo-out"),
    limit: Annotated[int, typer.Option(min=1, help="How many scenes to render.")] = 200,
    seed: Annotated[int, typer.Option(help="Decides the scenes.")] = 0,
) -> None:
    """Render scenes with known answers, caption them, and show how many facts came out right."""
    from recaption.demo.run import run_demo

    run_demo(out, limit, seed)


def _open(spec: dict[str, Any]) -> Reader:
    from recaption.datasets.detect import open_dataset
    from recaption.datasets.readers.options import ReaderOptions
    from recaption.recipes.strict import validated

    return open_dataset(spec["path"], options=validated(ReaderOptions, spec["options"], "options"))


def _run(spec: dict[str, Any], recipe: Recipe, out: Path, *, again: bool = False, **options: Any) -> Summary:
    from recaption import console
    from recaption.datasets.run_folder import RunFolder
    from recaption.runs.models_named import caveat_of
    from recaption.runs.run import RunOptions
    from recaption.runs.run import run as run_recipe

    if options["workers"] is None:
        del options["workers"]
    reader = _open(spec)
    console.err.print(f"input: {console.safe(reader.description)}")
    if caveat := caveat_of(recipe):
        console.err.print(f"[yellow]note:[/] {console.safe(caveat)}")
    run_options = RunOptions(retry=again, **options)
    try:
        with console.progress_bar() as watch:
            return run_recipe(reader, recipe, RunFolder(out), run_options, source=spec, watch=watch)
    except KeyboardInterrupt as error:
        raise _Interrupted from error


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
        _complain(f"{summary.failed} of {summary.items} records failed, more than --max-failed {max_failed:g}")
        raise typer.Exit(EXIT_TOO_MANY_FAILED)


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

    reader = _open(spec)
    planned = plan_recipe(
        reader,
        recipe,
        folder=RunFolder(out) if out is not None else None,
        shard_size=shard_size,
        seed=seed,
        prices=Prices(price_in, price_out),
        rate=rate,
    )
    _say(f"input: {console.safe(reader.description)}")
    _say(f"recipe {console.safe(recipe.name)}, digest {recipe.digest[:12]}")
    console.show_plan(planned)
    return any(stage.problem for stage in planned.stages)


def _say(line: str) -> None:
    from recaption import console

    console.out.print(line)


def _spec(
    source: str,
    format: str | None,
    table: Path | None,
    key_column: str | None,
    caption_column: str | None,
    image_column: str | None,
    image_root: Path | None,
    recursive: bool,
    limit: int | None,
) -> dict[str, Any]:
    """Return how to open the input, now and again later."""
    options = {
        "format": format,
        "table": str(table.resolve()) if table else None,
        "key_column": key_column,
        "caption_column": caption_column,
        "image_column": image_column,
        "image_root": str(image_root.resolve()) if image_root else None,
        "recursive": None if recursive else False,
        "limit": limit,
    }
    return {"path": _absolute(source), "options": {k: v for k, v in options.items() if v is not None}}


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
        _pairs(settings or []),
        captioner=captioner,
        scorer=scorer,
        experts=experts or [],
        prices={key: price for key, price in prices.items() if price is not None},
    )


def _absolute(source: str) -> str:
    """Return a path that still holds from another folder; names that are no paths (`hf:…`) stay."""
    prefix = source.split(":", 1)[0]
    if ":" in source and "/" not in prefix and not Path(source).exists() and prefix.isalpha():
        return source
    return str(Path(source).absolute())


def _pairs(settings: list[str]) -> dict[str, object]:
    import yaml

    found: dict[str, object] = {}
    for entry in settings:
        name, equals, value = entry.partition("=")
        if not equals:
            raise UserError(f"--set {entry!r}: expected NAME=VALUE")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"--set {entry!r}: the value is not valid YAML") from error
    return found
