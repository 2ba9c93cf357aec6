"""What a fault server does to whom: a seeded table of (request, attempt) to what goes wrong."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["DEFECTIVE", "MIXED", "MODES", "USABLE", "Call", "Plan", "RateLimit", "draw"]

_REFUSED: Final = (
    "429",
    "429_retry_after",
    "500",
    "502",
    "503",
    "504",
    "400",
    "401",
    "404",
    "413",
    "moderation",
)
_BROKEN: Final = (
    *("reset_before_headers", "reset_mid_body", "hang", "stall_mid_body", "drip", "endless", "redirect"),
    *("half_json", "wrong_schema", "missing_choices", "null_content", "empty_content", "tool_calls"),
)
USABLE: Final = ("ok", "gzip", "odd_id", "swapped")
"""Modes that carry a whole caption: of the picture asked about, except for `swapped`."""
DEFECTIVE: Final = ("length", "refusal", "nul", "surrogate", "megabyte")
"""Modes that carry a text nobody should keep as it is."""
MODES: Final = (*USABLE, *DEFECTIVE, *_REFUSED, *_BROKEN)

MIXED: Final = (
    *("429", "429_retry_after", "500", "503", "reset_before_headers"),
    *("hang", "half_json", "empty_content", "wrong_schema"),
)
"""The mixed faults of the acceptance tests, in equal parts; 429 comes in two forms that share one part."""


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """A leaky bucket of `requests` a window, and one of `tokens`; every answer tells how full they are."""

    requests: float
    tokens: float | None = None
    window_s: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a server answers. The same plan, requests and attempts give the same faults, in whatever order."""

    rates: Mapping[str, float] = field(default_factory=dict)
    """Mode to its share of all calls; the rest is `ok`."""
    script: Sequence[str] = ()
    """Modes of the first attempts of every request, before `rates` are drawn."""
    seed: int = 0
    latency_s: float = 0.0
    """Before an answer; 429 and the connection's own faults come at once."""
    retry_after: Mapping[str, str] | str = "0.05"
    """Headers of `429_retry_after`, or the value of the usual one, or `form:` and the name of one of the `FORMS`."""
    hang_s: float = 30.0
    """How long a server that hangs keeps the connection."""
    drip_s: float = 0.2
    """Between two bytes of `drip`."""
    says: str | None = None
    """Said instead of a caption, to whatever is asked."""
    ignore_n: bool = False
    """One choice, however many were asked for."""
    limit: RateLimit | None = None
    engine: tuple[float, int] | None = None
    """(answers a second, slots): calls wait for one of `slots`, each held for slots / rate seconds."""

    @classmethod
    def mixed(cls, rate: float, **others: object) -> "Plan":
        """Return the plan of the mixed faults at `rate` in [0, 1]."""
        share = rate / (len(MIXED) - 1)
        rates = {mode: share / 2 if mode.startswith("429") else share for mode in MIXED}
        return cls(rates=rates, **others)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        unknown = {*self.rates, *self.script} - set(MODES)
        if unknown or sum(self.rates.values()) > 1.000001:
            raise ValueError(f"not modes: {sorted(unknown)}, or more than all: {self.rates}")


@dataclass(kw_only=True)
class Call:
    """One request as the server saw it. Times are of the monotonic clock, which all processes share."""

    key: str
    """Digest of the image and of the texts and seed asked with."""
    image: str
    """Sha256 of the image's bytes as they came; empty without one."""
    attempt: int
    mode: str
    started_s: float
    bytes: int
    ended_s: float | None = None
    answered: bool = False
    """The whole answer was handed to the socket."""

    @property
    def paid(self) -> bool:
        """A caption was delivered: asking once more would pay twice."""
        return self.answered and self.mode in USABLE


def draw(plan: Plan, key: str, attempt: int) -> str:
    """Return the mode of one attempt, counted from 1."""
    if attempt <= len(plan.script):
        return plan.script[attempt - 1]
    digest = hashlib.sha256(f"{plan.seed}:{key}:{attempt}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    for mode, share in plan.rates.items():
        if point < share:
            return mode
        point -= share
    return "ok"
