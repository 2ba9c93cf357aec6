"""CAPTURE-lite: things, looks and relations of a caption against those of reference texts.

CAPTURE (Dong et al. 2024) with its weights and its two hard stages of matching, but without its scene-graph parser,
for which word lists stand (`text/scenes.py`), and without the soft stage, which gives unrelated texts a score too.
Never to be called CAPTURE, nor compared with its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final, TypeVar

import numpy as np

from recaption.evaluation.measures import About, Additive, Floats, Result, mean_parts
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.scenes import Relation, Scene, scene
from recaption.evaluation.tools import Tools
from recaption.media.labels import coco_matcher

__all__ = ["CaptureLite", "CaptureLiteFacts", "capture_score", "f1_of_matches", "scene_f1s"]

Unit = TypeVar("Unit")

_WEIGHTS: Final = (5.0, 5.0, 2.0)
"""Of things, looks and relations."""
_EPSILON: Final = 1e-6
_MOST_ITEMS: Final = 5_000
_MOST_REFERENCES: Final = 8
_MOST_COMPARED: Final = 200
"""Of a kind in one text, one by one with those of a reference."""
_NOTE: Final = (
    "word lists instead of a parser, English only; exact matches and other names for a thing, no soft matches; mean "
    f"over references; a seeded sample of {_MOST_ITEMS:,} items where there are more; not to be compared with CAPTURE"
)
_KINDS: Final = {"objects": "things", "attributes": "looks", "relations": "relations"}


@dataclass(frozen=True, slots=True, eq=False)
class CaptureLiteFacts:
    """F1 of things, looks and relations, and the score of them, shape (texts, 4); NaN where there is none.

    By column, with the item of each text.
    """

    values: dict[str, Floats]
    owners: dict[str, list[int]]


class CaptureLite:
    """How much of what references say a caption says, and how much else."""

    name: ClassVar[str] = "capture_lite"
    needs: ClassVar[frozenset[Need]] = frozenset({"references"})

    def extract(self, subject: Subject, tools: Tools) -> CaptureLiteFacts:
        """Read texts and references, and match what they say."""
        sample = _sample(subject)
        rows: dict[str, list[tuple[float, ...]]] = {column: [] for column in subject.columns}
        owners: dict[str, list[int]] = {column: [] for column in subject.columns}
        for i in sample:
            item = subject.items[i]
            references = [scene(text) for text in item.references[:_MOST_REFERENCES]]
            for column, texts in zip(subject.columns, item.texts, strict=True):
                rows[column] += [_against(scene(text), references) for text in texts]
                owners[column] += [i] * len(texts)
        width = len(_KINDS) + 1
        values = {c: np.array(found, dtype=np.float64).reshape(-1, width) for c, found in rows.items()}
        return CaptureLiteFacts(values=values, owners=owners)

    def score(self, subject: Subject, facts: CaptureLiteFacts) -> list[Result]:
        """Return the score and its three parts, each a mean over texts."""
        titles = [f"CAPTURE-lite, {word} only" for word in _KINDS.values()]
        found: list[Result] = []
        for place, (name, title) in enumerate(zip((*_KINDS, "score"), (*titles, "CAPTURE-lite"), strict=True)):
            about = About(
                name=f"capture_lite.{name}",
                title=title,
                group="references",
                better="higher",
                value_range=(0.0, 1.0),
                unit="share",
                note=_NOTE,
            )
            parts = {c: mean_parts(v[:, place], len(subject), facts.owners[c]) for c, v in facts.values.items()}
            found.append(Additive(about=about, parts=parts))
        return found


def capture_score(f1s: Sequence[float | None]) -> float | None:
    """Return the score of F1 of things, looks and relations, weighted 5:5:2.

    A kind of which neither side says anything (None) is left out, with its weight; CAPTURE counts it as 0, which puts
    texts without relations down for saying nothing wrong. None where nothing is left.
    """
    kept = [(weight, value) for weight, value in zip(_WEIGHTS, f1s, strict=True) if value is not None]
    if not kept:
        return None
    return sum(weight * value for weight, value in kept) / sum(weight for weight, _ in kept)


def scene_f1s(said: Scene, reference: Scene) -> tuple[float | None, ...]:
    """Return F1 of things, looks and relations; None where neither side says anything of a kind."""
    return (
        f1_of_matches(said.objects, reference.objects, _same_thing),
        f1_of_matches(said.attributes, reference.attributes, _never),
        f1_of_matches(said.relations, reference.relations, _same_relation),
    )


def f1_of_matches(
    said: Collection[Unit], reference: Collection[Unit], same: Callable[[Unit, Unit], bool]
) -> float | None:
    """Return F1 where equal ones match first, then those that are the same, one to one; None of nothing."""
    if not said and not reference:
        return None
    equal = set(said) & set(reference)
    left = sorted(set(reference) - equal)[:_MOST_COMPARED]  # type: ignore[type-var]
    matches = len(equal)
    for one in sorted(set(said) - equal)[:_MOST_COMPARED]:  # type: ignore[type-var]
        found = next((other for other in left if same(one, other)), None)
        if found is not None:
            left.remove(found)
            matches += 1
    precision = matches / len(said) if said else 0.0
    recall = matches / len(reference) if reference else 0.0
    return 2 * precision * recall / (precision + recall + _EPSILON)


@lru_cache(maxsize=100_000)
def _same_thing(one: str, other: str) -> bool:
    """Say whether two names may be of one thing: the one holds the other, or is the name of its class."""
    if f" {one} " in f" {other} " or f" {other} " in f" {one} ":
        return True
    label = _class_of(one)
    return label is not None and label in (one, other) and label == _class_of(other)


@lru_cache(maxsize=20_000)
def _class_of(name: str) -> str | None:
    labels = coco_matcher().labels_in(name)
    return next(iter(labels)) if len(labels) == 1 else None


def _same_relation(one: Relation, other: Relation) -> bool:
    return one[1] == other[1] and all(
        a == b or _same_thing(a, b) for a, b in ((one[0], other[0]), (one[2], other[2]))
    )


def _never(one: object, other: object) -> bool:
    return False


def _against(said: Scene, references: Sequence[Scene]) -> tuple[float, ...]:
    """Return mean F1 of each kind and mean score over references; NaN where no reference gives one."""
    rows = [scene_f1s(said, reference) for reference in references]
    scores = [capture_score(row) for row in rows]
    kinds = [[row[i] for row in rows] for i in range(len(_KINDS))]
    return tuple(_mean(values) for values in (*kinds, scores))


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else float("nan")


def _sample(subject: Subject) -> list[int]:
    """Return the items that have references, a seeded sample where there are very many."""
    with_references = [i for i, item in enumerate(subject.items) if item.references]
    if len(with_references) <= _MOST_ITEMS:
        return with_references
    drawn = np.random.default_rng([subject.seed, 23]).permutation(len(with_references))[:_MOST_ITEMS]
    return sorted(with_references[i] for i in drawn)
