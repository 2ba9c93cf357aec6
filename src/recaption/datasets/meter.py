"""What model calls have cost, per generator, in the run folder: it survives restarts."""

import sqlite3
import threading
from pathlib import Path

from recaption.core.errors import RunFolderError
from recaption.core.protocols import Usage

__all__ = ["SqliteMeter"]


class SqliteMeter:
    """Counts usage in `path`. Safe in several threads; one process at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, Usage] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False)
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS spent (name TEXT PRIMARY KEY, requests INTEGER NOT NULL, "
                "prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL NOT NULL)"
            )
            rows = self._connection.execute(
                "SELECT name, requests, prompt_tokens, completion_tokens, cost FROM spent"
            )
            for name, requests, prompt, completion, cost in rows.fetchall():
                self._spent[name] = Usage(
                    requests=requests, prompt_tokens=prompt, completion_tokens=completion, cost=cost
                )
        except (sqlite3.Error, OSError) as error:
            raise RunFolderError(f"the meter {path} cannot be opened: {error}") from error

    def reserve(self, name: str, most: Usage) -> None:
        """Set aside the most that a call can cost."""

    def settle(self, name: str, most: Usage, used: Usage) -> None:
        """Count what a call has cost."""
        with self._lock:
            self._spent[name] = self._spent.get(name, Usage()) + used

    def spent(self) -> dict[str, Usage]:
        """Return what each generator has cost in this run folder, earlier runs included."""
        with self._lock:
            return dict(self._spent)

    def close(self) -> None:
        """Write what was counted."""
        with self._lock, self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO spent VALUES (?, ?, ?, ?, ?)",
                [(n, u.requests, u.prompt_tokens, u.completion_tokens, u.cost) for n, u in self._spent.items()],
            )
        self._connection.close()
