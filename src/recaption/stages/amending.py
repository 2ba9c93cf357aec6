"""Changed copies of a caption, as every stage makes them: with more said of how it came to be, or as history."""

from __future__ import annotations

from dataclasses import replace

from recaption.core.types import Caption, JsonValue

__all__ = ["as_history", "with_details"]


def as_history(caption: Caption, flag: str, reason: str) -> Caption:
    """Return a caption that no longer stands, and why; a text that came with the data stays, and is only flagged."""
    kept = caption.provenance.stage == "source"
    return replace(caption, kept=kept, flags={**caption.flags, flag: reason})


def with_details(caption: Caption, **details: JsonValue) -> Caption:
    """Return a caption with more details in its provenance."""
    provenance = replace(caption.provenance, details={**caption.provenance.details, **details})
    return replace(caption, provenance=provenance)
