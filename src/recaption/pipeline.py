"""One batch through the stages. No files, no engine, no policy: records in, records or rejects out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recaption.core.errors import BackendError, DataError, UserError
from recaption.core.protocols import Context, Images, Ledger, Meter, Stage
from recaption.core.types import Dropped, Failed, Kept, Outcome, Record, Rejected

__all__ = ["Pipeline"]


@dataclass(frozen=True)
class Pipeline:
    """Stages in order, and what they work with.

    `make_images` gives the images of one batch a place to be read and decoded once; it goes with the batch.
    """

    stages: Sequence[Stage]
    make_images: Callable[[], Images]
    ledger: Ledger
    meter: Meter
    seed: int = 0

    def run_batch(self, items: Sequence[Record | Rejected]) -> list[Record | Rejected]:
        """Return one result per item, in order. Items that were rejected before pass through.

        Raises:
            BackendError: A model or service is gone; nothing of this batch is lost, run it again later.
            UserError: A stage cannot work at all as it is set up.
        """
        results: list[Record | Rejected] = list(items)
        context = Context(images=self.make_images(), ledger=self.ledger, meter=self.meter, seed=self.seed)
        for stage in self.stages:
            alive = [(i, item) for i, item in enumerate(results) if isinstance(item, Record)]
            if not alive:
                break
            outcomes = _outcomes(stage, [record for _, record in alive], context)
            for (i, record), outcome in zip(alive, outcomes, strict=True):
                results[i] = outcome.record if isinstance(outcome, Kept) else _reject(record, stage, outcome)
        return results


def _outcomes(stage: Stage, records: Sequence[Record], context: Context) -> Sequence[Outcome]:
    """Run a stage; where it trips over a record, find which one and let the others pass."""
    try:
        outcomes = stage.process(records, context)
    except (BackendError, UserError):
        raise
    except Exception as error:
        if len(records) == 1:
            return [_failed(error)]
        return [outcome for record in records for outcome in _outcomes(stage, [record], context)]
    if len(outcomes) != len(records):
        raise BackendError(f"stage {stage.name!r} gave {len(outcomes)} outcomes for {len(records)} records")
    return outcomes


def _failed(error: Exception) -> Failed:
    if isinstance(error, DataError):
        return Failed(str(error) or type(error).__name__, retryable=error.retryable)
    return Failed(f"{type(error).__name__}: {error}")


def _reject(record: Record, stage: Stage, outcome: Dropped | Failed) -> Rejected:
    if isinstance(outcome, Dropped):
        kind, reason, retryable = "dropped", outcome.reason, False
    else:
        kind, reason, retryable = "failed", outcome.error, outcome.retryable
    return Rejected(
        key=record.key,
        stage=stage.name,
        kind="dropped" if kind == "dropped" else "failed",
        reason=reason,
        retryable=retryable,
        raw=record.original_text,
    )
