"""How surprised a causal language model is by the texts: per token, per text, and per byte.

Less is not better: templates and commonplaces surprise least. The figures show how a column shifts, and find texts
that stick out. A mean of perplexities hangs on a few texts, so what is averaged is the negative log-likelihood.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.extract.surprise import reader, surprises
from recaption.evaluation.measures import About, Additive, Floats, Listing, Result, ratio
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.counts import spoken
from recaption.evaluation.text.figures import Owners, mean_over_texts, ratio_of_sums, shortened, spread_of
from recaption.evaluation.tools import Tools

__all__ = ["ColumnSurprise", "Perplexity", "PerplexityFacts"]

_LARGEST_EXPONENT: Final = 700.0
"""e to this still is a number; what is higher is told as this."""
_OUTLIER: Final = 99
"""Percentile of the baseline above which a text sticks out."""
_SHORT: Final = 8
"""Tokens below which a text's figure hangs on single words."""
_WORST: Final = 5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ColumnSurprise:
    """What the model made of a column; one value a text."""

    owners: Owners
    nll: Floats
    """Nats, summed over the tokens that were scored."""
    scored: Floats
    """Tokens scored; 0 where nothing could be."""
    tokens: Floats
    unseen: Floats
    scored_bytes: Floats

    @property
    def per_token(self) -> Floats:
        """Nats per token of each text; NaN where nothing was scored."""
        return ratio(np.stack([self.nll, self.scored], axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class PerplexityFacts:
    """What the model made of every text, by column."""

    columns: Mapping[str, ColumnSurprise]
    model: str


class Perplexity:
    """Negative log-likelihood and perplexity of the texts under a causal language model."""

    name: ClassVar[str] = "perplexity"
    needs: ClassVar[frozenset[Need]] = frozenset({"language_model"})

    def extract(self, subject: Subject, tools: Tools) -> PerplexityFacts:
        """Return what the model makes of every text, each distinct one paid for once."""
        texts = {column: list(spoken(subject, column)) for column in subject.columns}
        found = surprises((text for part in texts.values() for _, text in part), tools)
        columns = {}
        for column, part in texts.items():
            told = [found[text] for _, text in part]
            columns[column] = ColumnSurprise(
                owners=np.array([owner for owner, _ in part], dtype=np.int64),
                nll=np.array([t.nll for t in told], dtype=np.float64),
                scored=np.array([t.scored for t in told], dtype=np.float64),
                tokens=np.array([t.tokens for t in told], dtype=np.float64),
                unseen=np.array([t.unseen for t in told], dtype=np.float64),
                scored_bytes=np.array([t.scored_bytes for t in told], dtype=np.float64),
            )
        return PerplexityFacts(columns, reader(tools).language_model)

    def score(self, subject: Subject, facts: PerplexityFacts) -> Sequence[Result]:
        """Return means per text, the corpus figures, the share of outliers, and the texts that surprise most."""
        n = len(subject)
        per_token = {column: found.per_token for column, found in facts.columns.items()}
        owners = {column: found.owners for column, found in facts.columns.items()}
        mean = About(
            name="nll_per_token",
            title="Surprise per token, mean over texts",
            group="fluency",
            value_range=(0, None),
            unit="nats",
            plot=True,
            note=_note(facts),
        )
        return [
            mean_over_texts(mean, per_token, owners, n),
            *spread_of(mean, "Surprise per token", per_token, owners),
            *_corpus(facts, owners, n),
            _outliers(subject, per_token, owners),
            _worst(subject, per_token),
        ]


def _corpus(facts: PerplexityFacts, owners: Mapping[str, Owners], n: int) -> Iterator[Additive]:
    perplexity = About(
        name="perplexity",
        title="Perplexity of all texts together",
        group="fluency",
        value_range=(1, None),
        note="e to all nats over all tokens: long texts weigh more; not the mean of perplexities",
    )
    tokens = {column: (found.nll, found.scored) for column, found in facts.columns.items()}
    yield ratio_of_sums(perplexity, tokens, owners, n, _exponential)
    bits = About(
        name="bits_per_byte",
        title="Bits per byte",
        group="fluency",
        value_range=(0, None),
        unit="bits",
        note="all bits over all bytes of UTF-8 that were scored: comparable across tokenizers, not across languages",
    )
    data = {column: (found.nll / math.log(2), found.scored_bytes) for column, found in facts.columns.items()}
    yield ratio_of_sums(bits, data, owners, n)


def _exponential(sums: Floats) -> Floats:
    result: Floats = np.exp(np.minimum(ratio(sums), _LARGEST_EXPONENT))
    return result


def _outliers(subject: Subject, per_token: Mapping[str, Floats], owners: Mapping[str, Owners]) -> Additive:
    baseline = per_token[subject.columns[0]]
    known = baseline[~np.isnan(baseline)]
    limit = float(np.percentile(known, _OUTLIER)) if len(known) else math.inf
    about = About(
        name="surprising_share",
        title="Texts more surprising than nearly all of the baseline",
        group="fluency",
        unit="share",
        value_range=(0, 1),
        note=f"above {limit:.3g} nats per token, the {_OUTLIER} % point of {subject.columns[0]!r}"
        if len(known)
        else "the baseline has no value to hold texts against",
    )
    beyond = {c: np.where(np.isnan(v), np.nan, (v > limit).astype(np.float64)) for c, v in per_token.items()}
    return mean_over_texts(about, beyond, owners, len(subject))


def _worst(subject: Subject, per_token: Mapping[str, Floats]) -> Listing:
    rows = []
    for column in subject.columns:
        texts = list(spoken(subject, column))
        values = np.nan_to_num(per_token[column], nan=-1.0)
        for i in np.argsort(-values, kind="stable")[:_WORST].tolist():
            if values[i] >= 0:
                owner, text = texts[i]
                rows.append((column, f"{values[i]:.2f}", subject.items[owner].key, shortened(text)))
    return Listing(
        name="perplexity_surprising",
        title="Texts that surprise the language model most",
        header=("column", "nats per token", "item", "text"),
        rows=rows,
        note="Surprising is not wrong: names, numbers, fragments and other languages are surprising, too.",
    )


def _note(facts: PerplexityFacts) -> str:
    found = list(facts.columns.values())
    # Without a start token the first token of a text is read and not judged.
    headless = any((f.scored + f.unseen < f.tokens).any() for f in found)
    parts = [
        facts.model,
        "the first token is not judged: the model has no start token"
        if headless
        else "the first token is judged behind the start token",
        "; ".join(
            f"{column!r}: {int((f.unseen > 0).sum()):,} of {len(f.owners):,} texts cut at the model's limit, "
            f"{int((f.tokens < _SHORT).sum()):,} of fewer than {_SHORT} tokens"
            for column, f in facts.columns.items()
        ),
        "less is not better: templates surprise least",
    ]
    return "; ".join(parts)
