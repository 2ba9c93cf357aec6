"""The store of an audit: who judges what, and everything that was ever said.

Promises, held in SQLite and in PostgreSQL, in any number of threads and processes:

- An item is with exactly as many distinct auditors as were asked for, never with more; nobody gets it twice at once.
- What ran out goes to whoever asks next, ahead of new items; nothing that is open is ever out of everybody's reach.
- A verdict, skip or undo that was acknowledged is on disk. A request that arrives twice is carried out once.
- The log only grows. A write that comes second is refused with both texts, and its own is kept too.
- Time is that of the database.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from recaption.audit import loading, log, people, queue
from recaption.audit.database import Database
from recaption.audit.errors import ConflictError
from recaption.audit.types import (
    Assignment,
    AuditItem,
    Auditor,
    Draft,
    Foreign,
    Lease,
    Progress,
    Receipt,
    Settings,
    Verdict,
)
from recaption.core.errors import RunFolderError, UserError
from recaption.datasets.atomic import sync_folder

__all__ = ["AuditStore"]


class AuditStore:
    """An open store; see `opening.create_store` and `opening.open_store`. Safe in several threads and processes.

    Every method raises BackendError when the database is gone, full or busy for a minute; asking again with the same
    request id is always safe.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        row = database.load()
        self.settings = Settings(overlap=row.overlap, lease_s=row.lease_ms / 1000, about=json.loads(row.about))
        self.created_ms: int = row.created_ms

    @classmethod
    def create(cls, place: Path | str, settings: Settings, *, project: str) -> Self:
        """Make an empty store. Raises RunFolderError where there is one already."""
        database = Database(place, schema=project)
        if database.is_sqlite:
            _claim(Path(place))
        try:
            database.create(settings, json.dumps(dict(settings.about), allow_nan=False))
            return cls(database)
        except BaseException:
            database.close()
            if database.is_sqlite:
                _give_up(Path(place))
            raise

    @classmethod
    def open(cls, place: Path | str, *, project: str) -> Self:
        """Open a store. Raises RunFolderError where there is none that can be read."""
        database = Database(place, schema=project)
        if database.is_sqlite and not Path(place).is_file():
            raise RunFolderError(f"there is no audit at {place}. Start one first.")
        try:
            return cls(database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close all connections; what was acknowledged is safe with or without this."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the sample ---------------------------------------------------------------------------------------------

    def add_items(self, sample: Iterable[AuditItem]) -> int:
        """Append items to the queue in order, and return how many were new; keys that are there stay as they are.

        Thousands go in at a time. After a kill, the same call with the same sample adds what is missing.
        """
        return loading.add_items(self._database, sample)

    def item(self, position: int) -> AuditItem:
        """Return the item at a position. Raises UserError where there is none."""
        with self._database.reading() as connection:
            return loading.read_item(connection, position)

    def positions(self, keys: Iterable[str]) -> dict[str, int]:
        """Return the positions of items by their keys; keys that the sample does not have are left out."""
        with self._database.reading() as connection:
            return loading.positions(connection, keys)

    def items(self) -> Iterator[AuditItem]:
        """Yield all items, in the order of the queue."""
        return loading.read_items(self._database)

    # --- auditors -----------------------------------------------------------------------------------------------

    def add_auditor(self, name: str) -> tuple[Auditor, str]:
        """Add an auditor; return them and their token, which is shown this once: only its hash is kept.

        Raises:
            UserError: The name is taken or cannot be used.
        """
        return people.add(self._database, name)

    def renew_token(self, auditor: int) -> str:
        """Return a new token for an auditor, active from now on; the old one ends."""
        return people.renew(self._database, auditor)

    def exchange_token(self, token: str) -> tuple[Auditor, str] | None:
        """Swap a token for a new one; the old one ends. Of two that come with the same one, the second gets None."""
        return people.exchange(self._database, token)

    def dismiss_auditor(self, auditor: int) -> None:
        """Take an auditor off the audit: their token ends, their leases run out, their verdicts stay."""
        people.change(self._database, auditor, active=False)

    def auditor_by_token(self, token: str) -> Auditor | None:
        """Return who holds a token; None where nobody does, or no longer."""
        return people.by_token(self._database, token)

    def auditor_named(self, name: str) -> Auditor | None:
        """Return the auditor of a name, taken off or not; None where there is nobody."""
        return people.named(self._database, name)

    def auditors(self) -> list[Auditor]:
        """Return all auditors, those taken off included, in the order in which they came."""
        return people.everybody(self._database)

    # --- work ---------------------------------------------------------------------------------------------------

    def next_item(
        self, auditor: int, *, beside: Collection[int] = (), skipped: bool = False
    ) -> Assignment | None:
        """Return an auditor's next item, leased to them; None when nothing is open to them at the moment.

        An item they hold already comes first, so that a page that is loaded again shows what it showed.

        Args:
            beside: Positions on the page already; name the one on screen to fetch the one after it ahead of time.
                One whose lease has run out may come again, under a new lease.
            skipped: Go through what they skipped themselves, oldest first, instead of the queue.

        Raises:
            LeaseError: They hold more than a page can need (`queue.MAX_HELD`).
            UserError: There is no such auditor, or they were taken off.
        """
        with self._database.writing(durable=False) as turn:
            lease = queue.next_lease(turn, auditor, beside, skipped=skipped)
            return None if lease is None else Assignment(lease, loading.read_item(turn.connection, lease.item))

    def renew(self, auditor: int, fence: int) -> Lease:
        """Let a lease run anew from now. Raises LeaseError where it has ended: somebody else may have the item."""
        with self._database.writing(durable=False) as turn:
            return queue.renew(turn, auditor, fence)

    def release(self, auditor: int, fence: int) -> None:
        """Give an item back without a word on it. Raises LeaseError where the lease has ended."""
        with self._database.writing(durable=False) as turn:
            queue.release(turn, auditor, fence)

    def submit(
        self,
        auditor: int,
        item: int,
        draft: Draft,
        *,
        request: str,
        fence: int | None = None,
        base: int | None = None,
    ) -> Receipt:
        """Write a verdict; when this returns, it is on disk.

        A first verdict names the `fence` of its lease. It is welcome after the lease has run out, as long as nobody
        was given the place. A revision names as `base` the verdict on screen, and needs no lease.

        Args:
            request: An id of the caller's making, new for every intent: however often it arrives, it counts once.

        Raises:
            ConflictError: Somebody, or the same auditor in another window, was first. Both texts are in it, and the
                loser's is kept in the store.
            LeaseError: The lease was never given to this auditor, or is for another item.
            UserError: The draft lacks what its action needs, or is too long.
        """
        log.check_request(request)
        draft.check()
        with self._database.writing() as turn:
            answer = log.submit(turn, auditor, item, draft, request, fence, base)
        return self._settled(answer)

    def record(self, told: Sequence[Foreign]) -> list[Receipt | UserError]:
        """Write verdicts that were given elsewhere; when this returns, they are on disk, and none is when it raises.

        No leases are needed. A verdict takes the place that its auditor holds on the item, or a free one. Where one
        of theirs stands, another one revises it, and the same one changes nothing. Nobody else can write meanwhile:
        give a few hundred at a time.

        Returns:
            For each, in order, a receipt, or why it was refused: ConflictError where others have judged the item or
            have it on screen (what came too late is kept in the store), UserError where there is no such item or
            auditor, or the draft lacks what its action needs.
        """
        with self._database.writing() as turn:
            answers = log.record(turn, told)
            return [_conflict(turn.connection, a) if isinstance(a, log.Clash) else a for a in answers]

    def skip(self, auditor: int, fence: int, *, request: str, reason: str | None = None) -> Receipt:
        """Leave an item to others; it comes back to this auditor only if they ask for what they skipped.

        Raises:
            LeaseError: The lease has ended.
        """
        log.check_request(request)
        with self._database.writing() as turn:
            return log.skip(turn, auditor, fence, reason, request)

    def undo(self, auditor: int, *, request: str, verdict: int | None = None) -> Receipt:
        """Take back an auditor's latest verdict or skip, or the one named; nothing is erased.

        A revision falls back to what it replaced. A first verdict, or a skip, puts the item back on their screen,
        with the lease in the receipt (None only where others have taken the skipped item meanwhile).

        Raises:
            UserError: There is nothing to undo, or the verdict named does not stand.
            ConflictError: The request was used for something else.
        """
        log.check_request(request)
        with self._database.writing() as turn:
            answer = log.undo(turn, auditor, request, verdict)
        return self._settled(answer)

    # --- looking ------------------------------------------------------------------------------------------------

    def progress(self, auditor: int | None = None) -> Progress:
        """Return how far everybody is, and one auditor if named; counters are read, nothing is scanned."""
        with self._database.reading() as connection:
            return loading.read_progress(connection, auditor)

    def verdict(self, number: int) -> Verdict:
        """Return one row of the log. Raises UserError where there is none."""
        with self._database.reading() as connection:
            return loading.read_verdict(connection, number)

    def verdicts(self, *, standing_only: bool = False) -> Iterator[Verdict]:
        """Yield the log in the order of writing, skips and undos included; or what stands of it alone."""
        return loading.read_verdicts(self._database, standing_only=standing_only)

    def _settled(self, answer: Receipt | log.Clash) -> Receipt:
        if isinstance(answer, Receipt):
            return answer
        with self._database.reading() as connection:
            raise _conflict(connection, answer)


def _conflict(connection: sa.Connection, clash: log.Clash) -> ConflictError:
    theirs = None if clash.theirs is None else loading.read_verdict(connection, clash.theirs)
    return ConflictError(f"not saved: {clash.why}", mine=clash.mine, theirs=theirs)


def _claim(path: Path) -> None:
    """Make the file, readable by its owner alone: it will hold what people wrote."""
    path = path.absolute()
    try:
        # What is synced to a file is lost with its name, or with that of a folder above it.
        unsynced = [path.parent, *(folder.parent for folder in path.parents if not folder.exists())]
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"the folder {path.parent} cannot be made: {error.strerror or error}") from error
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError as error:
        raise RunFolderError(f"{path} is already there. Open it, or move it away first.") from error
    except OSError as error:
        raise RunFolderError(f"the audit {path} cannot be made: {error.strerror or error}") from error
    try:
        for folder in unsynced:
            sync_folder(folder)
    except BaseException:
        _give_up(path)
        raise


def _give_up(path: Path) -> None:
    """Remove a file that was claimed and did not become a store, or it would be in the way of the next attempt."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
