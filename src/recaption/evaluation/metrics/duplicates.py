"""One text on many images, and texts that are nearly the same: neither tells its image from another."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.measures import About, Additive, Floats, Listing, Result, mean_parts
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.corpus import Corpus, shared_corpora
from recaption.evaluation.text.excerpts import excerpt
from recaption.evaluation.text.minhash import BANDS, NEIGHBOURS, ROWS, SHINGLE, THRESHOLD, near_duplicates
from recaption.evaluation.text.tokens import MAX_CHARS
from recaption.evaluation.tools import Tools

__all__ = ["Duplicates"]

_LISTED: Final = 20


class Duplicates:
    """Texts that stand, or nearly stand, on other items as well."""

    name: ClassVar[str] = "duplicates"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> Mapping[str, Corpus]:
        """Return all texts as numbers of words."""
        return shared_corpora(subject, tools)

    def score(self, subject: Subject, facts: Mapping[str, Corpus]) -> Sequence[Result]:
        """Return the two shares, and the texts of each column that stand on most items."""
        shared, near, listings = {}, {}, []
        for column, corpus in facts.items():
            shared[column], listing = _shared(column, subject)
            found = np.where(corpus.lengths > 0, near_duplicates(corpus), np.nan)
            near[column] = mean_parts(found, len(subject), corpus.owners.tolist())
            listings.append(listing)
        return [
            Additive(
                about=About(
                    name="shared_text_share",
                    title="Texts that stand on several images",
                    group="sameness",
                    better="lower",
                    value_range=(0.0, 1.0),
                    unit="share",
                    note="equal but for case and blanks; empty texts do not count",
                ),
                parts=shared,
            ),
            Additive(
                about=About(
                    name="near_duplicate_share",
                    title="Texts with a near-duplicate on another image",
                    group="sameness",
                    better="lower",
                    value_range=(0.0, 1.0),
                    unit="share",
                    note=f"more than {THRESHOLD} of their runs of {SHINGLE} words in common, equal texts included; "
                    f"found by MinHash ({BANDS} bands of {ROWS}, {NEIGHBOURS} nearest in each), verified on the runs",
                ),
                parts=near,
            ),
            *listings,
        ]


def _shared(column: str, subject: Subject) -> tuple[Floats, Listing]:
    flat = [(i, _folded(text)) for i, text in subject.flat(column)]
    items: defaultdict[str, set[int]] = defaultdict(set)
    for i, text in flat:
        items[text].add(i)
    values = [float(len(items[text]) > 1) if text else None for _, text in flat]
    counts = Counter({text: len(owners) for text, owners in items.items() if text and len(owners) > 1})
    listing = Listing(
        name=f"shared_texts.{column}",
        title=f"Texts of {column} on most images",
        header=("text", "images"),
        rows=[(excerpt(text), f"{number:,}") for text, number in counts.most_common(_LISTED)],
        note=f"{len(counts):,} texts stand on several images",
    )
    return mean_parts(values, len(subject), [i for i, _ in flat]), listing


def _folded(text: str) -> str:
    return " ".join(text[:MAX_CHARS].split()).casefold()
