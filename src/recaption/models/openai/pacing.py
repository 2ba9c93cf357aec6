"""How fast a server wants to be asked, learned from its `x-ratelimit-*` headers.

A leaky bucket on its side, a copy of it on ours: every header sets the copy right, and between headers it fills at
the rate it was seen to fill and empties with what we send.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from recaption.models.openai.retry_after import duration_s

__all__ = ["Bucket", "Mark", "Pacing"]

_PERIOD_S: Final = 60.0
"""Limits are per minute where the server does not say when they reset."""
_MARGIN_SHARE, _MARGIN_CALLS = 0.05, 4.0
"""Left in the bucket, as a share of it and at most in calls: calls overtake each other, and cost more than usual."""
_NEW_SHARE: Final = 0.1
"""Weight of the last reply in a running mean."""


@dataclass(slots=True)
class Bucket:
    """Requests or tokens. `level` is what may be sent at the time `at`; an unknown limit lets everything through."""

    limit: float | None = None
    rate: float = 0.0
    """Per second."""
    level: float = math.inf
    at: float = 0.0
    sent: float = 0.0
    """Everything ever taken."""
    learned: float = -1.0
    """`sent` when the reply left that was learned from last: replies overtake each other."""

    def wait(self, now: float, cost: float) -> float:
        """Return the seconds until `cost` may be sent; 0 is now."""
        if self.limit is None:
            return 0.0
        margin = min(_MARGIN_CALLS * cost, _MARGIN_SHARE * self.limit)
        missing = min(cost + margin, self.limit) - self._level(now)
        if missing <= 1e-9:
            return 0.0
        return missing / self.rate if self.rate > 0 else _PERIOD_S

    def take(self, now: float, cost: float) -> float:
        """Take `cost` out and return the mark to learn by when the reply comes."""
        self.level, self.at = self._level(now) - cost, now
        self.sent += cost
        return self.sent

    def learn(
        self, now: float, sent_at: float, mark: float, limit: float, left: float, reset_s: float | None
    ) -> None:
        """Set the copy right by what a reply says about the moment its request was let in."""
        if mark < self.learned or limit <= 0:
            return
        used = limit - left
        if reset_s is None:
            rate = limit / _PERIOD_S
        elif reset_s > 0 and used > 0:
            # What is left is told in whole numbers, rounded down; too low a rate is made up for by the next header.
            rate = max(used - 0.5, used / 2) / reset_s
        else:
            rate = self.rate or limit / _PERIOD_S
        self.rate = rate if self.limit != limit or self.rate <= 0 else _mixed(self.rate, rate)
        self.limit, self.learned = limit, mark
        self.level, self.at = min(limit, left + self.rate * (now - sent_at) - (self.sent - mark)), now

    def _level(self, now: float) -> float:
        if self.limit is None:
            return math.inf
        return min(self.limit, self.level + self.rate * max(0.0, now - self.at))


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the buckets stood when a call left."""

    requests: float
    tokens: float


@dataclass(slots=True)
class Pacing:
    """The two buckets of one address, and what a call usually takes out of the second."""

    requests: Bucket = field(default_factory=Bucket)
    tokens: Bucket = field(default_factory=Bucket)
    usual_tokens: float | None = None
    fixed: bool = False
    """The user has said how fast; headers are not asked."""

    @classmethod
    def fixed_at(cls, now: float, rpm: float | None, tpm: float | None) -> Pacing:
        """Return a pacing that the user has set, in requests and tokens per minute."""

        def bucket(per_minute: float | None, burst: float) -> Bucket:
            if per_minute is None:
                return Bucket()
            # A second's worth at once: a full minute's would pass the limit before the server has counted.
            limit = max(burst, per_minute / _PERIOD_S)
            return Bucket(limit=limit, rate=per_minute / _PERIOD_S, level=limit, at=now)

        return cls(requests=bucket(rpm, 1), tokens=bucket(tpm, (tpm or 0) / 10), fixed=True)

    @property
    def known(self) -> bool:
        """Whether the limits are known."""
        return self.requests.limit is not None or self.tokens.limit is not None

    def wait(self, now: float, most_tokens: float) -> float:
        """Return the seconds until one more call may be sent; 0 is now."""
        return max(self.requests.wait(now, 1), self.tokens.wait(now, self._cost(most_tokens)))

    def take(self, now: float, most_tokens: float) -> Mark:
        """Count a call that is being sent."""
        return Mark(self.requests.take(now, 1), self.tokens.take(now, self._cost(most_tokens)))

    def learn(
        self, now: float, sent_at: float, mark: Mark, headers: Mapping[str, str], used_tokens: int | None
    ) -> None:
        """Learn from a reply, whatever its status."""
        if used_tokens:
            self.usual_tokens = (
                used_tokens if self.usual_tokens is None else _mixed(self.usual_tokens, used_tokens)
            )
        if self.fixed:
            return
        for name, bucket, place in (
            ("requests", self.requests, mark.requests),
            ("tokens", self.tokens, mark.tokens),
        ):
            limit = _count(headers, f"x-ratelimit-limit-{name}")
            left = _count(headers, f"x-ratelimit-remaining-{name}")
            if limit is not None and left is not None:
                reset = duration_s(headers.get(f"x-ratelimit-reset-{name}"))
                bucket.learn(now, sent_at, place, limit, max(0.0, left), reset)

    def _cost(self, most_tokens: float) -> float:
        return min(self.usual_tokens or most_tokens, most_tokens)


def _count(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _mixed(old: float, new: float) -> float:
    return (1 - _NEW_SHARE) * old + _NEW_SHARE * new
