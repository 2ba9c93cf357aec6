"""Where the store of an audit is opened: a file in the run folder, or a PostgreSQL database for a team.

This module is light; the database library is imported when a store is asked for.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from recaption.audit.types import Settings
from recaption.core.errors import MissingExtraError

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["STORE_FILE", "create_store", "default_place", "open_store"]

STORE_FILE: Final = "audit/store.sqlite"
FEATURE: Final = "an audit"


def default_place(run_folder: Path) -> Path:
    """Return the file of a run's audit."""
    return run_folder / STORE_FILE


def create_store(
    place: Path | str, settings: Settings | None = None, *, project: str = "recaption"
) -> AuditStore:
    """Make a new, empty store and open it.

    Args:
        place: A file, or a URL `postgresql://user@host/database`.
        project: PostgreSQL only: the schema that holds this audit, so that one database serves several.

    Raises:
        RunFolderError: There is a store already, or the place cannot be written.
        MissingExtraError: SQLAlchemy, or psycopg for a PostgreSQL URL, is not installed.
        UserError: The URL is of another database, or the name of the project is not a plain word.
    """
    _check_installed(place)
    from recaption.audit.store import AuditStore

    return AuditStore.create(place, settings or Settings(), project=project)


def open_store(place: Path | str, *, project: str = "recaption") -> AuditStore:
    """Open a store that exists; nothing is scanned, however many items it holds.

    Raises:
        RunFolderError: There is none, or it is of another version or something else.
        MissingExtraError, UserError: As for `create_store`.
    """
    _check_installed(place)
    from recaption.audit.store import AuditStore

    return AuditStore.open(place, project=project)


def _check_installed(place: Path | str) -> None:
    if find_spec("sqlalchemy") is None:
        raise MissingExtraError(FEATURE, "sqlalchemy", "audit")
    if isinstance(place, str) and "://" in place and find_spec("psycopg") is None:
        raise MissingExtraError("an audit in PostgreSQL", "psycopg", "postgres")
