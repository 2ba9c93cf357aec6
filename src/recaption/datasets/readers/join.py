"""Rows of a table, found by the image they name. Memory stays flat: the rows lie in a temporary database."""

import json
import sqlite3
import unicodedata
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Final

from recaption.core.errors import DataError
from recaption.core.types import JsonValue, Rejected
from recaption.datasets.readers.accounting import Tally, rejected
from recaption.datasets.readers.columns import Roles
from recaption.datasets.readers.rows import Row, download_failure, key_text
from recaption.datasets.readers.table_files import TableFile
from recaption.datasets.readers.values import json_safe

__all__ = ["JoinedTable"]

_MAX_ROWS_PER_NAME: Final = 1000
_SCHEMA: Final = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE row (name BLOB, place TEXT, body TEXT, used INTEGER DEFAULT 0);
"""


class JoinedTable:
    """A table whose key column names images. Fill it, look rows up, ask which were never used, close it."""

    def __init__(self, table: TableFile, roles: Roles, tally: Tally) -> None:
        self.table = table
        self.roles = roles
        self.class_names: Mapping[str, Sequence[str]] = table.class_names()
        self._key_column = roles.key or ""
        self._tally = tally
        # an empty name is a private database on disk that SQLite deletes itself
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")

    @property
    def name(self) -> str:
        """The table's file name."""
        return self.table.path.name

    def fill(self) -> Generator[Rejected, None, None]:
        """Read the table; yield the rows that cannot be used."""
        try:
            for row in self.table.rows(self._tally):
                refused = self._keep(row) if isinstance(row, Row) else (row.place, row.reason, row.raw)
                if refused is not None:
                    place, reason, raw = refused
                    yield rejected(f"{self.name} {place}", f"{self.name} {place}: {reason}", raw=raw)
        except (DataError, OSError) as error:
            yield rejected(self.name, f"{self.name} cannot be read to its end: {error}")
        self._database.execute("CREATE INDEX by_name ON row (name)")

    def _keep(self, row: Row) -> tuple[str, str, str | None] | None:
        key = key_text(row.values.get(self._key_column))
        try:
            values = json_safe(row.values, lambda kind: self._tally.add("values dropped in a table", kind))
        except DataError as error:
            return row.place, str(error), key
        if not key:
            return row.place, f"the key column {self._key_column!r} is empty", json.dumps(values)[:2000]
        failure = download_failure(row.values)
        if failure is not None:
            return row.place, failure, key
        self._database.execute(
            "INSERT INTO row (name, place, body) VALUES (?, ?, ?)", (_plain(key), row.place, json.dumps(values))
        )
        return None

    def find(self, names: Sequence[str]) -> list[dict[str, JsonValue]]:
        """Return the rows that bear the first of these names that any row bears, in order of the table."""
        for name in names:
            found = self._database.execute(
                "SELECT body FROM row WHERE name = ? ORDER BY rowid LIMIT ?",
                (_plain(name), _MAX_ROWS_PER_NAME),
            ).fetchall()
            if found:
                self._database.execute("UPDATE row SET used = 1 WHERE name = ?", (_plain(name),))
                return [json.loads(body) for (body,) in found]
        return []

    def unused(self) -> Iterator[Rejected]:
        """Yield the rows that name no image."""
        rows = self._database.execute("SELECT name, place, body FROM row WHERE used = 0 ORDER BY rowid")
        for name, place, body in rows:
            key = name.decode("utf-8", "replace")
            yield rejected(
                key, f"{self.name} {place}: no image in the folder is called {key[:200]!r}", raw=body[:2000]
            )

    def close(self) -> None:
        """Give the database back."""
        self._database.close()


def _plain(name: str) -> bytes:
    """Return a name in the form that is compared: composed characters, forward slashes, no leading `./`."""
    text = unicodedata.normalize("NFC", name.replace("\\", "/"))
    while text.startswith("./"):
        text = text[2:]
    return text.encode("utf-8", "surrogatepass")
