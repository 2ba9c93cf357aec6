"""One evaluation: the metrics that can run here, their figures compared, and what is worth showing of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from recaption.core.digests import seed_from
from recaption.core.types import JsonValue
from recaption.evaluation.comparison import compared
from recaption.evaluation.measures import Additive, Control, Listing, Remark, Result
from recaption.evaluation.metric import Metric, Need, Unavailable
from recaption.evaluation.pictures import histograms, scatters
from recaption.evaluation.result import Evaluation, Skipped
from recaption.evaluation.samples import examples
from recaption.evaluation.slices import slices
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.evaluation.unreadable import Unreadable
from recaption.evaluation.verdict import changes_of_fewer, findings, headline, no_verdict, verdict

__all__ = ["Evaluated", "Measured", "Progress", "evaluate", "measure"]

OLD_AGAINST_OLD_ITEMS: Final = 200
"""Items of the control that holds the baseline against itself."""
_OUTSIDE: Final = frozenset({"languagetool"})
"""Metrics that start a program of their own; the control does without them, and without judges, whose replies are
controlled by the metric that asks for them."""

_LACKS: Final[Mapping[Need, str]] = {
    "images": "none of the items has an image",
    "references": "none of the items has reference texts; name a column that has with --references",
    "labels": "nobody says what is in the images: no boxes came with the data and no detector ran",
    "candidates": "no item has several candidates",
    "scorer": "no image-text scorer; name one with --scorer, say openai/clip-vit-base-patch32",
    "image_text": "no image-text scorer; name one with --scorer, say openai/clip-vit-base-patch32",
    "second_image_text": "no second image-text scorer; name another one with --scorer",
    "language_model": "no language model; name one with --language-model, say gpt2",
    "judge": "no judge; name one with --judge, say http://127.0.0.1:8000/v1#MODEL",
}

_LOOKS: Final[frozenset[Need]] = frozenset({"images", "labels"})
"""A metric that needs one of these can tell how texts fit their images."""
_DECIDING: Final[tuple[Need, ...]] = ("scorer", "judge", "labels")
_GIVEN_BY_HAND: Final = frozenset(_LACKS.values()) - {_LACKS["images"]}
"""Reasons that name what can be asked for as well; where another one stands, it is what stopped the metrics."""
_MOST_REASONS: Final = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """Which metric is at work."""

    metric: str
    number: int
    of: int


@dataclass(slots=True)
class Measured:
    """What metrics said, and which could not run."""

    results: list[Result] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a report says, and the figures that every item has."""

    evaluation: Evaluation
    figures: Sequence[Additive]


