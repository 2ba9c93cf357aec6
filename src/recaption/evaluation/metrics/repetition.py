"""Texts that repeat themselves, as a model caught in a loop does: to be found and looked at, more than averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import numpy as np

from recaption.evaluation.measures import About, Additive, Floats, Listing, Result, Value, Whole, mean_parts
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.corpus import Corpus, Ints, shared_corpora
from recaption.evaluation.text.excerpts import excerpt
from recaption.evaluation.text.ngrams import BLOCK_TEXTS, grams, tally
from recaption.evaluation.text.tokens import MAX_CHARS, words
from recaption.evaluation.tools import Tools
from recaption.media.sentences import stripped_sentences

__all__ = ["LOOPING", "Repetition", "longest_runs", "rep_n", "says_a_sentence_twice"]

LOOPING: Final = 0.3
"""Rep-4 above which a text is taken to be caught in a loop."""
_SENTENCE: Final = 4
"""Words of a sentence that counts when it is said twice; shorter ones are names and signs."""
_LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class _Found:
    """Of every text of a column."""

    owners: Ints
    shares: Mapping[str, Floats]
    """Figure to values; NaN where a text is too short for it."""
    runs: Ints


class Repetition:
    """Rep-2 and rep-4, texts in a loop, sentences said twice, the longest run of one word."""

    name: ClassVar[str] = "repetition"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> Mapping[str, Corpus]:
        """Return all texts as numbers of words."""
        return shared_corpora(subject, tools)

    def score(self, subject: Subject, facts: Mapping[str, Corpus]) -> Sequence[Result]:
        """Return the figures, and the texts of each column that repeat themselves most."""
        found = {c: _found([text for _, text in subject.flat(c)], corpus) for c, corpus in facts.items()}
        n = len(subject)
        return [
            *(
                Additive(
                    about=about,
                    parts={c: mean_parts(f.shares[about.name], n, f.owners.tolist()) for c, f in found.items()},
                )
                for about in _ABOUT
            ),
            _longest(found),
            *(_listing(c, f, subject) for c, f in found.items()),
        ]


def rep_n(corpus: Corpus, n: int) -> Floats:
    """Return the share of each text's n-grams that it has said before, shape (texts,); NaN for shorter texts."""
    shares = np.full(len(corpus), np.nan)
    for first, block in corpus.blocks(BLOCK_TEXTS):
        totals = block.lengths - (n - 1)
        different = np.bincount(tally(*grams(block, n)).texts, minlength=len(block))
        here = shares[first : first + len(block)]
        np.divide(totals - different, totals, out=here, where=totals > 0)
    return shares


def longest_runs(corpus: Corpus) -> Ints:
    """Return how often each text says one word in a row at most, shape (texts,); 0 for texts without words."""
    longest = np.zeros(len(corpus), dtype=np.int64)
    for first, block in corpus.blocks(BLOCK_TEXTS):
        if not len(block.ids):
            continue
        texts = np.repeat(np.arange(len(block)), block.lengths)
        changes = (block.ids[1:] != block.ids[:-1]) | (texts[1:] != texts[:-1])
        begins = np.flatnonzero(np.concatenate(([True], changes)))
        np.maximum.at(longest, first + texts[begins], np.diff(np.append(begins, len(texts))))
    return longest


def says_a_sentence_twice(text: str) -> bool:
    """Say whether a sentence of at least four words stands in a text more than once."""
    text = text[:MAX_CHARS]
    spans, _ = stripped_sentences(text)
    said = [found for start, end in spans if len(found := tuple(words(text[start:end]))) >= _SENTENCE]
    return len(set(said)) < len(said)


def _found(texts: Sequence[str], corpus: Corpus) -> _Found:
    rep_4 = rep_n(corpus, 4)
    worded = corpus.lengths > 0
    looping = np.where(worded, np.nan_to_num(rep_4) > LOOPING, np.nan)
    twice = np.where(worded, 0.0, np.nan)
    # A sentence that is said twice brings its runs of four words twice: few texts are to be read again.
    for i in np.flatnonzero(np.nan_to_num(rep_4) > 0).tolist():
        twice[i] = says_a_sentence_twice(texts[i])
    return _Found(
        corpus.owners,
        {
            "rep_2": rep_n(corpus, 2),
            "rep_4": rep_4,
            "looping_share": looping,
            "repeated_sentence_share": twice,
        },
        longest_runs(corpus),
    )


def _longest(found: Mapping[str, _Found]) -> Whole:
    about = About(
        name="longest_run",
        title="Most often one word in a row",
        group="sameness",
        better="lower",
        value_range=(0.0, None),
        unit="words",
        note="in the text of the column that is worst in this",
    )
    values = {}
    for column, f in found.items():
        most = int(f.runs.max(initial=0))
        items = len(np.unique(f.owners[f.runs > 0]))
        values[column] = Value(
            value=float(most) if most else None, n=items, reason="" if most else "no text has a word"
        )
    return Whole(about=about, values=values)


def _listing(column: str, found: _Found, subject: Subject) -> Listing:
    shares = np.nan_to_num(found.shares["rep_4"])
    order = np.lexsort((np.arange(len(shares)), -found.runs, -shares))
    worst = [int(i) for i in order[:_LISTED] if shares[i] > 0]
    texts = [text for _, text in subject.flat(column)] if worst else []
    return Listing(
        name=f"repetition.{column}",
        title=f"Texts of {column} that repeat themselves most",
        header=("item", "rep-4", "one word in a row", "text"),
        rows=[
            (
                excerpt(subject.items[found.owners[i]].key),
                f"{shares[i]:.0%}",
                str(found.runs[i]),
                excerpt(texts[i]),
            )
            for i in worst
        ],
        note=f"{int((shares > 0).sum()):,} of {len(shares):,} texts say a run of four words again",
    )


def _about(name: str, title: str, note: str, better: Literal["lower"] | None = "lower") -> About:
    return About(
        name=name,
        title=title,
        group="sameness",
        better=better,
        value_range=(0.0, 1.0),
        unit="share",
        note=note,
    )


_ABOUT: Final = (
    _about(
        "rep_2",
        "Repeated pairs of words (rep-2)",
        "of texts of two words or more; a longer text repeats more, and is not worse for it",
        better=None,
    ),
    _about("rep_4", "Repeated runs of four words (rep-4)", "mean over texts of four words or more"),
    _about("looping_share", "Texts caught in a loop", f"rep-4 above {LOOPING}, of texts with words"),
    _about(
        "repeated_sentence_share",
        "Texts that say a sentence twice",
        f"of at least {_SENTENCE} words; of texts with words",
    ),
)
