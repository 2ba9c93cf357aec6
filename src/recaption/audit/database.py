"""One writer at a time, and nothing acknowledged that is not on disk; in SQLite and in PostgreSQL alike.

A `Turn` is one write transaction. It begins by locking the whole store (`BEGIN IMMEDIATE`, or the one row of the
project), so that every history is a serial one: a few hundred turns a second, where twenty people need ten.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL

from recaption.audit.schema import SCHEMA_VERSION, auditors, metadata, project
from recaption.audit.types import Settings
from recaption.core.errors import BackendError, RunFolderError, UserError

__all__ = ["NOW", "Database", "Turn"]

WAIT_S: Final = 60
"""How long a writer of another process is waited for."""
WRITES: Final = "recaption_writes"

NOW: Final[Mapping[str, sa.ColumnElement[Any]]] = {
    "sqlite": sa.literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"),
    "postgresql": sa.literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"),
}
"""The clock of the database, in milliseconds, by engine."""

# Locked first, and only then looked at together with the clock, or a turn that waited would live in the past.
_LOCKED: Final = (
    sa.select(project).with_for_update().cte("locked").prefix_with("MATERIALIZED", dialect="postgresql")
)
_HASTY: Final = sa.func.set_config("synchronous_commit", "off", True)  # for this transaction


@cache
def _adding(table: sa.Table, *names: str) -> sa.Update:
    """Return the statement that adds to columns of a table the parameters of the same names."""
    return sa.update(table).values({name: table.c[name] + sa.bindparam(name) for name in names})


@cache
def _adding_for(*names: str) -> sa.Update:
    return _adding(auditors, *names).where(auditors.c.id == sa.bindparam("who"))


@cache
def _insert(table: sa.Table) -> sa.Insert:
    return sa.insert(table)


@cache
def _as_one(last: sa.Insert, *changes: sa.Update) -> sa.Insert:
    ctes = (change.cte(f"change_{n}") for n, change in enumerate(changes))
    return last.add_cte(*ctes).returning(*last.table.primary_key)


class Turn:
    """A write transaction, alone in the store. `now_ms` is the clock of the database."""

    def __init__(self, connection: sa.Connection, row: sa.Row[Any]) -> None:
        self.connection = connection
        self.run = connection.execute
        self.now_ms: int = row.now_ms
        self.lease_ms: int = row.lease_ms
        self.overlap: int = row.overlap
        self.positions: int = row.positions
        self.returns: int = row.returns
        self._counted: Counter[str] = Counter()
        self._counted_for: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def count(self, **changes: int) -> None:
        """Add to the project's counters, once the turn ends."""
        self._counted.update(changes)

    def count_for(self, auditor: int, **changes: int) -> None:
        """Add to an auditor's counters, once the turn ends."""
        self._counted_for[auditor].update(changes)

    def close_books(self) -> None:
        """Write the counters down: one statement each, however much a turn has counted."""
        for who, counted in self._counted_for.items():
            changes = {name: by for name, by in counted.items() if by}
            if changes:
                self.run(_adding_for(*changes), {"who": who, **changes})
        changes = {name: by for name, by in self._counted.items() if by}
        if changes:
            self.run(_adding(project, *changes), changes)

    def insert(self, table: sa.Table, **values: Any) -> int:
        """Write a row and return the number that it got."""
        key: Any = self.run(_insert(table), values).inserted_primary_key
        return int(key[0])

    def together(self, changes: tuple[sa.Update, ...], last: sa.Insert, values: Mapping[str, Any]) -> int:
        """Change rows and write another one, in one statement where the database can; return the number it got.

        Args:
            values: Of all the statements, none of which sees what the others did.
        """
        if changes and self.connection.dialect.name == "postgresql":
            number: int = self.run(_as_one(last, *changes), values).scalar_one()
            return number
        for change in changes:
            self.run(change, values)
        key: Any = self.run(last, values).inserted_primary_key
        return int(key[0])

    def next_return(self) -> int:
        """Return the number of another return to the queue."""
        self.returns += 1
        self.count(returns=1)
        return self.returns


