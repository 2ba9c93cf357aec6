"""Self-BLEU (Zhu et al. 2018): each text held against all others; high where all sound alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.measures import About, Result, Value, Whole
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.bleu import leave_one_out_parts, sentence_bleu
from recaption.evaluation.text.corpus import Corpus, shared_corpora
from recaption.evaluation.text.draws import common_size, one_per_item
from recaption.evaluation.tools import Tools

__all__ = ["SelfBleu", "self_bleu"]

_SAMPLE: Final = 500


class SelfBleu:
    """Texts of different items against each other."""

    name: ClassVar[str] = "self_bleu"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> Mapping[str, Corpus]:
        """Return all texts as numbers of words."""
        return shared_corpora(subject, tools)

    def score(self, subject: Subject, facts: Mapping[str, Corpus]) -> Sequence[Result]:
        """Return self-BLEU-4 over equally many texts of each column."""
        drawn = {c: one_per_item(t, len(subject), subject.seed, "self-BLEU") for c, t in facts.items()}
        size = common_size(map(len, drawn.values()), _SAMPLE, least=2)
        values = {}
        for column, places in drawn.items():
            if len(places) < 2:
                values[column] = Value(value=None, n=len(places), reason="fewer than two items have a text")
            else:
                values[column] = Value(value=self_bleu(facts[column].picked(places[:size])), n=size)
        about = About(
            name="self_bleu_4",
            title="Self-BLEU-4",
            group="sameness",
            better="lower",
            value_range=(0.0, 1.0),
            note=f"mean of {size:,} texts of different items against the others; an order without a match counts "
            "a tenth of one, orders longer than the text do not count; rises with the number of texts",
        )
        return [Whole(about=about, values=values)]


def self_bleu(corpus: Corpus) -> float:
    """Return the mean BLEU-4 of texts with words, each against all others, in [0, 1].

    Raises:
        ValueError: There are fewer than two, or more than can be held against each other at once.
    """
    if len(corpus) < 2:
        raise ValueError("self-BLEU needs two texts at least")
    parts = leave_one_out_parts(corpus, np.zeros(len(corpus), dtype=np.int64))
    return float(sentence_bleu(parts).mean())
