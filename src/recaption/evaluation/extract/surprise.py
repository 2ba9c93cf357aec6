"""What a language model makes of texts: every distinct text is asked about once, and never again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, cast

from recaption.core.digests import digest_json
from recaption.core.errors import BackendError
from recaption.core.protocols import Answer, Scorer
from recaption.core.types import JsonValue
from recaption.evaluation.metric import Unavailable
from recaption.evaluation.tools import Tools
from recaption.models.hf.perplexity import Surprise

__all__ = ["Reader", "reader", "surprises"]

_VERSION: Final = "1"
"""Of what is remembered of an answer; another one would be asked again."""
_AT_ONCE: Final = 512
"""Texts handed to the model together: enough to sort them by length, few enough to lose to a kill."""


class Reader(Scorer, Protocol):
    """A scorer that tells the likelihood of a text, and not a judgement made of it alone."""

    language_model: str
    """Model, revision and precision."""
    surprise_fingerprint: str
    """Digest of all that decides an answer beside the text."""

    def surprise(self, texts: Sequence[str]) -> Sequence[Surprise]:
        """Return what the model makes of each text, in order."""


def reader(tools: Tools) -> Reader:
    """Return the language model. Raises Unavailable where it tells no likelihoods."""
    model = tools.language_model
    if model is None:
        raise Unavailable("no language model; name one with --language-model, say gpt2")
    # `isinstance` would look at every attribute, and so have the model's files read before its time.
    if not callable(getattr(model, "surprise", None)):
        raise Unavailable(
            f"{type(model).__name__} tells no likelihood of a text; name a causal model, say gpt2"
        )
    return cast(Reader, model)


def surprises(texts: Iterable[str], tools: Tools) -> dict[str, Surprise]:
    """Return what the language model makes of each distinct text, from the ledger or freshly paid for.

    Raises:
        Unavailable: The model tells no likelihoods.
        UserError: It cannot be loaded.
        BackendError: It fails. What was paid for is remembered.
    """
    model = reader(tools)
    distinct = list(dict.fromkeys(texts))
    found: dict[str, Surprise] = {}
    for start in range(0, len(distinct), _AT_ONCE):
        part = distinct[start : start + _AT_ONCE]
        found.update(zip(part, _recalled(model, part, tools), strict=True))
    return found


def _recalled(model: Reader, texts: Sequence[str], tools: Tools) -> Iterator[Surprise]:
    keys = [digest_json(["surprise", _VERSION, model.surprise_fingerprint, text]) for text in texts]

    def call(positions: Sequence[int]) -> Iterator[Answer]:
        asked = [texts[i] for i in positions]
        told = model.surprise(asked)
        if len(told) != len(asked):
            raise BackendError(f"{model.language_model}: {len(told)} answers about {len(asked)} texts")
        for position, surprise in zip(positions, told, strict=True):
            yield position, _as_json(surprise)

    for value in tools.ledger.recall(keys, call):
        yield Surprise(**cast(Mapping[str, Any], value))


def _as_json(surprise: Surprise) -> JsonValue:
    return {
        "nll": surprise.nll,
        "scored": surprise.scored,
        "tokens": surprise.tokens,
        "unseen": surprise.unseen,
        "scored_bytes": surprise.scored_bytes,
    }
