"""BLEU, ROUGE-L and CIDEr-D against reference texts, without the Java programs they are usually counted with.

They tell how much a text sounds like its references. A rich caption scores low against one-line references, so none
of them has the last word on detailed captions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.measures import About, Additive, Floats, Result, Value, Whole, mean_parts
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.bleu import PARTS, bleu, block_parts
from recaption.evaluation.text.cider import Frequencies, block_cider, cider_d, frequencies
from recaption.evaluation.text.corpus import Corpus, corpora
from recaption.evaluation.text.figures import sums_by_item
from recaption.evaluation.text.frequency_file import (
    SPLITTERS,
    Splitting,
    load_frequencies,
    save_frequencies,
    splitting,
)
from recaption.evaluation.text.overlaps import ORDERS, blocks
from recaption.evaluation.text.rouge import rouge_l_scores
from recaption.evaluation.tools import Tools

__all__ = ["MOST_TEXTS", "Overlap", "OverlapFacts"]

MOST_TEXTS: Final = 100
"""References, and candidates, of an item that are read."""
_WORDS: Final[dict[Splitting, str]] = {
    "coco": "words as COCO's tools count them",
    "any": "words of any language, since the references are not in English",
}


@dataclass(frozen=True, slots=True)
class OverlapFacts:
    """Texts as numbers, by column, and what CIDEr-D weighs n-grams with."""

    references: Corpus
    texts: dict[str, Corpus]
    candidates: dict[str, Corpus]
    """Of the columns in which an item has several."""
    splitting: Splitting
    known: Frequencies | None
    """Frequencies from a file; None: to be counted in the references."""


class Overlap:
    """N-grams and word order that texts share with references."""

    name: ClassVar[str] = "overlap"
    needs: ClassVar[frozenset[Need]] = frozenset({"references"})

    def extract(self, subject: Subject, tools: Tools) -> OverlapFacts:
        """Return all texts as numbers of words.

        Raises:
            UserError: The file of document frequencies is none, or cannot be written.
        """
        file = tools.options.document_frequencies
        frozen = load_frequencies(file) if file else None
        references = [item.references[:MOST_TEXTS] for item in subject.items]
        if tools.options.freeze_document_frequencies:
            save_frequencies(tools.options.freeze_document_frequencies, references)
        how = frozen.splitting if frozen else splitting(references)
        drawn = {c: subject.candidates(c) for c in subject.columns}
        several = [c for c in subject.columns if any(len(texts) > 1 for texts in drawn[c])]
        read = corpora(
            {
                "references": _owned(references),
                **{f"texts of {c}": _owned(subject.texts(c)) for c in subject.columns},
                **{f"candidates of {c}": _owned(drawn[c]) for c in several},
            },
            SPLITTERS[how],
        )
        references_read = read["references"]
        return OverlapFacts(
            references=references_read.picked(np.flatnonzero(references_read.lengths > 0)),
            texts={c: read[f"texts of {c}"] for c in subject.columns},
            candidates={c: read[f"candidates of {c}"] for c in several},
            splitting=how,
            known=frozen.known if frozen else None,
        )

    def score(self, subject: Subject, facts: OverlapFacts) -> Sequence[Result]:
        """Return BLEU-1 to BLEU-4, ROUGE-L, CIDEr-D and, where there are candidates, that of the best of them."""
        n = len(subject)
        known = facts.known or frequencies(facts.references, n)
        counts, consensus, order = {}, {}, {}
        for column, texts in facts.texts.items():
            parts, values = _against_references(texts, facts.references, known, n)
            counts[column] = sums_by_item(texts.owners, n, *parts.T)
            consensus[column] = mean_parts(values, n, texts.owners)
            order[column] = mean_parts(rouge_l_scores(texts, facts.references), n, texts.owners)
        per_item = len(facts.references) / max(1, len(np.unique(facts.references.owners)))
        note = f"{_WORDS[facts.splitting]}; {per_item:.3g} references an item; several texts of an item: their mean"
        return [
            *(_bleu(k, counts, note) for k in ORDERS),
            Additive(about=_about("rouge_l", "ROUGE-L", f"beta 1.2; {note}"), parts=order),
            *_cider(facts, known, consensus, note, n),
        ]


def _bleu(k: int, parts: dict[str, Floats], note: str) -> Additive:
    about = _about(f"bleu_{k}", f"BLEU-{k}", f"over the corpus, not smoothed; {note}")
    return Additive(about=about, parts=parts, formula=partial(bleu, n=k))


def _cider(
    facts: OverlapFacts, known: Frequencies, consensus: dict[str, Floats], note: str, n: int
) -> Iterator[Result]:
    source = "from a file" if facts.known else "from these references: other items, other values"
    told = f"document frequencies of {known.images:,} images, {source}; {note}"
    about = _about("cider_d", "CIDEr-D", told, most=10.0)
    if known.images < 2:
        reason = (
            "the references of one image cannot tell rare words from common ones; give a file of frequencies"
        )
        yield Whole(about=about, values={c: Value(value=None, n=0, reason=reason) for c in facts.texts})
        return
    yield Additive(about=about, parts=consensus)
    if facts.candidates:
        sizes = np.concatenate([np.unique(c.owners, return_counts=True)[1] for c in facts.candidates.values()])
        k = f"{sizes.max()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
        told = f"an upper bound: the references do the choosing, and more candidates give more; {told}"
        yield Additive(
            about=_about("cider_d_best", f"CIDEr-D, best of {k} candidates (oracle)", told, most=10.0),
            parts={c: _best(corpus, facts.references, known, n) for c, corpus in facts.candidates.items()},
        )


def _about(name: str, title: str, note: str, most: float = 1.0) -> About:
    return About(
        name=name, title=title, group="references", better="higher", value_range=(0.0, most), note=note
    )


def _against_references(
    texts: Corpus, references: Corpus, known: Frequencies, items: int
) -> tuple[Floats, Floats]:
    """Return the parts of BLEU, NaN where a text has no references, and CIDEr-D of every text."""
    parts, values = np.zeros((len(texts), PARTS)), np.full(len(texts), np.nan)
    for block in blocks(texts, references, items):
        shared = [block.shared(n) for n in ORDERS]
        here = slice(block.first, block.first + len(block.texts))
        parts[here], values[here] = block_parts(block, shared), block_cider(block, shared, known)
    return parts, values


def _best(candidates: Corpus, references: Corpus, known: Frequencies, n: int) -> Floats:
    values = cider_d(candidates, references, known, n)
    best = np.full(n, -np.inf)
    judged = ~np.isnan(values)
    np.maximum.at(best, candidates.owners[judged], values[judged])
    has = np.isfinite(best)
    return np.stack((np.where(has, best, 0.0), has.astype(np.float64)), axis=1)


def _owned(texts: Sequence[Sequence[str]]) -> Iterator[tuple[int, str]]:
    return ((i, text) for i, some in enumerate(texts) for text in islice(some, MOST_TEXTS))
