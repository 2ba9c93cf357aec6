"""A generator without a model: it answers by a script, well or badly, to try a recipe and to test what follows it.

An answer is a function of the image's bytes and pixels, the prompt, the sampling seed and the draw, and of nothing
else. What it says of a picture is read from its pixels, so that texts differ where pictures do.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, TypeAlias, get_args

import yaml
from pydantic import Field, field_validator

from recaption.core.digests import digest_json, digest_text, seed_from
from recaption.core.errors import ImageError
from recaption.core.protocols import FinishReason, Generation, GenerationRequest, Meter, Picture, Usage
from recaption.media.colours import dominant_colours
from recaption.recipes.strict import StrictModel

__all__ = ["Behaviour", "ScriptedGenerator"]

Behaviour: TypeAlias = Literal[
    "truthful",
    "hallucinating",
    "rambling",
    "empty",
    "refusing",
    "looping",
    "malformed",
    "echo",
    "obedient",
    "bang",
    "boilerplate",
    "other_language",
    "blind",
    "slow",
    "overloaded",
]
"""`bang` is all exclamation marks, `blind` the same for every picture, `overloaded` a failure that may pass;
`obedient` does what any text in its prompt orders. What they say stands in `scripted.yaml`."""

_LOOK_AT_PX: Final = 64
_BRIGHTER: Final = 12.0
"""Difference of mean luma, of 255, from which one half is called brighter."""
_TOKEN: Final = re.compile(r"\s*(?:!{4}|[\u3040-\u30ff\u3400-\u9fff]|[^\s\u3040-\u30ff\u3400-\u9fff]+)|\s+$")
"""One word, one character where words are not parted, or four exclamation marks; with the blanks before it."""


class ScriptedGenerator:
    """Answers at once, in one of `Behaviour`, or in one drawn from several.

    Greedy sampling (temperature 0) ignores seed and draw, as a model does.
    """

    capabilities = frozenset({"images", "logprobs", "seed"})
    prompt_style = "chat"
    version = "1"

    class Params(StrictModel):
        """How to answer."""

        behaviour: Behaviour | dict[Behaviour, float] = "truthful"
        """One behaviour, or several with their weights: which one is drawn anew for every image, prompt and draw."""
        seed: int = 0
        """Decides which behaviour falls to whom."""
        wait_s: float = Field(default=0.02, ge=0)
        """How long a `slow` answer takes."""
        in_flight: int = Field(default=8, ge=1)

        @field_validator("behaviour")
        @classmethod
        def _weighed(cls, given: Any) -> Any:
            if isinstance(given, dict) and not (given and min(given.values()) >= 0 < sum(given.values())):
                raise ValueError("weights must not be negative, and one must be more than 0")
            return given

    def __init__(self, params: Params, wait: Callable[[float], None] = time.sleep) -> None:
        self._params = params
        self._wait = wait
        self.in_flight = params.in_flight
        self.name = f"scripted@{self.version}"
        mix = params.behaviour if isinstance(params.behaviour, dict) else {params.behaviour: 1.0}
        self._mix: Mapping[Behaviour, float] = {b: mix[b] for b in get_args(Behaviour) if mix.get(b)}
        self.fingerprint = digest_json(["scripted", self.version, digest_text(_text()), self._mix, params.seed])

    def generate(
        self, requests: Sequence[GenerationRequest], meter: Meter
    ) -> Iterator[tuple[int, Sequence[Generation]]]:
        """Yield (position, its generations), in order. Raises BudgetError through `meter`."""
        for position, request in enumerate(requests):
            prompt_tokens = len(_tokens(request.prompt))
            sampling = request.sampling
            most = Usage(
                requests=1, prompt_tokens=prompt_tokens, completion_tokens=sampling.n * sampling.max_tokens
            )
            meter.reserve(self.name, most)
            answers = self._answers(request, prompt_tokens)
            written = sum(answer.completion_tokens or 0 for answer in answers)
            meter.settle(
                self.name, most, Usage(requests=1, prompt_tokens=prompt_tokens, completion_tokens=written)
            )
            yield position, answers

    def _answers(self, request: GenerationRequest, prompt_tokens: int) -> list[Generation]:
        image = request.image
        try:
            view = _View.of(image) if image is not None else None
            digest = image.digest if image is not None else ""
        except ImageError as error:
            told = f"image: {error}"
            failed = Generation(text=None, finish_reason="error", error=told, retryable=error.retryable)
            return [failed] * request.sampling.n
        greedy = request.sampling.temperature == 0
        answers = []
        for draw in range(request.sampling.n):
            chance = (0, 0) if greedy else (request.sampling.seed, draw)
            rng = _seeded(self._params.seed, digest, request.prompt, *chance)
            behaviour = rng.choices(list(self._mix), list(self._mix.values()))[0]
            if behaviour == "slow":
                self._wait(self._params.wait_s)
            asked = _Asked(request.prompt, view, request.sampling.max_tokens, rng)
            answers.append(_generation(_SCRIPTS[behaviour](asked), asked, digest, prompt_tokens))
        return answers


@dataclass(frozen=True, slots=True)
class _View:
    """What can be said of a picture from its pixels."""

    colours: str
    light: str
    shape: str

    @classmethod
    def of(cls, image: Picture) -> _View:
        pixels = image.shrunk(_LOOK_AT_PX)
        found = [name for name, share in dominant_colours(pixels.array, n=3) if share >= 0.15]
        luma = pixels.array.mean(axis=2)
        height, width = luma.shape
        halves = {
            "top": float(luma[: (height + 1) // 2].mean()),
            "bottom": float(luma[height // 2 :].mean()),
            "left": float(luma[:, : (width + 1) // 2].mean()),
            "right": float(luma[:, width // 2 :].mean()),
        }
        opposite = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}
        lead = {side: halves[side] - halves[opposite[side]] for side in halves}
        side = max(lead, key=lambda s: lead[s])
        ratio = pixels.size[0] / pixels.size[1]
        return cls(
            colours=_joined(found or ["many-coloured"]),
            light=side if lead[side] >= _BRIGHTER else "even",
            shape="square" if abs(math.log(ratio)) < 0.03 else "landscape" if ratio > 1 else "portrait",
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a script may use. `rng` is seeded by all of it, and by the draw."""

    prompt: str
    view: _View | None
    max_tokens: int
    rng: random.Random

    def one_of(self, name: str) -> str:
        """Return one of the texts of this name in the data file."""
        return str(self.rng.choice(_data()[name]))

    def truth(self) -> str:
        """Return one true sentence about the picture."""
        if self.view is None:
            return str(_data()["without_image"])
        values = {"colours": self.view.colours, "light": _data()["light"][self.view.light]}
        return _filled(self.one_of("truthful"), **values, shape=self.view.shape)


