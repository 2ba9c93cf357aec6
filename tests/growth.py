"""How processor time grows with what is worked on: a ratio, which slow machines and busy ones tell alike."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["grows_in_proportion", "seconds"]


def seconds(work: Callable[[], object], turns: int = 3) -> float:
    """Return the least processor time that a piece of work took."""
    took = []
    for _ in range(turns):
        started = time.process_time()
        work()
        took.append(time.process_time() - started)
    return min(took)


def grows_in_proportion(work: Callable[[int], object], size: int) -> bool:
    """Whether work on ten times as much takes about ten times as long, where its square would take a hundred.

    Args:
        size: The larger of the two.
    """
    work(size // 100)  # what is loaded and compiled at first is no part of it
    return seconds(lambda: work(size)) < 40 * seconds(lambda: work(size // 10)) + 0.05
