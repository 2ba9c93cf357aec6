"""One function per way of answering a chat request, right or wrong."""

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from tests.servers.plans import Plan
from tests.servers.retry_after import FORMS

__all__ = ["REPLIES", "Question", "caption", "completion"]

_BLOCK: Final = b" " * 65536
_MOST_ENDLESS: Final = 2**30


@dataclass(frozen=True)
class Question:
    """A request, taken apart."""

    image: str
    n: int
    seed: int
    max_tokens: int
    logprobs: bool
    model: str
    number: int
    plan: Plan
    headers: Mapping[str, str]


def caption(image: str, seed: int, choice: int) -> str:
    """Return the caption of a picture, by which right, swapped and doubled answers can be told."""
    view = "" if seed == 0 and choice == 0 else f"(view {seed + choice}) "
    return f"A small picture {image[:16]} {view}of coloured blocks on a plain ground."


def completion(question: Question, **changes: Any) -> dict[str, Any]:
    """Return the body of a right answer, every choice changed as said: `content`, `finish_reason`, `refusal`…"""
    whole = changes.pop("finish_reason", "stop")
    choices = []
    words = 0
    for i in range(1 if question.plan.ignore_n else question.n):
        said = question.plan.says or caption(question.image, question.seed, i)
        text, finish = _cut(said, question.max_tokens, whole)
        words += len(text.split())
        message = {"role": "assistant", "content": text, **changes}
        told = None
        if question.logprobs:
            told = {"content": [{"token": w, "logprob": -0.25, "top_logprobs": []} for w in text.split()]}
        choices.append({"index": i, "message": message, "logprobs": told, "finish_reason": finish})
    return {
        "id": f"chatcmpl-{question.number}",
        "object": "chat.completion",
        "created": 0,
        "model": question.model,
        "choices": choices,
        "usage": {"prompt_tokens": 100, "completion_tokens": words, "total_tokens": 100 + words},
    }


def _cut(text: str, max_tokens: int, finish: str) -> tuple[str, str]:
    """Return a text of at most so many words, and how it ended."""
    words = text.split()
    return (text, finish) if len(words) < max_tokens else (" ".join(words[:max_tokens]), "length")


Reply = Callable[[web.Request, Question], Awaitable[web.StreamResponse]]


