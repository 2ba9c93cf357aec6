"""The body of a chat-completions request, in pieces: what never changes is written once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from recaption.core.errors import UserError
from recaption.core.protocols import GenerationRequest, Sampling
from recaption.models.openai.choices import draw_seed

__all__ = ["RESERVED_FIELDS", "BodyStyle", "RequestBody", "refuse_unsupported"]

RESERVED_FIELDS: Final = frozenset({"messages", "model", "stream", "n"})
"""What `extra_body` may not touch: what comes back is read by these."""
_TEMPLATE_TOKENS: Final = 64
"""Most that a chat template adds around one message."""
_PATCH_PX: Final = 14
"""Side of the smallest patch that any model makes a token of."""


@dataclass(frozen=True, slots=True)
class BodyStyle:
    """What is the same in all requests to one server."""

    model: str
    max_tokens_field: str = "max_tokens"
    structured: str = "json_schema"
    detail: str | None = None
    logprobs: bool = False
    extra: Mapping[str, Any] | None = None
    """Fields to add or, where None, to leave out."""


class RequestBody:
    """One request, ready to be sent as often as it takes.

    `most_tokens`: the most that one draw can cost, as (prompt, answer).
    """

    __slots__ = ("_after", "_before", "_image", "_sampling", "_seeded", "most_tokens")

    def __init__(
        self, style: BodyStyle, request: GenerationRequest, image: tuple[bytes, tuple[int, int]] | None
    ) -> None:
        sampling = request.sampling
        text = json.dumps(request.prompt)
        head = f'{{"model":{json.dumps(style.model)},"messages":[{{"role":"user","content":'
        fields = _fields(style, request)
        closing = "}]," + json.dumps(fields, separators=(",", ":"))[1:-1]
        if image is None:
            self._before, self._image, self._after = (head + text + closing).encode(), b"", b""
        else:
            detail = f',"detail":{json.dumps(style.detail)}' if style.detail else ""
            self._before = (head + '[{"type":"image_url","image_url":{"url":"').encode()
            self._image = image[0]
            self._after = f'"{detail}}}}},{{"type":"text","text":{text}}}]{closing}'.encode()
        self._sampling = sampling
        self._seeded = sampling.temperature > 0 and "seed" not in (style.extra or {})
        prompt = len(request.prompt.encode("utf-8", "surrogatepass")) + _TEMPLATE_TOKENS
        self.most_tokens = (prompt + (_image_tokens(image[1]) if image else 0), sampling.max_tokens)

    def parts(self, draws: tuple[int, ...], again: int) -> tuple[bytes, ...]:
        """Return the pieces of the body that asks for some draws.

        Args:
            again: How many answers to these were of no use; they are drawn with another seed.
        """
        own: dict[str, int] = {}
        if len(draws) > 1:
            own["n"] = len(draws)
        if self._seeded:
            own["seed"] = draw_seed(self._sampling, draws[0], again)
        tail = "".join(f',"{name}":{value}' for name, value in own.items()) + "}"
        return self._before, self._image, self._after, tail.encode()


def refuse_unsupported(sampling: Sampling) -> None:
    """Refuse what no chat-completions server takes, instead of leaving it out in silence. Raises UserError."""
    wrong = [
        name
        for name, plain in (("beams", 1), ("beam_groups", 1), ("guidance", 1.0), ("no_repeat_ngram", 0))
        if getattr(sampling, name) != plain
    ]
    if wrong:
        raise UserError(
            f"sampling by {' and '.join(wrong)} is not part of the OpenAI interface. "
            "Leave it out, or use a local generator; what your server adds of its own goes into `extra_body`."
        )


def _fields(style: BodyStyle, request: GenerationRequest) -> dict[str, Any]:
    sampling = request.sampling
    fields: dict[str, Any] = {
        style.max_tokens_field: sampling.max_tokens,
        "temperature": sampling.temperature,
    }
    if sampling.top_p != 1.0:
        fields["top_p"] = sampling.top_p
    if sampling.repetition_penalty != 1.0:
        fields["repetition_penalty"] = sampling.repetition_penalty
    if style.logprobs:
        fields["logprobs"] = True
    if request.schema is not None and style.structured == "json_schema":
        form = {"name": "answer", "schema": dict(request.schema), "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": form}
    elif request.schema is not None and style.structured == "json_object":
        fields["response_format"] = {"type": "json_object"}
    fields.update(style.extra or {})
    return {name: value for name, value in fields.items() if value is not None}


def _image_tokens(size: tuple[int, int]) -> int:
    return -(-size[0] // _PATCH_PX) * -(-size[1] // _PATCH_PX) + 16
