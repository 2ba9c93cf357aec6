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
from recaption.core.protocols import EmbeddedText, EmbeddingSpace, Images
from recaption.core.types import Caption, Record, Score
from recaption.media.sentences import stripped_sentences
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

__all__ = ["CLIPSCORE_PREFIX", "CLIPSCORE_WEIGHT", "DualEncoderScorer", "EmbeddedDualEncoder"]

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

    @cached_property
    def encoder(self) -> str:
        """Model, revision and precision. Raises UserError if the model is not here."""
        return f"{self._model.files.name}, {self._model.placement.dtype_name}"

    @cached_property
    def encoder_fingerprint(self) -> str:
        """Digest of the model's files and its precision: all that decides an embedding beside image or text."""
        return digest_json(["dual_encoder", self.version, *self._model.identity])

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> list[Score]:
        """Return one score per pair, in order.

        Without a text or a readable image there is no value, but a reason. Where the model did not see all of a text,
        or saw it by sentences, the value comes with a reason that says so.

        Raises:
            UserError: The model cannot be loaded, or cannot state what is asked of it.
            BackendError: The model fails.
        """
        spoken = [i for i, (_, caption) in enumerate(pairs) if caption.text.strip()]
        seen = dict(zip(spoken, self.embed_images([pairs[i][0] for i in spoken], images), strict=True))
        judged = {i: found for i, found in seen.items() if not isinstance(found, ImageError)}
        texts = self._encoded([pairs[i][1].text for i in judged]) if judged else []
        scores = {i: without_image(found) for i, found in seen.items() if isinstance(found, ImageError)}
        scores |= {
            i: self._stated(image, parts) for (i, image), parts in zip(judged.items(), texts, strict=True)
        }
        return [scores.get(i, EMPTY) for i in range(len(pairs))]

    def space(self) -> EmbeddingSpace:
        """Return what a cosine means to this model. Raises UserError."""
        engine = self._engine
        return EmbeddingSpace(
            scale=engine.scale,
            bias=engine.bias,
            has_sigmoid=self._model.files.model_type in _WITH_SIGMOID,
            text_limit=engine.encoding.limit,
        )

    def embed_images(self, records: Sequence[Record], images: Images) -> list[Vector | ImageError]:
        """Return the embedding of each record's image, in order, float32 of length 1, or why there is none.

        Equal images are encoded once; what is remembered is not even decoded.

        Raises:
            UserError: The model cannot be loaded.
            BackendError: The model fails.
        """
        keys = [_image_key(record, images) for record in records]
        distinct = {
            key: record for key, record in zip(keys, records, strict=True) if not isinstance(key, ImageError)
        }
        found: dict[str, Vector | ImageError] = {}
        arrays = []
        for key, record in distinct.items():
            known = self._engine.known_image(key)
            if known is not None:
                found[key] = known
                continue
            try:
                arrays.append((key, images.pixels(record).array))
            except ImageError as error:
                found[key] = _told(error)
        if arrays:
            found |= self._engine.images(arrays, self._options.batch_size)
        return [key if isinstance(key, ImageError) else found[key] for key in keys]

    def embed_texts(self, texts: Sequence[str], prefix: str = "") -> list[EmbeddedText]:
        """Return each text, with the prefix before it, as the model knows it, in order; equal ones are encoded once.

        Raises:
            UserError: The model cannot be loaded.
            BackendError: The model fails.
        """
        whole = [prefix + text for text in texts]
        known = self._engine.texts(whole, self._options.batch_size) if whole else {}
        read = [known[text] for text in whole]
        return [EmbeddedText(vector, tokens.count, tokens.unseen) for vector, tokens in read]

    def _encoded(self, texts: Sequence[str]) -> list[list[EmbeddedText]]:
        """Return each text as the model knows it; of a long one, where so asked, its sentences."""
        parts = [[text] for text in texts]
        if self._options.long_text == "sentences":
            tokens = self._engine.encoding.tokens([self._prefix + text for text in texts])
            parts = [
                _sentences(text) if told.unseen else [text] for text, told in zip(texts, tokens, strict=True)
            ]
        known = iter(self.embed_texts([part for some in parts for part in some], self._prefix))
        return [[next(known) for _ in some] for some in parts]

    def _stated(self, image: Vector, parts: Sequence[EmbeddedText]) -> Score:
        cosine = sum(min(1.0, max(-1.0, float(image @ part.vector))) for part in parts) / len(parts)
        told = []
        if len(parts) > 1:
            told.append(f"mean of {len(parts)} sentences")
        unseen = sum(part.unseen for part in parts)
        if unseen:
            told.append(f"{unseen} of {sum(part.tokens for part in parts)} tokens unseen")
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

    @cached_property
    def encoder(self) -> str:
        """`embedded`, the digest of its files, and its precision."""
        return f"embedded@{super().encoder.partition('@')[2]}"

    class Params(DualEncoderOptions):
        """How the shipped model is run."""

    def __init__(self, params: DualEncoderOptions) -> None:
        folder = Path(str(resources.files("recaption.models.embedded").joinpath("dual_encoder")))
        super().__init__(DualEncoderScorer.Params(model=str(folder), **params.model_dump()))


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in stripped_sentences(text)[0]] or [text]


def _image_key(record: Record, images: Images) -> str | ImageError:
    try:
        return f"{images.fingerprint}:{images.digest(record)}"
    except ImageError as error:
        return _told(error)


def _told(error: ImageError) -> ImageError:
    """Return the error as a value: the one that was raised keeps the frames it came through alive."""
    return ImageError(str(error), retryable=error.retryable)
