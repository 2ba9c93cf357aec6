"""What a reply means: an answer, try again, never for this request, or never again for anybody.

A server may say "200" and mean nothing. Everything that a caption could be lost or spoilt by has a name here; the
caller counts by that name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeGuard

import yaml

from recaption.core.printable import printable
from recaption.core.protocols import Generation, Usage
from recaption.core.types import JsonValue
from recaption.models.openai.parse import fitting_json

__all__ = ["Answer", "Flaw", "Trouble", "judge", "one_line"]

_LONGEST_REASON: Final = 240
_LONGEST_RAW: Final = 2048
_DAMAGED: Final = re.compile("[\x00\ud800-\udfff]")
_KEY_LIKE: Final = re.compile(r"\b(?:sk|key|pk|gsk|hf)[-_][A-Za-z0-9_*-]{6,}")
_MODERATED: Final = ("content_filter", "content-filter", "safety", "refusal", "moderation", "sensitive")
_CUT: Final = ("length", "max_tokens", "model_length", "max_output_tokens")
_TRY_AGAIN: Final = frozenset({408, 409, 421, 423, 425, 502, 503, 504, 520, 521, 522, 523, 524, 529})
"""Statuses that speak of the moment, not of the request. 52x are Cloudflare's, 529 is Anthropic's."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A reply, or the lack of one, that holds no answer at all."""

    move: Literal["again", "refused", "reject", "fatal"]
    """`again`: try again · `refused`: try again when we may · `reject`: never for this request · `fatal`: stop."""
    fault: str
    """A short name to count by."""
    reason: str
    """One line for people."""
    down: bool = False
    """It speaks against the address as a whole."""
    bounded: bool = False
    """Coming back often, it is the server's answer to this request."""
    unspecific: bool = False
    """Nothing in it speaks of this request: if all are answered so, it is the set-up that is wrong."""
    refusal: bool = False
    """The service declines on principle."""
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Flaw:
    """One choice of an answer that is of no use; another try may be better."""

    fault: str
    reason: str
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply with choices, in the order of their index."""

    choices: tuple[Generation | Flaw, ...]
    id: str | None
    usage: Usage | None
    """Tokens as the server counts them; None where it does not say."""


Judgement: TypeAlias = "Answer | Trouble"


def judge(status: int, body: bytes, schema: Mapping[str, JsonValue] | None = None) -> Judgement:
    """Return what a reply means.

    Args:
        status: HTTP status.
        body: The whole body, bounded by whoever read it.
        schema: What the text should follow, where that was asked for.
    """
    if status == 200:
        return _answer(body, schema)
    return _trouble(status, body)


def one_line(text: str, limit: int = _LONGEST_REASON) -> str:
    """Return a text from a server as part of a message: one line, bounded, nothing that looks like a key."""
    line = " ".join(printable(" ".join(text[: limit * 4].split())).split())
    line = _KEY_LIKE.sub("[key]", line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _answer(body: bytes, schema: Mapping[str, JsonValue] | None) -> Judgement:
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        return _useless("half_json", "the reply is not JSON, or was cut", body)
    if not isinstance(reply, dict):
        return _useless("wrong_shape", f"the reply is a {type(reply).__name__}, not an object", body)
    error = reply.get("error")
    if error and not reply.get("choices"):
        return _error_in_200(error, body)
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices:
        return _useless("no_choices", "the reply has no choices", body)
    if not all(isinstance(choice, dict) for choice in choices):
        return _useless("wrong_shape", "a choice is not an object", body)
    counted = reply.get("usage")
    usage = _usage(counted) if isinstance(counted, dict) else None
    share = usage.completion_tokens if usage and len(choices) == 1 else None
    prompt = usage.prompt_tokens if usage else None
    name = reply.get("id")
    return Answer(
        tuple(_choice(choice, schema, prompt, share) for choice in sorted(choices, key=_index)),
        name if isinstance(name, str) and name else None,
        usage,
    )


def _index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _choice(
    choice: Mapping[str, Any],
    schema: Mapping[str, JsonValue] | None,
    prompt_tokens: int | None,
    completion_tokens: int | None,
) -> Generation | Flaw:
    message = choice.get("message")
    if not isinstance(message, dict):
        return Flaw("wrong_shape", "a choice has no message")
    finish = str(choice.get("finish_reason") or "stop").lower()
    text = _text(message.get("content"))
    declined = message.get("refusal")
    if isinstance(declined, str) and declined:
        return _refusal(one_line(declined), text or declined)
    if any(mark in finish for mark in _MODERATED):
        return _refusal("the service filtered the answer", text)
    if text is None:
        return _without_text(message, finish)
    if finish in _CUT and not text.strip():
        reason = "cut before the first word; a model that thinks aloud needs more max_tokens"
        return Generation(text=None, finish_reason="length", error=reason)
    flaw = _flaw(text)
    if flaw is not None:
        return flaw
    clean = text.removeprefix("\ufeff")
    cut = finish in _CUT
    if schema is not None and not cut:
        fitting = fitting_json(clean, schema)
        if fitting is None:
            return Flaw("not_the_schema", "the answer is not the JSON that was asked for", clean[:_LONGEST_RAW])
        clean = fitting
    return Generation(
        text=clean,
        finish_reason="length" if cut else "stop",
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        logprobs=_logprobs(choice.get("logprobs")),
    )


def _without_text(message: Mapping[str, Any], finish: str) -> Generation | Flaw:
    if message.get("tool_calls") or message.get("function_call"):
        return Flaw("tool_calls", "the model called a tool instead of answering")
    if finish in _CUT:
        reason = "cut before the first word; a model that thinks aloud needs more max_tokens"
        return Generation(text=None, finish_reason="length", error=reason)
    return Flaw("null_content", "the answer has no text")


def _flaw(text: str) -> Flaw | None:
    if not text.strip(" \t\r\n\ufeff\u200b"):
        return Flaw("empty", "the answer is empty")
    if _DAMAGED.search(text):
        return Flaw("damaged_text", "the answer holds NUL or half characters", ascii(text[:400]))
    return None


def _refusal(reason: str, text: str | None) -> Generation:
    return Generation(
        text=None, finish_reason="refusal", error=reason, raw=text[:_LONGEST_RAW] if text else None
    )


def _text(content: object) -> str | None:
    """Return the text of a message: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return None


