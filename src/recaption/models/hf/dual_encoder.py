"""Image-text agreement by a dual encoder: CLIP, SigLIP and their kin. Loads nothing before the first question.

What can be stated, kept apart because no two are on one scale: the cosine of the embeddings; the model's logit
(cosine times its learned scale, plus its bias); the probability of a match, which only models trained with a sigmoid
have (SigLIP, arXiv:2303.15343); CLIPScore, 2.5 max(cosine, 0) with the prefix "A photo depicts" (arXiv:2104.08718).
Scores of two models, or of two precisions of one, are never compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from recaption.core.digests import digest_json
from recaption.core.errors import ImageError, UserError
from recaption.core.protocols import Images
from recaption.core.types import Caption, Record, Score
from recaption.media.sentences import sentence_spans
from recaption.models.hf.scoring_model import (
    DECIMALS,
    EMPTY,
    RunOptions,
    ScoringModel,
    ScoringParams,
    with_libraries,
    without_image,
)

if TYPE_CHECKING:
    from recaption.models.hf.dual_encoder_engine import DualEncoder, Vector
    from recaption.models.hf.scoring_texts import Tokens

__all__ = ["DualEncoderScorer", "EmbeddedDualEncoder"]

Output: TypeAlias = Literal["cosine", "logit", "probability", "clipscore"]

CLIPSCORE_WEIGHT: Final = 2.5
CLIPSCORE_PREFIX: Final = "A photo depicts "
_RANGES: Final[Mapping[Output, tuple[float | None, float | None]]] = {
    "cosine": (-1.0, 1.0),
    "logit": (None, None),
    "probability": (0.0, 1.0),
    "clipscore": (0.0, CLIPSCORE_WEIGHT),
}
_WITH_SIGMOID: Final = frozenset({"siglip", "siglip2"})


class DualEncoderOptions(RunOptions):
    """What is stated, and how the model is run."""

    output: Output = "cosine"
    long_text: Literal["truncate", "sentences"] = "truncate"
    """For a text longer than the model reads: its beginning alone, or the mean cosine of its sentences.

    The mean is lower than the cosine of a short text as true, since each sentence tells less of the image."""
    prefix: str | None = None
    """Stands before every text; None: "A photo depicts " for `clipscore`, nothing for others."""


class DualEncoderScorer:
    """Scores how well a text fits its image. Each image is encoded once for all its texts, each text once for all."""

    version = "1"
    higher_is_better = True
    sees_images = True

    class Params(ScoringParams, DualEncoderOptions):
        """Which model, what is stated, and how it is run."""

    def __init__(self, params: Params) -> None:
        self._options = params
        self._model = ScoringModel(params)
        self.value_range = _RANGES[params.output]
        default = CLIPSCORE_PREFIX if params.output == "clipscore" else ""
        self._prefix = default if params.prefix is None else params.prefix

    @cached_property
    def name(self) -> str:
        """Model, revision, what is stated and in which precision. Raises UserError if the model is not here."""
        return self._model.name(self._options.output)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the model's files, its precision and what is stated. Raises UserError if it cannot state it."""
        options, kind = self._options, self._model.files.model_type
        if options.output == "probability" and kind not in _WITH_SIGMOID:
            raise UserError(
                f"model {options.model}: a {kind} model gives no probability of one text alone (only SigLIP models "
                "do). Set output: cosine or output: logit."
            )
        stated = [options.output, options.long_text, self._prefix]
        return digest_json(["dual_encoder", self.version, *self._model.identity, *stated])

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> list[Score]:
        """Return one score per pair, in order.

        Without a text or a readable image there is no value, but a reason. Where the model did not see all of a text,
        or saw it by sentences, the value comes with a reason that says so.

        Raises:
            UserError: The model cannot be loaded, or cannot state what is asked of it.
            BackendError: The model fails.
        """
        scores: dict[int, Score] = {}
        keys: dict[int, str] = {}
        records: dict[str, Record] = {}
        for i, (record, caption) in enumerate(pairs):
            if not caption.text.strip():
                scores[i] = EMPTY
                continue
            try:
                keys[i] = f"{images.fingerprint}:{images.digest(record)}"
                records.setdefault(keys[i], record)
            except ImageError as error:
                scores[i] = without_image(error)
        vectors, errors = self._embedded(records, images) if records else ({}, {})
        scores |= {i: errors[key] for i, key in keys.items() if key in errors}
        judged = {i: key for i, key in keys.items() if key in vectors}
        if judged:
            texts = self._encoded([pairs[i][1].text for i in judged])
            scores |= {
                i: self._stated(vectors[key], parts)
                for (i, key), parts in zip(judged.items(), texts, strict=True)
            }
        return [scores[i] for i in range(len(pairs))]

    def _embedded(
        self, records: Mapping[str, Record], images: Images
    ) -> tuple[dict[str, Vector], dict[str, Score]]:
        """Return the embedding of every image, or why there is none. What is remembered is not even decoded."""
        vectors: dict[str, Vector] = {}
        errors: dict[str, Score] = {}
        arrays = []
        for key, record in records.items():
            known = self._engine.known_image(key)
            if known is not None:
                vectors[key] = known
                continue
            try:
                arrays.append((key, images.pixels(record).array))
            except ImageError as error:
                errors[key] = without_image(error)
        return vectors | self._engine.images(arrays, self._options.batch_size), errors

    def _encoded(self, texts: Sequence[str]) -> list[list[tuple[Vector, Tokens]]]:
        """Return the embedding of each text; of a long one, where so asked, those of its sentences."""
        whole = [[self._prefix + text] for text in texts]
        if self._options.long_text == "sentences":
            tokens = self._engine.encoding.tokens([parts[0] for parts in whole])
            for parts, text, told in zip(whole, texts, tokens, strict=True):
                if told.unseen:
                    parts[:] = [self._prefix + sentence for sentence in _sentences(text)]
        known = self._engine.texts([part for parts in whole for part in parts], self._options.batch_size)
        return [[known[part] for part in parts] for parts in whole]

    def _stated(self, image: Vector, parts: Sequence[tuple[Vector, Tokens]]) -> Score:
        cosine = sum(min(1.0, max(-1.0, float(image @ vector))) for vector, _ in parts) / len(parts)
        told = []
        if len(parts) > 1:
            told.append(f"mean of {len(parts)} sentences")
        unseen = sum(tokens.unseen for _, tokens in parts)
        if unseen:
            told.append(f"{unseen} of {sum(tokens.count for _, tokens in parts)} tokens unseen")
        return Score(value=round(self._value(cosine), DECIMALS) + 0.0, reason="; ".join(told) or None)

    def _value(self, cosine: float) -> float:
        if self._options.output == "cosine":
            return cosine
        if self._options.output == "clipscore":
            return CLIPSCORE_WEIGHT * max(cosine, 0.0)
        logit = self._engine.scale * cosine + (self._engine.bias or 0.0)
        if self._options.output == "logit":
            return logit
        return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))

    @cached_property
    def _engine(self) -> DualEncoder:
        _ = self.fingerprint  # says what cannot be stated, before anything is loaded
        model = self._model

        def load() -> DualEncoder:
            from recaption.models.hf.dual_encoder_engine import open_dual_encoder

            return open_dual_encoder(
                model.files, model.placement, trust_remote_code=self._options.trust_remote_code
            )

        engine: DualEncoder = with_libraries(load)
        return engine


class EmbeddedDualEncoder(DualEncoderScorer):
    """The dual encoder that ships with the package. It knows the demo world and nothing else."""

    @cached_property
    def name(self) -> str:
        """`embedded`, the digest of its files, what is stated and in which precision."""
        return f"embedded@{self._model.name(self._options.output).partition('@')[2]}"

    class Params(DualEncoderOptions):
        """How the shipped model is run."""

    def __init__(self, params: DualEncoderOptions) -> None:
        folder = Path(str(resources.files("recaption.models.embedded").joinpath("dual_encoder")))
        super().__init__(DualEncoderScorer.Params(model=str(folder), **params.model_dump()))


def _sentences(text: str) -> list[str]:
    parts = [text[start:end].strip() for start, end in sentence_spans(text)]
    return [part for part in parts if part] or [text]
