"""The ledger: what was paid for is never paid again, not after a kill, not after a change further down the line.

One SQLite file, one row per finished call. A batch of calls is one transaction, synced to disk before its results
are used; so what a kill can cost is the calls in flight.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from recaption.core.errors import BackendError, RunFolderError
from recaption.core.types import JsonValue

__all__ = ["SqliteLedger"]

MAX_SQL_VARIABLES = 500


class SqliteLedger:
    """Finished calls by key, in `path`. Safe in several threads; one process at a time.

    `paid` counts the calls made through this object, `recalled` those that were remembered.
    """

    def __init__(self, path: Path) -> None:
        self.paid = 0
        self.recalled = 0
        self._path = path
        self._lock = threading.Lock()
        self._in_flight: dict[str, Future[JsonValue]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
            )
        except (sqlite3.Error, OSError) as error:
            raise RunFolderError(
                f"the ledger {path} cannot be opened: {error}. Move it away to start over; every call is paid again."
            ) from error

    def recall(
        self, keys: Sequence[str], call: Callable[[Sequence[int]], Sequence[JsonValue]]
    ) -> list[JsonValue]:
        """Return one value per key, paying through `call` only for those nobody has asked before.

        Equal keys, in this batch or in another thread at the same moment, are paid once.

        Raises:
            BackendError: The ledger cannot be read or written, or `call` says that its backend is gone.
        """
        with self._lock:
            known = self._select(keys)
            mine: dict[str, int] = {}
            others: dict[str, Future[JsonValue]] = {}
            for position, key in enumerate(keys):
                if key in known or key in mine or key in others:
                    continue
                if key in self._in_flight:
                    others[key] = self._in_flight[key]
                else:
                    mine[key] = position
                    self._in_flight[key] = Future()
            self.recalled += len(keys) - len(mine)
        # What others ask for is awaited only after our own calls are done, so that no two wait in a circle.
        with self._settling(mine):
            known.update(self._pay(mine, call))
        known.update(self._awaited(others, keys, call))
        return [known[key] for key in keys]

    def close(self) -> None:
        """Close the file; what was committed is safe with or without this."""
        with self._lock:
            self._connection.close()

    def _pay(
        self, mine: dict[str, int], call: Callable[[Sequence[int]], Sequence[JsonValue]]
    ) -> dict[str, JsonValue]:
        if not mine:
            return {}
        values = call(list(mine.values()))
        if len(values) != len(mine):
            raise BackendError(f"{len(mine)} calls were asked for, {len(values)} answers came back")
        # ASCII, because SQLite refuses lone surrogates, which hostile answers hold.
        rows = [
            (key, json.dumps(value, allow_nan=False, separators=(",", ":")))
            for key, value in zip(mine, values, strict=True)
        ]
        # A fresh answer takes the same way through JSON as a remembered one, so that nobody can tell them apart.
        answers: dict[str, JsonValue] = {key: json.loads(text) for key, text in rows}
        with self._lock:
            with self._disk(), self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?)", rows)
            self.paid += len(rows)
            for key, value in answers.items():
                self._in_flight[key].set_result(value)
        return answers

    def _awaited(
        self,
        others: dict[str, Future[JsonValue]],
        keys: Sequence[str],
        call: Callable[[Sequence[int]], Sequence[JsonValue]],
    ) -> dict[str, JsonValue]:
        """Return what other threads were asking for; where their batch failed, that is not our failure: ask again."""
        answers: dict[str, JsonValue] = {}
        again: list[str] = []
        for key, future in others.items():
            try:
                answers[key] = future.result()
            except BackendError:
                raise
            except Exception:
                again.append(key)
        if again:
            places = [keys.index(key) for key in again]
            values = self.recall(again, lambda wanted: call([places[i] for i in wanted]))
            answers.update(zip(again, values, strict=True))
        return answers

    @contextmanager
    def _settling(self, mine: dict[str, int]) -> Iterator[None]:
        """Take our keys off the list of calls in flight, and let those who wait for them see a failure."""
        try:
            yield
        except BaseException as error:
            for key in mine:
                if not self._in_flight[key].done():
                    self._in_flight[key].set_exception(error)
            raise
        finally:
            with self._lock:
                for key in mine:
                    del self._in_flight[key]

    def _select(self, keys: Sequence[str]) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        unique = list(dict.fromkeys(keys))
        for start in range(0, len(unique), MAX_SQL_VARIABLES):
            part = unique[start : start + MAX_SQL_VARIABLES]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, value FROM calls WHERE key IN ({marks})"  # noqa: S608 - only marks
            with self._disk():
                rows = self._connection.execute(query, part).fetchall()
            found.update((key, json.loads(value)) for key, value in rows)
        return found

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Turn a fault of the file into the end of the run: it says nothing about any record."""
        try:
            yield
        except sqlite3.Error as error:
            raise BackendError(f"the ledger {self._path} failed: {error}") from error
