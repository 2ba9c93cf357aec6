"""How surprised a language model is by a text: perplexity, for finding what is not fluent.

The negative log-likelihood (natural logarithm) of every token given those before it, the first given the start token,
averaged over the tokens; perplexity is e to that. Less is not always better: templates and commonplaces win, and
the figure for a text of a few tokens hangs on each of them. It finds outliers; it does not rank good captions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pydantic import Field

from recaption.core.digests import digest_json
from recaption.core.protocols import Images
from recaption.core.types import Caption, Record, Score
from recaption.models.hf.scoring_model import DECIMALS, EMPTY, ScoringModel, ScoringParams, with_libraries

if TYPE_CHECKING:
    from recaption.models.hf.perplexity_engine import LanguageModel

__all__ = ["PerplexityScorer", "Surprise"]

Output: TypeAlias = Literal["perplexity", "nll"]

_RANGES: Final[Mapping[Output, tuple[float | None, float | None]]] = {
    "perplexity": (1.0, None),
    "nll": (0.0, None),
}
_LARGEST_EXPONENT: Final = 700.0
"""e to this still is a number; what is higher is told as this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    """What a language model makes of a text."""

    nll: float
    """Negative natural log-likelihood, summed over the tokens that were scored."""
    scored: int
    """Every token that was read; without the first where the model has no start token to expect it from."""
    tokens: int
    """Tokens of the whole text."""
    unseen: int
    """How many of them were cut off."""
    scored_bytes: int
    """Bytes of UTF-8 that the tokens that were scored stand for."""


class PerplexityScorer:
    """Scores texts by a causal language model; less is better. No image is looked at."""

    version = "1"
    higher_is_better = False
    sees_images = False

    class Params(ScoringParams):
        """Which language model, what is stated, and how it is run."""

        output: Output = "perplexity"
        """`nll` is its logarithm, nats per token: better to average and to weigh."""
        short: int = Field(default=8, ge=0)
        """The score of a text of fewer tokens says so in its reason: it hangs on single words."""

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
        """Digest of the model's files, its precision and what is stated."""
        stated = [self._params.output, self._params.short]
        return digest_json(["perplexity", self.version, *self._model.identity, *stated])

    @cached_property
    def language_model(self) -> str:
        """Model, revision and precision, whatever is stated of it. Raises UserError if the model is not here."""
        return self._model.name("negative log-likelihood")

    @cached_property
    def surprise_fingerprint(self) -> str:
        """Digest of all that decides what `surprise` gives; what is stated by `score` is no part of it."""
        return digest_json(["surprise", self.version, *self._model.identity])

    def surprise(self, texts: Sequence[str]) -> list[Surprise]:
        """Return what the model makes of each text, in order; an empty text has nothing scored.

        Raises:
            UserError: The model cannot be loaded.
            BackendError: The model fails.
        """
        return self._engine.surprise(texts, self._params.batch_size) if texts else []

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> list[Score]:
        """Return one score per pair, in order; an empty text has no value.

        Raises:
            UserError: The model cannot be loaded.
            BackendError: The model fails.
        """
        texts = list(dict.fromkeys(c.text for _, c in pairs if c.text.strip()))
        told = dict(zip(texts, self.surprise(texts), strict=True)) if texts else {}
        scores = {text: self._stated(surprise) for text, surprise in told.items()}
        return [scores.get(caption.text, EMPTY) for _, caption in pairs]

    def _stated(self, surprise: Surprise) -> Score:
        if not surprise.scored:
            return Score(value=None, reason="one token, and the model has no start token to expect it from")
        notes = []
        if surprise.tokens < self._params.short:
            notes.append(f"only {surprise.tokens} token{'s' if surprise.tokens > 1 else ''}")
        if surprise.unseen:
            notes.append(f"{surprise.unseen} of {surprise.tokens} tokens unseen")
        mean = surprise.nll / surprise.scored
        value = mean if self._params.output == "nll" else math.exp(min(mean, _LARGEST_EXPONENT))
        return Score(value=round(value, DECIMALS), reason="; ".join(notes) or None)

    @cached_property
    def _engine(self) -> LanguageModel:
        model = self._model

        def load() -> LanguageModel:
            from recaption.models.hf.perplexity_engine import open_language_model

            return open_language_model(
                model.files, model.placement, trust_remote_code=self._params.trust_remote_code
            )

        engine: LanguageModel = with_libraries(load)
        return engine
