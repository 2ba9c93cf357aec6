"""Says in the log that no answer has come for long, and why: whoever waits shall know what for."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["Silence"]

FIRST_S: Final = 15.0
_log = logging.getLogger(__name__)


class Silence:
    """Speaks after `FIRST_S` without an answer, then each time after twice as long. Time comes in as an argument."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._since: float | None = None
        self._next_s = FIRST_S
        self._trouble = ""

    def ended(self) -> None:
        """Count an answer, or that nobody waits for one."""
        self._since, self._next_s, self._trouble = None, FIRST_S, ""

    def trouble(self, reason: str) -> None:
        """Remember what came in place of an answer."""
        self._trouble = f" Last: {reason}"

    def lasts(self, now: float, under_way: int) -> None:
        """Say that somebody waits, if it is time to."""
        if self._since is None:
            self._since = now
        lasted = now - self._since
        if lasted >= self._next_s:
            self._next_s *= 2
            _log.warning(
                "%s: no answer for %.0f s, %d calls under way; still trying.%s",
                self._model,
                lasted,
                under_way,
                self._trouble,
            )