async def _sent(
    request: web.Request,
    question: Question,
    body: bytes,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Answer with a body, and come back once it was handed over."""
    response = web.Response(
        body=body,
        status=status,
        content_type="application/json",
        headers={**question.headers, **(headers or {})},
    )
    await response.prepare(request)
    await response.write_eof()
    return response


def _json(**changes: Any) -> Reply:
    async def reply(request: web.Request, question: Question) -> web.StreamResponse:
        return await _sent(request, question, json.dumps(completion(question, **changes)).encode())

    return reply


def _error(status: int, message: str, kind: str, code: str | None = None) -> Reply:
    body = json.dumps({"error": {"message": message, "type": kind, "code": code, "param": None}}).encode()

    async def reply(request: web.Request, question: Question) -> web.StreamResponse:
        return await _sent(request, question, body, status)

    return reply


async def _told_to_wait(request: web.Request, question: Question) -> web.StreamResponse:
    body = b'{"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}'
    return await _sent(request, question, body, 429, _when(question.plan.retry_after))


def _when(said: Mapping[str, str] | str) -> Mapping[str, str]:
    if not isinstance(said, str):
        return said
    kind, _, name = said.partition("form:")
    if kind or not name:
        return {"Retry-After": said}
    return next(form for form in FORMS if form.name == name).headers()


async def _reset(request: web.Request, question: Question) -> web.StreamResponse:
    """Drop the connection as a crashed server's kernel does."""
    if request.transport is not None:
        raw = request.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


async def _begun(request: web.Request, question: Question, body: bytes) -> web.StreamResponse:
    """Send the headers of a whole answer, and half of it."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    return response


async def _reset_mid_body(request: web.Request, question: Question) -> web.StreamResponse:
    response = await _begun(request, question, json.dumps(completion(question)).encode())
    await _reset(request, question)
    return response


async def _hang(request: web.Request, question: Question) -> web.StreamResponse:
    await asyncio.sleep(question.plan.hang_s)
    return await _reset(request, question)


async def _stall_mid_body(request: web.Request, question: Question) -> web.StreamResponse:
    response = await _begun(request, question, json.dumps(completion(question)).encode())
    await _hang(request, question)
    return response


async def _drip(request: web.Request, question: Question) -> web.StreamResponse:
    body = json.dumps(completion(question)).encode()
    response = await _begun(request, question, body)
    for byte in body[len(body) // 2 :]:
        await asyncio.sleep(question.plan.drip_s)
        await response.write(bytes([byte]))
    return response


async def _endless(request: web.Request, question: Question) -> web.StreamResponse:
    """Begin an answer and never stop: white space, which is good JSON for ever."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(_MOST_ENDLESS // len(_BLOCK)):
        await response.write(_BLOCK)
    return response


async def _redirect(request: web.Request, question: Question) -> web.StreamResponse:
    return await _sent(request, question, b"", 307, {"Location": f"{request.path}?redirected"})


async def _half_json(request: web.Request, question: Question) -> web.StreamResponse:
    body = json.dumps(completion(question)).encode()
    return await _sent(request, question, body[: len(body) // 2])


async def _wrong_schema(request: web.Request, question: Question) -> web.StreamResponse:
    return await _sent(request, question, b'{"choices": "many", "usage": [1, 2]}')


async def _missing_choices(request: web.Request, question: Question) -> web.StreamResponse:
    body = completion(question)
    del body["choices"]
    return await _sent(request, question, json.dumps(body).encode())


async def _gzip(request: web.Request, question: Question) -> web.StreamResponse:
    body = gzip.compress(json.dumps(completion(question)).encode())
    return await _sent(request, question, body, headers={"Content-Encoding": "gzip"})


async def _odd_id(request: web.Request, question: Question) -> web.StreamResponse:
    return await _sent(
        request, question, json.dumps({**completion(question), "id": "same-for-all", "created": None}).encode()
    )


async def _megabyte(request: web.Request, question: Question) -> web.StreamResponse:
    text = caption(question.image, question.seed, 0) + " blocks" * 150_000
    return await _sent(request, question, json.dumps(completion(question, content=text)).encode())


_CALL: Final = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}

REPLIES: Final[Mapping[str, Reply]] = {
    "ok": _json(),
    "swapped": _json(),  # the server hands it the other one's picture
    "gzip": _gzip,
    "odd_id": _odd_id,
    "length": _json(content="A small picture of col", finish_reason="length"),
    "refusal": _json(content=None, refusal="I cannot help with that.", finish_reason="content_filter"),
    "nul": _json(content="A small\0picture"),
    "surrogate": _json(content="A small \ud800 picture"),
    "megabyte": _megabyte,
    "429": _error(429, "Rate limit reached", "requests", "rate_limit_exceeded"),
    "429_retry_after": _told_to_wait,
    "500": _error(500, "Internal error", "server_error"),
    "502": _error(502, "Bad gateway", "server_error"),
    "503": _error(503, "Overloaded", "server_error"),
    "504": _error(504, "Gateway timeout", "server_error"),
    "400": _error(
        400,
        "This model's maximum context length is 64 tokens.",
        "invalid_request_error",
        "context_length_exceeded",
    ),
    "401": _error(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
    "404": _error(404, "The model does not exist.", "invalid_request_error", "model_not_found"),
    "413": _error(413, "Request too large.", "invalid_request_error"),
    "moderation": _error(403, "Flagged by moderation.", "invalid_request_error", "content_policy_violation"),
    "reset_before_headers": _reset,
    "reset_mid_body": _reset_mid_body,
    "hang": _hang,
    "stall_mid_body": _stall_mid_body,
    "drip": _drip,
    "endless": _endless,
    "redirect": _redirect,
    "half_json": _half_json,
    "wrong_schema": _wrong_schema,
    "missing_choices": _missing_choices,
    "null_content": _json(content=None),
    "empty_content": _json(content=""),
    "tool_calls": _json(content=None, tool_calls=[_CALL], finish_reason="tool_calls"),
}
