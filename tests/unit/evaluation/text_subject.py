"""Subjects that are texts and nothing else, and what a metric says of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from recaption.evaluation.measures import Additive, Listing, Result, Whole
from recaption.evaluation.metric import Metric
from recaption.evaluation.options import Options
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools

__all__ = ["named", "scored", "shown", "text_subject"]

NOTHING: Any = None
Texts = Sequence[str | Sequence[str]]


def text_subject(
    columns: Mapping[str, Texts],
    *,
    references: Texts = (),
    candidates: Mapping[str, Texts] | None = None,
    seed: int = 0,
) -> Subject:
    """One item for every place of the columns; a text alone stands for a tuple of one."""
    sizes = {len(texts) for texts in columns.values()}
    assert len(sizes) == 1
    items = tuple(
        Item(
            key=f"item {i}",
            texts=tuple(several(texts[i]) for texts in columns.values()),
            references=several(references[i]) if references else (),
            candidates=tuple(several(candidates.get(c, [()] * len(texts))[i]) for c, texts in columns.items())
            if candidates
            else (),
        )
        for i in range(sizes.pop())
    )
    return Subject(columns=tuple(columns), items=items, seed=seed)


def several(texts: str | Sequence[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def scored(metric: Metric, subject: Subject, **options: Any) -> dict[str, Any]:
    """Return what a metric says, by name."""
    tools = Tools(ledger=NOTHING, meter=NOTHING, make_images=NOTHING, options=Options(**options))
    return named(metric.score(subject, metric.extract(subject, tools)))


def named(results: Sequence[Result]) -> dict[str, Any]:
    found = {r.about.name if isinstance(r, Additive | Whole) else r.name: r for r in results}
    assert len(found) == len(results), "two results have the same name"
    return found


def shown(result: Additive | Whole | Listing, column: str) -> float | None:
    """Return the figure of a column."""
    if isinstance(result, Whole):
        return result.values[column].value
    assert isinstance(result, Additive)
    value = float(result.formula(result.parts[column].sum(axis=0)))
    return None if value != value else value
