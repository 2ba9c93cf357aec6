"""Places for the store of an audit, in every engine, and what must hold in each of them at any moment."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from recaption.audit.database import Turn
from recaption.audit.errors import ConflictError
from recaption.audit.opening import create_store, open_store
from recaption.audit.schema import auditors, items, leases, project, standing, verdicts
from recaption.audit.store import AuditStore
from recaption.audit.types import AuditItem, Draft, Foreign, Receipt, Settings
from recaption.core.errors import UserError
from tests.servers.postgres import find_postgres, running_postgres

__all__ = [
    "ACCEPT",
    "ENGINES",
    "Place",
    "age",
    "bring",
    "edit",
    "engine_url",
    "fill",
    "judge",
    "place_in",
    "plan_of",
    "rows",
    "take",
    "theirs_of",
    "troubles",
]

ENGINES = ("sqlite", "postgres")
ACCEPT = Draft(action="accept")
_numbers = itertools.count()


@dataclass(frozen=True)
class Place:
    """Where one test keeps its audit."""

    where: Path | str
    project: str

    def create(self, **settings) -> AuditStore:
        return create_store(self.where, Settings(**settings), project=self.project)

    def open(self) -> AuditStore:
        return open_store(self.where, project=self.project)


@contextmanager
def engine_url(engine: str) -> Iterator[str | None]:
    """Yield the URL of a server, or None where the engine is a file. Skips where there is no such engine."""
    if engine == "sqlite":
        yield None
        return
    if find_postgres() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with running_postgres() as url:
        yield url


def place_in(url: str | None, folder: Path) -> Place:
    """Return a place nobody has used: a file of its own, or a schema of its own."""
    number = next(_numbers)
    return Place(url or folder / f"audit{number}.sqlite", f"test_{number}")


def fill(store: AuditStore, count: int, people: int = 1) -> list[int]:
    """Add items and auditors; return the auditors' numbers."""
    store.add_items(AuditItem(key=f"key {i}", payload={"caption": f"text {i}"}) for i in range(count))
    return [store.add_auditor(f"auditor {i}")[0].id for i in range(people)]


def edit(text: str) -> Draft:
    return Draft(action="edit", text=text)


def take(store: AuditStore, auditor: int, **options: Any) -> tuple[int, int]:
    """Take an auditor's next item; return its position and the fence."""
    got = store.next_item(auditor, **options)
    assert got is not None
    assert got.item.position == got.lease.item
    return got.lease.item, got.lease.fence


def judge(store: AuditStore, auditor: int, draft: Draft = ACCEPT, request: str | None = None) -> Receipt:
    """Take an auditor's next item and judge it."""
    item, fence = take(store, auditor)
    return store.submit(auditor, item, draft, request=request or f"r{fence}", fence=fence)


def bring(store: AuditStore, auditor: int, key: str, draft: Draft, request: str) -> Receipt:
    """Record one verdict from elsewhere; raise what it is refused for."""
    [answer] = store.record([Foreign(auditor=auditor, key=key, draft=draft, request=request)])
    if isinstance(answer, UserError):
        raise answer
    return answer


def theirs_of(caught: pytest.ExceptionInfo[ConflictError]) -> Draft:
    """Return what the other one said, who was first."""
    assert caught.value.theirs is not None
    return caught.value.theirs.draft


def age(store: AuditStore, seconds: float) -> None:
    """Let time pass for the leases."""
    with store._database.writing() as turn:
        turn.run(sa.update(leases).values(expires_ms=leases.c.expires_ms - round(seconds * 1000)))


def plan_of(store: AuditStore, ask: Callable[[Turn], object]) -> str:
    """Return how the database goes about the last question that `ask` asks."""
    asked: list[tuple[str, Any]] = []
    with store._database.writing() as turn:
        if not store._database.is_sqlite:
            turn.run(sa.text("ANALYZE"))

        def note(_connection: object, _cursor: object, text: str, values: Any, *_rest: object) -> None:
            asked.append((text, values))

        sa.event.listen(store._database.engine, "before_cursor_execute", note)
        ask(turn)
        sa.event.remove(store._database.engine, "before_cursor_execute", note)
        question, values = asked[-1]
        explain = "EXPLAIN QUERY PLAN " if store._database.is_sqlite else "EXPLAIN "
        return " ".join(str(row) for row in turn.connection.exec_driver_sql(explain + question, values))


def rows(store: AuditStore, table: sa.Table) -> list[Any]:
    """Return a whole table."""
    with store._database.reading() as connection:
        return list(connection.execute(sa.select(table).order_by(*table.primary_key.columns)).all())


def troubles(store: AuditStore) -> list[str]:
    """Return where the books do not balance: everything is counted again from the log and the leases."""
    found = []
    live = [lease for lease in rows(store, leases) if lease.ended is None]
    words = rows(store, standing)
    log = {row.id: row for row in rows(store, verdicts)}
    done: dict[int, set[int]] = {}
    for word in words:
        if not word.skipped:
            done.setdefault(word.item, set()).add(word.auditor)
        row = log[word.verdict]
        if (row.item, row.auditor, row.action == "skip") != (word.item, word.auditor, word.skipped):
            found.append(f"standing {word} is not what the log says: {row}")
    superseded = {row.supersedes for row in log.values()}
    expected = {row.id for row in log.values() if row.id not in superseded and row.action != "undo"}
    if expected != {word.verdict for word in words}:
        found.append(f"stands {sorted(word.verdict for word in words)}, the log says {sorted(expected)}")
    held: dict[int, list[int]] = {}
    for lease in live:
        held.setdefault(lease.item, []).append(lease.auditor)
    everything = rows(store, items)
    for item in everything:
        mine, others = done.get(item.position, set()), held.get(item.position, [])
        if len(set(others)) != len(others) or mine & set(others):
            found.append(f"item {item.position} is with somebody twice: {mine} {others}")
        if item.done != len(mine) or item.open != item.needed - len(mine) - len(others) or item.open < 0:
            found.append(f"item {item} has verdicts of {mine} and is with {others}")
    books = rows(store, project)[0]
    counted = (len(everything), sum(map(len, done.values())), sum(i.done == i.needed for i in everything))
    if (books.items, books.done, books.finished) != counted:
        found.append(f"the project counts {books}, there are {counted}")
    for person in rows(store, auditors):
        own = [word for word in words if word.auditor == person.id]
        skipped = sum(word.skipped for word in own)
        if (person.done, person.skipped) != (len(own) - skipped, skipped):
            found.append(f"auditor {person} has {len(own) - skipped} verdicts and {skipped} skips")
    return found
