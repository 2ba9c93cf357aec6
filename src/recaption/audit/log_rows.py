"""Rows of the log, and the counters that go with them: the small steps that `log` is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from recaption.audit.database import Turn
from recaption.audit.errors import LeaseError
from recaption.audit.schema import conflicts, items, leases, standing, verdicts
from recaption.audit.types import Draft, Lease
from recaption.core.errors import UserError

__all__ = [
    "Write",
    "append",
    "by_request",
    "count_done",
    "item_row",
    "keep_loser",
    "last_word",
    "latest",
    "lease_of",
    "live_on",
    "remaining",
    "row_of",
    "same",
    "seen_by",
    "set_standing",
    "standing_of",
]


# Statements are built once: building one takes longer than running it.
_WHO: Final[sa.ColumnElement[Any]] = sa.bindparam("who")
_PLACE: Final[sa.ColumnElement[Any]] = sa.bindparam("place")
_ITEM: Final = sa.select(items).where(items.c.position == _PLACE)
_LEASE: Final = sa.select(leases).where(leases.c.id == sa.bindparam("fence"), leases.c.auditor == _WHO)
_STANDING: Final = sa.select(standing).where(standing.c.item == _PLACE, standing.c.auditor == _WHO)
_STAND: Final = sa.insert(standing)
_STAND_NOW: Final = (
    sa.update(standing)
    .where(standing.c.item == _PLACE, standing.c.auditor == _WHO)
    .values(verdict=sa.bindparam("number"), skipped=sa.bindparam("is_skip"))
)
_LIVE: Final = sa.select(leases).where(
    leases.c.auditor == _WHO, leases.c.item == _PLACE, leases.c.ended.is_(None)
)
_ROW: Final = sa.select(verdicts).where(verdicts.c.id == sa.bindparam("number"))
_SEEN: Final[sa.Select[Any]] = (
    sa.select(
        *(items.c.position, items.c.needed, items.c.done, items.c.open),
        *(standing.c.verdict, standing.c.skipped, leases.c.id.label("fence")),
    )
    .select_from(
        items.outerjoin(
            standing, sa.and_(standing.c.item == items.c.position, standing.c.auditor == _WHO)
        ).outerjoin(
            leases,
            sa.and_(leases.c.item == items.c.position, leases.c.auditor == _WHO, leases.c.ended.is_(None)),
        )
    )
    .where(items.c.position == _PLACE)
)
_DONE: Final = (
    sa.update(items)
    .where(items.c.position == _PLACE)
    .values(done=items.c.done + sa.bindparam("done_by"), open=items.c.open + sa.bindparam("open_by"))
)
_REQUESTS: Final = {
    table.name: sa.select(table).where(table.c.auditor == _WHO, table.c.request == sa.bindparam("request_id"))
    for table in (verdicts, conflicts)
}


@dataclass(frozen=True, slots=True)
class Write:
    """Whose write it is, under which request, and what it says."""

    auditor: int
    request: str
    item: int
    draft: Draft
    body: str


def append(
    turn: Turn,
    write: Write,
    *,
    fence: int | None = None,
    supersedes: int | None = None,
    restores: int | None = None,
) -> int:
    """Add a row to the log and return its number."""
    return turn.insert(verdicts, **_values(turn, write), fence=fence, supersedes=supersedes, restores=restores)


def keep_loser(turn: Turn, write: Write, why: str, theirs: int | None) -> None:
    """Keep what came second."""
    turn.insert(conflicts, **_values(turn, write), why=why, theirs=theirs)


def _values(turn: Turn, write: Write) -> dict[str, Any]:
    return {
        "item": write.item,
        "auditor": write.auditor,
        "request": write.request,
        "action": write.draft.action,
        "body": write.body,
        "took_ms": write.draft.took_ms,
        "at_ms": turn.now_ms,
    }


def set_standing(turn: Turn, write: Write, verdict: int, held: sa.Row[Any] | None, *, skipped: bool) -> None:
    """Make a row of the log the auditor's word on the item."""
    if held is None:
        row = {"item": write.item, "auditor": write.auditor, "verdict": verdict, "skipped": skipped}
        turn.run(_STAND, row)
    else:
        where = {"place": write.item, "who": write.auditor}
        turn.run(_STAND_NOW, {**where, "number": verdict, "is_skip": skipped})


