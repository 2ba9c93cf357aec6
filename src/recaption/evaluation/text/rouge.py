"""ROUGE-L (Lin 2004) as COCO's tools count it: the longest run of words, gaps allowed, that two texts share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import chain
from typing import Final

import numpy as np

from recaption.evaluation.measures import Floats
from recaption.evaluation.text.corpus import Corpus

__all__ = ["common_lengths", "rouge_l", "rouge_l_scores"]

_BETA: Final = 1.2
"""How much more recall weighs than precision."""


def rouge_l(text: Sequence[Hashable], references: Sequence[Sequence[Hashable]]) -> float | None:
    """Return ROUGE-L of a text, in [0, 1]: the largest precision and the largest recall, each of any reference.

    None where no reference has words; 0 where the text has none.
    """
    references = [reference for reference in references if reference]
    if not references:
        return None
    if not text:
        return 0.0
    common = common_lengths(text, references)
    precision = max(common) / len(text)
    recall = max(c / len(r) for c, r in zip(common, references, strict=True))
    if precision == 0:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def rouge_l_scores(texts: Corpus, references: Corpus) -> Floats:
    """Return ROUGE-L of every text against the references of its item, shape (texts,); NaN where there are none."""
    scores = np.full(len(texts), np.nan)
    lows = np.searchsorted(references.owners, texts.owners, side="left").tolist()
    highs = np.searchsorted(references.owners, texts.owners, side="right").tolist()
    for i, (low, high) in enumerate(zip(lows, highs, strict=True)):
        value = rouge_l(texts.text(i), [references.text(j) for j in range(low, high)])
        if value is not None:
            scores[i] = value
    return scores


def common_lengths(text: Sequence[Hashable], others: Sequence[Sequence[Hashable]]) -> list[int]:
    """Return the length of the longest common subsequence of a text and each of the others.

    Bit-parallel (Hyyrö 2004): a row of the usual table is one whole number, so that a step costs what adding costs.
    """
    where: dict[Hashable, int] = dict.fromkeys(chain.from_iterable(others), 0)
    for i, word in enumerate(text):
        if word in where:
            where[word] |= 1 << i
    everything = (1 << len(text)) - 1
    lengths = []
    for other in others:
        row = everything
        for word in other:
            if place := where[word]:
                met = row & place
                row = ((row + met) | (row - met)) & everything
        lengths.append(len(text) - row.bit_count())
    return lengths
