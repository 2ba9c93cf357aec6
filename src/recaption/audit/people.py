"""Who may judge: names, and the tokens that open the page for them. The store keeps a token's digest alone."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any, Final

import sqlalchemy as sa

from recaption.audit.database import Database, Turn
from recaption.audit.loading import escaped
from recaption.audit.schema import auditors
from recaption.audit.types import Auditor, clean_name
from recaption.core.errors import UserError

__all__ = ["add", "by_token", "change", "everybody", "exchange", "named", "renew"]

TOKEN_BYTES: Final = 32


def add(database: Database, name: str) -> tuple[Auditor, str]:
    """Add an auditor; return them and their token. Raises UserError where the name is taken or cannot be used."""
    name = clean_name(name)
    token = _token()
    with database.writing() as turn:
        if turn.run(sa.select(auditors.c.id).where(auditors.c.name == escaped(name))).first():
            raise UserError(f"there is an auditor {name!r} already. Choose another name, or renew their token.")
        zero = dict.fromkeys(("returns_passed", "done", "skipped", "spent_ms"), 0)
        number = turn.insert(
            auditors, name=escaped(name), token_hash=_digest(token), active=True, passed=-1, **zero
        )
    return Auditor(number, name), token


def renew(database: Database, auditor: int) -> str:
    """Return a new token for an auditor, active from now on; the old one ends."""
    token = _token()
    change(database, auditor, token_hash=_digest(token), active=True)
    return token


def exchange(database: Database, token: str) -> tuple[Auditor, str] | None:
    """Swap a token that holds for a new one; None where it does not hold, or no longer."""
    newer = _token()
    with database.writing() as turn:
        row = turn.run(_HOLDER, {"digest": _digest(token)}).one_or_none()
        if row is None:
            return None
        _change(turn, row.id, token_hash=_digest(newer))
    return _auditor(row), newer


def by_token(database: Database, token: str) -> Auditor | None:
    """Return who holds a token; None where nobody does, or no longer."""
    with database.reading() as connection:
        row = connection.execute(_HOLDER, {"digest": _digest(token)}).one_or_none()
    return None if row is None else _auditor(row)


def named(database: Database, name: str) -> Auditor | None:
    """Return the auditor of a name, taken off or not; None where there is nobody."""
    with database.reading() as connection:
        question = sa.select(auditors).where(auditors.c.name == escaped(name.strip()))
        row = connection.execute(question).one_or_none()
    return None if row is None else _auditor(row)


def everybody(database: Database) -> list[Auditor]:
    """Return all auditors, those taken off included, in the order in which they came."""
    with database.reading() as connection:
        rows = connection.execute(sa.select(auditors).order_by(auditors.c.id)).all()
    return [_auditor(row) for row in rows]


def change(database: Database, auditor: int, **values: object) -> None:
    """Change an auditor's row. Raises UserError where there is none."""
    with database.writing() as turn:
        _change(turn, auditor, **values)


_HOLDER: Final = sa.select(auditors).where(auditors.c.token_hash == sa.bindparam("digest"), auditors.c.active)


def _change(turn: Turn, auditor: int, **values: object) -> None:
    if not turn.run(sa.update(auditors).where(auditors.c.id == auditor).values(values)).rowcount:
        raise UserError(f"there is no auditor with the number {auditor}")


def _auditor(row: sa.Row[Any]) -> Auditor:
    return Auditor(row.id, str(json.loads(f'"{row.name}"')), row.active)


def _token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def _digest(token: str) -> str:
    # A token is 256 random bits: a plain digest cannot be guessed back, and comparing digests gives no token away.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