def count_done(turn: Turn, row: sa.Row[Any], by: int, *, open_by: int) -> None:
    """Add a verdict to an item or take one away, and count it for the project. `row` is the item as it was."""
    turn.run(_DONE, {"place": row.position, "done_by": by, "open_by": open_by})
    was, now = row.done == row.needed, row.done + by == row.needed
    turn.count(done=by, finished=int(now) - int(was))


def item_row(turn: Turn, item: int) -> sa.Row[Any]:
    """Return an item as the queue sees it. Raises UserError where there is none."""
    row = turn.run(_ITEM, {"place": item}).one_or_none()
    if row is None:
        raise UserError(f"there is no item {item} in this audit")
    return row


def seen_by(turn: Turn, auditor: int, item: int) -> sa.Row[Any]:
    """Return an item as the queue sees it, what stands of an auditor on it, and the fence of the lease they hold."""
    return turn.run(_SEEN, {"place": item, "who": auditor}).one()


def lease_of(turn: Turn, auditor: int, fence: int) -> sa.Row[Any]:
    """Return a lease, ended or not. Raises LeaseError where it was never given to this auditor."""
    row = turn.run(_LEASE, {"fence": fence, "who": auditor}).one_or_none()
    if row is None:
        raise LeaseError(f"lease {fence} was never given to this auditor. Fetch the item again.")
    return row


def live_on(turn: Turn, auditor: int, item: int) -> sa.Row[Any] | None:
    """Return the lease that an auditor holds on an item."""
    return turn.run(_LIVE, {"who": auditor, "place": item}).one_or_none()


def remaining(turn: Turn, row: sa.Row[Any] | None) -> Lease | None:
    """Return a lease row as the caller sees it."""
    if row is None:
        return None
    return Lease(fence=row.id, item=row.item, left_ms=max(0, row.expires_ms - turn.now_ms))


def standing_of(turn: Turn, auditor: int, item: int) -> sa.Row[Any] | None:
    """Return what stands of an auditor on an item."""
    return turn.run(_STANDING, {"place": item, "who": auditor}).one_or_none()


def last_word(turn: Turn, item: int) -> int | None:
    """Return the newest verdict on an item that stands, of anybody; None where nobody has said anything."""
    question = sa.select(sa.func.max(standing.c.verdict)).where(standing.c.item == item, ~standing.c.skipped)
    number: int | None = turn.run(question).scalar_one()
    return number


def latest(turn: Turn, item: int, auditor: int) -> int | None:
    """Return the newest row of an auditor on an item, standing or not."""
    mine = (verdicts.c.item == item, verdicts.c.auditor == auditor)
    number: int | None = turn.run(sa.select(sa.func.max(verdicts.c.id)).where(*mine)).scalar_one()
    return number


def row_of(turn: Turn, verdict: int) -> sa.Row[Any]:
    """Return a row of the log."""
    return turn.run(_ROW, {"number": verdict}).one()


def by_request(turn: Turn, table: sa.Table, write: Write) -> sa.Row[Any] | None:
    """Return what a request wrote into a table of the log."""
    question = _REQUESTS[table.name]
    return turn.run(question, {"who": write.auditor, "request_id": write.request}).one_or_none()


def same(row: sa.Row[Any], write: Write) -> bool:
    """Tell whether a row says what a write wants to say; how long it took is not part of it."""
    return (row.item, row.action, row.body) == (write.item, write.draft.action, write.body)
