"""What a grammar rule finds."""

from dataclasses import dataclass

__all__ = ["Slip"]


@dataclass(frozen=True, slots=True)
class Slip:
    """One thing that a rule takes for a slip, `text[start:end]`."""

    rule: str
    start: int
    end: int