def _usage(counted: Mapping[str, Any]) -> Usage | None:
    prompt, completion = counted.get("prompt_tokens"), counted.get("completion_tokens")
    if not (_is_count(prompt) and _is_count(completion)):
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9


def _logprobs(said: object) -> tuple[float, ...] | None:
    tokens = said.get("content") if isinstance(said, dict) else None
    if not isinstance(tokens, list) or not tokens:
        return None
    values = [token.get("logprob") if isinstance(token, dict) else None for token in tokens]
    if not all(isinstance(v, int | float) and v <= 1e-3 and v == v and v > -1e9 for v in values):
        return None
    return tuple(min(0.0, float(v)) for v in values if v is not None)


def _useless(fault: str, reason: str, body: bytes) -> Trouble:
    return Trouble("again", fault, reason, bounded=True, raw=_raw(body))


def _error_in_200(error: object, body: bytes) -> Trouble:
    """Some gateways wrap a failure of the server behind them in a 200."""
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code <= 599 else 500
    return _trouble(status, body)


def _trouble(status: int, body: bytes) -> Trouble:
    message, words = _said(body)
    reason = f"{status}: {message.rstrip('.')}" if message else f"{status}"
    marks = _marks()
    raw = _raw(body)

    def says(group: str) -> bool:
        return any(mark in words for mark in marks[group])

    if says("spent") or status == 402:
        return Trouble("fatal", "spent", f"{reason}. The account has no credit left there")
    if status == 429:
        return Trouble("refused", "429", reason)
    if status in _TRY_AGAIN:
        return Trouble("again", str(status), reason, down=True)
    if status >= 500:
        return Trouble("again", str(status), reason, down=True, bounded=True)
    if says("moderation") and status in (400, 403, 422, 451):
        return Trouble("reject", "moderation", reason, refusal=True, raw=raw)
    if status in (401, 403, 407):
        return Trouble("fatal", str(status), f"{reason}. Check `api_key_env` and what the key may do")
    if status == 404:
        return Trouble("fatal", "404", f"{reason}. Check the address (it usually ends in /v1) and `model`")
    if status == 413 or says("record"):
        return Trouble("reject", "too_much", reason, raw=raw)
    if 300 <= status < 400 or status < 300:
        return Trouble("again", str(status), f"{reason} is no answer", bounded=True, unspecific=True)
    return Trouble("reject", str(status), reason, unspecific=True, raw=raw)


def _said(body: bytes) -> tuple[str, str]:
    """Return the message of an error reply as one line, and all that can be matched, in lower case."""
    head = body[:8192].decode("utf-8", "replace")
    try:
        reply = json.loads(body) if len(body) <= 65536 else None
    except (ValueError, RecursionError):
        reply = None
    error: Any = reply.get("error", reply) if isinstance(reply, dict) else reply
    if isinstance(error, dict):
        message = error.get("message") or error.get("detail") or error.get("msg") or ""
        text = message if isinstance(message, str) else json.dumps(message)
    else:
        text = error if isinstance(error, str) else head
    if text.lstrip()[:1] == "<":
        text = re.sub(r"<[^<>]*>", " ", text[:4096])
    return one_line(text), head.lower()


def _raw(body: bytes) -> str:
    return one_line(body[:_LONGEST_RAW].decode("utf-8", "replace"), _LONGEST_RAW)


@cache
def _marks() -> dict[str, tuple[str, ...]]:
    found = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {group: tuple(marks) for group, marks in found.items()}
