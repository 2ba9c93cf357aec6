"""The loop's side of the client: takes jobs, keeps every slot busy, wakes up in time, ends in good order."""

from __future__ import annotations

import asyncio
import math
import secrets
import threading
import time
from collections import deque
from typing import Final

from recaption.core.errors import BackendError, BudgetError
from recaption.core.protocols import Meter
from recaption.models.openai.calls import Asked, Attempt, AttemptJob, Call, job_for
from recaption.models.openai.costs import Costs
from recaption.models.openai.echoes import REQUEST_ID_PREFIX
from recaption.models.openai.outcome import Answer
from recaption.models.openai.patience import Patience
from recaption.models.openai.replies import Replies
from recaption.models.openai.schedule import Schedule
from recaption.models.openai.silence import Silence
from recaption.models.openai.transport import Lost, Reply, Transport

__all__ = ["Engine"]

_WIND_DOWN_S: Final = 10.0
"""After a failure for all, what is under way has so long to be answered: it is paid for."""
_LISTEN_S: Final = 1.0
_LATE_S: Final = 0.0005
"""A timer that fires a little early would be set again and again."""


class Engine:
    """Everything that happens in the loop. What other threads may use says so."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: Transport,
        schedule: Schedule[Asked],
        costs: Costs,
        patience: Patience,
        *,
        model: str,
        path: str,
        timeout_s: float,
        sweep_s: float,
    ) -> None:
        self._loop, self._transport, self._schedule = loop, transport, schedule
        self._costs, self._patience = costs, patience
        self._model, self._path, self._timeout_s, self._sweep_s = model, path, timeout_s, sweep_s
        self.replies: Replies
        self._room = sum(endpoint.limit for endpoint in schedule.endpoints)
        self._run = secrets.token_hex(4)
        self._lock = threading.Lock()
        """Of the inbox' bell, the calls, and the failure; the rest is the loop's alone."""
        self._inbox: deque[AttemptJob] = deque()
        self._rung = False
        self._calls: set[Call] = set()
        self._hungry: set[Call] = set()
        self._failure: BackendError | None = None
        self._broke: tuple[Meter, BudgetError] | None = None
        self._tasks: dict[asyncio.Task[Reply | Lost], Attempt] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._sweeping = False
        self.silence = Silence(model)
        self._listening = False

    # For any thread

    def enter(self, call: Call) -> None:
        """Begin a call. Raises BackendError where the end has come for everybody."""
        with self._lock:
            if self._failure is not None:
                raise BackendError(str(self._failure))
            self._calls.add(call)

    def leave(self, call: Call, *, finished: bool) -> None:
        """End a call; what is left of an unfinished one is dropped."""
        with self._lock:
            self._calls.discard(call)
            self._hungry.discard(call)
        if not finished:
            self.soon(self._abandon, call)

    def submit(self, job: AttemptJob) -> None:
        """Put a job into the queue."""
        self._inbox.append(job)
        with self._lock:
            rung, self._rung = self._rung, True
        if not rung:
            self.soon(self._take_in)

    def has_room(self, call: Call) -> bool:
        """Return whether one more request is wanted: enough are ready to fill every slot, and not many more.

        Where none is, the call is woken up when one is.
        """
        if self._unsent() < self._room:
            return True
        self._hungry.add(call)
        if self._unsent() < self._room:  # the loop may have gone past before the call was on the list
            self._hungry.discard(call)
            return True
        return False

    def soon(self, function: object, *args: object) -> None:
        """Have the loop call a function. Silent once the loop is closed: then there is nothing left to do."""
        try:
            self._loop.call_soon_threadsafe(function, *args)  # type: ignore[arg-type]
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    # In the loop

    def hold(self, held: bool, failure: str | None = None) -> None:
        """Send nothing while the server of ours is being started; end everything if it will not come back."""
        for endpoint in self._schedule.endpoints:
            endpoint.held = held
        if failure is not None:
            self.fail(BackendError(f"{self._model}: {failure}"))
        self._pump()

    def fail(self, error: BackendError) -> None:
        """End all calls: at once where nothing is under way, else when what is paid for has come in."""
        if self._failure is not None:
            return
        with self._lock:
            self._failure = error
        self._schedule.remove(lambda job: True)
        if self._tasks:
            self._loop.call_later(_WIND_DOWN_S, self._cancel_all)
        else:
            self._tell_all(error)

    async def shut_down(self) -> None:
        """End everything and close the connections."""
        self.fail(BackendError(f"{self._model}: the generator was closed while it was at work"))
        self._cancel_all()
        while self._tasks:
            await asyncio.sleep(0)
        await self._transport.close()

    def _unsent(self) -> int:
        return len(self._inbox) + self._schedule.fresh

    def _take_in(self) -> None:
        with self._lock:
            self._rung = False
        self._empty_inbox()
        self._pump()
        if not self._listening:
            self._listen()

    def _empty_inbox(self) -> None:
        while self._inbox:
            self._schedule.add(self._inbox.popleft())

    def _pump(self) -> None:
        """Send all that may be sent now, and see to it that this is called again in time."""
        while self._failure is None and self._broke is None:
            now = time.monotonic()
            picked = self._schedule.start(now)
            if picked is None:
                break
            job, endpoint = picked
            if len(job.draws) > 1 and self.replies.one_each[endpoint.url]:
                for draw in job.draws:
                    self._schedule.add(job_for(job.owner, (draw,), job))
                continue
            most = self._costs.most(job)
            try:
                job.owner.call.meter.reserve(self._model, most)
            except BudgetError as error:
                self._schedule.return_unsent(job)
                self._broke = (job.owner.call.meter, error)
                break
            except BackendError as error:
                self.fail(error)
                break
            ticket = self._schedule.sent(job, endpoint, now)
            request_id = f"{REQUEST_ID_PREFIX}{self._run}-{job.owner.number}-{job.attempts}"
            attempt = Attempt(job, endpoint, ticket, most, request_id, job.faults["hang"])
            task = self._loop.create_task(self._send(attempt))
            self._tasks[task] = attempt
            task.add_done_callback(self._over)
        if self._broke is not None and not self._tasks:
            self._stop_for_budget(*self._broke)
        self._wake_the_hungry()
        self._set_timer()
        if self._tasks and not self._sweeping:
            self._sweep()

    async def _send(self, attempt: Attempt) -> Reply | Lost:
        attempt.began = True
        job = attempt.job
        parts = job.owner.body.parts(job.draws, self.replies.seeds_spoilt(job))
        url = attempt.endpoint.url + self._path
        return await self._transport.post(url, parts, attempt.request_id, self._timeout_s)

    def _over(self, task: asyncio.Task[Reply | Lost]) -> None:
        """Settle an attempt, however it ended; not in the task itself, which may be cancelled before it begins."""
        attempt, now = self._tasks.pop(task), time.monotonic()
        job = attempt.job
        try:
            got = self._outcome(task, attempt, now)
            verdict = self.replies.verdict(got, attempt)
            used = self._costs.used(got, verdict, attempt.most, len(job.draws))
            tokens = used.prompt_tokens + used.completion_tokens if isinstance(verdict, Answer) else None
            headers = got.headers if isinstance(got, Reply) else {}
            attempt.endpoint.ended(now, attempt.ticket, headers, tokens)
            self._broke = None
            job.owner.call.meter.settle(self._model, attempt.most, used)
            if isinstance(verdict, Answer):
                self._patience.saw(attempt.kind, now - attempt.ticket.sent_at)
                self.replies.answered(attempt, verdict, now)
            elif not task.cancelled() or attempt.given_up:
                self.replies.troubled(attempt, verdict, got, now)
        except BackendError as error:
            self.fail(error)
        except Exception as error:  # whatever it is, the threads that wait for answers must hear of it
            self.fail(BackendError(f"{self._model}: {type(error).__name__}: {error}"))
        if self._failure is not None and not self._tasks:
            self._tell_all(self._failure)
        self._pump()

    def _outcome(self, task: asyncio.Task[Reply | Lost], attempt: Attempt, now: float) -> Reply | Lost:
        if not task.cancelled():
            return task.result()
        if attempt.given_up:
            return Lost("hang", f"no answer within {now - attempt.ticket.sent_at:.1f} s")
        return Lost("cancelled", "cancelled", sent=attempt.began)

    def _sweep(self) -> None:
        """Give up calls that take too long, by what is known now: more than when they were sent."""
        now = time.monotonic()
        for task, attempt in self._tasks.items():
            limit = self._patience.limit_s(attempt.kind, attempt.lost_before)
            if now - attempt.ticket.sent_at > limit and not attempt.given_up:
                attempt.given_up = True
                task.cancel()
        self._sweeping = bool(self._tasks)
        if self._sweeping:
            self._loop.call_later(self._sweep_s, self._sweep)

    def _listen(self) -> None:
        """Keep an eye on how long nobody has been answered, as long as somebody waits."""
        with self._lock:
            self._listening = bool(self._calls) and self._failure is None
        if self._listening:
            self.silence.lasts(time.monotonic(), len(self._tasks))
            self._loop.call_later(_LISTEN_S, self._listen)
        else:
            self.silence.ended()

    def _wake_the_hungry(self) -> None:
        if self._hungry and self._unsent() <= self._room // 2:
            for call in list(self._hungry):
                self._hungry.discard(call)
                call.tell(None)

    def _set_timer(self) -> None:
        now = time.monotonic()
        idle = self._failure is not None or self._broke is not None
        wake = math.inf if idle else self._schedule.wake_at(now)
        if wake == self._timer_at and self._timer is not None and wake > now:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = wake
        if wake < math.inf:
            self._timer = self._loop.call_later(max(0.0, wake - now) + _LATE_S, self._pump)

    def _stop_for_budget(self, meter: Meter, error: BudgetError) -> None:
        """End the calls of a meter that has nothing left. All they have paid for has been handed over."""
        self._broke = None
        with self._lock:
            calls = [call for call in self._calls if call.meter is meter]
        self._empty_inbox()
        self._schedule.remove(lambda job: job.owner.call.meter is meter)
        for call in calls:
            call.tell(BudgetError(*error.args))
        if len(self._schedule):
            self._loop.call_soon(self._pump)

    def _tell_all(self, error: BackendError) -> None:
        with self._lock:
            calls, self._calls = self._calls, set()
        for call in calls:  # a copy for each thread: one exception raised in several gathers the frames of all
            call.tell(BackendError(*error.args))

    def _cancel_all(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _abandon(self, call: Call) -> None:
        self._empty_inbox()
        self._schedule.remove(lambda job: job.owner.call is call)
        for task, attempt in self._tasks.items():
            if attempt.job.owner.call is call:
                task.cancel()
        self._pump()
