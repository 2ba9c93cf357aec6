"""CHAIR (Rohrbach et al. 2018): objects that a text names and the image does not have.

A text that names more can invent more, so two figures stand beside it: how many objects are named at all, and how
many of those that are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final, Literal

import numpy as np

from recaption.evaluation.extract.objects import Named, NamedObjects, named_objects
from recaption.evaluation.measures import About, Additive, Floats, Listing, Result
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools

__all__ = ["Chair", "chair_counts"]

_LISTED: Final = 10
"""Classes of a column in each table."""
_COUNTS: Final = ("mentions", "invented", "named", "right", "there", "inventing", "texts")
"""What `chair_counts` counts, in order."""


def chair_counts(named: Named, there: frozenset[str]) -> tuple[int, ...]:
    """Return what one text adds to every figure.

    Mentions of classes; mentions of classes that are not there; distinct classes named; distinct ones named and
    there; classes there; 1 if anything was invented; 1.
    """
    distinct = frozenset(named)
    invented = sum(label not in there for label in named)
    return len(named), invented, len(distinct), len(distinct & there), len(there), int(invented > 0), 1


class Chair:
    """Hallucinated objects by mention and by text, objects named, and recall and F1 against what is there."""

    name: ClassVar[str] = "chair"
    needs: ClassVar[frozenset[Need]] = frozenset({"labels"})

    def extract(self, subject: Subject, tools: Tools) -> NamedObjects:
        """Return what is there and what each text names; see `extract/objects.py`."""
        return named_objects(subject, tools)

    def score(self, subject: Subject, facts: NamedObjects) -> list[Result]:
        """Return five figures, and the classes most often invented and most often missed."""
        sums = {column: _sums(facts, column) for column in subject.columns}
        return [*_figures(sums, facts.source), *_tables(subject, facts)]


def _sums(facts: NamedObjects, column: str) -> Floats:
    """Return the counts of `_COUNTS` by item, the mean of its texts, shape (items, 7); zeros where nobody looked."""
    nothing = (0.0,) * len(_COUNTS)
    rows: list[tuple[float, ...]] = []
    for there, texts in zip(facts.there, facts.named[column], strict=True):
        counts = [chair_counts(named, there) for named in texts] if there is not None else []
        rows.append(tuple(sum(of) / len(counts) for of in zip(*counts, strict=True)) if counts else nothing)
    return np.array(rows, dtype=np.float64).reshape(-1, len(_COUNTS))


def _figures(sums: dict[str, Floats], source: str) -> Iterator[Additive]:
    def figure(about: About, top: str, bottom: str, pooled: bool = False) -> Additive:
        places = [_COUNTS.index(top), _COUNTS.index(bottom)]
        return Additive(about=about, parts={c: s[:, places] for c, s in sums.items()}, pooled=pooled)

    yield figure(
        _about("i", "CHAIRi: mentioned objects not there", "lower", "share", source),
        "invented",
        "mentions",
        pooled=True,
    )
    # The more a text says, the likelier that something in it is wrong: no direction is better by itself.
    yield figure(
        _about("s", "CHAIRs: texts with an object not there", None, "share", source), "inventing", "texts"
    )
    yield figure(_about("objects", "Objects named per text", None, "", source), "named", "texts")
    yield figure(
        _about("recall", "Objects there that a text names", "higher", "share", source),
        "right",
        "there",
    )
    both = {c: s[:, [_COUNTS.index(n) for n in ("right", "named", "there")]] for c, s in sums.items()}
    f1 = {c: np.stack([2 * s[:, 0], s[:, 1] + s[:, 2]], axis=1) for c, s in both.items()}
    # It alone falls both when a text invents and when it says little, so it may speak for the whole.
    yield Additive(about=_about("f1", "Objects named, F1", "higher", "share", source, primary=True), parts=f1)


def _about(
    name: str,
    title: str,
    better: Literal["higher", "lower"] | None,
    unit: Literal["", "share"],
    source: str,
    primary: bool = False,
) -> About:
    return About(
        name=f"chair.{name}",
        title=title,
        group="faithfulness",
        better=better,
        value_range=(0.0, 1.0) if unit == "share" else (0.0, None),
        unit=unit,
        primary=primary,
        note=f"{source}; English; what is there but has no label counts as invented",
    )


def _tables(subject: Subject, facts: NamedObjects) -> list[Listing]:
    invented: list[tuple[str, ...]] = []
    missed: list[tuple[str, ...]] = []
    for column in subject.columns:
        said, wrong, absent, present = _by_class(facts, column)
        invented += [(column, c, f"{n:,}", f"{said[c]:,}") for c, n in _most(wrong)]
        missed += [(column, c, f"{n:,}", f"{present[c]:,}") for c, n in _most(absent)]
    return [
        Listing(
            name="chair.invented",
            title="Objects most often named that are not there",
            header=("column", "object", "texts that invent it", "texts that name it"),
            rows=invented,
            note=facts.source,
        ),
        Listing(
            name="chair.missed",
            title="Objects there that are most often left unsaid",
            header=("column", "object", "texts without it", "texts of images with it"),
            rows=missed,
            note=facts.source,
        ),
    ]


def _by_class(facts: NamedObjects, column: str) -> tuple[Counter[str], ...]:
    """Return by class in how many texts it is named, invented, left unsaid, and there."""
    said, wrong, absent, present = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for there, texts in zip(facts.there, facts.named[column], strict=True):
        if there is None:
            continue
        for named in texts:
            distinct = set(named)
            said.update(distinct)
            wrong.update(distinct - there)
            absent.update(there - distinct)
            present.update(there)
    return said, wrong, absent, present


def _most(counts: Counter[str]) -> Sequence[tuple[str, int]]:
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:_LISTED]
