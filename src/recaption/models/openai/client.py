"""The client: one event loop in one background thread, a plain iterator for any number of calling threads.

Callers prepare requests (pictures are read in their threads) and take answers; the loop alone holds the schedule.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import math
import os
import random
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

from recaption.core.errors import BackendError, BudgetError, ImageError
from recaption.core.protocols import Generation, GenerationRequest, Meter, Picture, Usage
from recaption.models.openai.body import BodyStyle, RequestBody, refuse_unsupported
from recaption.models.openai.choices import Draws
from recaption.models.openai.echoes import REQUEST_ID_PREFIX, Echoes
from recaption.models.openai.endpoint import Endpoint, Ticket
from recaption.models.openai.images import grid_for, picture_uri
from recaption.models.openai.outcome import Answer, Flaw, Trouble, judge
from recaption.models.openai.pacing import Pacing
from recaption.models.openai.patience import Patience
from recaption.models.openai.retry_after import wait_s
from recaption.models.openai.schedule import Job, RetryPolicy, Schedule
from recaption.models.openai.server import ManagedServer
from recaption.models.openai.settings import key_from, place_of
from recaption.models.openai.transport import Lost, Reply, Transport

if TYPE_CHECKING:
    from recaption.models.openai.generator import OpenAIGenerator

__all__ = ["Client"]

_FIRST_CONTACT_S: Final = 20.0
"""An address that was never reached is a wrong address, or a server that nobody has started."""
_HOPELESS_AFTER: Final = 16
"""So many requests without one useful answer to anybody, and it is the set-up that is wrong."""
_WIND_DOWN_S: Final = 10.0
"""After a failure for all, what is under way has so long to be answered: it is paid for."""
_NEW_SHARE: Final = 0.1
_URI: TypeAlias = "tuple[bytes, tuple[int, int]]"


@dataclass(eq=False)
class _Call:
    """One `generate` at work in one calling thread. None in `events` only wakes it up."""

    meter: Meter
    events: SimpleQueue[tuple[int, Sequence[Generation]] | Exception | None] = field(
        default_factory=SimpleQueue
    )


@dataclass(slots=True, eq=False)
class _Asked:
    """One request of a call, until all its draws are there."""

    call: _Call
    position: int
    number: int
    request: GenerationRequest
    body: RequestBody
    draws: Draws
    last_reason: str = ""


_Job: TypeAlias = Job[_Asked]


@dataclass(slots=True)
class _Attempt:
    """One call under way."""

    job: _Job
    kind: tuple[int, int]
    """What its duration depends on: tokens at most, and draws."""
    sent_at: float
    lost_before: int
    given_up: bool = False


class Client:
    """Everything open for one generator. Safe in several threads."""

    def __init__(self, params: OpenAIGenerator.Params) -> None:
        self._params = params
        key = key_from(params.api_key_env, os.environ)
        self._grid = grid_for(params.model, params.image)
        self._style = BodyStyle(
            params.model,
            params.max_tokens_field,
            params.structured,
            params.image.detail,
            params.logprobs,
            params.extra_body,
        )
        self._server = ManagedServer(params.server, params.urls[0]) if params.server else None
        urls = (self._server.url,) if self._server else params.urls
        rate = params.rate
        endpoints = [
            Endpoint(
                url,
                params.in_flight,
                params.probe_s,
                Pacing.fixed_at(time.monotonic(), rate.rpm, rate.tpm) if rate else None,
            )
            for url in urls
        ]
        policy = RetryPolicy(
            backoff_s=params.backoff_s,
            longest_wait_s=params.max_wait_s,
            attempts_in_line=params.max_attempts,
            same_fault=params.same_fault,
            deadline_s=params.deadline_s,
        )
        self._schedule: Schedule[_Asked] = Schedule(endpoints, policy, random.random)
        self._echoes = {url: Echoes() for url in urls}
        self._one_each = dict.fromkeys(urls, params.choices == "one")
        self._patience = Patience(params.hang_s, params.timeout_s)
        self._room = params.in_flight * len(urls)
        self._lock = threading.Lock()
        self._inbox: deque[_Job] = deque()
        self._calls: set[_Call] = set()
        self._hungry: set[_Call] = set()
        self._woken = False
        self._failure: Exception | None = None
        self._broke: tuple[Meter, BudgetError] | None = None
        self._hopeless = 0
        self._usual: tuple[float, float] | None = None
        self._tasks: dict[asyncio.Task[None], _Attempt] = {}
        self._sweeping = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._numbers = itertools.count(1)
        self._session_id = secrets.token_hex(4)
        self._key = key
        if self._server is not None:
            self._server.start()
        self._loop = _new_loop()
        self._transport = self._loop.run_until_complete(self._open_transport())
        self._thread = threading.Thread(target=self._run_loop, name="recaption-openai", daemon=True)
        self._thread.start()
        if self._server is not None:
            self._server.watch(self._server_is)

    # In the calling threads

    def ask(
        self, requests: Sequence[GenerationRequest], meter: Meter
    ) -> Iterator[tuple[int, Sequence[Generation]]]:
        """Yield (position, draws) as answers come in; see `Generator.generate`."""
        for request in requests:
            refuse_unsupported(request.sampling)
        call = _Call(meter)
        with self._lock:
            if self._failure is not None:
                raise _copy(self._failure)
            self._calls.add(call)
        todo = deque(enumerate(requests))
        pictures = _Pictures(requests)
        waiting = 0
        try:
            while todo or waiting:
                if todo and self._has_room(call):
                    position, request = todo.popleft()
                    try:
                        self._submit(call, position, request, pictures)
                        waiting += 1
                    except ImageError as error:
                        yield position, [_image_failure(error)] * request.sampling.n
                for event in _events(call, block=not todo or call in self._hungry):
                    if isinstance(event, Exception):
                        raise event
                    waiting -= 1
                    yield event
        finally:
            with self._lock:
                self._calls.discard(call)
                self._hungry.discard(call)
            if waiting:
                self._on_loop(self._abandon, call)

    def close(self) -> None:
        """Stop the loop, drop connections, stop the server."""
        if self._server is not None:
            self._server.stop()
        if self._thread.is_alive():
            self._on_loop(self._shut_down)
            self._thread.join()

    def _has_room(self, call: _Call) -> bool:
        """Return whether to prepare one more request: enough are ready to fill every slot, and not many more."""
        if self._unsent() < self._room:
            return True
        self._hungry.add(call)
        if self._unsent() < self._room:  # the loop may have gone past before we were on the list
            self._hungry.discard(call)
            return True
        return False

    def _unsent(self) -> int:
        return len(self._inbox) + self._schedule.fresh

    def _submit(self, call: _Call, position: int, request: GenerationRequest, pictures: _Pictures) -> None:
        image = pictures.uri(request.image, self._uri) if request.image is not None else None
        asked = _Asked(
            call,
            position,
            next(self._numbers),
            request,
            RequestBody(self._style, request, image),
            Draws(request.sampling),
        )
        wanted = asked.draws.wanted()
        alone = all(self._one_each.values())
        for draws in [(draw,) for draw in wanted] if alone else [wanted]:
            self._inbox.append(self._job(asked, draws))
        self._wake()

    def _uri(self, picture: Picture) -> _URI:
        return picture_uri(picture, self._grid, self._params.image)

    @staticmethod
    def _job(asked: _Asked, draws: tuple[int, ...], after: _Job | None = None) -> _Job:
        prompt, answer = asked.body.most_tokens
        job = Job(asked, draws, float(prompt + answer * len(draws)))
        if after is not None:
            job.first_sent, job.faults, job.last_url = (
                after.first_sent,
                Counter(after.faults),
                after.last_url,
            )
        return job

    def _wake(self) -> None:
        with self._lock:
            if self._woken:
                return
            self._woken = True
        self._on_loop(self._take_in)

    def _on_loop(self, function: Callable[..., object], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError as error:
            raise BackendError(f"{self._params.model}: the client was closed while it was at work") from error

    # In the loop

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _open_transport(self) -> Transport:
        params, headers = self._params, dict(self._params.headers)
        if self._key is not None:
            bearer = params.api_key_header.lower() == "authorization"
            headers[params.api_key_header] = f"Bearer {self._key}" if bearer else self._key
        return Transport(
            params.in_flight * len(self._schedule.endpoints),
            headers,
            params.max_body_bytes,
            params.proxy_from_env,
        )

    def _take_in(self) -> None:
        with self._lock:
            self._woken = False
        while self._inbox:
            self._schedule.add(self._inbox.popleft())
        self._pump()

    def _pump(self) -> None:
        """Send all that may be sent now, and see to it that this is called again in time."""
        while self._failure is None and self._broke is None:
            now = time.monotonic()
            picked = self._schedule.start(now)
            if picked is None:
                break
            job, endpoint = picked
            if len(job.draws) > 1 and self._one_each[endpoint.url]:
                self._split(job)
                continue
            try:
                most = self._most(job)
                job.owner.call.meter.reserve(self._params.model, most)
            except BudgetError as error:
                self._schedule.return_unsent(job)
                self._broke = (job.owner.call.meter, error)
                break
            except BackendError as error:
                self._fail(error)
                break
            ticket = self._schedule.sent(job, endpoint, now)
            kind = (job.owner.request.sampling.max_tokens, len(job.draws))
            attempt = _Attempt(job, kind, ticket.sent_at, job.faults["hang"])
            task = self._loop.create_task(self._attempt(attempt, endpoint, ticket, most))
            self._tasks[task] = attempt
            task.add_done_callback(self._over)
        if self._broke is not None and not self._tasks:
            self._stop_for_budget(*self._broke)
        self._signal_room()
        self._set_timer()
        if self._tasks and not self._sweeping:
            self._sweep()

    def _sweep(self) -> None:
        """Give up calls that take too long, by what is known now: more than when they were sent."""
        now = time.monotonic()
        for task, attempt in self._tasks.items():
            limit = self._patience.limit_s(attempt.kind, attempt.lost_before)
            if now - attempt.sent_at > limit and not attempt.given_up:
                attempt.given_up = True
                task.cancel()
        self._sweeping = bool(self._tasks)
        if self._sweeping:
            self._loop.call_later(self._params.hang_s / 4, self._sweep)

    def _split(self, job: _Job) -> None:
        for draw in job.draws:
            self._schedule.add(self._job(job.owner, (draw,), job))

    def _over(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            if not isinstance(error, BackendError):
                error = BackendError(f"{self._params.model}: {type(error).__name__}: {error}")
            self._fail(error)
        if self._failure is not None and not self._tasks:
            self._tell_all(self._failure)
        self._pump()

    async def _attempt(self, attempt: _Attempt, endpoint: Endpoint, ticket: Ticket, most: Usage) -> None:
        job, kind = attempt.job, attempt.kind
        asked = job.owner
        request_id = f"{REQUEST_ID_PREFIX}{self._session_id}-{asked.number}-{job.attempts}"
        parts = asked.body.parts(job.draws, max(0, job.faults["useless"] - 1))
        got: Reply | Lost | None = None
        used = most
        try:
            got = await self._transport.post(
                endpoint.url + self._params.path, parts, request_id, self._params.timeout_s
            )
        except asyncio.CancelledError:
            if not attempt.given_up:
                raise
            got = Lost("hang", f"no answer within {time.monotonic() - ticket.sent_at:.1f} s")
        finally:
            now = time.monotonic()
            verdict = self._verdict(got, job, endpoint, request_id)
            used = self._used(got, verdict, most, len(job.draws))
            asked.call.meter.settle(self._params.model, most, used)
            headers = got.headers if isinstance(got, Reply) else {}
            tokens = used.prompt_tokens + used.completion_tokens if isinstance(verdict, Answer) else None
            endpoint.ended(now, ticket, headers, tokens)
            self._broke = None
        if isinstance(verdict, Answer):
            self._patience.saw(kind, now - ticket.sent_at)
            self._answered(job, endpoint, ticket, verdict, now)
        else:
            self._troubled(job, endpoint, ticket, verdict, got, now)

    def _verdict(
        self, got: Reply | Lost | None, job: _Job, endpoint: Endpoint, request_id: str
    ) -> Answer | Trouble:
        if got is None:
            return Trouble("again", "cancelled", "cancelled")
        if isinstance(got, Lost):
            down = got.fault in ("unreachable", "hang", "reset")
            return Trouble("again", got.fault, got.reason, down=down, bounded=got.bounded)
        schema = job.owner.request.schema if self._params.structured != "off" else None
        verdict = judge(got.status, got.body, schema)
        if isinstance(verdict, Trouble):
            return verdict
        if Echoes.swapped(request_id, got.headers.get("X-Request-Id")):
            return Trouble("again", "swapped", "the answer belongs to another request", bounded=True)
        if self._echoes[endpoint.url].stale(job.owner.number, verdict.id, got.body):
            return Trouble("again", "stale", "the answer was given before, to another request", bounded=True)
        return verdict

    def _answered(self, job: _Job, endpoint: Endpoint, ticket: Ticket, answer: Answer, now: float) -> None:
        asked, choices = job.owner, answer.choices
        good = [choice if isinstance(choice, Generation) else None for choice in choices]
        endpoint.answered(now, ticket, useful=any(good))
        if len(choices) < len(job.draws):
            self._one_each[endpoint.url] = True
        missing = asked.draws.fill(job.draws, good)
        flaws = {draw: c for draw, c in zip(job.draws, choices, strict=False) if isinstance(c, Flaw)}
        for name in {flaw.fault for flaw in flaws.values()}:
            job.faults[name] += 1
            job.faults["useless"] += 1
        for draw in missing:
            flaw = flaws.get(draw)
            if flaw is not None and job.faults[flaw.fault] >= self._params.same_fault:
                self._no_use(asked, (draw,), flaw.reason, flaw.raw)
            elif len(job.draws) == 1:
                self._again(job, flaw.reason if flaw else "", now, None)
            else:
                self._schedule.add(self._job(asked, (draw,), job))
        self._deliver(asked)

    def _troubled(
        self,
        job: _Job,
        endpoint: Endpoint,
        ticket: Ticket,
        trouble: Trouble,
        got: Reply | Lost | None,
        now: float,
    ) -> None:
        asked, policy = job.owner, self._schedule.policy
        reason = f"{place_of(endpoint.url)}: {self._redacted(trouble.reason)}"
        job.faults[trouble.fault] += 1
        wait = (
            wait_s(got.headers, time.time(), policy.longest_wait_s)
            if isinstance(got, Reply) and (got.status == 429 or trouble.down)
            else None
        )
        if trouble.down:
            endpoint.failed(now)
        elif trouble.move != "refused":
            endpoint.answered(now, ticket, useful=trouble.move == "reject" and not trouble.unspecific)
        if trouble.move == "refused" or wait is not None:
            endpoint.refused(now, ticket, wait, policy.backoff_s, policy.longest_backoff_s)
        if trouble.move == "fatal":
            self._fail(BackendError(f"{self._params.model}: {reason}"))
            return
        if trouble.move == "reject":
            failure = Generation(
                text=None,
                finish_reason="refusal" if trouble.refusal else "error",
                error=reason,
                raw=trouble.raw,
            )
            asked.draws.give_up(job.draws, failure)
            self._deliver(asked)
            if trouble.unspecific:
                self._count_hopeless(reason)
        elif trouble.bounded and job.faults[trouble.fault] >= policy.same_fault:
            self._no_use(asked, job.draws, reason, trouble.raw)
            self._deliver(asked)
        else:
            if trouble.bounded and not trouble.down:
                job.faults["useless"] += 1
            self._again(job, reason, now, wait, patient=trouble.move == "refused")
        self._check_outage(trouble, reason, now)

    def _again(self, job: _Job, reason: str, now: float, wait: float | None, *, patient: bool = False) -> None:
        job.owner.last_reason = reason
        if self._schedule.again(job, now, wait, patient=patient):
            return
        first = job.first_sent or now
        if not any((e.last_answer or -math.inf) > first for e in self._schedule.endpoints):
            self._fail(BackendError(f"{self._params.model}: no answer for {now - first:.0f} s. Last: {reason}"))
            return
        error = f"no answer within {self._params.deadline_s:g} s and {job.attempts} attempts. Last: {reason}"
        job.owner.draws.give_up(
            job.draws, Generation(text=None, finish_reason="error", error=error, retryable=True)
        )
        self._deliver(job.owner)

    def _no_use(self, asked: _Asked, draws: tuple[int, ...], reason: str, raw: str | None) -> None:
        error = f"{reason} ({self._params.same_fault} times)"
        asked.draws.give_up(
            draws, Generation(text=None, finish_reason="error", error=error, retryable=True, raw=raw)
        )
        self._count_hopeless(error)

    def _count_hopeless(self, reason: str) -> None:
        """Stop where nobody gets an answer: else a wrong setting would cost one call, and one reject, per record."""
        if any(endpoint.answers for endpoint in self._schedule.endpoints):
            return
        self._hopeless += 1
        if self._hopeless >= min(_HOPELESS_AFTER, self._room):
            self._fail(
                BackendError(
                    f"{self._params.model}: none of the first {self._hopeless} requests was answered. Last: {reason}"
                )
            )

    def _check_outage(self, trouble: Trouble, reason: str, now: float) -> None:
        endpoints = self._schedule.endpoints
        since = [endpoint.breaker.failing_since for endpoint in endpoints]
        if not trouble.down or any(endpoint.held for endpoint in endpoints):
            return
        down = min(now - start if start is not None else 0.0 for start in since)
        never = trouble.fault == "unreachable" and not any(e.ever_reached for e in endpoints)
        limit = min(self._params.outage_s, _FIRST_CONTACT_S) if never else self._params.outage_s
        if down >= limit:
            hint = " Is the server running, and the address right?" if never else ""
            self._fail(BackendError(f"{self._params.model}: {reason}, for {down:.0f} s now.{hint}"))

    def _deliver(self, asked: _Asked) -> None:
        complete = asked.draws.complete()
        if complete is not None:
            asked.call.events.put((asked.position, complete))

    def _most(self, job: _Job) -> Usage:
        prompt, answer = job.owner.body.most_tokens
        return self._usage(prompt, answer * len(job.draws))

    def _usage(self, prompt_tokens: int, completion_tokens: int) -> Usage:
        cost = self._params.price.of(prompt_tokens, completion_tokens)
        return Usage(requests=1, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, cost=cost)

    def _used(self, got: Reply | Lost | None, verdict: Answer | Trouble, most: Usage, draws: int) -> Usage:
        """Return what a call has cost; where nobody says, what such calls usually cost, at most `most`."""
        if isinstance(verdict, Answer) and verdict.usage is not None:
            prompt, answer = verdict.usage.prompt_tokens, verdict.usage.completion_tokens
            old = self._usual or (prompt, answer / draws)
            self._usual = (
                old[0] + _NEW_SHARE * (prompt - old[0]),
                old[1] + _NEW_SHARE * (answer / draws - old[1]),
            )
            return self._usage(prompt, answer)
        if isinstance(got, Lost) and not got.sent:
            return Usage()
        if isinstance(got, Reply) and got.status != 200:
            return Usage(requests=1)
        if self._usual is None:
            return most
        prompt, answer = round(self._usual[0]), round(self._usual[1] * draws)
        return self._usage(min(prompt, most.prompt_tokens), min(answer, most.completion_tokens))

    def _redacted(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text

    def _signal_room(self) -> None:
        if self._hungry and self._unsent() <= self._room // 2:
            for call in list(self._hungry):
                self._hungry.discard(call)
                call.events.put(None)

    def _set_timer(self) -> None:
        now = time.monotonic()
        wake = self._schedule.wake_at(now) if self._failure is None and self._broke is None else math.inf
        if wake == self._timer_at and self._timer is not None and wake > now:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = wake
        if wake < math.inf:
            # A little late: a timer that fires early would be set again and again.
            self._timer = self._loop.call_later(max(0.0, wake - now) + 0.0005, self._pump)

    def _stop_for_budget(self, meter: Meter, error: BudgetError) -> None:
        self._broke = None
        with self._lock:
            calls = [call for call in self._calls if call.meter is meter]
        self._schedule.remove(lambda job: job.owner.call.meter is meter)
        for call in calls:
            call.events.put(_copy(error))
        if len(self._schedule):
            self._loop.call_soon(self._pump)

    def _fail(self, error: Exception) -> None:
        """End all calls: at once where nothing is under way, else when what is paid for has come in."""
        if self._failure is not None:
            return
        with self._lock:
            self._failure = error
        self._schedule.remove(lambda job: True)
        if self._tasks:
            self._loop.call_later(_WIND_DOWN_S, self._cancel_tasks)
        else:
            self._tell_all(error)

    def _tell_all(self, error: Exception) -> None:
        with self._lock:
            calls, self._calls = self._calls, set()
        for call in calls:
            call.events.put(_copy(error))

    def _cancel_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def _abandon(self, call: _Call) -> None:
        while self._inbox:
            self._schedule.add(self._inbox.popleft())
        self._schedule.remove(lambda job: job.owner.call is call)
        for task, attempt in list(self._tasks.items()):
            if attempt.job.owner.call is call:
                task.cancel()

    def _server_is(self, up: bool, failure: str | None) -> None:
        """Take word from the thread that watches the server."""

        def note() -> None:
            for endpoint in self._schedule.endpoints:
                endpoint.held = not up
            if failure is not None:
                self._fail(BackendError(f"{self._params.model}: {failure}"))
            self._pump()

        self._on_loop(note)

    def _shut_down(self) -> None:
        self._fail(BackendError(f"{self._params.model}: the client was closed while it was at work"))
        self._cancel_tasks()

        async def finish() -> None:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._transport.close()
            self._loop.stop()

        self._closing = self._loop.create_task(finish())


class _Pictures:
    """The data URIs of one call: each picture read once, and kept only while a later request needs it."""

    def __init__(self, requests: Sequence[GenerationRequest]) -> None:
        self._uses = Counter(request.image.digest for request in requests if request.image is not None)
        self._kept: dict[str, _URI] = {}

    def uri(self, picture: Picture, make: Callable[[Picture], _URI]) -> _URI:
        digest = picture.digest
        self._uses[digest] -= 1
        uri = self._kept.get(digest) or make(picture)
        if self._uses[digest] > 0:
            self._kept[digest] = uri
        else:
            self._kept.pop(digest, None)
        return uri


def _events(call: _Call, block: bool) -> Iterator[tuple[int, Sequence[Generation]] | Exception]:
    """Yield what has come in; where nothing has, wait for it or not."""
    try:
        event = call.events.get(block)
        while True:
            if event is not None:
                yield event
            event = call.events.get_nowait()
    except Empty:
        return


def _image_failure(error: ImageError) -> Generation:
    return Generation(text=None, finish_reason="error", error=f"image: {error}", retryable=error.retryable)


def _copy(error: Exception) -> Exception:
    """Return an exception for one thread: one that several threads raise gathers the frames of all."""
    return type(error)(*error.args)


def _new_loop() -> asyncio.AbstractEventLoop:
    if importlib.util.find_spec("uvloop") is not None:
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        return loop
    return asyncio.new_event_loop()
