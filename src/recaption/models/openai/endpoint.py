"""One address: how many calls it has, whether it wants more, and when. Plain logic, time comes in as an argument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from recaption.models.openai.breaker import Breaker
from recaption.models.openai.pacing import Mark, Pacing

__all__ = ["Endpoint", "Ticket"]

_RUN_OF_REFUSALS: Final = 8
"""So many refusals in a row mean everybody, even where they used to mean single calls."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One call under way at an address."""

    sent_at: float
    mark: Mark


class Endpoint:
    """What is known about one address.

    A refusal ("429, come back in 30 s") holds back everything for this address until then. Where a call that was
    sent after the refused one is answered all the same, refusals there are meant for single calls: from then on
    only those wait, until several come in a row.
    """

    def __init__(self, url: str, limit: int, probe_s: float, pacing: Pacing | None = None) -> None:
        self.url, self.limit = url, limit
        self.breaker = Breaker(limit, probe_s)
        self.pacing = pacing or Pacing()
        self.under_way = 0
        self.answers = 0
        """Answers that were of use, ever."""
        self.last_answer: float | None = None
        self.ever_reached = False
        """It has said something, if only that it cannot."""
        self.held = False
        """Its server is being started; nothing is sent."""
        self._closed_until = 0.0
        self._first_refused: float | None = None
        self._refusals = 0
        self._closings = 0
        self._singles = False

    def may_send(self, now: float, most_tokens: float) -> bool:
        """Return whether one more call may go out now."""
        return (
            not self.held
            and now >= self._closed_until
            and self.breaker.may_send(now, self.under_way)
            and self.pacing.wait(now, most_tokens) <= 0
        )

    def wake_at(self, now: float, most_tokens: float) -> float:
        """Return when to ask again; infinity where only an answer can change anything."""
        probe = self.breaker.wake_at()
        if self.held or (probe is None and not self.breaker.may_send(now, self.under_way)):
            return math.inf
        return max(self._closed_until, probe or now, now + self.pacing.wait(now, most_tokens))

    def sent(self, now: float, most_tokens: float) -> Ticket:
        """Count a call that goes out."""
        self.under_way += 1
        self.breaker.sent(now)
        return Ticket(now, self.pacing.take(now, most_tokens))

    def ended(
        self, now: float, ticket: Ticket, headers: Mapping[str, str], used_tokens: int | None = None
    ) -> None:
        """Count a call that is over, and learn from what its reply says about limits."""
        self.under_way -= 1
        if headers:
            self.ever_reached = True
            self.pacing.learn(now, ticket.sent_at, ticket.mark, headers, used_tokens)

    def answered(self, now: float, ticket: Ticket, useful: bool) -> None:
        """Count an answer: of use, or of none but from somebody who is there."""
        self.breaker.succeeded()
        self._closings = 0
        if useful:
            self.answers += 1
            self.last_answer = now
        if self._first_refused is None or ticket.sent_at <= self._first_refused:
            return
        if ticket.sent_at < self._closed_until:
            self._singles, self._closed_until = True, 0.0
            self.breaker.full_speed()
        self._first_refused, self._refusals = None, 0

    def refused(self, now: float, ticket: Ticket, wait_s: float | None, backoff_s: float, cap_s: float) -> None:
        """Count a refusal for now.

        Args:
            wait_s: How long it asked us to wait; None where it did not say, and `backoff_s`, doubled each time,
                stands for it.
        """
        if self._first_refused is None:
            self._first_refused = ticket.sent_at
        self._refusals += 1
        # Refusals come at once and answers take their time, so that many refusals may come before the first answer.
        if self._singles and self._refusals < max(_RUN_OF_REFUSALS, self.limit // 2):
            return
        if now >= self._closed_until:
            self._first_refused = ticket.sent_at
            self._closings += 1
            if not self.pacing.known:
                self.breaker.slow_down()
        wait = min(cap_s, backoff_s * 2.0 ** (self._closings - 1)) if wait_s is None else wait_s
        self._singles = False
        self._closed_until = max(self._closed_until, now + wait)

    def failed(self, now: float) -> None:
        """Count a call that the address could not serve."""
        self.breaker.failed(now)