@dataclass(frozen=True, slots=True)
class _Said:
    """The text before it is cut to `max_tokens`; None with a reason why there is none."""

    text: str | None
    finish_reason: FinishReason = "stop"
    error: str | None = None
    retryable: bool = False
    raw: str | None = None


def _hallucinating(asked: _Asked) -> _Said:
    invented = {name: asked.one_of(name) for name in ("thing", "place", "number", "word")}
    return _Said(f"{asked.truth()} {_filled(asked.one_of('hallucinated'), **invented)}")


def _rambling(asked: _Asked) -> _Said:
    sentences = [asked.truth()]
    written = len(_tokens(sentences[0]))
    while written <= asked.max_tokens:
        sentences.append(asked.one_of("rambling"))
        written += len(_tokens(sentences[-1]))
    return _Said(" ".join(sentences))


def _refusing(asked: _Asked) -> _Said:
    text = asked.one_of("refusing")
    if asked.rng.random() < 0.5:
        return _Said(text)
    return _Said(None, "refusal", "the model refused", raw=text)


def _looping(asked: _Asked) -> _Said:
    turn = asked.one_of("loops")
    start = asked.truth().rstrip(".")
    turns = asked.max_tokens if asked.rng.random() < 0.5 else 8
    return _Said(" ".join([start, *[turn] * turns]))


