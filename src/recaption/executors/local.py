"""Batches in this process: several in flight on threads, results in the order given.

Decoding, inference and the network release the interpreter lock, so threads overlap them without copying
records.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from recaption.core.types import Record, Rejected

__all__ = ["LocalExecutor"]


class LocalExecutor:
    """Runs up to `workers` batches at a time and holds at most twice as many in memory."""

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self.workers = workers

    def run(
        self,
        batches: Iterable[Sequence[Record | Rejected]],
        work: Callable[[Sequence[Record | Rejected]], list[Record | Rejected]],
    ) -> Iterator[list[Record | Rejected]]:
        """Yield the result of each batch in order; the first exception ends the run and cancels what waits."""
        in_flight: deque[Future[list[Record | Rejected]]] = deque()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="recaption")
        try:
            for batch in batches:
                in_flight.append(pool.submit(work, batch))
                if len(in_flight) >= 2 * self.workers:
                    yield in_flight.popleft().result()
            while in_flight:
                yield in_flight.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
