"""Changed copies of a caption, as every stage makes them: with more said of how it came to be, or as history; and of
a record that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from recaption.core.types import Caption, JsonValue, Record
from recaption.stages.versions import folded, line_of

__all__ = ["as_history", "named", "ruled_out", "with_details", "with_told"]


def as_history(caption: Caption, flag: str, reason: str) -> Caption:
    """Return a caption that no longer stands, and why; a text that came with the data stays, and is only flagged."""
    kept = caption.provenance.stage == "source"
    return replace(caption, kept=kept, flags={**caption.flags, flag: reason})


def with_details(caption: Caption, **details: JsonValue) -> Caption:
    """Return a caption with more details in its provenance."""
    provenance = replace(caption.provenance, details={**caption.provenance.details, **details})
    return replace(caption, provenance=provenance)


def named(record: Record, name: str) -> Caption | None:
    """Return the caption of a record that bears an id; None where it has none such."""
    return next((caption for caption in record.captions if caption.id == name), None)


def with_told(record: Record, name: str, **details: JsonValue) -> Record:
    """Return the record with more details in the provenance of one of its captions."""
    captions = tuple(with_details(c, **details) if c.id == name else c for c in record.captions)
    return replace(record, captions=captions)


def ruled_out(
    record: Record, wrong: Sequence[Caption], flag: str, reason: str
) -> tuple[Record, frozenset[str]]:
    """Return the record with captions, all forms of them and all that say the same as history, and their ids."""
    lines = frozenset(name for caption in wrong for name in line_of(caption, record.captions))
    said = {folded(c.text) for c in record.captions if c.id in lines}
    out = lines | {c.id for c in record.captions if folded(c.text) in said}
    captions = tuple(as_history(c, flag, reason) if c.id in out else c for c in record.captions)
    return replace(record, captions=captions), out