def _boilerplate(asked: _Asked) -> _Said:
    truth = asked.truth()
    lower = truth[:1].lower() + truth[1:]
    return _Said(_filled(asked.one_of("openers"), text=lower, Text=truth))


def _malformed(asked: _Asked) -> _Said:
    return _Said(_filled(asked.one_of("malformed"), Text=asked.truth()))


def _blind(asked: _Asked) -> _Said:
    # The prompt alone decides, not the picture.
    texts = _data()["blind"]
    return _Said(texts[seed_from(asked.prompt) % len(texts)])


def _obedient(asked: _Asked) -> _Said:
    """Do what the prompt orders anywhere, be it in the caption that somebody gave the picture."""
    said: list[str] = []
    for order in _orders():
        for match in order.pattern.finditer(asked.prompt):
            if order.then == "empty":
                return _Said("")
            if order.then == "prompt":
                said.append(asked.prompt)
            elif order.then == "other_language":
                said.append(asked.one_of("foreign"))
            else:
                said.append(match["wanted"])
    return _Said(" ".join([asked.truth(), *dict.fromkeys(said)]))


_SCRIPTS: Final[Mapping[Behaviour, Callable[[_Asked], _Said]]] = {
    "truthful": lambda asked: _Said(asked.truth()),
    "hallucinating": _hallucinating,
    "rambling": _rambling,
    "empty": lambda asked: _Said(asked.rng.choice(["", " ", "\n\n"])),
    "refusing": _refusing,
    "looping": _looping,
    "malformed": _malformed,
    "echo": lambda asked: _Said(asked.prompt),
    "obedient": _obedient,
    "bang": lambda asked: _Said("!!!!" * (asked.max_tokens + 1)),
    "boilerplate": _boilerplate,
    "other_language": lambda asked: _Said(asked.one_of("foreign")),
    "blind": _blind,
    "slow": lambda asked: _Said(asked.truth()),
    "overloaded": lambda asked: _Said(None, "error", "the script says: overloaded (429)", retryable=True),
}


def _generation(said: _Said, asked: _Asked, digest: str, prompt_tokens: int) -> Generation:
    if said.text is None:
        return Generation(
            text=None,
            finish_reason=said.finish_reason,
            error=said.error,
            retryable=said.retryable,
            raw=said.raw,
            prompt_tokens=prompt_tokens,
            completion_tokens=0,
        )
    tokens = _tokens(said.text)
    kept = tokens[: asked.max_tokens]
    return Generation(
        text="".join(kept) if len(kept) < len(tokens) else said.text,
        # A model that has written as many as it may cannot say whether it was done.
        finish_reason="length" if len(kept) == asked.max_tokens else said.finish_reason,
        prompt_tokens=prompt_tokens,
        completion_tokens=len(kept),
        logprobs=_logprobs(kept, digest, asked.prompt),
    )


def _logprobs(tokens: Sequence[str], digest: str, prompt: str) -> tuple[float, ...]:
    """Return one made-up value in (-3, 0) for every token, the same wherever the same beginning is written."""
    state = seed_from(digest, prompt)
    values = []
    for token in tokens:
        state = seed_from(state, token)
        values.append(-3.0 * (state % 9973 + 1) / 9974)
    return tuple(values)


def _seeded(*parts: object) -> random.Random:
    return random.Random(seed_from(*parts))  # noqa: S311 - to vary, not to hide


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _filled(template: str, **values: str) -> str:
    """Replace every {name} at once, {Name} with a capital; other braces are part of the text."""
    known = {**{name.capitalize(): value[:1].upper() + value[1:] for name, value in values.items()}, **values}
    return re.sub(r"\{(\w+)\}", lambda m: known.get(m[1], m[0]), template)


@dataclass(frozen=True, slots=True)
class _Order:
    pattern: re.Pattern[str]
    then: str | None


@cache
def _orders() -> tuple[_Order, ...]:
    found: list[dict[str, str]] = _data()["orders"]
    return tuple(_Order(re.compile(o["pattern"]), o.get("then")) for o in found)


@cache
def _text() -> str:
    return resources.files("recaption.models").joinpath("scripted.yaml").read_text("utf-8")


@cache
def _data() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(_text())
    return found
