"""mBLEU: how alike the candidates are that were drawn for the same image. Near 1, drawing several bought nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.measures import About, Additive, Floats, Result
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.bleu import PARTS, bleu, leave_one_out_parts
from recaption.evaluation.text.corpus import Corpus, corpora
from recaption.evaluation.text.ngrams import BLOCK_TEXTS
from recaption.evaluation.tools import Tools

__all__ = ["MBleu", "m_bleu_parts"]

_MOST_CANDIDATES: Final = 32


class MBleu:
    """Candidates of one item against each other."""

    name: ClassVar[str] = "m_bleu"
    needs: ClassVar[frozenset[Need]] = frozenset({"candidates"})

    def extract(self, subject: Subject, tools: Tools) -> Mapping[str, Corpus]:
        """Return the candidates as numbers of words, of the columns in which an item has several."""
        drawn = {c: subject.candidates(c) for c in subject.columns}
        return corpora(
            {
                c: ((i, text) for i, texts in enumerate(some) for text in islice(texts, _MOST_CANDIDATES))
                for c, some in drawn.items()
                if any(len(texts) > 1 for texts in some)
            }
        )

    def score(self, subject: Subject, facts: Mapping[str, Corpus]) -> Sequence[Result]:
        """Return mBLEU-4 of the columns that have candidates."""
        about = About(
            name="m_bleu_4",
            title="mBLEU-4 of candidates",
            group="sameness",
            better="lower",
            value_range=(0.0, 1.0),
            note="BLEU-4 of each candidate against the others of its item, matches summed over all; not smoothed",
        )
        parts = {c: m_bleu_parts(corpus, len(subject)) for c, corpus in facts.items()}
        return [Additive(about=about, parts=parts, formula=partial(bleu, n=4))]


def m_bleu_parts(candidates: Corpus, items: int) -> Floats:
    """Return what each item adds to BLEU of candidates left out one at a time, shape (items, 10).

    The usual figure is the mean over the places of candidates of a corpus BLEU each; here their sums are one, so that
    the order of candidates does not matter and items may have different numbers of them.
    """
    parts = np.zeros((items, PARTS))
    step = BLOCK_TEXTS // _MOST_CANDIDATES
    for first in range(0, items, step):
        some = candidates.of_items(first, min(first + step, items))
        np.add.at(parts, some.owners, leave_one_out_parts(some, some.owners))
    return parts
