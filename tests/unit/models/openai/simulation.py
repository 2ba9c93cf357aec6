"""A clock that is only a number: hours of traffic against made-up servers in a second, the same every time."""

import heapq
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

from recaption.models.openai.endpoint import Endpoint
from recaption.models.openai.schedule import Job, RetryPolicy, Schedule


@dataclass
class Said:
    """What a server does with one call."""

    outcome: str = "ok"
    """`ok`, `refused` or `down`."""
    takes_s: float = 0.2
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float | None = None
    tokens: int | None = None


@dataclass
class Sent:
    """One call that went out."""

    at: float
    url: str
    number: int
    outcome: str


class Simulation:
    """Runs a schedule against `server(now, url, number)`; `sent` and `done` are what came of it."""

    def __init__(
        self,
        endpoints: list[Endpoint],
        server: Callable[[float, str, int], Said],
        policy: RetryPolicy | None = None,
        jobs: int = 0,
        tokens: float = 100,
    ) -> None:
        self.now = 0.0
        self.endpoints, self.server = endpoints, server
        chance = random.Random(0)
        self.schedule: Schedule[int] = Schedule(endpoints, policy or RetryPolicy(), chance.random)
        self.sent: list[Sent] = []
        self.done: dict[int, float] = {}
        self.given_up: list[int] = []
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        for number in range(jobs):
            self.schedule.add(Job(number, (0,), tokens))

    def run(self, until: float = math.inf) -> None:
        """Let time pass until everything is done, or until then."""
        while self.now < until:
            while (picked := self.schedule.start(self.now)) is not None:
                self._send(*picked)
                self.now += 1e-6  # no two calls leave at the same moment
            answer = self._coming[0][0] if self._coming else math.inf
            then = min(answer, max(self.schedule.wake_at(self.now), self.now + 1e-6))
            if then == math.inf:
                return
            self.now = min(then, until)
            while self._coming and self._coming[0][0] <= self.now:
                heapq.heappop(self._coming)[2]()

    def _send(self, job: Job[int], endpoint: Endpoint) -> None:
        now = self.now
        ticket = self.schedule.sent(job, endpoint, now)
        said = self.server(now, endpoint.url, job.owner)
        self.sent.append(Sent(now, endpoint.url, job.owner, said.outcome))

        def arrives() -> None:
            policy = self.schedule.policy
            endpoint.ended(self.now, ticket, said.headers, said.tokens)
            if said.outcome == "ok":
                endpoint.answered(self.now, ticket, useful=True)
                self.done[job.owner] = self.now
                return
            if said.outcome == "refused":
                endpoint.refused(self.now, ticket, said.wait_s, policy.backoff_s, policy.longest_backoff_s)
            else:
                endpoint.failed(self.now)
            if not self.schedule.again(job, self.now, said.wait_s, patient=said.outcome == "refused"):
                self.given_up.append(job.owner)

        heapq.heappush(self._coming, (now + said.takes_s, next(self._order), arrives))

    def rate(self, start: float, end: float) -> float:
        """Return the answers a second in a stretch of time."""
        return sum(start <= at < end for at in self.done.values()) / (end - start)


class LeakyBucket:
    """A server's own limit of `rate` a second, `size` at once; it says in headers how full it is."""

    def __init__(self, name: str, rate: float, size: float) -> None:
        self.name, self.rate, self.size, self.left, self.at = name, rate, size, size, 0.0

    def take(self, now: float, amount: float) -> bool:
        self.left = min(self.size, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < amount:
            return False
        self.left -= amount
        return True

    def headers(self) -> dict[str, str]:
        return {
            f"x-ratelimit-limit-{self.name}": f"{self.size:g}",
            f"x-ratelimit-remaining-{self.name}": str(int(self.left)),
            f"x-ratelimit-reset-{self.name}": f"{(self.size - self.left) / self.rate:.3f}s",
        }
