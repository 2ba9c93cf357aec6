"""OpenAI's batch mode by files: requests written as JSON Lines, answers read back by their id, in any order.

    batch = BatchFiles(OpenAIParams(url=…, model=…), Path("batch"))
    batch.write(requests)     # batch/requests/0001-0000.jsonl …: upload these
    …                         # put every output and error file you get into batch/answers/
    batch.read(requests)      # what is answered, what failed for good, what is unfinished
    batch.write(requests)     # only what is unfinished, as files 0002-…

Nothing is remembered beside these files: lines that are missing, doubled, torn, expired or of no use are found out
each time, and a request is written again exactly until it has an answer or a failure that will not pass.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from recaption.core.errors import ImageError, UserError
from recaption.core.protocols import Generation, GenerationRequest, Usage
from recaption.models.openai.body import RequestBody, refuse_unsupported
from recaption.models.openai.choices import Draws
from recaption.models.openai.images import grid_for, picture_uri
from recaption.models.openai.outcome import Answer, Trouble, judge
from recaption.models.openai.params import OpenAIParams
from recaption.models.openai.settings import BatchLimits

__all__ = ["BatchFiles", "BatchState"]

_LONGEST_ID: Final = 60
_MARK: Final = "::"
"""Between a request's id and the number of its draw; no id holds it."""
_PART: Final = ".part"


@dataclass(slots=True)
class BatchState:
    """What is known of some requests."""

    answers: dict[str, list[Generation]] = field(default_factory=dict)
    """By id, all draws. A failure that will not pass is an answer too: a Generation without a text."""
    unfinished: list[str] = field(default_factory=list)
    """Missing, expired, failed for the moment, or answered with nothing of use; in the order of the requests."""
    usage: Usage = field(default_factory=Usage)
    """Of all lines that came back with a count, doubled ones too: each was paid for."""
    doubled: int = 0
    unknown: int = 0
    """Lines with an id that nobody asked for."""
    damaged: int = 0
    """Lines that are no JSON, or too long."""


