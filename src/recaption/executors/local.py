"""Batches in this process: several in flight on threads, results in the order given.

Decoding, inference and the network release the interpreter lock, so threads overlap them without copying
records.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from recaption.core.types import Record, Rejected

__all__ = ["LocalExecutor"]

_HEARING_S = 0.2


class LocalExecutor:
    """Runs up to `workers` batches at a time and holds at most twice as many in memory.

    Whoever stops early waits for what is under way, which may itself wait for a server for minutes: `abandoned` is
    called first, to end that.
    """

    def __init__(self, workers: int, abandoned: Callable[[], None] = lambda: None) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self.workers, self._abandoned = workers, abandoned

    def run(
        self,
        batches: Iterable[Sequence[Record | Rejected]],
        work: Callable[[Sequence[Record | Rejected]], list[Record | Rejected]],
    ) -> Generator[list[Record | Rejected], None, None]:
        """Yield the result of each batch in order; the first exception ends the run and cancels what waits."""
        in_flight: deque[Future[list[Record | Rejected]]] = deque()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="recaption")
        try:
            for batch in batches:
                in_flight.append(pool.submit(work, batch))
                if len(in_flight) >= 2 * self.workers:
                    yield _result(in_flight.popleft())
            while in_flight:
                yield _result(in_flight.popleft())
        except (KeyboardInterrupt, GeneratorExit):
            pool.shutdown(wait=False, cancel_futures=True)
            self._abandoned()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _result(future: Future[list[Record | Rejected]]) -> list[Record | Rejected]:
    # In pieces: an interruption that comes just before a wait without end would be heard only after it.
    while not future.done():
        wait([future], timeout=_HEARING_S)
    return future.result()
