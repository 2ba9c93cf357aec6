"""Which words a column uses, and which it gained or lost against the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.measures import About, Listing, Result, Value, Whole
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.corpus import Corpus, Ints, shared_corpora
from recaption.evaluation.text.excerpts import excerpt
from recaption.evaluation.tools import Tools

__all__ = ["Vocabulary"]

_LISTED: Final = 30
_SHOWN: Final = 40


class Vocabulary:
    """Different words, words used once, words gained and lost."""

    name: ClassVar[str] = "vocabulary"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> Mapping[str, Corpus]:
        """Return all texts as numbers of words."""
        return shared_corpora(subject, tools)

    def score(self, subject: Subject, facts: Mapping[str, Corpus]) -> Sequence[Result]:
        """Return the size of each vocabulary, what share of it is used once, and what differs from the baseline.

        Neither figure is better in a direction: longer texts use more words, and a broken text brings new ones.
        """
        uses = {c: np.bincount(t.ids, minlength=len(t.vocabulary)) for c, t in facts.items()}
        size = About(
            name="vocabulary",
            title="Different words",
            group="sameness",
            value_range=(0.0, None),
            unit="words",
            note="of all texts of a column; longer texts have more, see distinct-n for equal amounts",
        )
        once = About(
            name="hapax_share",
            title="Words used only once",
            group="sameness",
            value_range=(0.0, 1.0),
            unit="share",
            note="of the different words of a column",
        )
        worded = {c: len(np.unique(t.owners[t.lengths > 0])) for c, t in facts.items()}
        return [
            Whole(about=size, values={c: _value(float((u > 0).sum()), worded[c]) for c, u in uses.items()}),
            Whole(about=once, values={c: _value(_once(u), worded[c]) for c, u in uses.items()}),
            *_changes(subject, facts, uses),
        ]


def _value(value: float | None, n: int) -> Value:
    return Value(value=value, n=n, reason="" if value is not None else "no text has a word")


def _once(uses: Ints) -> float | None:
    different = int((uses > 0).sum())
    return float((uses == 1).sum()) / different if different else None


def _changes(subject: Subject, facts: Mapping[str, Corpus], uses: Mapping[str, Ints]) -> Iterator[Listing]:
    baseline, *others = subject.columns
    for column in others:
        words = facts[column].vocabulary
        for name, only, other in (("gained", column, baseline), ("lost", baseline, column)):
            found = np.flatnonzero((uses[only] > 0) & (uses[other] == 0))
            top = sorted(found.tolist(), key=lambda i: (-int(uses[only][i]), words[i]))[:_LISTED]
            yield Listing(
                name=f"words_{name}.{column}",
                title=f"Words {name}: in {only}, not in {other}",
                header=("word", f"times in {only}"),
                rows=[(excerpt(words[i], _SHOWN), f"{uses[only][i]:,}") for i in top],
                note=f"{len(found):,} in all"
                + (f", the {len(top)} most frequent" if len(top) < len(found) else ""),
            )
