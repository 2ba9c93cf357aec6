"""What a ledger already knows of the calls that a recipe would make, found out without making any."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from recaption.core.errors import BudgetError, DataError
from recaption.core.protocols import Answer, Context, Images, Stage, Usage
from recaption.core.types import JsonValue, Kept, Record
from recaption.datasets.ledger import SqliteLedger

__all__ = ["ClosedMeter", "remembered"]


class _UnpaidError(Exception):
    """A call would have to be made."""


class _Frugal:
    """A ledger that answers what it knows and refuses to pay."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    def recall(self, keys: Sequence[str], call: Callable[[Sequence[int]], Iterable[Answer]]) -> list[JsonValue]:
        def refuse(positions: Sequence[int]) -> Iterable[Answer]:
            raise _UnpaidError

        return self._ledger.recall(keys, refuse)


class ClosedMeter:
    """A meter for work that asks no generator: nothing can be spent on it."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def reserve(self, name: str, most: Usage) -> None:
        """Raise BudgetError."""
        raise BudgetError(self._reason)

    def settle(self, name: str, most: Usage, used: Usage) -> None:
        """Raise BudgetError."""
        raise BudgetError(self._reason)


def remembered(
    path: Path,
    stages: Sequence[Stage],
    records: Iterable[Record],
    make_images: Callable[[], Images],
    seed: int,
) -> list[int]:
    """Return, for each stage, of how many records the ledger knows all calls up to and including that stage.

    A record goes through the stages as in a run, until one of them would have to pay. Images are read for their
    digests; no model is loaded.

    Args:
        path: The ledger's file; it is left as it is.
        stages: Those whose calls go through the ledger, and what stands before them.
    """
    known = [0] * len(stages)
    meter = ClosedMeter("nothing is spent while planning")
    ledger = SqliteLedger(path)
    try:
        for record in records:
            context = Context(images=make_images(), ledger=_Frugal(ledger), meter=meter, seed=seed)
            for number in range(_known_stages(record, stages, context)):
                known[number] += 1
    finally:
        ledger.close()
    return known


def _known_stages(record: Record, stages: Sequence[Stage], context: Context) -> int:
    for number, stage in enumerate(stages):
        try:
            (outcome,) = stage.process([record], context)
        except (_UnpaidError, DataError):
            return number
        if not isinstance(outcome, Kept):
            return len(stages)  # it goes no further, so nothing more is paid for it
        record = outcome.record
    return len(stages)
