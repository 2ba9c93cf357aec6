"""How well texts fit their images, by the cosine of a dual encoder's embeddings, and what is derived from it.

CLIPScore and RefCLIPScore are those of Hessel et al. 2021 (arXiv:2104.08718): 2.5 max(cosine, 0) with the prefix "A
photo depicts", and its harmonic mean with the best cosine to a reference. Figures of two encoders, or of two
precisions of one, are on different scales.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from recaption.evaluation.cosines import (
    best_of_own,
    clipscore,
    deranged,
    greatest_within,
    least_within,
    mean_within,
    paired,
    ref_clipscore,
)
from recaption.evaluation.extract.embeddings import (
    MOST_SENTENCES,
    Embeddings,
    TextVectors,
    embeddings,
    reference_vectors,
    sentence_vectors,
    text_vectors,
)
from recaption.evaluation.extract.pair_scores import PairScores, pair_scores
from recaption.evaluation.measures import About, Additive, Control, Floats, Remark, Result, mean_parts, ratio
from recaption.evaluation.metric import Need
from recaption.evaluation.ranks import Integers, Vectors
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools
from recaption.models.hf.dual_encoder import CLIPSCORE_PREFIX, CLIPSCORE_WEIGHT
from recaption.models.preference import PreferenceScorer

__all__ = ["Agreement", "AgreementFacts"]

_LENGTH_NOTE: Final = (
    "Sentences of a long text tell less each than a short text as true, and the more there are, the further the best "
    "and the worst lie apart; so no direction is better between texts of different length, and retrieval is the fair "
    f"comparison. Of a text, {MOST_SENTENCES} sentences at most"
)
_ERRORS: Final = 1.96
"""Standard errors on either side of a mean that make a 95 % interval."""
_FEWEST: Final = 2
"""Items that say how far they differ among themselves."""
_ROUNDING: Final = 1e-6
"""Cosines of vectors in single precision differ by less for no reason."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AgreementFacts:
    """What one encoder makes of texts and images."""

    embeddings: Embeddings
    sentences: Mapping[str, TextVectors]
    """By column, of texts that have several; owners are places in the column's texts."""
    prefixed: Mapping[str, TextVectors] | None = None
    """By column, as CLIPScore wants them; None for encoders that it is not made for."""
    references: TextVectors | None = None
    """With the same prefix; None where there are none, or no CLIPScore."""


class Agreement:
    """Cosine, CLIPScore, RefCLIPScore, logit and probability, sentence by sentence, and how much was not read.

    Of scorers that embed nothing, their mean.
    """

    name: ClassVar[str] = "agreement"
    needs: ClassVar[frozenset[Need]] = frozenset({"images", "scorer"})

    def extract(self, subject: Subject, tools: Tools) -> tuple[AgreementFacts | PairScores, ...]:
        """Return the embeddings of every encoder, and what every other scorer says of the texts.

        Raises:
            Unavailable, UserError, BackendError.
        """
        return (
            *(_facts(subject, label, tools) for label in tools.image_text),
            *(pair_scores(subject, label, tools) for label in tools.pair_scorers),
        )

    def score(self, subject: Subject, facts: Any) -> list[Result]:
        """Return the figures of every encoder, the first one's without a suffix."""
        given: Sequence[AgreementFacts | PairScores] = facts
        results: list[Result] = []
        for one in given:
            if isinstance(one, PairScores):
                results.append(_pair_score(subject, one, primary=one is given[0]))
            else:
                results += _Figures(subject, one).all()
        return results


def _pair_score(subject: Subject, found: PairScores, *, primary: bool) -> Additive:
    """Return the mean over texts of what a scorer without embeddings says."""
    scorer, items = found.scorer, len(subject)
    learned = isinstance(scorer, PreferenceScorer)
    return Additive(
        about=About(
            name=f"pair_score.{found.label}",
            title=f"Chance that people accept it ({found.label})" if learned else f"Score of {found.label}",
            group="agreement",
            better="higher" if scorer.higher_is_better else "lower",
            value_range=scorer.value_range,
            primary=primary,
            plot=True,
            note=f"{scorer.name}; of each text with its own image",
        ),
        parts={c: mean_parts(found.values[c], items, found.owners[c].tolist()) for c in found.values},
    )


