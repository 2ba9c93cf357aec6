"""Who is sent next, where, and when. Plain logic: time and chance come in from outside, nothing here waits.

A call that must be tried again lets go of its slot at once. The first tries come back to the head of the queue
when their wait is over, later ones to its tail, so that one bad call never holds up the others.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

from recaption.models.openai.endpoint import Endpoint, Ticket

__all__ = ["Job", "RetryPolicy", "Schedule"]

Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how late to try again."""

    backoff_s: float = 0.5
    """The first wait is drawn from [0, this], each later one from twice as much (full jitter)."""
    longest_backoff_s: float = 30.0
    longest_wait_s: float = 600.0
    """A server that asks for more is asked again after this."""
    attempts_in_line: int = 3
    """After these a call goes to the tail of the queue."""
    same_fault: int = 8
    """A reply that is of no use in one and the same way so often is the server's answer."""
    deadline_s: float = 3600.0
    """From the first time a call is sent, waits included."""

    def backoff(self, attempts: int, chance: float) -> float:
        """Return the wait after so many attempts; `chance` is uniform in [0, 1)."""
        return chance * min(self.longest_backoff_s, self.backoff_s * 2.0 ** min(attempts - 1, 30))

    def obeyed(self, wait_s: float, chance: float) -> float:
        """Return a wait that a server asked for: never less, and a little more so that not all come back at once."""
        return wait_s + chance * min(self.backoff_s, 0.1 * wait_s + 0.01)


@dataclass(slots=True, eq=False)
class Job(Generic[Owner]):
    """One call to be made, for some draws of one request."""

    owner: Owner
    draws: tuple[int, ...]
    most_tokens: float
    """The most that it can cost, prompt and answer."""
    attempts: int = 0
    first_sent: float | None = None
    faults: Counter[str] = field(default_factory=Counter)
    last_url: str | None = None
    cancelled: bool = False


class Schedule(Generic[Owner]):
    """The queue and the addresses."""

    def __init__(self, endpoints: Sequence[Endpoint], policy: RetryPolicy, chance: Callable[[], float]) -> None:
        self.endpoints, self.policy, self._chance = endpoints, policy, chance
        self._ready: deque[Job[Owner]] = deque()
        self._later: list[tuple[float, int, Job[Owner]]] = []
        self._order = count()
        self.fresh = 0
        """Jobs in the queue that were never sent."""

    def __len__(self) -> int:
        return len(self._ready) + len(self._later)

    @property
    def under_way(self) -> int:
        """Calls out at the moment."""
        return sum(endpoint.under_way for endpoint in self.endpoints)

    def add(self, job: Job[Owner]) -> None:
        """Put a new job at the tail."""
        self.fresh += 1
        self._ready.append(job)

    def start(self, now: float) -> tuple[Job[Owner], Endpoint] | None:
        """Take the next job out of the queue, with the address to send it to; None while nothing can be sent."""
        self._move_due(now)
        while self._ready:
            job = self._ready[0]
            if job.cancelled:
                self._drop_first()
                continue
            endpoint = self._endpoint_for(job, now)
            if endpoint is None:
                return None
            self._drop_first()
            return job, endpoint
        return None

    def sent(self, job: Job[Owner], endpoint: Endpoint, now: float) -> Ticket:
        """Count a job that goes out."""
        job.attempts += 1
        job.last_url = endpoint.url
        if job.first_sent is None:
            job.first_sent = now
        return endpoint.sent(now, job.most_tokens)

    def return_unsent(self, job: Job[Owner]) -> None:
        """Put a job that was taken, and not sent, back where it was."""
        self.fresh += job.attempts == 0
        self._ready.appendleft(job)

    def again(self, job: Job[Owner], now: float, wait_s: float | None, *, patient: bool = False) -> bool:
        """Put a job back for another attempt; False where its deadline would pass before.

        Args:
            wait_s: How long the server asked us to wait; None where it did not.
            patient: Wait twice as long each time. Elsewhere the address sets the pace, not the call: when it is back
                the call should go at once.
        """
        policy = self.policy
        delay = (
            policy.backoff(job.attempts if patient else min(job.attempts, 2), self._chance())
            if wait_s is None
            else policy.obeyed(wait_s, self._chance())
        )
        if job.first_sent is not None and now + delay - job.first_sent > policy.deadline_s:
            return False
        heapq.heappush(self._later, (now + delay, next(self._order), job))
        return True

    def wake_at(self, now: float) -> float:
        """Return when to call `start` again; infinity where only an answer or a new job can change anything."""
        due = self._later[0][0] if self._later else math.inf
        if not self._ready:
            return due
        most_tokens = self._ready[0].most_tokens
        return min(due, *(endpoint.wake_at(now, most_tokens) for endpoint in self.endpoints))

    def remove(self, unwanted: Callable[[Job[Owner]], bool]) -> list[Job[Owner]]:
        """Take jobs out of the queue and return them."""
        waiting = [*self._ready, *(job for _, _, job in sorted(self._later, key=lambda entry: entry[:2]))]
        removed = [job for job in waiting if unwanted(job)]
        gone = set(map(id, removed))
        self._ready = deque(job for job in self._ready if id(job) not in gone)
        self._later = [entry for entry in self._later if id(entry[2]) not in gone]
        heapq.heapify(self._later)
        self.fresh -= sum(job.attempts == 0 for job in removed)
        return removed

    def _move_due(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            job = heapq.heappop(self._later)[2]
            if job.attempts < self.policy.attempts_in_line:
                self._ready.appendleft(job)
            else:
                self._ready.append(job)

    def _drop_first(self) -> None:
        self.fresh -= self._ready.popleft().attempts == 0

    def _endpoint_for(self, job: Job[Owner], now: float) -> Endpoint | None:
        """Return the least loaded address that wants a call, another than last time if there is one."""
        # Load first: a cheap test that is false for most of them while all slots are taken.
        open_ones = [e for e in self.endpoints if e.under_way < e.limit and e.may_send(now, job.most_tokens)]
        if not open_ones:
            return None
        return min(open_ones, key=lambda e: (e.url == job.last_url, e.under_way / e.limit))
