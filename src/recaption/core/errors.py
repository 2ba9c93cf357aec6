"""What can go wrong, and whose move it is.

RecaptionError
├── UserError            the caller can mend it; the command line prints one line and exits 2
│   ├── RecipeError      a recipe holds an unknown key, a bad value, an unknown name
│   ├── UnknownNameError a registry has no such name
│   ├── MissingExtraError an optional library is not installed
│   ├── RunFolderError   an output folder is in use, foreign or damaged
│   └── BudgetError      the budget for model calls is spent; raise it and run again to go on
├── DataError            one item of the input is bad; it becomes a reject, the run goes on
│   └── ImageError       an image cannot be read or decoded within the limits
└── BackendError         a model or service is gone; the run stops in a resumable state

Messages say what happened, where, and how to mend it.
"""

import difflib
from collections.abc import Iterable

__all__ = [
    "BackendError",
    "BudgetError",
    "DataError",
    "ImageError",
    "MissingExtraError",
    "RecaptionError",
    "RecipeError",
    "RunFolderError",
    "UnknownNameError",
    "UserError",
    "did_you_mean",
]


class RecaptionError(Exception):
    """Root of every error this package raises on purpose."""


class UserError(RecaptionError):
    """The caller can mend this; the message says how."""


class RecipeError(UserError):
    """A recipe is not valid."""


class RunFolderError(UserError):
    """An output folder is in use, was written by something else, or is damaged."""


class BudgetError(UserError):
    """The budget for model calls is spent; what was paid for is kept."""


class UnknownNameError(UserError):
    """A registry has no such name."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        super().__init__(f"unknown {kind} {name!r}.{did_you_mean(name, self.known)}")


class MissingExtraError(UserError):
    """A feature needs an optional library."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        self.feature, self.package, self.extra = feature, package, extra
        super().__init__(
            f"{feature} needs the library {package!r}, which is not installed. "
            f"Install it with: pip install 'recaption[{extra}]'"
        )


class DataError(RecaptionError):
    """One item of the input is bad. `retryable` says whether trying again later may help."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        self.retryable = retryable
        super().__init__(message)


class ImageError(DataError):
    """An image cannot be read, or not within the limits."""


class BackendError(RecaptionError):
    """A model or a service is gone; nothing more can be asked of it."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ' Did you mean …? Known: …' for an error message, leading space included."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
    return f"{hint} Known: {', '.join(names) or 'none'}."
