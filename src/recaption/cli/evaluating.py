"""Commands that prove: eval, report, compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recaption.cli.app import EXIT_CHECK_FAILED, Interrupted, app, complain
from recaption.cli.options import (
    CaptionColumn,
    Format,
    ImageColumn,
    ImageRoot,
    KeyColumn,
    MaxCost,
    MaxRequests,
    MaxTokens,
    Recursive,
    Source,
    Table,
    format_of,
    open_reader,
    pairs,
    spec_of,
)
from recaption.core.errors import UserError

if TYPE_CHECKING:
    from recaption.evaluation.gates import Gate
    from recaption.evaluation.loading import Column
    from recaption.evaluation.result import Evaluation
    from recaption.runs.evaluating import Judges, Request

__all__ = ["New", "Old", "Out", "References", "asked", "compare", "evaluate", "report", "target_of"]

_WHERE = "`original`, `chosen`, `aspect:NAME`, `origin:NAME`, or a column of the data; NAME=WHERE names it."

Out = Annotated[Path | None, typer.Option("--out", help="Folder to write to; default: the run folder itself.")]
Old = Annotated[str | None, typer.Option("--old", help=f"The baseline's texts: {_WHERE}")]
New = Annotated[
    list[str] | None, typer.Option("--new", help="Texts to hold against it, likewise. May be repeated.")
]
References = Annotated[
    str | None,
    typer.Option("--references", help="Reference texts by people: `original` or a column of the data."),
]
By = Annotated[
    list[str] | None,
    typer.Option("--by", help="Column of the data whose values make subsets. May be repeated."),
]
Scorers = Annotated[
    list[str] | None,
    typer.Option(
        "--scorer",
        help="Image-text scorer: OWNER/MODEL, a folder, `embedded`, preference=FILE. May be repeated; "
        "default: the recipe's.",
    ),
]
LanguageModel = Annotated[
    str | None, typer.Option("--language-model", help="Causal language model for perplexity: gpt2, a folder.")
]
Judge = Annotated[
    str | None, typer.Option("--judge", help="Vision-language model that judges, named like a captioner.")
]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", help="Only this metric. May be repeated; default: all that can run."),
]
Sample = Annotated[
    int, typer.Option("--sample", min=0, help="Evaluate a seeded sample of so many items; 0 for all.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides the sample and every other random choice.")]
FailIf = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if",
        help="Exit with 3 where this holds: 'recall_at_1.t2i < -0.01', 'low(cosine) < 0'. May be repeated.",
    ),
]
All = Annotated[
    bool, typer.Option("--all", help="Print every figure, not just those that changed or matter most.")
]
Options = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one option: `judged=500`, `bag_sizes=[5]`. May be repeated."),
]


@app.command("eval")
def evaluate(
    source: Source,
    out: Out = None,
    old: Old = None,
    new: New = None,
    references: References = None,
    by: By = None,
    scorer: Scorers = None,
    language_model: LanguageModel = None,
    judge: Judge = None,
    metric: Metrics = None,
    sample: Sample = 10_000,
    seed: Seed = 0,
    fail_if: FailIf = None,
    set_: Options = None,
    all_: All = False,
    max_requests: MaxRequests = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    format: Format = None,
    table: Table = None,
    key_column: KeyColumn = None,
    caption_column: CaptionColumn = None,
    image_column: ImageColumn = None,
    image_root: ImageRoot = None,
    recursive: Recursive = True,
) -> None:
    """Say whether the new captions are better than the old: a table, report.json and report.html.

    INPUT is a run folder, or any dataset with a column of old and one of new captions. One column alone is described.
    """
    from recaption.datasets.meter import Budget
    from recaption.runs.evaluating import Request

    gates = _gates(fail_if)
    spec = spec_of(source, format, table, key_column, caption_column, image_column, image_root, recursive, None)
    given = asked(spec, old, new)
    _evaluate(
        Request(
            **given,
            references=references,
            by=by or (),
            sample=sample or None,
            metrics=metric or (),
            judges=_judges(scorer, language_model, judge),
            options=_options(set_, seed),
            budget=Budget(requests=max_requests, tokens=max_tokens, cost=max_cost),
        ),
        target_of(out, given["folders"]),
        gates,
        everything=all_,
    )


@app.command()
def compare(
    outs: Annotated[
        list[Path], typer.Argument(metavar="OUT1 OUT2…", help="Run folders; the first is the baseline.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    references: References = None,
    by: By = None,
    scorer: Scorers = None,
    language_model: LanguageModel = None,
    judge: Judge = None,
    metric: Metrics = None,
    sample: Sample = 10_000,
    seed: Seed = 0,
    fail_if: FailIf = None,
    set_: Options = None,
    all_: All = False,
    max_requests: MaxRequests = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
) -> None:
    """Hold the captions of several runs against those of the first, over the records they have in common."""
    from recaption.datasets.meter import Budget
    from recaption.evaluation.loading import Column
    from recaption.runs.evaluating import Request

    gates = _gates(fail_if)
    if len(outs) < 2:
        raise UserError(
            "compare needs two run folders or more, the baseline first: recaption compare OUT1 OUT2"
        )
    paths = [str(path.absolute()) for path in outs]
    stray = next((path for path in paths if not _run_folders([path])), None)
    if stray is not None:
        raise UserError(
            f"{stray} is no run folder. Two columns of one dataset are compared by "
            "recaption eval INPUT --old COLUMN --new COLUMN"
        )
    names = _distinct_names(outs)
    _evaluate(
        Request(
            readers=[open_reader({"path": path, "options": {}}) for path in paths],
            sources=paths,
            folders=_run_folders(paths),
            columns=[Column(name, "chosen", i) for i, name in enumerate(names)],
            references=references,
            by=by or (),
            sample=sample or None,
            metrics=metric or (),
            judges=_judges(scorer, language_model, judge),
            options=_options(set_, seed),
            budget=Budget(requests=max_requests, tokens=max_tokens, cost=max_cost),
        ),
        out,
        gates,
        everything=all_,
    )


@app.command()
def report(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A run folder, or one that `eval` wrote to.")],
    fail_if: FailIf = None,
    all_: All = False,
) -> None:
    """Make report.html of what `eval` found; where nothing was found yet, evaluate first."""
    from recaption import console
    from recaption.console.evaluation import show_evaluation
    from recaption.runs.evaluating import stored_evaluation, write_page

    gates = _gates(fail_if)
    found = stored_evaluation(out)
    if found is None:
        evaluate(str(out), fail_if=fail_if, all_=all_)
        return
    show_evaluation(found, everything=all_)
    console.out.print(f"Report: {console.safe(str(write_page(found, out)))}")
    _check(gates, found)


def _evaluate(request: Request, out: Path, gates: list[Gate], *, everything: bool) -> None:
    from recaption import console
    from recaption.cli.stopping import two_steps
    from recaption.console.evaluation import show_evaluation
    from recaption.runs.evaluating import evaluate_into, write_page

    for reader in request.readers:
        console.err.print(f"input: {console.safe(reader.description)}")
    try:
        with two_steps(), console.err.status("reading") as status:
            found = evaluate_into(
                request,
                out,
                watch=lambda p: status.update(f"{p.metric} ({p.number} of {p.of})"),
                watch_reading=lambda read: status.update(f"reading: {read:,} records"),
            )
    except KeyboardInterrupt as error:
        raise Interrupted from error
    show_evaluation(found, everything=everything)
    console.out.print(f"Report: {console.safe(str(write_page(found, out)))}")
    _check(gates, found)


def _check(gates: list[Gate], found: Evaluation) -> None:
    from recaption.evaluation.gates import broken

    failures = broken(gates, found)
    for failure in failures:
        complain(f"--fail-if {failure}")
    if failures:
        raise typer.Exit(EXIT_CHECK_FAILED)


def _gates(texts: list[str] | None) -> list[Gate]:
    from recaption.evaluation.gates import parse_gate

    return [parse_gate(text) for text in texts or ()]


def asked(spec: dict[str, Any], old: str | None, new: list[str] | None) -> dict[str, Any]:
    """Return what a `Request` says of its data: the reader, where it reads, the columns, and the run folder."""
    folders = _run_folders([spec["path"]])
    if old is not None and not folders and "caption_column" not in spec["options"]:
        _, column = _named(old)
        if not _is_of_ours(spec, column):
            # The reader takes one column for the text that came with the data; let it be this one.
            spec = {**spec, "options": {**spec["options"], "caption_column": column}}
            _refuse_the_original(new or (), column)
    return {
        "readers": [open_reader(spec)],
        "sources": [spec["path"]],
        "folders": folders,
        "columns": _columns(old, new, is_run=bool(folders)),
    }


def _is_of_ours(spec: dict[str, Any], column: str) -> bool:
    """Return whether a word names captions that we tell apart, or data that we wrote, whose columns are known."""
    told_apart = column in ("original", "chosen") or column.startswith(("aspect:", "origin:"))
    return told_apart or format_of(spec) == "run"


def _refuse_the_original(new: Sequence[str], column: str) -> None:
    """Raise UserError where the original is asked for beside the very column that is read as the original."""
    for text in new:
        if _named(text)[1] == "original":
            raise UserError(
                f"--new {text}: --old makes {column!r} the original here. "
                "Name the column that the other texts are in."
            )


def _columns(old: str | None, new: list[str] | None, *, is_run: bool) -> list[Column]:
    from recaption.evaluation.loading import Column

    baseline = Column("original", "original", optional=True) if old is None else Column(*_named(old))
    if new:
        return [baseline, *(Column(*_named(text)) for text in new)]
    # What Recaption exported has its chosen captions in it; any other table has none, and is described.
    return [baseline, Column("new", "chosen", optional=not is_run)]


def _named(text: str) -> tuple[str, str]:
    name, equals, where = text.partition("=")
    return (name, where) if equals else (text.rpartition(":")[2], text)


def _judges(scorers: list[str] | None, language_model: str | None, judge: str | None) -> Judges:
    from recaption.runs.evaluating import Judges

    return Judges(scorers=scorers or (), language_model=language_model, judge=judge)


def _options(settings: list[str] | None, seed: int) -> Any:
    from recaption.evaluation.options import Options
    from recaption.recipes.strict import validated

    return validated(Options, {"seed": seed, **pairs(settings or [])}, "--set")


def _run_folders(paths: list[str]) -> Any:
    from recaption.datasets.readers.run_folder import is_run_folder
    from recaption.datasets.run_folder import RunFolder

    return [RunFolder(Path(path)) for path in paths if is_run_folder(Path(path))]


def target_of(out: Path | None, folders: Any) -> Path:
    """Return where to write: as asked, or into the run folder. Raises UserError where there is none."""
    if out is not None:
        return out
    if not folders:
        raise UserError("this is no run folder: name a folder to write to, --out DIR")
    target: Path = folders[0].root
    return target


def _distinct_names(outs: list[Path]) -> list[str]:
    """Return the folders' own names, or their paths where two would be called the same."""
    names = [path.absolute().name for path in outs]
    return names if len(set(names)) == len(names) else [str(path) for path in outs]