def evaluate(
    subject: Subject,
    tools: Tools,
    metrics: Sequence[Metric],
    *,
    counts: Mapping[str, int],
    limits: Sequence[str] = (),
    run: Mapping[str, JsonValue] | None = None,
    about: Mapping[str, JsonValue] | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Evaluated:
    """Return what the metrics find in the columns of a subject.

    Args:
        counts: Items by what became of them on the way here: read, rejected, sampled….
        limits: Sentences on what the figures do not show, known beforehand.

    Raises:
        UserError: A model cannot be loaded.
        BackendError: A model or service is gone. What was paid for is remembered; evaluate again to go on.
    """
    measured = measure(subject, tools, metrics, watch)
    rows = compared(measured.results, subject)
    figures = [r for r in measured.results if isinstance(r, Additive)]
    parts = slices(figures, subject)
    controls = [r for r in measured.results if isinstance(r, Control)]
    controls.append(old_against_old(subject, tools, metrics))
    missing, unread = tools.unreadable.listing(subject), tools.unreadable.count(subject)
    # What is missing comes first: a page shows so many tables and no more.
    listings = [*([missing] if missing else []), *(r for r in measured.results if isinstance(r, Listing))]
    remarks = [r.text for r in measured.results if isinstance(r, Remark)]
    remarks += changes_of_fewer(rows, subject.columns)
    failed = [control for control in controls if not control.holds]
    first = headline(rows) if not failed else None
    evaluation = Evaluation(
        columns=subject.columns,
        headline=first.about.name if first else None,
        verdict=no_verdict(failed)
        if failed
        else verdict(rows, subject.columns, _lacking(subject, tools, metrics, measured.skipped)),
        findings=findings(rows, parts, subject.columns, controls),
        counts={
            **counts,
            "evaluated": len(subject),
            **({"without an image that could be read": unread} if unread else {}),
        },
        rows=rows,
        slices=parts,
        listings=listings,
        controls=controls,
        histograms=histograms(figures, subject),
        scatters=scatters(figures, subject),
        examples=examples(figures, subject),
        skipped=measured.skipped,
        limits=[said for said in (tools.unreadable.told(subject), *remarks, *limits) if said],
        run=run or {},
        about=about or {},
    )
    return Evaluated(evaluation, figures)


def measure(
    subject: Subject,
    tools: Tools,
    metrics: Iterable[Metric],
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Measured:
    """Return what every metric says that can run; of the others, why they cannot."""
    found = Measured()
    chosen = list(metrics)
    for number, metric in enumerate(chosen, start=1):
        watch(Progress(metric.name, number, len(chosen)))
        lack = next((_LACKS[need] for need in sorted(metric.needs) if not _has(need, subject, tools)), None)
        if lack is None:
            try:
                found.results += metric.score(subject, metric.extract(subject, tools))
            except Unavailable as error:
                lack = str(error)
        if lack is not None:
            found.skipped.append(Skipped(metric=metric.name, reason=lack))
    return found


def _lacking(subject: Subject, tools: Tools, metrics: Sequence[Metric], skipped: Sequence[Skipped]) -> str:
    """Return why no metric that looks at the images says anything."""
    looking = {metric.name for metric in metrics if metric.needs & _LOOKS}
    reasons = list(dict.fromkeys(s.reason for s in skipped if s.metric in looking))
    if not reasons:
        return "the metrics that look at the images were not asked for"
    if not any(_has(need, subject, tools) for need in _DECIDING):
        return "there was no scorer, no judge, and nobody to say what is in the images"
    stopped = [reason for reason in reasons if reason not in _GIVEN_BY_HAND]
    return "; ".join((stopped or reasons)[:_MOST_REASONS])


def old_against_old(subject: Subject, tools: Tools, metrics: Sequence[Metric]) -> Control:
    """Hold the baseline against itself, through all that the columns go through; nothing may differ."""
    items = subject.items[:OLD_AGAINST_OLD_ITEMS]
    twice = replace(
        subject,
        columns=("baseline", "baseline again"),
        items=tuple(_doubled(item) for item in items),
        seed=seed_from(subject.seed, "old against old"),
    )
    # Nothing is written for it: what is frozen is of the whole, not of the items of a control.
    options = tools.options.model_copy(update={"freeze_document_frequencies": None})
    fresh = replace(tools, options=options, unreadable=Unreadable(), _made={})
    asked = [metric for metric in metrics if "judge" not in metric.needs and metric.name not in _OUTSIDE]
    rows = compared(measure(twice, fresh, asked).results, twice)
    deltas = [e.delta for row in rows for e in row.effects.values() if e.delta is not None]
    largest = max((abs(delta) for delta in deltas), default=0.0)
    return Control(
        name="old_against_old",
        title=f"largest difference of {len(deltas)} figures, baseline against itself, {len(items):,} items",
        value=largest,
        expected="exactly 0",
        holds=largest == 0.0,
    )


def _doubled(item: Item) -> Item:
    candidates = (item.candidates[0],) * 2 if item.candidates else ()
    return replace(item, texts=(item.texts[0],) * 2, candidates=candidates)


def _has(need: Need, subject: Subject, tools: Tools) -> bool:
    if need == "scorer":
        return bool(tools.image_text or tools.pair_scorers)
    if need == "image_text":
        return bool(tools.image_text)
    if need == "second_image_text":
        return len(tools.image_text) > 1
    if need == "language_model":
        return tools.language_model is not None
    if need == "judge":
        return tools.judge is not None
    return any(_item_has(need, item) for item in subject.items)


def _item_has(need: Need, item: Item) -> bool:
    if need == "images":
        return item.record is not None and item.record.image is not None
    if need == "references":
        return bool(item.references)
    if need == "labels":
        return item.labels is not None
    return any(len(texts) > 1 for texts in item.candidates)
