"""How long to wait for one answer before it counts as lost: learned from the answers that came."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final

__all__ = ["Patience"]

_TIMES_THE_SLOWEST: Final = ((32, 5.0), (8, 20.0))
"""So many answers seen, so many times the slowest of them."""
_TIMES_FOR_OTHER_KINDS: Final = 4.0
_REMEMBERED: Final = 128


class Patience:
    """Allows five times the slowest of the last 128 answers of the same kind, within [floor_s, ceiling_s].

    A call given up too early is paid twice, so a call that was given up once gets twice as long the next time.
    """

    def __init__(self, floor_s: float, ceiling_s: float) -> None:
        self._floor_s, self._ceiling_s = floor_s, ceiling_s
        self._seen: dict[Hashable, deque[float]] = {}
        self._limits: dict[Hashable, float] = {}

    def limit_s(self, kind: Hashable, lost_before: int) -> float:
        """Return how long to wait for an answer of a kind.

        Args:
            lost_before: How often this very call was given up already.
        """
        learned = self._limits.get(kind)
        if learned is None:
            if not self._limits:
                return self._ceiling_s
            learned = max(self._limits.values()) * _TIMES_FOR_OTHER_KINDS
        return min(self._ceiling_s, max(self._floor_s, learned) * 2.0 ** min(lost_before, 30))

    def saw(self, kind: Hashable, seconds: float) -> None:
        """Learn from an answer that came."""
        seen = self._seen.setdefault(kind, deque(maxlen=_REMEMBERED))
        seen.append(seconds)
        for enough, times in _TIMES_THE_SLOWEST:
            if len(seen) >= enough:
                self._limits[kind] = max(seen) * times
                return
