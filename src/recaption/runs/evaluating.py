"""An evaluation from names to files: which models judge, what is remembered, `report.json` and its page.

```
out/
  report.json  report.html     what was found, and the page made of it
  evaluation/items.parquet     every figure of every item, by column
  evaluation/thumbnails/…      pictures of the items that the report shows
  evaluation/calls.sqlite      embeddings, log-probabilities and replies that are not paid for again
```
"""

from __future__ import annotations

import io
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recaption import __version__
from recaption.core.errors import UserError
from recaption.core.protocols import Closing, Reader
from recaption.core.registry import known_names, resolve
from recaption.core.types import JsonValue, Record
from recaption.datasets.atomic import make_folder, write_atomic
from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.meter import Budget, SqliteMeter
from recaption.datasets.readers.run_folder import is_run_folder
from recaption.datasets.run_folder import RunFolder
from recaption.datasets.stored import stored_text
from recaption.evaluation.background import captions_digest, run_background
from recaption.evaluation.comparison import item_values
from recaption.evaluation.engine import Evaluated, Progress, evaluate
from recaption.evaluation.loading import Column, Loaded, load
from recaption.evaluation.metric import Metric
from recaption.evaluation.options import Options
from recaption.evaluation.report.page import render
from recaption.evaluation.report.serialise import read_json, write_json
from recaption.evaluation.report.thumbnails import FOLDER, read_thumbnails, with_thumbnails
from recaption.evaluation.result import Evaluation, Example
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools
from recaption.media.images import BatchImages
from recaption.recipes.recipe import ImagePolicy, Recipe, load_recipe
from recaption.runs.evaluation_limits import known_limits, with_caveat
from recaption.runs.evaluation_models import Judges, built
from recaption.runs.explain import lineage_lines
from recaption.runs.run import limits_of

__all__ = ["OURS", "Judges", "Request", "evaluate_into", "images_policy", "stored_evaluation", "write_page"]

OURS: Final = ("run.json", "evaluation")
"""What marks a folder that an evaluation may write to."""
DEFAULT_SAMPLE: Final = 10_000
"""Items: intervals of most figures are narrower than a point, and a processor embeds so many in minutes."""
_CHAIN_LINES: Final = 40
_MOST_NOTES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is held against what, and how."""

    readers: Sequence[Reader]
    sources: Sequence[str]
    """Where each reader reads, for the report."""
    columns: Sequence[Column]
    folders: Sequence[RunFolder] = ()
    """Those of the readers that are runs."""
    references: str | None = None
    by: Sequence[str] = ()
    sample: int | None = DEFAULT_SAMPLE
    """None: every item."""
    metrics: Sequence[str] = ()
    """Names; empty for all that there are."""
    judges: Judges = field(default_factory=Judges)
    options: Options = field(default_factory=Options)
    budget: Budget = field(default_factory=Budget)


def evaluate_into(
    request: Request,
    out: Path,
    *,
    watch: Callable[[Progress], None] = lambda progress: None,
    watch_reading: Callable[[int], None] = lambda read: None,
) -> Evaluation:
    """Evaluate, write what was found into a folder, and return it. Evaluate again and finished calls are remembered.

    Raises:
        UserError: There is nothing to evaluate, a model cannot be loaded, the folder is another run's or holds
            something else.
        BackendError: A model or service is gone.
    """
    if is_run_folder(out) and [folder.root.resolve() for folder in request.folders] != [out.resolve()]:
        raise UserError(f"--out {out}: the report there is of that run alone; name another folder to write to.")
    metrics = [
        cast("type[Metric]", resolve("metrics", name))() for name in request.metrics or known_names("metrics")
    ]
    recipe = load_recipe(str(request.folders[0].root / "recipe.yaml")) if request.folders else None
    loaded = load(
        request.readers,
        request.columns,
        references=request.references,
        by=request.by,
        sample=request.sample,
        seed=request.options.seed,
        watch=watch_reading,
    )
    subject = loaded.subject
    with _opened(request, out, recipe) as tools:
        found = evaluate(
            subject,
            tools,
            metrics,
            counts=_counts(loaded.counts, request.folders),
            limits=[*known_limits(loaded, tools, request.folders), *_said_by(request.readers)],
            run=_background(request, loaded),
            about=_about(request, subject, tools),
            watch=watch,
        )
        records = {item.key: item.record for item in subject.items}
        found = replace(found, evaluation=with_caveat(found.evaluation, loaded, tools, request.folders))
        pictures = with_thumbnails(found.evaluation.examples, records, tools.make_images, out / FOLDER)
    written = loaded.records[subject.columns[-1]]
    evaluation = replace(found.evaluation, examples=[_chained(e, written.get(e.key)) for e in pictures])
    write_atomic(out / "evaluation" / "items.parquet", _items_table(found, subject))
    write_json(evaluation, out / "report.json")
    return evaluation


def images_policy(folders: Sequence[RunFolder]) -> ImagePolicy:
    """Return how images are decoded: as in the run, if there is one."""
    return load_recipe(str(folders[0].root / "recipe.yaml")).images if folders else ImagePolicy()


@contextmanager
def _opened(request: Request, out: Path, recipe: Recipe | None) -> Iterator[Tools]:
    """Hold the folder, and give the models, the ledger and the meter until the evaluation is over."""
    policy = images_policy(request.folders)
    options = request.options
    with ExitStack() as open_until_done:
        open_until_done.enter_context(RunFolder(out).locked(ours=OURS))
        make_folder(out / "evaluation")
        models = built(request.judges, recipe)
        for model in models.all():
            if isinstance(model, Closing):
                open_until_done.callback(model.close)
        ledger = SqliteLedger(out / "evaluation" / "calls.sqlite")
        open_until_done.callback(ledger.close)
        meter = SqliteMeter(out / "evaluation" / "spent.sqlite", request.budget)
        open_until_done.callback(meter.close)
        yield Tools(
            ledger=ledger,
            meter=meter,
            make_images=lambda: BatchImages(limits_of(policy), policy.max_side_px),
            image_text=models.image_text,
            pair_scorers=models.pairs,
            language_model=models.language_model,
            judge=models.judge,
            options=options,
        )


def _counts(counts: Mapping[str, int], folders: Sequence[RunFolder]) -> dict[str, int]:
    """Return what became of all items, those that the run ruled out included."""
    markers = folders[0].committed() if len(folders) == 1 else []
    lost = {
        "dropped by the run": sum(m.dropped for m in markers),
        "failed in the run": sum(m.failed for m in markers),
    }
    return {**counts, **{name: n for name, n in lost.items() if n}}


def _background(request: Request, loaded: Loaded) -> dict[str, JsonValue]:
    """Return what the run says of itself; of several runs each, under its column's name."""
    if len(request.folders) == 1:
        return run_background(request.folders[0], list(loaded.records[loaded.subject.columns[-1]].values()))
    return {
        f"{column}: {name}": value
        for column, folder in zip(loaded.subject.columns, request.folders, strict=False)
        for name, value in run_background(folder, list(loaded.records[column].values())).items()
    }