class BatchFiles:
    """The files of one batch job, in `folder`; one process at a time."""

    def __init__(self, params: OpenAIParams, folder: Path, limits: BatchLimits | None = None) -> None:
        self._params, self._limits = params, limits or BatchLimits()
        self._grid = grid_for(params.model, params.image)
        self._style = params.body_style
        self.requests_folder, self.answers_folder = folder / "requests", folder / "answers"
        for place in (self.requests_folder, self.answers_folder):
            place.mkdir(parents=True, exist_ok=True)

    def write(self, requests: Mapping[str, GenerationRequest]) -> list[Path]:
        """Write what is unfinished, in as many files as the limits ask for, and return them.

        A picture that cannot be read is left out; `read` says so.

        Args:
            requests: By id: at most 60 characters, printable ASCII, without `::`.

        Raises:
            UserError: An id cannot be used, or one line alone is larger than a file may be.
        """
        _, draws = self._survey(requests)
        attempt = 1 + max((int(path.name[:4]) for path in self.requests_folder.glob("*.jsonl")), default=0)
        written: list[Path] = []
        part: _File | None = None
        try:
            for line in self._lines(requests, draws):
                if len(line) > self._limits.max_bytes:
                    raise UserError(
                        f"one request has {len(line):,} bytes, more than a file may have. Shrink images."
                    )
                if part is None or not part.takes(line, self._limits):
                    if part is not None:
                        written.append(part.finish())
                    part = _File(self.requests_folder / f"{attempt:04}-{len(written):04}.jsonl")
                part.add(line)
            if part is not None:
                written.append(part.finish())
        except BaseException:
            if part is not None:
                part.abandon()
            raise
        return written

    def read(self, requests: Mapping[str, GenerationRequest]) -> BatchState:
        """Return what the files in `answers/` say about these requests; the first good answer to each draw counts."""
        return self._survey(requests)[0]

    def _survey(self, requests: Mapping[str, GenerationRequest]) -> tuple[BatchState, dict[str, Draws]]:
        state = BatchState()
        draws = {name: Draws(_checked(name, request).sampling) for name, request in requests.items()}
        failures: dict[tuple[str, int], Generation] = {}
        for line in self._answer_lines(state):
            name, _, number = str(line.get("custom_id", "")).rpartition(_MARK)
            draw = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else -1
            if name not in draws or draw not in draws[name].wanted():
                state.unknown += 1
                continue
            generation = self._generation(line, requests[name], state)
            if draw in draws[name].done:
                state.doubled += 1
            elif generation is not None and generation.text is not None:
                draws[name].fill((draw,), (generation,))
            elif generation is not None:
                failures.setdefault((name, draw), generation)
        for (name, draw), failure in failures.items():
            draws[name].give_up((draw,), failure)
        for name, found in draws.items():
            complete = found.complete()
            if complete is not None:
                state.answers[name] = complete
            else:
                state.unfinished.append(name)
        return state, draws

    def _lines(self, requests: Mapping[str, GenerationRequest], draws: Mapping[str, Draws]) -> Iterator[bytes]:
        for name, request in requests.items():
            missing = [draw for draw in draws[name].wanted() if draw not in draws[name].done]
            if not missing:
                continue
            try:
                image = picture_uri(request.image, self._grid, self._params.image) if request.image else None
            except ImageError:
                continue
            body = RequestBody(self._style, request, image)
            for draw in missing:
                head = json.dumps({"custom_id": f"{name}{_MARK}{draw}", "method": "POST"})[:-1]
                start = f'{head}, "url": "/v1{self._params.path}", "body": '.encode()
                yield b"".join((start, *body.parts((draw,), 0), b"}\n"))

    def _answer_lines(self, state: BatchState) -> Iterator[Mapping[str, Any]]:
        longest = self._params.max_body_bytes + 65_536
        for path in sorted(self.answers_folder.glob("*.jsonl")):
            with path.open("rb") as file:
                while line := file.readline(longest):
                    if not line.endswith(b"\n") and len(line) == longest:
                        while line and not line.endswith(b"\n"):
                            line = file.readline(longest)
                        state.damaged += 1
                        continue
                    if not line.strip():
                        continue
                    try:
                        value = json.loads(line)
                    except (ValueError, RecursionError):
                        value = None
                    if isinstance(value, dict):
                        yield value
                    else:
                        state.damaged += 1

    def _generation(
        self, line: Mapping[str, Any], request: GenerationRequest, state: BatchState
    ) -> Generation | None:
        """Return an answer or a failure that will not pass; None where the request should be made again."""
        response = line.get("response")
        if not isinstance(response, dict):
            return None  # expired, or failed before anybody looked at it
        status, body = response.get("status_code"), response.get("body")
        schema = request.schema if self._params.structured != "off" else None
        verdict = judge(status if isinstance(status, int) else 500, json.dumps(body).encode(), schema)
        if isinstance(verdict, Trouble):
            if verdict.move != "reject":
                return None
            finish = "refusal" if verdict.refusal else "error"
            return Generation(
                text=None,
                finish_reason="refusal" if finish == "refusal" else "error",
                error=verdict.reason,
                raw=verdict.raw,
            )
        state.usage += self._used(verdict)
        choice = verdict.choices[0]
        return choice if isinstance(choice, Generation) else None

    def _used(self, answer: Answer) -> Usage:
        if answer.usage is None:
            return Usage(requests=1)
        prompt, completion = answer.usage.prompt_tokens, answer.usage.completion_tokens
        cost = self._params.price.of(prompt, completion)
        return Usage(requests=1, prompt_tokens=prompt, completion_tokens=completion, cost=cost)


class _File:
    """One file of requests, under another name until it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}{_PART}")
        self._file = self._part.open("wb")
        self._lines = self._bytes = 0

    def takes(self, line: bytes, limits: BatchLimits) -> bool:
        return self._lines < limits.max_lines and self._bytes + len(line) <= limits.max_bytes

    def add(self, line: bytes) -> None:
        self._file.write(line)
        self._lines += 1
        self._bytes += len(line)

    def finish(self) -> Path:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)
        return self._path

    def abandon(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


def _checked(name: str, request: GenerationRequest) -> GenerationRequest:
    refuse_unsupported(request.sampling)
    if not (0 < len(name) <= _LONGEST_ID and name.isascii() and name.isprintable()) or _MARK in name:
        raise UserError(
            f"{name[:80]!r} cannot be the id of a batch request: "
            f"1 to {_LONGEST_ID} printable ASCII characters without {_MARK!r}. A digest of the record's key will do."
        )
    return request
