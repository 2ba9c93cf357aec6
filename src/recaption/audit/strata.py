"""What divides the records before a sample is drawn, and how much doubt there is about each.

A column is one of `origin`, `aspect`, `writer`, `flags`, `flag:NAME`, `score:LABEL` (quarters of its values; fewer
parts where many are equal), or one of the data's own.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final, TypeAlias

from recaption.audit.allocation import score_edges
from recaption.audit.sampling import WHOLE, Row, stratum_name
from recaption.audit.sheets import standing
from recaption.core.digests import seed_from
from recaption.core.errors import UserError
from recaption.core.types import Caption, Record

__all__ = ["DOUBTS", "Divider", "dividers", "rows", "uncertainty"]

Divider: TypeAlias = Callable[[Record, Caption], str]
"""The value of one column for a record and the caption that stands for it."""

_FLAG: Final = "flag:"
_SCORE: Final = "score:"
MOST_SEEN: Final = 20_000
"""Values of a score that its quarters are taken from; of more, a seeded sample."""
_PLAIN: Final[Mapping[str, Divider]] = {
    "origin": lambda record, caption: caption.origin,
    "aspect": lambda record, caption: caption.aspect,
    "writer": lambda record, caption: _writer(caption),
    "flags": lambda record, caption: (
        ", ".join(sorted(name for name in caption.flags if name != "audit")) or "no flags"
    ),
}
DOUBTS: Final = ("margin", "disagreement", "logprob")
"""What doubt is measured by, beside `score:LABEL`: how little the best caption is ahead of the next, how far scorers
disagree, how unsure the model was of its words. One for all, since they have nothing to do with each other."""


def dividers(by: Sequence[str], records: Iterable[Record], *, seed: int) -> list[Divider]:
    """Return what gives the value of each column; the records are read once where there is a score among them.

    Raises:
        UserError: No record has such a score.
    """
    labels = [column.removeprefix(_SCORE) for column in by if column.startswith(_SCORE)]
    edges = _edges(labels, records, seed) if labels else {}
    return [_divider(column, edges) for column in by]


def rows(
    records: Iterable[Record], columns: Sequence[Divider], by: Sequence[str], doubt: str | None
) -> Iterable[Row]:
    """Yield what sampling needs of every record that has a caption to judge.

    Raises:
        UserError: No record has a value in one of the columns, or doubt of that kind: it is misspelt, or never was.
    """
    wanted = {column for column in by if column not in _PLAIN and not column.startswith((_FLAG, _SCORE))}
    known: set[str] = set()
    doubted = doubt is None
    for record in records:
        caption = standing(record)
        if caption is None:
            continue
        if wanted - known:
            known.update(record.metadata)
        doubtful = None if doubt is None else uncertainty(caption, doubt)
        doubted = doubted or doubtful is not None
        values = [column(record, caption) for column in columns]
        yield Row(record.key, stratum_name(values) if values else WHOLE, doubtful)
    for column in sorted(wanted - known):
        raise UserError(f"--by {column!r}: no record has such a column. {_hint(column, known)}")
    if not doubted:
        raise UserError(
            f"--doubt {doubt!r}: no caption has that. Others: {', '.join(DOUBTS)}, or `score:LABEL` for low scores."
        )


def uncertainty(caption: Caption, doubt: str) -> float | None:
    """Return how much doubt there is about a caption, larger for more; None where nothing is known.

    Args:
        doubt: One of `DOUBTS`, or `score:LABEL` for how low a score is.

    Raises:
        UserError: There is no such kind of doubt.
    """
    if doubt.startswith(_SCORE):
        score = caption.scores.get(doubt.removeprefix(_SCORE))
        return None if score is None or score.value is None else -score.value
    details = caption.provenance.details
    selection = details.get("selection")
    told = selection if isinstance(selection, Mapping) else {}
    if doubt == "margin":
        return _negated(told.get("margin"))
    if doubt == "disagreement":
        return _number(told.get("disagreement"))
    if doubt == "logprob":
        return _negated(details.get("mean_logprob"))
    raise UserError(f"--doubt {doubt!r}: give {', '.join(DOUBTS)} or `score:LABEL`")


def _hint(column: str, known: Iterable[str]) -> str:
    names = sorted({*known, *_PLAIN})
    kind, colon, name = column.partition(":")
    meant = [prefix + name for prefix in get_close_matches(kind + colon, (_FLAG, _SCORE), 1) if colon]
    near = get_close_matches(column, [*names, *meant], 1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"There are: {', '.join(names[:20])}; and `{_FLAG}NAME`, `{_SCORE}LABEL`."


def _divider(column: str, edges: Mapping[str, Sequence[float]]) -> Divider:
    if column in _PLAIN:
        return _PLAIN[column]
    if column.startswith(_FLAG):
        name = column.removeprefix(_FLAG)
        return lambda record, caption: name if name in caption.flags else f"not {name}"
    if column.startswith(_SCORE):
        label = column.removeprefix(_SCORE)
        return lambda record, caption: _part(caption, label, edges[label])
    return lambda record, caption: str(record.metadata.get(column, ""))


def _edges(labels: Sequence[str], records: Iterable[Record], seed: int) -> dict[str, tuple[float, ...]]:
    values: dict[str, list[tuple[int, float]]] = {label: [] for label in labels}
    for record in records:
        caption = standing(record)
        for label in labels if caption is not None else ():
            score = caption.scores.get(label) if caption is not None else None
            if score is not None and score.value is not None:
                values[label].append((seed_from(seed, record.key, "quarters"), score.value))
                if len(values[label]) >= 2 * MOST_SEEN:
                    values[label] = sorted(values[label])[:MOST_SEEN]
    for label, found in values.items():
        if not found:
            raise UserError(f"--by 'score:{label}': no caption that stands has such a score")
    return {label: score_edges([v for _, v in sorted(found)[:MOST_SEEN]]) for label, found in values.items()}


def _part(caption: Caption, label: str, edges: Sequence[float]) -> str:
    score = caption.scores.get(label)
    if score is None or score.value is None:
        return f"no {label}"
    place, parts = bisect_right(edges, score.value) + 1, len(edges) + 1
    return f"{label} quarter {place}" if parts == 4 else f"{label} part {place} of {parts}"


def _writer(caption: Caption) -> str:
    return str(caption.provenance.details.get("generator") or caption.provenance.stage)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _negated(value: object) -> float | None:
    number = _number(value)
    return None if number is None else -number
