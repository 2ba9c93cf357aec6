"""How surprising texts are to a small language model that learns from this very data, or from a corpus that is named.

It knows nothing but what it has read: the figure is surprise relative to that corpus. Plain and repeated wording is
less surprising, so less is not better. It shows shifts of style, and finds texts whose words are out of order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from recaption.core.digests import seed_from
from recaption.core.errors import UserError
from recaption.evaluation.measures import About, Floats, Listing, Result
from recaption.evaluation.metric import Need, Unavailable
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.counts import spoken
from recaption.evaluation.text.figures import Owners, ratio_of_sums, shortened, spread_of
from recaption.evaluation.text.ngram_model import Ints, Rows
from recaption.evaluation.text.ngram_texts import (
    MOST_LEARNED,
    Bits,
    Encoder,
    WordModel,
    cross_fitted,
    folds_of,
    sampled,
)
from recaption.evaluation.text.tokens import MAX_CHARS
from recaption.evaluation.tools import Tools

__all__ = ["NgramFacts", "NgramPerplexity", "corpus_lines"]

_FOLDS: Final = 5
_FEWEST_ITEMS: Final = 2
_MOST_CORPUS_BYTES: Final = 64 << 20
_MOST_SHUFFLED: Final = 1_000
_LEAST_SHUFFLED: Final = 4
"""Words of a text that is worth shuffling."""
_WORST: Final = 5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NgramFacts:
    """What the model made of every text, by column."""

    bits: Mapping[str, Bits]
    characters: Mapping[str, Floats]
    """Of each text, as far as it was read."""
    owners: Mapping[str, Owners]
    learned_from: str
    told_apart: float | None
    """Share of baseline texts that surprise less than the same words shuffled; None where too few could be asked."""
    shuffled: int
    """Texts that were asked for that."""


class NgramPerplexity:
    """Bits per word and per character under a word trigram model with modified Kneser-Ney smoothing."""

    name: ClassVar[str] = "ngram_perplexity"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> NgramFacts:
        """Learn, and return the bits of every text. Needs no model and no network.

        Raises:
            Unavailable: There is nothing to learn from that does not belong to the item judged.
            UserError: `options.ngram_corpus` cannot be read.
        """
        encoder = Encoder()
        texts = {column: list(spoken(subject, column)) for column in subject.columns}
        columns = {column: encoder.rows(text for _, text in found) for column, found in texts.items()}
        owners = {c: np.array([owner for owner, _ in found], dtype=np.int64) for c, found in texts.items()}
        baseline = subject.columns[0]
        seed = seed_from(subject.seed, self.name)
        shuffled, kept = _shuffled(columns[baseline], seed)
        judged = [(columns[c], owners[c]) for c in subject.columns] + [(shuffled, owners[baseline][kept])]
        corpus = tools.options.ngram_corpus
        if corpus is not None:
            bits, learned_from = _by_corpus(corpus, encoder, [rows for rows, _ in judged], seed)
        else:
            bits, learned_from = _by_each_other(subject, encoder, judged, seed)
        return NgramFacts(
            bits=dict(zip(subject.columns, bits, strict=False)),
            characters={
                column: np.array([len(" ".join(t[:MAX_CHARS].split())) for _, t in found], dtype=np.float64)
                for column, found in texts.items()
            },
            owners=owners,
            learned_from=learned_from,
            told_apart=_told_apart(bits[0].bits[kept], bits[-1].bits),
            shuffled=len(kept),
        )

    def score(self, subject: Subject, facts: NgramFacts) -> Sequence[Result]:
        """Return bits per word and per character, the share of unknown words, and the most surprising texts."""
        note = _note(facts)
        n = len(subject)
        per_word = {column: bits.bits / bits.tokens for column, bits in facts.bits.items()}
        words = {column: (bits.bits, bits.tokens) for column, bits in facts.bits.items()}
        characters = {c: (bits.bits + bits.spelling, facts.characters[c]) for c, bits in facts.bits.items()}
        unknown = {column: (bits.unknown, bits.tokens) for column, bits in facts.bits.items()}
        by_word = About(
            name="ngram.bits_per_word",
            title="Surprise, built-in model: bits per word",
            group="fluency",
            value_range=(0, None),
            unit="bits",
            plot=True,
            note=f"all bits over all words, marks and ends; unknown words as one class; {note}",
        )
        return [
            ratio_of_sums(by_word, words, facts.owners, n),
            *spread_of(by_word, by_word.title, per_word, facts.owners),
            ratio_of_sums(
                About(
                    name="ngram.bits_per_character",
                    title="Surprise, built-in model: bits per character",
                    group="fluency",
                    value_range=(0, None),
                    unit="bits",
                    note="of the text in lower case, unknown words spelled out; the same model",
                ),
                characters,
                facts.owners,
                n,
            ),
            ratio_of_sums(
                About(
                    name="ngram.unknown_words",
                    title="Words that the built-in model does not know",
                    group="fluency",
                    value_range=(0, 1),
                    unit="share",
                    note="not seen, or seen once; of all words and marks",
                ),
                unknown,
                facts.owners,
                n,
            ),
            _worst(subject, per_word),
        ]


def corpus_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file that hold anything, up to 64 MiB of it.

    Raises:
        UserError: It cannot be read.
    """
    left = _MOST_CORPUS_BYTES
    try:
        with path.open("rb") as file:
            while left > 0 and (line := file.readline(min(left, 4 * MAX_CHARS))):
                left -= len(line)
                text = line.decode("utf-8", "replace").strip()
                if text:
                    yield text
    except OSError as error:
        raise UserError(
            f"ngram_corpus {path} cannot be read: {error.strerror or error}. Name a text file, one text a line."
        ) from error


