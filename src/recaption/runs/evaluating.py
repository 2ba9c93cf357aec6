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
import re
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
from recaption.core.protocols import Closing, Embedder, Generator, Reader, Scorer
from recaption.core.registry import known_names, resolve
from recaption.core.types import JsonValue, Record
from recaption.datasets.atomic import make_folder, write_atomic
from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.meter import Budget, SqliteMeter
from recaption.datasets.run_folder import RunFolder
from recaption.datasets.stored import stored_text
from recaption.evaluation.background import captions_digest, run_background, selecting_models
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
from recaption.recipes.backends import backend
from recaption.recipes.recipe import ImagePolicy, Recipe, load_recipe
from recaption.runs.explain import lineage_lines
from recaption.runs.run import limits_of

__all__ = ["OURS", "Judges", "Request", "evaluate_into", "images_policy", "stored_evaluation", "write_page"]

OURS: Final = ("run.json", "evaluation")
"""What marks a folder that an evaluation may write to."""
DEFAULT_SAMPLE: Final = 10_000
"""Items: intervals of most figures are narrower than a point, and a processor embeds so many in minutes."""
_EVEN: Final = 0.05
"""Texts an item by which columns may differ before it is said."""
_CHAIN_LINES: Final = 40
_MOST_NOTES: Final = 5
_LABEL: Final = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """Models as the command line names them."""

    scorers: Sequence[str] = ()
    """Image-text encoders; the first gives the figures without a label. Empty: those of the run's recipe."""
    language_model: str | None = None
    judge: str | None = None


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
        UserError: There is nothing to evaluate, a model cannot be loaded, the folder holds something else.
        BackendError: A model or service is gone.
    """
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
            limits=[*_limits(loaded, tools), *_said_by(request.readers)],
            run=_background(request, loaded),
            about=_about(request, subject, tools),
            watch=watch,
        )
        records = {item.key: item.record for item in subject.items}
        found = replace(found, evaluation=_with_caveat(found.evaluation, loaded, tools))
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
        scorers = _scorers(request.judges.scorers, recipe)
        language_model = _built("scorers", request.judges.language_model, "perplexity", "--language-model")
        judge = _built("generators", request.judges.judge, None, "--judge")
        for model in (*scorers.values(), language_model, judge):
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
            image_text=scorers,
            language_model=cast("Scorer | None", language_model),
            judge=cast("Generator | None", judge),
            options=options,
        )


def _scorers(named: Sequence[str], recipe: Recipe | None) -> dict[str, Scorer]:
    """Return label to encoder: those named, or else those of the recipe that embed images and texts."""
    if named:
        found: dict[str, Scorer] = {}
        for name in named:
            scorer = _built("scorers", name, None, "--scorer")
            if not isinstance(scorer, Embedder):
                raise UserError(
                    f"--scorer {name}: it embeds no images and texts. CLIP, SigLIP and their kin do."
                )
            label = _LABEL.sub("-", Path(name.partition("=")[2] or name).name).strip("-") or "scorer"
            if label in found:
                raise UserError(f"--scorer {name}: two scorers have the label {label!r}.")
            found[label] = scorer
        return found
    said = [spec.params for spec in recipe.stages if spec.name == "score"] if recipe else []
    built = {
        label: backend("scorers", value, f"score.scorers.{label}").build()
        for params in said
        for label, value in getattr(params, "scorers", {}).items()
    }
    return {label: scorer for label, scorer in built.items() if isinstance(scorer, Embedder)}


def _built(kind: Any, name: str | None, default: str | None, option: str) -> object | None:
    """Return the model that a word of the command line means; `default` takes a model's name that stands alone."""
    if name is None:
        return None
    bare = default is not None and "=" not in name and name not in known_names(kind)
    return cast(object, backend(kind, {default: {"model": name}} if bare and default else name, option).build())


