"""The page of an audit: a server on this machine, and what a browser runs of it. Needs the extra `audit`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from recaption.core.errors import MissingExtraError

__all__ = ["require_page"]

NEEDED: Final = ("fastapi", "jinja2", "uvicorn")


def require_page() -> None:
    """Raise MissingExtraError where the page cannot be served; to be asked before `serving` is imported."""
    for package in NEEDED:
        if find_spec(package) is None:
            raise MissingExtraError("the page of an audit", package, "audit")
