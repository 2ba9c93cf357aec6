"""How processor time grows with what is worked on: a ratio, which slow machines and busy ones tell alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

__all__ = ["grows_in_proportion", "seconds"]

_MOST_TIMES: Final = 40
"""Between the 10 of work in proportion and the 100 of its square."""
_ATTEMPTS: Final = 3
"""One may be spoilt by whatever else the machine does; work that is not in proportion fails them all."""


def seconds(work: Callable[[], object], turns: int = 3) -> float:
    """Return the least processor time that a piece of work took this thread."""
    took = []
    for _ in range(turns):
        started = time.thread_time()
        work()
        took.append(time.thread_time() - started)
    return min(took)


def grows_in_proportion(work: Callable[[int], object], size: int) -> bool:
    """Whether work on ten times as much takes about ten times as long, where its square would take a hundred.

    Args:
        work: Does all of its work in the thread that calls it.
        size: The larger of the two. A tenth of it must be enough to meet every part of the work: what begins
            only beyond it would look like growth.
    """
    work(size // 100)  # what is loaded and compiled at first is no part of it
    return any(
        seconds(lambda: work(size)) < _MOST_TIMES * seconds(lambda: work(size // 10)) + 0.05
        for _ in range(_ATTEMPTS)
    )