def _counts(counts: Mapping[str, int], folders: Sequence[RunFolder]) -> dict[str, int]:
    """Return what became of all items, those that the run ruled out included."""
    markers = folders[0].committed() if len(folders) == 1 else []
    lost = {
        "dropped by the run": sum(m.dropped for m in markers),
        "failed in the run": sum(m.failed for m in markers),
    }
    return {**counts, **{name: n for name, n in lost.items() if n}}


def _choosers(loaded: Loaded, tools: Tools) -> list[str]:
    """Return the labels of the encoders by which captions of some column were chosen."""
    selecting = frozenset[str]().union(*(selecting_models(list(r.values())) for r in loaded.records.values()))
    return [label for label, scorer in tools.image_text.items() if scorer.name.partition(",")[0] in selecting]


def _with_caveat(evaluation: Evaluation, loaded: Loaded, tools: Tools) -> Evaluation:
    """Say in the verdict itself where it is by the scorer that chose the captions."""
    row = next((row for row in evaluation.rows if row.about.name == evaluation.headline), None)
    if row is None or row.about.group not in ("retrieval", "agreement"):
        return evaluation
    if next(iter(tools.image_text), None) not in _choosers(loaded, tools):
        return evaluation
    caveat = "By the scorer that chose these captions, so it favours them; ask another one with --scorer."
    return replace(
        evaluation, verdict=f"{evaluation.verdict} {caveat}", caveat="by the scorer that chose the captions"
    )


def _background(request: Request, loaded: Loaded) -> dict[str, JsonValue]:
    """Return what the run says of itself; of several runs each, under its column's name."""
    if len(request.folders) == 1:
        return run_background(request.folders[0], list(loaded.records[loaded.subject.columns[-1]].values()))
    return {
        f"{column}: {name}": value
        for column, folder in zip(loaded.subject.columns, request.folders, strict=False)
        for name, value in run_background(folder, list(loaded.records[column].values())).items()
    }


def _limits(loaded: Loaded, tools: Tools) -> list[str]:
    """Return what the figures do not show and can be known before they are there."""
    subject = loaded.subject
    found = [
        f"Captions were chosen by the very scorer that {label} is here ({tools.image_text[label].name}): its figures "
        "favour them. Name another one with --scorer."
        for label in _choosers(loaded, tools)
    ]
    found += _uneven(subject)
    if any(scorer.name.startswith("embedded@") for scorer in tools.image_text.values()):
        found.append(
            "The embedded scorer knows the demo's drawn scenes only; of photos its figures say nothing."
        )
    if subject.label_source:
        found.append(
            f"What is in the images is known from: {subject.label_source}. What it misses counts as invented."
        )
    found.append(
        "Every interval is at 95 % by itself: of twenty figures that do not change, one is expected to seem clear."
    )
    return found


def _said_by(readers: Sequence[Reader]) -> list[str]:
    """Return what reading the data came upon, once it is over."""
    return [f"Of the data: {note}." for reader in readers for note in reader.notes[:_MOST_NOTES]]


def _uneven(subject: Subject) -> list[str]:
    """Say where columns have different numbers of texts for the same items: some figures hang on that alone."""
    counts = {}
    for column in subject.columns:
        some = [len(texts) for texts in subject.texts(column) if texts]
        counts[column] = sum(some) / len(some) if some else 0.0
    if max(counts.values()) - min(counts.values()) <= _EVEN:
        return []
    told = ", ".join(f"{column} {n:.3g}" for column, n in counts.items())
    return [
        f"Columns have different numbers of texts an item ({told}): what is counted over a column as a whole "
        "(openings, duplicates, vocabulary, Vendi) is not to be compared. Rows that share a key are one item."
    ]


def _about(request: Request, subject: Subject, tools: Tools) -> dict[str, JsonValue]:
    models = {label: scorer.name for label, scorer in tools.image_text.items()}
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
    if (out / "run.json").is_file() and found.about.get("captions") != [captions_digest(folder)]:
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
