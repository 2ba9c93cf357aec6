"""What people of an audit would say: a head learned from their judgements, on the embeddings of a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from recaption.core.digests import digest_json
from recaption.core.errors import ImageError, UserError
from recaption.core.protocols import Closing, Embedder, Images
from recaption.core.types import Caption, Record, Score
from recaption.models.hf.scoring_model import DECIMALS, EMPTY, without_image
from recaption.models.preference_head import Head, LearnedOn, features, read_head
from recaption.recipes.backends import BackendValue, backend
from recaption.recipes.strict import StrictModel
from recaption.statistics.logistic import sigmoid

__all__ = ["PreferenceScorer", "pinned"]

_WHERE = "preference.encoder"


class PreferenceScorer:
    """Gives the chance that people would accept a text about its image, or prefer it to another: 0 to 1.

    Where people only compared texts, .5 is a text as good as those they saw. The name says what the head was worth on
    judgements that it had not learned from.
    """

    version = "1"
    higher_is_better = True
    value_range: tuple[float | None, float | None] = (0.0, 1.0)
    sees_images = True

    class Params(StrictModel):
        """Which head, and where its encoder is."""

        file: Path
        """What `recaption audit learn` wrote."""
        encoder: BackendValue | None = None
        """The encoder as it is named here, where that is not as it was when the head was learned: a model that was
        moved, another device. It must be the same one, by its fingerprint."""

    def __init__(self, params: Params) -> None:
        self._params = params

    @cached_property
    def name(self) -> str:
        """`preference`, the head's digest, its encoder, and what it was worth. Raises UserError."""
        return f"preference@{self._head.digest[:8]}, {self._encoder.encoder}, {self._head.worth}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the head and of its encoder. Raises UserError if either is not here, or they do not belong."""
        return digest_json(["preference", self.version, self._head.digest, self._encoder.encoder_fingerprint])

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> list[Score]:
        """Return one score per pair, in order. Without a text or a readable image there is a reason instead.

        Raises:
            UserError: The head or its encoder cannot be loaded, or they do not belong together.
            BackendError: The encoder fails.
        """
        spoken = [i for i, (_, caption) in enumerate(pairs) if caption.text.strip()]
        seen = self._encoder.embed_images([pairs[i][0] for i in spoken], images) if spoken else []
        scores = {
            i: without_image(one) for i, one in zip(spoken, seen, strict=True) if isinstance(one, ImageError)
        }
        judged = [(i, one) for i, one in zip(spoken, seen, strict=True) if not isinstance(one, ImageError)]
        if judged:
            texts = [pairs[i][1].text for i, _ in judged]
            read = self._encoder.embed_texts(texts)
            found = features(np.array([one for _, one in judged], dtype=np.float64), texts, read)
            values = sigmoid(self._head.logits(found))
            for (i, _), value, told in zip(judged, values, read, strict=True):
                reason = f"{told.unseen} of {told.tokens} tokens unseen" if told.unseen else None
                scores[i] = Score(value=round(float(value), DECIMALS), reason=reason)
        return [scores.get(i, EMPTY) for i in range(len(pairs))]

    def close(self) -> None:
        """Let go of the encoder, if it was asked for."""
        encoder = self.__dict__.get("_encoder")
        if isinstance(encoder, Closing):
            encoder.close()

    @cached_property
    def _head(self) -> Head:
        return read_head(self._params.file)

    @cached_property
    def _encoder(self) -> Embedder:
        """The encoder, known to be the one that the head was learned on; nothing of it is loaded yet."""
        file, learned_on = self._params.file, self._head.encoder
        named = self._params.encoder if self._params.encoder is not None else _without_code(learned_on, file)
        encoder = backend("scorers", named, _WHERE).build()
        if not isinstance(encoder, Embedder):
            raise UserError(f"preference model {file}: {encoder.name} gives no embeddings of images and texts")
        if encoder.encoder_fingerprint != learned_on.fingerprint:
            raise UserError(
                f"preference model {file}: it was learned on {learned_on.name}, and this is {encoder.encoder} with "
                "other weights, precision or version. Name the same one as `encoder`, or learn again."
            )
        return encoder


def pinned(named: BackendValue, encoder: Embedder) -> LearnedOn:
    """Return how a head names its encoder: in the precision that it ran in, whatever another machine would choose.

    Args:
        named: As a recipe names it.
    """
    spec = backend("scorers", named, _WHERE)
    said = spec.params.model_dump(mode="json", exclude_unset=True)
    for option in ("device", "batch_size"):  # of this machine, and no part of what was learned
        said.pop(option, None)
    if isinstance(model := said.get("model"), str) and Path(model).is_dir():
        said["model"] = str(Path(model).absolute())
    if "dtype" in type(spec.params).model_fields:
        said["dtype"] = encoder.encoder.rpartition(", ")[2]
    return LearnedOn(model={spec.name: said}, name=encoder.encoder, fingerprint=encoder.encoder_fingerprint)


def _without_code(learned_on: LearnedOn, file: Path) -> BackendValue:
    """Return the encoder that a file names. A file of numbers is no reason to run code that comes with a model."""
    model = learned_on.model
    if isinstance(model, dict) and any((said or {}).get("trust_remote_code") for said in model.values()):
        raise UserError(
            f"preference model {file}: its encoder runs code that comes with it. If you trust that, name it in the "
            "recipe: preference: {file: …, encoder: {clip: {model: …, revision: …, trust_remote_code: true}}}"
        )
    return model