def _said_by(readers: Sequence[Reader]) -> list[str]:
    """Return what reading the data came upon, once it is over."""
    return [f"Of the data: {note}." for reader in readers for note in reader.notes[:_MOST_NOTES]]


def _about(request: Request, subject: Subject, tools: Tools) -> dict[str, JsonValue]:
    models = {label: scorer.name for label, scorer in {**tools.image_text, **tools.pair_scorers}.items()}
    if tools.language_model is not None:
        models["language model"] = tools.language_model.name
    if tools.judge is not None:
        models["judge"] = tools.judge.name
    return {
        "recaption": __version__,
        "python": platform.python_version(),
        "sources": list(request.sources),
        "columns": {column.name: column.where for column in request.columns},
        "captions": [captions_digest(folder) for folder in request.folders],
        "models": cast(JsonValue, models),
        "sample": request.sample,
        "options": cast(JsonValue, request.options.model_dump(mode="json")),
    }


def _chained(example: Example, record: Record | None) -> Example:
    if record is None:
        return example
    return replace(example, chain=list(islice(lineage_lines(record), _CHAIN_LINES)))


def _items_table(found: Evaluated, subject: Subject) -> bytes:
    """Return the figures that items have of their own: `key`, then `MEASURE:COLUMN`, null where there is none."""
    columns: dict[str, Any] = {"key": [stored_text(item.key) for item in subject.items]}
    for figure in found.figures:
        for column in figure.parts:
            values = item_values(figure, column)
            columns[f"{figure.about.name}:{column}"] = pa.array(values, mask=np.isnan(values))
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()


def stored_evaluation(out: Path) -> Evaluation | None:
    """Return what was found before; None where nothing was.

    Raises:
        UserError: The file is damaged, or the run's captions have changed since.
    """
    path = out / "report.json"
    if not path.is_file():
        return None
    found = read_json(path)
    folder = RunFolder(out)
    if is_run_folder(out) and found.about.get("captions") != [captions_digest(folder)]:
        raise UserError(
            f"the captions in {out} have changed since they were evaluated; evaluate them again: recaption eval {out}"
        )
    return found


def write_page(evaluation: Evaluation, out: Path) -> Path:
    """Write `report.html` and return where it is."""
    target = out / "report.html"
    thumbnails = read_thumbnails(evaluation.examples, out / FOLDER)
    write_atomic(target, render(evaluation, thumbnails).encode("utf-8"))
    return target
