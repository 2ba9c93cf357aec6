"""How much of the old text the new one keeps: neither good nor bad, but to be known before anything else is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from recaption.evaluation.measures import About, Additive, Floats, Result, mean_parts
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.corpus import Corpus, shared_corpora
from recaption.evaluation.text.rouge import rouge_l_scores
from recaption.evaluation.tools import Tools

__all__ = ["Copying"]


class Copying:
    """Columns against the baseline: how new they are, and how many items they left as they were."""

    name: ClassVar[str] = "copying"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> dict[str, Corpus]:
        """Return all texts as numbers of words."""
        return shared_corpora(subject, tools)

    def score(self, subject: Subject, facts: dict[str, Corpus]) -> Sequence[Result]:
        """Return novelty and the share of texts unchanged; the baseline has neither."""
        baseline, *others = subject.columns
        if not others:
            return []
        novelty, unchanged = {}, {}
        for column in others:
            texts = facts[column]
            kept = rouge_l_scores(texts, facts[baseline])
            kept[texts.lengths == 0] = np.nan  # a text without words says nothing new
            novelty[column] = mean_parts(1 - kept, len(subject), texts.owners.tolist())
            unchanged[column] = _unchanged(subject, column)
        return [
            Additive(
                about=About(
                    name="novelty",
                    title=f"Novelty against {baseline}",
                    group="references",
                    value_range=(0.0, 1.0),
                    note=f"1 − ROUGE-L (beta 1.2) against {baseline}; items without words on a side are left out",
                ),
                parts=novelty,
            ),
            Additive(
                about=About(
                    name="unchanged_share",
                    title=f"Same text as {baseline}",
                    group="references",
                    value_range=(0.0, 1.0),
                    unit="share",
                    note="equal to a letter but for blanks",
                ),
                parts=unchanged,
            ),
        ]


def _unchanged(subject: Subject, column: str) -> Floats:
    old = [{_folded(text) for text in texts} for texts in subject.texts(subject.columns[0])]
    flat = list(subject.flat(column))
    same = [float(_folded(text) in old[i]) if old[i] else None for i, text in flat]
    return mean_parts(same, len(subject), [i for i, _ in flat])


def _folded(text: str) -> str:
    return " ".join(text.split())
