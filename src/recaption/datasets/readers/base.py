"""What every reader shares: a description, a limit, and notes about what was left out."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import closing

from recaption.core.types import Record, Rejected
from recaption.datasets.readers.accounting import Tally
from recaption.datasets.readers.options import ReaderOptions

__all__ = ["BaseReader"]


class BaseReader(ABC):
    """Reads one dataset. Built from where it is and what the caller says about it."""

    description: str
    notes: list[str]
    """After `records()` ended: what was ignored or damaged, counted."""

    def __init__(self, source: str, options: ReaderOptions) -> None:
        self.source = source
        self.options = options
        self.description = ""
        self.notes = []

    def records(self) -> Iterator[Record | Rejected]:
        """Yield every item once, in an order that never changes while the data does not; may be called again."""
        tally = Tally()
        given = 0
        try:
            with closing(self._items(tally)) as items:
                for item in items:
                    yield item
                    given += isinstance(item, Record)
                    if given == self.options.limit:
                        return
        finally:
            self.notes = tally.notes()

    def count_hint(self) -> int | None:
        """Return the number of records if that is cheap to know."""
        return None

    @abstractmethod
    def _items(self, tally: Tally) -> Generator[Record | Rejected, None, None]:
        """Yield everything there is, counting into `tally` what is left out."""
