"""Whether a reply belongs to the request it came for: answers from a cache, or swapped on the way."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

__all__ = ["REQUEST_ID_PREFIX", "Echoes"]

REQUEST_ID_PREFIX: Final = "recaption-"
"""Begins the `X-Request-Id` that we send, so that an id the server made up is not taken for an echo of ours."""
_LONG_ID: Final = 20
"""Ids so long are drawn at random (vLLM, SGLang, OpenAI); Ollama's are one of 999."""
_REMEMBERED: Final = 8192
_ENOUGH: Final = 8


class Echoes:
    """The ids of replies seen, of one address.

    A server whose ids do not tell replies apart (always the same one, or counted anew after a restart) is found
    out by how often they repeat, and believed.
    """

    def __init__(self) -> None:
        self._owner: OrderedDict[tuple[str, int], object] = OrderedDict()
        self._replies = 0
        self._repeats = 0

    def stale(self, owner: object, reply_id: str | None, body: bytes) -> bool:
        """Return whether this reply was given before, to another request; remember it otherwise.

        Args:
            owner: The request; a reply that comes twice for one is not stale.
        """
        if reply_id is None:
            return False
        # A short id alone proves nothing: there the whole body must be the same.
        key = (reply_id, 0 if len(reply_id) >= _LONG_ID else hash(body))
        self._replies += 1
        first = self._owner.setdefault(key, owner)
        if len(self._owner) > _REMEMBERED:
            self._owner.popitem(last=False)
        if first == owner:
            return False
        self._repeats += 1
        if len(reply_id) >= _LONG_ID:
            return self._repeats <= max(2, self._replies // 2)
        return self._replies >= _ENOUGH and self._repeats <= self._replies // 10 + 1

    @staticmethod
    def swapped(sent_id: str, echoed: str | None) -> bool:
        """Return whether a reply names another request of ours."""
        return echoed is not None and echoed.startswith(REQUEST_ID_PREFIX) and echoed != sent_id
