"""Image-text agreement by a matching head: BLIP and BLIP-2 ITM. Text and image are read together.

Slower than a dual encoder, since every pair goes through the text tower, and finer: it sees which word is wrong.
The image itself still goes through its tower once for all its texts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from recaption.core.digests import digest_json
from recaption.core.errors import ImageError, UserError
from recaption.core.protocols import Images
from recaption.core.types import Caption, Record, Score
from recaption.models.hf.scoring_model import (
    DECIMALS,
    EMPTY,
    ScoringModel,
    ScoringParams,
    with_libraries,
    without_image,
)

if TYPE_CHECKING:
    from recaption.models.hf.matching_engine import Matcher

__all__ = ["MatchingScorer"]

Output: TypeAlias = Literal["probability", "logit"]

_RANGES: Final[Mapping[Output, tuple[float | None, float | None]]] = {
    "probability": (0.0, 1.0),
    "logit": (None, None),
}
_FAMILIES: Final = frozenset({"blip", "blip-2"})


class MatchingScorer:
    """Scores whether a text matches its image, as the model's own head says."""

    version = "1"
    higher_is_better = True
    sees_images = True

    class Params(ScoringParams):
        """Which model (`Salesforce/blip2-itm-vit-g`, say), what is stated, and how it is run."""

        output: Output = "probability"
        """`logit` is the logarithm of the odds: it still tells apart what all has a probability of nearly 1."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._model = ScoringModel(params)
        self.value_range = _RANGES[params.output]

    @cached_property
    def name(self) -> str:
        """Model, revision, what is stated and in which precision. Raises UserError if the model is not here."""
        return self._model.name(self._params.output)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the model's files, its precision and what is stated. Raises UserError if it is no such model."""
        if self._model.files.model_type not in _FAMILIES:
            raise UserError(
                f"model {self._params.model}: a {self._model.files.model_type} model has no matching head that is "
                "known here (BLIP and BLIP-2 ITM have). Dual encoders go by the name `clip`."
            )
        return digest_json(["matching", self.version, *self._model.identity, self._params.output])

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> list[Score]:
        """Return one score per pair, in order; without a text or a readable image no value, but a reason.

        Raises:
            UserError: The model cannot be loaded, or has no matching head.
            BackendError: The model fails.
        """
        scores: dict[int, Score] = {}
        keys: dict[int, str] = {}
        arrays = {}
        for i, (record, caption) in enumerate(pairs):
            if not caption.text.strip():
                scores[i] = EMPTY
                continue
            try:
                key = images.digest(record)
                if key not in arrays:
                    arrays[key] = images.pixels(record).array
                keys[i] = key
            except ImageError as error:
                scores[i] = without_image(error)
        asked = list(dict.fromkeys((key, pairs[i][1].text) for i, key in keys.items()))
        judged = self._engine.match(arrays, asked, self._params.batch_size) if asked else {}
        for i, key in keys.items():
            odds, unseen = judged[key, pairs[i][1].text]
            scores[i] = Score(value=round(self._value(odds), DECIMALS), reason=unseen)
        return [scores[i] for i in range(len(pairs))]

    def _value(self, odds: float) -> float:
        if self._params.output == "logit":
            return odds
        return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))

    @cached_property
    def _engine(self) -> Matcher:
        _ = self.fingerprint  # says what is no matching model, before anything is loaded
        model = self._model

        def load() -> Matcher:
            from recaption.models.hf.matching_engine import open_matcher

            return open_matcher(model.files, model.placement, trust_remote_code=self._params.trust_remote_code)

        engine: Matcher = with_libraries(load)
        return engine
