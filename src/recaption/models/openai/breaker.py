"""Whether an address is worth asking. One per address; plain logic, time comes in as an argument."""

from __future__ import annotations

from typing import Final

__all__ = ["Breaker"]

_TRIPS_AFTER: Final = 16
"""Failures in a row. At 30 % random faults that is once in 10⁸ calls; a server that is down gets there at once."""
_TRIPS_AT_LEAST_AFTER: Final = 5
_FIRST_AFTER_OUTAGE: Final = 8


class Breaker:
    """Closed, it lets `limit` calls be under way. Open, it lets one probe through every `probe_s`.

    Each failure in a row withholds one slot, so that an address that goes down is sent no more than what was
    already under way; one success gives them all back. After an outage the slots come back with the successes, so
    that a server that has just started is not run over.
    """

    def __init__(self, limit: int, probe_s: float) -> None:
        self.limit, self.probe_s = limit, probe_s
        self.failures = 0
        self.open_since: float | None = None
        self.failing_since: float | None = None
        """When the first of the present failures in a row was seen."""
        self._allowed = float(limit)
        self._steady = float(limit)
        """Up to so many the slots come back one per answer; above, one per round of answers."""
        self._next_probe = 0.0
        self._trips_after = max(_TRIPS_AT_LEAST_AFTER, min(_TRIPS_AFTER, limit))

    def may_send(self, now: float, under_way: int) -> bool:
        """Return whether one more call may go out."""
        if self.open_since is not None:
            return now >= self._next_probe and under_way < self.limit
        return under_way < max(1.0, int(self._allowed) - self.failures)

    def wake_at(self) -> float | None:
        """Return when a probe is due; None while calls flow."""
        return None if self.open_since is None else self._next_probe

    def sent(self, now: float) -> None:
        """Count a call that goes out."""
        if self.open_since is not None:
            self._next_probe = now + self.probe_s

    def succeeded(self) -> None:
        """Count an answer, whatever it says: somebody is there."""
        if self.open_since is not None:
            self.open_since = None
            self._allowed, self._steady = min(self.limit, _FIRST_AFTER_OUTAGE), self.limit
        step = 1.0 if self._allowed < self._steady else 1.0 / self._allowed
        self._allowed = min(self.limit, self._allowed + step)
        self.failures, self.failing_since = 0, None

    def slow_down(self) -> None:
        """Halve the calls under way: the address has more than it wants, and does not say how many that is."""
        self._allowed = self._steady = max(1.0, self._allowed / 2)

    def full_speed(self) -> None:
        """Take that back."""
        self._allowed = self._steady = self.limit

    def failed(self, now: float) -> None:
        """Count a call that the address could not serve."""
        self.failures += 1
        if self.failing_since is None:
            self.failing_since = now
        if self.open_since is None and self.failures >= self._trips_after:
            self.open_since = now
            self._next_probe = now + self.probe_s
