"""Questions to a generator, answered by the ledger where they were answered before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

from recaption.core.digests import digest_json, seed_from
from recaption.core.protocols import (
    Answer,
    Context,
    FinishReason,
    Fleeting,
    Generation,
    GenerationRequest,
    Generator,
    Picture,
    Sampling,
)
from recaption.core.types import JsonValue

__all__ = ["Ask", "Draw", "answer"]

_VERSION = "1"
"""Of what is remembered of an answer; another one would be asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One text, and what else is remembered of it."""

    number: int
    text: str | None
    finish: FinishReason
    error: str | None = None
    retryable: bool = False
    raw: str | None = None
    tokens: int | None = None
    mean_logprob: float | None = None
    """Natural log-probability per token, under the model itself."""
    attempt: int = 0


@dataclass(eq=False, slots=True)
class Ask:
    """One prompt, about one picture or none, and the draws it got."""

    key: str
    """The record's, for messages."""
    prompt: str
    picture: Picture | None
    sampling: Sampling
    schema: Mapping[str, JsonValue] | None = None
    """JSON schema the text should follow."""
    draws: list[Draw] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Digest of the picture asked about; empty without one."""
        return self.picture.digest if self.picture is not None else ""

    def again(self, wrong: Sequence[int], attempt: int, temperature: float) -> Ask:
        """Return the question that draws anew what came out wrong: other seeds, warmer, longer if it was cut."""
        cut = any(self.draws[i].finish == "length" for i in wrong)
        sampling = replace(
            self.sampling,
            n=len(wrong),
            temperature=max(self.sampling.temperature, temperature),
            beams=1,
            beam_groups=1,
            diversity_penalty=0.0,
            max_tokens=self.sampling.max_tokens * 3 // 2 if cut else self.sampling.max_tokens,
            seed=seed_from(self.sampling.seed, "again", attempt),
        )
        return Ask(self.key, self.prompt, self.picture, sampling, self.schema)

    def take(self, wrong: Sequence[int], anew: Ask, attempt: int) -> None:
        """Put new draws in the places of wrong ones; a new failure does not replace a text."""
        for i, draw in zip(wrong, anew.draws, strict=True):
            if draw.text is not None:
                self.draws[i] = replace(draw, number=self.draws[i].number, attempt=attempt)


def answer(asks: Sequence[Ask], generator: Generator, context: Context) -> None:
    """Give every ask its draws, from the ledger or freshly paid for. Failures that may pass are not remembered.

    Raises:
        BackendError: The model or service is gone.
        BudgetError: The budget is spent.
    """

    def call(positions: Sequence[int]) -> Iterable[Answer]:
        requests = [
            GenerationRequest(key=a.key, prompt=a.prompt, image=a.picture, sampling=a.sampling, schema=a.schema)
            for a in (asks[i] for i in positions)
        ]
        for position, generations in generator.generate(requests, context.meter):
            value: JsonValue = [_to_json(g) for g in generations]
            passing = any(g.text is None and g.retryable for g in generations)
            yield positions[position], Fleeting(value) if passing else value

    keys = [_ledger_key(ask, generator, context) for ask in asks]
    for ask, value in zip(asks, context.ledger.recall(keys, call) if keys else [], strict=True):
        ask.draws = [_from_json(i, cast(Any, item)) for i, item in enumerate(cast(list[JsonValue], value))]


def _ledger_key(ask: Ask, generator: Generator, context: Context) -> str:
    # How images are decoded decides nothing where none is shown.
    decoding = context.images.fingerprint if ask.picture is not None else ""
    parts = [
        "generate",
        _VERSION,
        generator.fingerprint,
        ask.prompt,
        ask.digest,
        decoding,
        asdict(ask.sampling),
    ]
    return digest_json(parts if ask.schema is None else [*parts, ask.schema])


def _to_json(generation: Generation) -> JsonValue:
    """Return what is worth remembering, without what is not there."""
    logprobs = generation.logprobs
    told: dict[str, JsonValue] = {
        "text": generation.text,
        "finish": generation.finish_reason,
        "error": generation.error,
        "retryable": generation.retryable or None,
        "raw": generation.raw,
        "tokens": generation.completion_tokens,
        "mean_logprob": round(sum(logprobs) / len(logprobs), 5) if logprobs else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _from_json(number: int, value: dict[str, Any]) -> Draw:
    return Draw(number=number, **{"text": None, **value})
