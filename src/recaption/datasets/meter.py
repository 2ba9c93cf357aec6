"""What model calls have cost, per generator, in the run folder: it survives restarts, and stops at a budget.

With a budget, no call goes out before it is set aside on disk. Not each by itself: a synced transaction sets aside a
lease for several, and the next lease is taken in the background before the last is used up. What a lease still holds
at the end is given back; what an open one holds at a kill counts as spent. So the budget is never exceeded, and
without a kill it is used to the last call.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from recaption.core.errors import BackendError, BudgetError, RunFolderError, UserError
from recaption.core.protocols import Usage

__all__ = ["Budget", "SqliteMeter"]

_LONGEST_LEASE: Final = 64
"""Calls. What a kill can lose of the budget; one synced transaction a lease costs a thousandth of its calls' time."""
_LEASE_SHARE: Final = 0.05
"""Of what is left: a small budget is leased in small pieces, to the last one by one."""
_FLUSH_S: Final = 1.0
"""Without a budget nothing is set aside; what was counted reaches the disk this often."""
_COST_DUST: Final = 1e-9
"""Adding costs up in another order changes the last digits."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that all calls of a run folder may cost together, earlier runs included. None is no limit."""

    requests: int | None = None
    tokens: int | None = None
    """Prompt and answer."""
    cost: float | None = None
    """In the currency of the prices given."""

    def __post_init__(self) -> None:
        for name in ("requests", "tokens", "cost"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise UserError(f"a budget is a number of 0 or more; {name} is {value}.")

    @property
    def unlimited(self) -> bool:
        """Whether it limits nothing."""
        return self.requests is None and self.tokens is None and self.cost is None

    def fits(self, total: Usage) -> bool:
        """Return whether so much may be spent in all."""
        return (
            (self.requests is None or total.requests <= self.requests)
            and (self.tokens is None or _tokens(total) <= self.tokens)
            and (self.cost is None or total.cost <= self.cost + _COST_DUST)
        )

    def calls_left(self, spoken_for: Usage, most: Usage) -> float:
        """Return how many calls of at most `most` fit beside what is spoken for."""
        left = [float("inf")]
        if self.requests is not None and most.requests:
            left.append((self.requests - spoken_for.requests) / most.requests)
        if self.tokens is not None and _tokens(most):
            left.append((self.tokens - _tokens(spoken_for)) / _tokens(most))
        if self.cost is not None and most.cost > 0:
            left.append((self.cost + _COST_DUST - spoken_for.cost) / most.cost)
        return min(left)


@dataclass(slots=True)
class _Account:
    """One generator. What is on disk is never less than settled + reserved; `leased` may still be reserved."""

    settled: Usage = field(default_factory=Usage)
    reserved: Usage = field(default_factory=Usage)
    leased: Usage = field(default_factory=Usage)

    @property
    def spoken_for(self) -> Usage:
        return self.settled + self.reserved + self.leased


class SqliteMeter:
    """Counts usage in `path`. Safe in several threads and in an event loop; one process at a time."""

    def __init__(self, path: Path, budget: Budget | None = None) -> None:
        self._path, self._budget = path, budget or Budget()
        self._lock = threading.Lock()
        """Of the accounts; held for moments."""
        self._disk = threading.RLock()
        """Of the file; held while it syncs. Taken before `_lock`, never after."""
        self._accounts: dict[str, _Account] = {}
        self._wanted: tuple[str, Usage] | None = None
        self._dirty = False
        self._failure: BackendError | None = None
        self._wake = threading.Event()
        self._closing = False
        self._writer: threading.Thread | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            for table in ("spent", "leased"):
                self._connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {table} (name TEXT PRIMARY KEY, requests INTEGER NOT NULL, "
                    "prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL NOT NULL)"
                )
            for table in ("spent", "leased"):  # a lease that is still open was not given back: a kill
                rows = self._connection.execute(
                    f"SELECT name, requests, prompt_tokens, completion_tokens, cost FROM {table}"  # noqa: S608
                )
                for name, *values in rows.fetchall():
                    account = self._accounts.setdefault(name, _Account())
                    account.settled += _usage(values)
        except (sqlite3.Error, OSError) as error:
            raise RunFolderError(
                f"the meter {path} cannot be opened: {error}. Move it away to count from nothing."
            ) from error

    def reserve(self, name: str, most: Usage) -> None:
        """Set aside the most that a call can cost, durably if there is a budget.

        Raises:
            BudgetError: It does not fit beside what is spent and what other calls have set aside.
            BackendError: The file cannot be written.
        """
        if self._budget.unlimited:
            return
        with self._lock:
            if self._failure is not None:
                raise BackendError(str(self._failure))
            if self._take(name, most):
                return
        with self._disk:  # the writer may be taking a lease just now
            with self._lock:
                if self._take(name, most):
                    return
                calls = self._lease_size(most)
                if calls < 1:
                    self._return_leases()
                    calls = self._lease_size(most)
                if calls < 1:
                    raise BudgetError(self._spent_message(most))
            self._lease(name, most, calls, taken=1)

    def settle(self, name: str, most: Usage, used: Usage) -> None:
        """Count what a call has cost, in place of what was set aside for it."""
        with self._lock:
            account = self._accounts.setdefault(name, _Account())
            account.settled += used
            if not self._budget.unlimited:
                account.reserved = _less(account.reserved, most)
            self._dirty = True
            self._start_writer()

    def spent(self) -> dict[str, Usage]:
        """Return what each generator has cost in this run folder, earlier runs included."""
        with self._lock:
            return {name: account.settled for name, account in self._accounts.items()}

    def close(self) -> None:
        """Write what was counted and give back what was set aside and not used."""
        with self._lock:
            self._closing, writer = True, self._writer
        if writer is not None:
            self._wake.set()
            writer.join()
        with self._disk:
            with self._lock:
                for account in self._accounts.values():
                    # Nobody will say any more what these calls have cost.
                    account.settled += account.reserved
                    account.reserved = account.leased = Usage()
            try:
                self._save()
            finally:
                self._connection.close()

    def _take(self, name: str, most: Usage) -> bool:
        """Move one call from leased to reserved, if that much is leased; ask for more in good time."""
        account = self._accounts.setdefault(name, _Account())
        if not _covers(account.leased, most):
            return False
        account.leased = _less(account.leased, most)
        account.reserved += most
        if self._wanted is None and not _covers(account.leased, _times(most, self._lease_size(most) // 2)):
            self._wanted = (name, most)
            self._start_writer()
            self._wake.set()
        return True

    def _lease_size(self, most: Usage) -> int:
        """Return for how many calls a lease may be taken now; 0 if not for one."""
        total = sum((account.spoken_for for account in self._accounts.values()), Usage())
        if not self._budget.fits(total + most):
            return 0
        left = self._budget.calls_left(total, most)
        return int(max(1, min(_LONGEST_LEASE, left * _LEASE_SHARE)))

    def _lease(self, name: str, most: Usage, calls: int, taken: int = 0) -> None:
        """Set calls aside on disk, then let them be taken; some of them at once. Syncs without holding `_lock`."""
        self._save({name: _times(most, calls)})
        with self._lock:
            account = self._accounts[name]
            account.leased += _times(most, calls - taken)
            account.reserved += _times(most, taken)

    def _return_leases(self) -> None:
        """Take back, in memory, what is leased and not taken, for a call that needs it."""
        for account in self._accounts.values():
            account.leased = Usage()

    def _save(self, more: dict[str, Usage] | None = None) -> None:
        """Write every account, in one synced transaction. Raises BackendError."""
        with self._disk:
            with self._lock:
                self._dirty = False
                rows = {name: (a.settled, a.reserved + a.leased) for name, a in self._accounts.items()}
            for name, extra in (more or {}).items():
                settled, open_ = rows.get(name, (Usage(), Usage()))
                rows[name] = (settled, open_ + extra)
            try:
                with self._connection:
                    self._put("spent", ((name, settled) for name, (settled, _) in rows.items()))
                    self._put("leased", ((name, open_) for name, (_, open_) in rows.items()))
            except sqlite3.Error as error:
                raise BackendError(f"the meter {self._path} failed: {error}") from error

    def _put(self, table: str, rows: Iterable[tuple[str, Usage]]) -> None:
        self._connection.executemany(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)",  # noqa: S608 - our own two names
            [(name, u.requests, u.prompt_tokens, u.completion_tokens, u.cost) for name, u in rows],
        )

    def _start_writer(self) -> None:
        if self._writer is None and not self._closing:
            self._writer = threading.Thread(target=self._write, name="recaption-meter", daemon=True)
            self._writer.start()

    def _write(self) -> None:
        """Take leases before they are needed, and write what was counted, until told to stop."""
        while True:
            asked = self._wake.wait(_FLUSH_S)
            self._wake.clear()
            with self._lock:
                if self._closing:
                    return
                wanted, dirty = self._wanted, self._dirty
            try:
                if wanted is not None:
                    self._lease_ahead(*wanted)
                elif dirty and not asked:
                    self._save()
            except BackendError as error:
                with self._lock:
                    self._failure = error
                return
            finally:
                with self._lock:
                    self._wanted = None

    def _lease_ahead(self, name: str, most: Usage) -> None:
        with self._disk:
            with self._lock:
                calls = self._lease_size(most)
            if calls >= 1:
                self._lease(name, most, calls)

    def _spent_message(self, most: Usage) -> str:
        budget, total = self._budget, Usage()
        for account in self._accounts.values():
            total += account.settled + account.reserved
        said = []
        if budget.requests is not None:
            said.append(f"{total.requests:,} of {budget.requests:,} requests")
        if budget.tokens is not None:
            said.append(f"{_tokens(total):,} of {budget.tokens:,} tokens")
        if budget.cost is not None:
            said.append(f"{total.cost:.4f} of {budget.cost:.4f} in cost")
        rest = "" if budget.requests is not None and total.requests >= budget.requests else _needs(budget, most)
        return (
            f"the budget is spent: {', '.join(said)}, earlier runs in this folder included{rest}. "
            "What was paid for is kept: raise the budget and run the same command again to go on."
        )


def _needs(budget: Budget, most: Usage) -> str:
    """Say what one more call could cost, where that is what does not fit."""
    needs = []
    if budget.tokens is not None:
        needs.append(f"{_tokens(most):,} tokens")
    if budget.cost is not None:
        needs.append(f"{most.cost:.4f}")
    return f"; one more call may need {' and '.join(needs)}" if needs else ""


def _tokens(usage: Usage) -> int:
    return usage.prompt_tokens + usage.completion_tokens


def _usage(values: list[float]) -> Usage:
    requests, prompt, completion, cost = values
    return Usage(
        requests=int(requests), prompt_tokens=int(prompt), completion_tokens=int(completion), cost=float(cost)
    )


def _times(usage: Usage, calls: int) -> Usage:
    return Usage(
        requests=usage.requests * calls,
        prompt_tokens=usage.prompt_tokens * calls,
        completion_tokens=usage.completion_tokens * calls,
        cost=usage.cost * calls,
    )


def _less(usage: Usage, part: Usage) -> Usage:
    return Usage(
        requests=usage.requests - part.requests,
        prompt_tokens=usage.prompt_tokens - part.prompt_tokens,
        completion_tokens=usage.completion_tokens - part.completion_tokens,
        cost=max(0.0, usage.cost - part.cost),
    )


def _covers(usage: Usage, part: Usage) -> bool:
    return (
        usage.requests >= part.requests
        and usage.prompt_tokens >= part.prompt_tokens
        and usage.completion_tokens >= part.completion_tokens
        and usage.cost >= part.cost - _COST_DUST
    )