def _facts(subject: Subject, label: str, tools: Tools) -> AgreementFacts:
    found = embeddings(subject, label, tools)
    sentences = sentence_vectors(subject, label, tools)
    if found.space.has_sigmoid:
        return AgreementFacts(embeddings=found, sentences=sentences)
    has_references = any(item.references for item in subject.items)
    return AgreementFacts(
        embeddings=found,
        sentences=sentences,
        prefixed=text_vectors(subject, label, tools, CLIPSCORE_PREFIX),
        references=reference_vectors(subject, label, tools, CLIPSCORE_PREFIX) if has_references else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shuffled:
    """How well a column's texts fit their own images, and those of other items."""

    matched: float
    apart: float
    gap: float
    """Mean over items of what the own image has more."""
    margin: float
    """Half of the 95 % interval of `gap`."""

    @property
    def is_apart(self) -> bool:
        """Say whether texts fit their own images better, and that is no noise."""
        return self.gap > self.margin + _ROUNDING


class _Figures:
    """Those of one encoder."""

    def __init__(self, subject: Subject, facts: AgreementFacts) -> None:
        self._subject = subject
        self._facts = facts
        self._found = facts.embeddings
        self._cosines = {column: self._to_image(texts) for column, texts in self._found.texts.items()}

    def all(self) -> list[Result]:
        """Return every figure that this encoder can give."""
        results: list[Result] = [
            self._mean(
                "cosine", "Cosine of text and image", self._cosines, (-1.0, 1.0), primary=True, note="no prefix"
            )
        ]
        results += self._clipscores() if self._facts.prefixed is not None else self._sigmoid()
        results += [*self._sentences(), *self._unread(), *self._shuffled()]
        return results

    def _clipscores(self) -> list[Result]:
        prefixed, references = self._facts.prefixed or {}, self._facts.references
        prefix = f'published figures are of CLIP ViT-B/32; prefix "{CLIPSCORE_PREFIX.strip()}"'
        scores = {column: clipscore(self._to_image(texts)) for column, texts in prefixed.items()}
        results: list[Result] = [
            self._mean("clipscore", "CLIPScore", scores, (0.0, CLIPSCORE_WEIGHT), note=prefix, of=prefixed)
        ]
        if references is not None:
            values = {
                column: ref_clipscore(
                    scores[column],
                    best_of_own(texts.vectors, texts.owners, references.vectors, references.owners),
                )
                for column, texts in prefixed.items()
            }
            note = f"{prefix}, before references as well; of items that have an image and a reference"
            ends = (0.0, 2 * CLIPSCORE_WEIGHT / (CLIPSCORE_WEIGHT + 1))
            results.append(self._mean("refclipscore", "RefCLIPScore", values, ends, note=note, of=prefixed))
        return results

    def _sigmoid(self) -> list[Result]:
        space = self._found.space
        logits = {c: space.scale * values + (space.bias or 0.0) for c, values in self._cosines.items()}
        chances = {c: np.exp(-np.logaddexp(0.0, -values)) for c, values in logits.items()}
        note = "no prefix; of a model trained with a sigmoid, not to be held against CLIPScore"
        return [
            self._mean("logit", "Logit of a match", logits, (None, None), note=note),
            self._mean("probability", "Probability of a match", chances, (0.0, 1.0), note=note),
        ]

    def _sentences(self) -> list[Result]:
        if not any(len(some) for some in self._facts.sentences.values()):
            return []
        kinds = (
            ("mean", "Mean cosine of a text's sentences", mean_within),
            ("min", "Cosine of a text's worst sentence", least_within),
            ("max", "Cosine of a text's best sentence", greatest_within),
        )
        by_column = {}
        for column, texts in self._found.texts.items():
            parts = self._facts.sentences[column]
            by_column[column] = self._against(parts.vectors, texts.owners[parts.owners]), parts.owners
        results: list[Result] = []
        for kind, title, within in kinds:
            values = {
                c: within(cosines, owners, self._cosines[c]) for c, (cosines, owners) in by_column.items()
            }
            results.append(
                self._mean(f"sentence_{kind}", title, values, (-1.0, 1.0), note=_LENGTH_NOTE, has_better=False)
            )
        return results

    def _unread(self) -> list[Result]:
        items = len(self._subject)
        tokens, cut = {}, {}
        for column, texts in self._found.texts.items():
            tokens[column] = np.zeros((items, 2))
            np.add.at(tokens[column], texts.owners, np.stack([texts.unseen, texts.tokens], axis=1))
            cut[column] = mean_parts((texts.unseen > 0).astype(np.float64), items, texts.owners.tolist())
        note = "what lies beyond the encoder's limit decides none of its figures"
        return [
            self._additive("unread_tokens", "Tokens that the encoder does not read", tokens, note, pooled=True),
            self._additive("cut_texts", "Texts that the encoder reads in part", cut, note),
        ]

    def _shuffled(self) -> list[Result]:
        """Return the mean cosine of each column's texts with other items' images: lower, or none here means much.

        One column that fits its own images better shows that the encoder works; texts that say nothing of their
        images, file names or one text for all, are then remarked on and are no failure of it.
        """
        found = {}
        for column, texts in self._found.texts.items():
            shuffled = self._shuffle(column, texts)
            if shuffled is not None:
                found[column] = shuffled
        works = any(one.is_apart for one in found.values())
        return [self._told(column, one, works=works) for column, one in found.items()]

    def _shuffle(self, column: str, texts: TextVectors) -> _Shuffled | None:
        """Return how a column's texts fit their own and other items' images; None of fewer than two items."""
        known = np.flatnonzero(self._found.images.known)
        items = np.unique(texts.owners[self._found.images.known[texts.owners]])
        if len(items) < _FEWEST:
            return None
        others = np.arange(len(self._subject))
        others[known] = deranged(known, self._subject.seed)
        matched, apart = self._cosines[column], self._against(texts.vectors, others[texts.owners])
        # By item, since several texts of one image err alike.
        gaps = ratio(mean_parts(matched - apart, len(self._subject), texts.owners.tolist())[items])
        return _Shuffled(
            matched=float(np.nanmean(matched)),
            apart=float(np.nanmean(apart)),
            gap=float(gaps.mean()),
            margin=_ERRORS * float(gaps.std(ddof=1)) / len(items) ** 0.5,
        )

    def _told(self, column: str, found: _Shuffled, *, works: bool) -> Result:
        """Return a control of the encoder, or, where another column shows that it `works`, a remark on this one."""
        if works and not found.is_apart:
            said = self._found.titled(f"{column}: its texts fit other images as well as their own")
            return Remark(
                name=f"cosine_shuffled_alike.{column}{self._found.suffix}",
                text=f"{said}, cosine {found.apart:.4f} and {found.matched:.4f}, as far as noise lets one tell.",
            )
        return Control(
            name=f"cosine_shuffled.{column}{self._found.suffix}",
            title=self._found.titled(f"Cosine of texts with other items' images, {column}"),
            value=found.apart,
            expected=f"below {found.matched:.4f}, the mean with their own, by more than {found.margin:.4f} of noise",
            holds=found.is_apart,
        )

    def _mean(
        self,
        name: str,
        title: str,
        values: Mapping[str, Floats],
        ends: tuple[float | None, float | None],
        *,
        note: str,
        of: Mapping[str, TextVectors] | None = None,
        primary: bool = False,
        has_better: bool = True,
    ) -> Additive:
        """Return the mean over texts; `values` are NaN where there is none."""
        texts = self._found.texts if of is None else of
        return Additive(
            about=About(
                name=name + self._found.suffix,
                title=self._found.titled(title),
                group="agreement",
                better="higher" if has_better else None,
                value_range=ends,
                primary=primary and not self._found.suffix,
                plot=primary,
                note=f"{self._found.note}; {note}",
            ),
            parts={c: mean_parts(values[c], len(self._subject), texts[c].owners.tolist()) for c in values},
        )

    def _additive(
        self, name: str, title: str, parts: Mapping[str, Floats], note: str, *, pooled: bool = False
    ) -> Additive:
        """Return a share of which neither direction is better in itself."""
        about = About(
            name=name + self._found.suffix,
            title=self._found.titled(title),
            group="agreement",
            value_range=(0.0, 1.0),
            unit="share",
            note=f"{self._found.note}; {note}",
        )
        return Additive(about=about, parts=parts, pooled=pooled)

    def _to_image(self, texts: TextVectors) -> Floats:
        return self._against(texts.vectors, texts.owners)

    def _against(self, vectors: Vectors, items: Integers) -> Floats:
        """Return the cosine of each vector with the image of an item, NaN where that could not be read."""
        cosines = np.full(len(items), np.nan)
        known = np.flatnonzero(self._found.images.known[items])
        cosines[known] = paired(vectors, known, self._found.images.vectors, items[known])
        return cosines