def _by_corpus(path: Path, encoder: Encoder, judged: Sequence[Rows], seed: int) -> tuple[list[Bits], str]:
    lines = encoder.rows(corpus_lines(path))
    if not lines.lengths.sum():
        raise UserError(f"ngram_corpus {path} holds no text. Name a text file, one text a line.")
    learned = lines.take(sampled(lines, np.arange(len(lines)), seed))
    model = WordModel(encoder.words, learned)
    about = f"learned from {path.name}: {len(learned):,} texts, {int(learned.lengths.sum()):,} words"
    return [model.judge(rows) for rows in judged], about


def _by_each_other(
    subject: Subject, encoder: Encoder, judged: Sequence[tuple[Rows, Ints]], seed: int
) -> tuple[list[Bits], str]:
    references = [(i, text) for i, item in enumerate(subject.items) for text in item.references if text.strip()]
    if references:
        learned = encoder.rows(text for _, text in references)
        owners = np.array([i for i, _ in references], dtype=np.int64)
        source = "the references"
    else:
        learned, owners = judged[0]
        source = f"the baseline {subject.columns[0]!r}, which is at home here"
    teachers = np.unique(owners)
    if len(teachers) < _FEWEST_ITEMS:
        raise Unavailable(
            f"too little to learn from: {len(teachers)} item(s) with a text. Name a text file with ngram_corpus."
        )
    count = min(_FOLDS, len(teachers))
    folds = folds_of(len(subject), teachers, count, seed)
    about = (
        f"learned from {source}: {int(learned.lengths.sum()):,} words of {len(teachers):,} items, {MOST_LEARNED:,} "
        f"at most at a time; in {count} folds, each text judged by what was learned from other items"
    )
    return cross_fitted(encoder.words, (learned, owners), judged, folds, seed), about


def _shuffled(rows: Rows, seed: int) -> tuple[Rows, Ints]:
    """Return some of the texts with their words in random order, and which texts those are."""
    rng = np.random.default_rng(seed)
    long = np.flatnonzero(rows.lengths >= _LEAST_SHUFFLED)
    kept = np.sort(rng.permutation(long)[:_MOST_SHUFFLED])
    part = rows.take(kept)
    owners = np.repeat(np.arange(len(part)), part.lengths)
    order = np.lexsort((rng.random(len(owners)), owners))
    return Rows(part.symbols[order], part.lengths), kept


def _told_apart(real: Floats, shuffled: Floats) -> float | None:
    if not len(real):
        return None
    return float(((real < shuffled) + 0.5 * (real == shuffled)).mean())


def _note(facts: NgramFacts) -> str:
    told = ""
    if facts.told_apart is not None:
        told = (
            f"; tells a text of the baseline from the same words shuffled in {facts.told_apart:.0%} of "
            f"{facts.shuffled:,} cases, half being chance"
        )
    return (
        f"word trigrams, modified Kneser-Ney; surprise relative to a corpus, {facts.learned_from}{told}; less is not "
        "better, plain wording wins"
    )


def _worst(subject: Subject, per_word: Mapping[str, Floats]) -> Listing:
    rows = []
    for column in subject.columns:
        texts = list(spoken(subject, column))
        for i in np.argsort(-per_word[column], kind="stable")[:_WORST].tolist():
            owner, text = texts[i]
            rows.append((column, f"{per_word[column][i]:.1f}", subject.items[owner].key, shortened(text)))
    return Listing(
        name="ngram_surprising",
        title="Texts that surprise the built-in model most",
        header=("column", "bits per word", "item", "text"),
        rows=rows,
        note="Surprising is not wrong: names, numbers and other languages are surprising, too.",
    )