class Database:
    """The engine of one store. Safe in several threads; several processes may open the same store."""

    def __init__(self, place: Path | str, *, schema: str) -> None:
        url = _url(place)
        self.name = url.render_as_string(hide_password=True) if url.host or not url.database else url.database
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._queue = _Queue()
        if self.is_sqlite:
            self.engine = sa.create_engine(
                url, pool_size=16, max_overflow=64, connect_args={"timeout": WAIT_S, "isolation_level": None}
            )
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,50}", schema):
                raise UserError(
                    f"project {schema[:60]!r}: give lower-case letters, digits and _, a letter first"
                )
            self._schema = schema
            self.engine = sa.create_engine(
                url, pool_size=16, max_overflow=64, pool_pre_ping=True, isolation_level="READ COMMITTED"
            )
            sa.event.listen(self.engine, "connect", self._prepare_postgres)
        self._now = NOW[self.engine.dialect.name]
        self._begin = sa.select(project if self.is_sqlite else _LOCKED, self._now.label("now_ms"))
        self._begin_hasty = self._begin if self.is_sqlite else self._begin.add_columns(_HASTY)

    def create(self, settings: Settings, about: str) -> None:
        """Make the tables. Raises RunFolderError where they are there already."""
        with self._faults(), self._queue.turn(), self.engine.connect() as plain:
            connection = plain.execution_options(**{WRITES: "FULL"})
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(sa.DDL(f"CREATE SCHEMA IF NOT EXISTS {self._schema}"))
                if sa.inspect(connection).get_table_names(None if self.is_sqlite else self._schema):
                    raise RunFolderError(
                        f"{self.name} holds an audit, or something else, already. Name a new place."
                    )
                metadata.create_all(connection, checkfirst=False)
                connection.execute(
                    sa.insert(project).values(
                        id=1,
                        schema_version=SCHEMA_VERSION,
                        created_ms=self._now,
                        overlap=settings.overlap,
                        lease_ms=round(settings.lease_s * 1000),
                        about=about,
                        **dict.fromkeys(("items", "positions", "slots", "done", "finished", "returns"), 0),
                    )
                )

    def load(self) -> sa.Row[Any]:
        """Return the project's row. Raises RunFolderError where there is no audit, or one of another version."""
        try:
            with self.engine.connect() as connection:
                row = connection.execute(sa.select(project)).one_or_none()
        except (sa.exc.ProgrammingError, sa.exc.DatabaseError) as error:
            raise RunFolderError(f"{self.name} holds no audit that can be read: {_detail(error)}") from error
        if row is None or row.schema_version != SCHEMA_VERSION:
            found = "none" if row is None else f"version {row.schema_version}"
            raise RunFolderError(
                f"{self.name}: an audit of version {SCHEMA_VERSION} was expected, found {found}"
            )
        return row

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection for questions. Raises BackendError when the database is gone."""
        with self._faults(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Turn]:
        """Yield a turn; what it wrote is on disk when the block has ended, and nothing is when it raised.

        Args:
            durable: False where a power cut (not a kill) may undo it together with all that came after: a lease that
                is forgotten is given again, and a verdict that is remembered takes the lease before it to disk.

        Raises:
            BackendError: The database is gone, full, or was busy for a minute. A commit that failed may still have
                been carried out: ask again with the same request.
        """
        with self._faults(), self._queue.turn(), self.engine.connect() as plain:
            connection = plain.execution_options(**{WRITES: "FULL" if durable else "NORMAL"})
            with connection.begin():
                turn = Turn(connection, connection.execute(self._begin if durable else self._begin_hasty).one())
                yield turn
                turn.close_books()

    def close(self) -> None:
        """Let go of all connections; what was acknowledged is safe with or without this."""
        self.engine.dispose()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.IntegrityError as error:
            raise BackendError(f"the audit {self.name} contradicts itself: {_detail(error)}") from error
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            raise BackendError(
                f"the audit {self.name} failed: {_detail(error)}. What was acknowledged is safe; try again."
            ) from error

    def _prepare_postgres(self, connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET search_path TO {self._schema}")  # checked to be a plain word
            # Somebody who holds the lock and was stopped or cut off holds up the others no longer than this.
            for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute(f"SET {name} TO '{WAIT_S}s'")
            cursor.execute("SHOW synchronous_commit")
            if cursor.fetchone()[0] == "off":
                cursor.execute("SET synchronous_commit TO on")
        connection.commit()


class _Queue:
    """A lock that is handed over in the order of asking, for the threads of one process.

    Left to SQLite some would wait for very long, and PostgreSQL slows down under a crowd that waits for one row.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy = False
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        gate = threading.Lock()
        with self._lock:
            waits = self._busy
            self._busy = True
            if waits:
                gate.acquire()
                self._waiting.append(gate)
        try:
            if waits:
                gate.acquire()
            yield
        finally:
            with self._lock:
                if gate in self._waiting:  # interrupted while waiting
                    self._waiting.remove(gate)
                elif self._waiting:
                    self._waiting.popleft().release()
                else:
                    self._busy = False


def _url(place: Path | str) -> URL:
    if isinstance(place, Path) or "://" not in place:
        return URL.create("sqlite", database=str(place))
    try:
        url = sa.make_url(place)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise UserError("this database URL cannot be read. Give postgresql://USER@HOST/DATABASE.") from error
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise UserError(f"an audit is kept in SQLite or PostgreSQL, not {url.get_backend_name()!r}")
    return url.set(drivername="postgresql+psycopg")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    if writes:
        connection.exec_driver_sql(f"PRAGMA synchronous={writes}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _detail(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    with suppress(UnicodeError):
        return " ".join(str(cause).split())[:200]
    return type(cause).__name__
