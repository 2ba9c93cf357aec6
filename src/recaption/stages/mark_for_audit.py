"""Mark chosen captions for people to look at: a fair sample of all, and whatever gives cause for doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import Field

from recaption.core.digests import seed_from
from recaption.core.errors import UserError
from recaption.core.protocols import Context
from recaption.core.types import Caption, Kept, Outcome, Record
from recaption.recipes.strict import StrictModel

__all__ = ["AUDIT", "Always", "MarkForAudit"]

AUDIT = "audit"
"""The flag on a chosen caption that is marked; its reason says why."""
_DRAWS = 1 << 63


class Always(StrictModel):
    """What is marked beside the sample."""

    margin_below: float | None = Field(default=None, ge=0)
    """The best caption is less than this ahead of the next, on the scale that `select` ranked by."""
    disagreement_above: float | None = Field(default=None, ge=0, le=1)
    """Two scorers order more than this share of the pairs of candidates differently."""
    flags: tuple[str, ...] = ()
    """The chosen caption bears one of these flags."""


class MarkForAudit:
    """Sets the flag `audit` on chosen captions. Stands behind `select`.

    The sample is drawn by record key and seed alone: it does not depend on batches, order or other records, a record
    keeps its lot when others are added, and a larger share holds the smaller one. A reason that begins with `drawn`
    is one of the fair sample: only that sample speaks for all records.
    """

    name = "mark_for_audit"
    version = "1"
    fingerprint = ""

    class Params(StrictModel):
        """How many, and what in any case."""

        share: float = Field(default=0.05, ge=0, le=1)
        """Share of all records, drawn by lot."""
        always: Always = Always()

    def __init__(self, params: Params) -> None:
        self._params = params

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record, its chosen caption flagged where people should look.

        Raises:
            UserError: Nothing has chosen yet.
        """
        return [Kept(self._marked(record, context.seed)) for record in records]

    def _marked(self, record: Record, seed: int) -> Record:
        best = record.best
        if best is None:
            raise UserError("mark_for_audit: no caption is chosen yet; put the stage `select` before it")
        reasons = self._reasons(record, best, seed)
        captions = tuple(_flagged(c, reasons if c is best else []) for c in record.captions)
        return replace(record, captions=captions)

    def _reasons(self, record: Record, best: Caption, seed: int) -> list[str]:
        always = self._params.always
        drawn = seed_from(seed, record.key, self.name) < self._params.share * _DRAWS
        reasons = [f"drawn, {100 * self._params.share:g} % of all"] if drawn else []
        margin, apart = _told(best, "margin"), _told(best, "disagreement")
        if always.margin_below is not None and margin is not None and margin < always.margin_below:
            reasons.append(f"margin {margin:.3g} is below {always.margin_below:g}")
        if always.disagreement_above is not None and apart is not None and apart > always.disagreement_above:
            reasons.append(f"scorers disagree on {100 * apart:.0f} % of the pairs")
        return reasons + [f"flag {name}" for name in always.flags if name in best.flags]


def _told(caption: Caption, name: str) -> float | None:
    """Return a figure that `select` kept, None where there is none."""
    selection = caption.provenance.details.get("selection")
    value = selection.get(name) if isinstance(selection, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def _flagged(caption: Caption, reasons: Sequence[str]) -> Caption:
    """Return a caption with these reasons to look at it and no others, so that a second run marks afresh."""
    flags = {name: reason for name, reason in caption.flags.items() if name != AUDIT}
    if reasons:
        flags[AUDIT] = "; ".join(reasons)
    return replace(caption, flags=flags) if flags != caption.flags else caption
