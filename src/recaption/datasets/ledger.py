"""The ledger: what was paid for is never paid again, not after a kill, not after a change further down the line.

One SQLite file, one row per finished call, synced to disk as soon as it is known and before anybody uses it; so what
a kill can cost is the calls in flight. Answers that come in while the disk is busy share the next transaction.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from recaption.core.errors import BackendError, RunFolderError
from recaption.core.protocols import Answer, Fleeting
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
        self._finished: SimpleQueue[tuple[str, str, Future[JsonValue]] | None] = SimpleQueue()
        self._writer: threading.Thread | None = None
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

    def recall(self, keys: Sequence[str], call: Callable[[Sequence[int]], Iterable[Answer]]) -> list[JsonValue]:
        """Return one value per key, paying through `call` only for those nobody has asked before.

        What `call` yields before it fails stays paid for.

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
            writer, self._writer = self._writer, None
        if writer is not None:
            self._finished.put(None)
            writer.join()
        with self._lock:
            self._connection.close()

    def _pay(
        self, mine: dict[str, int], call: Callable[[Sequence[int]], Iterable[Answer]]
    ) -> dict[str, JsonValue]:
        if not mine:
            return {}
        keys = {position: key for key, position in mine.items()}
        answered: set[str] = set()
        try:
            for position, value in call(list(keys)):
                key = keys[position]
                if key in answered:
                    raise BackendError(f"two answers came back for one call ({position})")
                answered.add(key)
                self._settle(key, value)
        finally:
            wait([self._in_flight[key] for key in answered])
        if len(answered) != len(mine):
            raise BackendError(f"{len(mine)} calls were asked for, {len(answered)} answers came back")
        return {key: self._in_flight[key].result() for key in mine}

    def _settle(self, key: str, value: JsonValue | Fleeting) -> None:
        """Hand an answer to whoever waits for it, by way of the disk if it is to be remembered."""
        # ASCII, because SQLite refuses lone surrogates, which hostile answers hold. A fresh answer takes the same way
        # through JSON as a remembered one, so that nobody can tell them apart.
        plain = value.value if isinstance(value, Fleeting) else value
        text = json.dumps(plain, allow_nan=False, separators=(",", ":"))
        if isinstance(value, Fleeting):
            self._in_flight[key].set_result(json.loads(text))
            return
        with self._lock:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="recaption-ledger", daemon=True)
                self._writer.start()
        self._finished.put((key, text, self._in_flight[key]))

    def _write(self) -> None:
        """Commit what has come in, all of it at once, until told to stop."""
        ending = False
        while not ending:
            rows = [self._finished.get()]
            try:
                while True:
                    rows.append(self._finished.get_nowait())
            except Empty:
                pass
            ending = None in rows
            self._commit([row for row in rows if row is not None])

    def _commit(self, rows: Sequence[tuple[str, str, Future[JsonValue]]]) -> None:
        try:
            with self._lock, self._disk(), self._connection:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO calls VALUES (?, ?)", [(key, text) for key, text, _ in rows]
                )
        except BackendError as error:
            for _, _, future in rows:
                future.set_exception(error)
            return
        self.paid += len(rows)
        for _, text, future in rows:
            future.set_result(json.loads(text))

    def _awaited(
        self,
        others: dict[str, Future[JsonValue]],
        keys: Sequence[str],
        call: Callable[[Sequence[int]], Iterable[Answer]],
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
            back = {place: i for i, place in enumerate(places)}
            values = self.recall(
                again, lambda wanted: ((back[p], value) for p, value in call([places[i] for i in wanted]))
            )
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
