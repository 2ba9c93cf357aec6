"""What an auditor can run into that is nobody's fault: somebody else was first, or the time was up."""

from __future__ import annotations

from recaption.audit.types import Draft, Verdict
from recaption.core.errors import UserError

__all__ = ["ConflictError", "LeaseError"]


class ConflictError(UserError):
    """A write came second. Both texts are here, and the one that lost is kept in the store as well."""

    def __init__(self, message: str, *, mine: Draft, theirs: Verdict | None) -> None:
        self.mine, self.theirs = mine, theirs
        """`theirs` is None where somebody holds the item but has not said anything yet."""
        super().__init__(message)


class LeaseError(UserError):
    """A lease has run out, was given to somebody else, or never was."""
