"""Who gets which item next, and for how long.

The queue has two lanes: items nobody has had yet, in the order of the sample, and items that came back because a
lease ran out or somebody skipped. Every auditor has a mark in each lane. An item behind their mark was full when they
came by, or had been theirs; whenever a place on it becomes free again it gets a new number in the second lane, ahead
of everybody's mark. So nobody walks over finished work, and nothing that is open is ever behind everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from recaption.audit.database import Turn
from recaption.audit.errors import LeaseError
from recaption.audit.schema import auditors, items, leases, standing
from recaption.audit.types import Lease
from recaption.core.errors import UserError

__all__ = [
    "MAX_HELD",
    "end_lease",
    "grant",
    "next_lease",
    "person",
    "release",
    "renew",
    "return_to_queue",
    "sweep",
]

MAX_HELD: Final = 16
"""Items one auditor may hold at once: what is on screen and what is fetched ahead, in all windows."""
SWEPT_PER_TURN: Final = 100
LOOKED_AT: Final = 8

# Statements are built once: building one takes longer than running it.
_PERSON: Final = sa.select(auditors).where(auditors.c.id == sa.bindparam("who"))
_IS_DUE: Final = sa.and_(leases.c.ended.is_(None), leases.c.expires_ms <= sa.bindparam("now"))
_DUE: Final = (
    sa.select(leases.c.id, leases.c.item)
    .where(_IS_DUE)
    .order_by(leases.c.expires_ms, leases.c.id)
    .limit(sa.literal_column(str(SWEPT_PER_TURN)))
)
_held: Final = leases.alias("held")
_ASKING: Final = (
    sa.select(
        auditors,
        _held.c.id.label("fence"),
        _held.c.item,
        sa.exists().where(_IS_DUE).label("some_due"),
    )
    .select_from(auditors.outerjoin(_held, sa.and_(_held.c.auditor == auditors.c.id, _held.c.ended.is_(None))))
    .where(auditors.c.id == sa.bindparam("who"))
    .order_by(_held.c.id)
)
"""Somebody, with a row for each item they hold, and whether anything has run out anywhere."""
_TAKE: Final = sa.update(items).where(items.c.position == sa.bindparam("place")).values(open=items.c.open - 1)
_GRANT: Final = sa.insert(leases).values(
    item=sa.bindparam("place"),
    auditor=sa.bindparam("who"),
    granted_ms=sa.bindparam("now"),
    expires_ms=sa.bindparam("until"),
)
_EXTEND: Final = (
    sa.update(leases).where(leases.c.id == sa.bindparam("fence")).values(expires_ms=sa.bindparam("until"))
)
_END: Final = sa.update(leases).where(leases.c.id == sa.bindparam("fence")).values(ended=sa.bindparam("how"))
_RETURN: Final = (
    sa.update(items)
    .where(items.c.position == sa.bindparam("place"))
    .values(open=items.c.open + 1, fresh=None, returned=sa.bindparam("number"))
)
_MARK: Final = (
    sa.update(auditors)
    .where(auditors.c.id == sa.bindparam("who"))
    .values(passed=sa.bindparam("passed_now"), returns_passed=sa.bindparam("returns_now"))
)
ZERO: Final[sa.ColumnElement[Any]] = sa.literal_column(
    "0"
)  # spelled out, or the planner cannot see that a partial index will do


def person(turn: Turn, auditor: int) -> sa.Row[Any]:
    """Return an auditor's row. Raises UserError where there is none, or they may no longer write."""
    return _welcome(turn.run(_PERSON, {"who": auditor}).one_or_none(), auditor)


def _welcome(row: sa.Row[Any] | None, auditor: int) -> sa.Row[Any]:
    if row is None:
        raise UserError(f"there is no auditor with the number {auditor}")
    if not row.active:
        raise UserError(f"auditor {row.name!r} was taken off this audit")
    return row


def next_lease(turn: Turn, auditor: int, beside: Collection[int], *, skipped: bool) -> Lease | None:
    """Return a lease on the auditor's next item; None when nothing is open to them now.

    Raises:
        LeaseError: They hold `MAX_HELD` items already.
    """
    rows = _asking(turn, auditor)
    row = _welcome(rows[0] if rows else None, auditor)
    if row.some_due:
        sweep(turn)
        rows = _asking(turn, auditor)
    held = {one.item: one.fence for one in rows if one.fence is not None}
    for item, fence in held.items():
        if item not in beside:
            return _extend(turn, fence, item)
    if len(held) >= MAX_HELD:
        raise LeaseError(f"{row.name!r} holds {MAX_HELD} items at once. Judge, skip or release one first.")
    if not skipped:
        return _from_queue(turn, row, held)
    place = _own_skipped(turn, auditor)
    return None if place is None else grant(turn, auditor, place, _TAKE)


def _asking(turn: Turn, auditor: int) -> Sequence[sa.Row[Any]]:
    return turn.run(_ASKING, {"who": auditor, "now": turn.now_ms}).all()


def grant(turn: Turn, auditor: int, item: int, *changes: sa.Update, **values: int) -> Lease:
    """Give a lease on an item that has a place set aside for it; make changes that go with it."""
    given = {"place": item, "who": auditor, "now": turn.now_ms, "until": turn.now_ms + turn.lease_ms}
    fence = turn.together(changes, _GRANT, given | values)
    return Lease(fence=fence, item=item, left_ms=turn.lease_ms)


def renew(turn: Turn, auditor: int, fence: int) -> Lease:
    """Let a lease run anew from now. Raises LeaseError where it is no longer theirs."""
    person(turn, auditor)
    row = _live(turn, auditor, fence)
    return _extend(turn, fence, row.item)


def release(turn: Turn, auditor: int, fence: int) -> None:
    """Give an item back without a word on it. Raises LeaseError where it is no longer theirs."""
    row = _live(turn, auditor, fence)
    return_to_queue(turn, row.id, row.item, "released")


def return_to_queue(turn: Turn, lease: int, item: int, how: str) -> None:
    """End a lease whose place becomes free, and let everybody come by the item once more."""
    end_lease(turn, lease, how)
    turn.run(_RETURN, {"place": item, "number": turn.next_return()})


def end_lease(turn: Turn, fence: int, how: str) -> None:
    """Write down how a lease ended."""
    turn.run(_END, {"fence": fence, "how": how})


def _live(turn: Turn, auditor: int, fence: int) -> sa.Row[Any]:
    row = turn.run(sa.select(leases).where(leases.c.id == fence, leases.c.auditor == auditor)).one_or_none()
    if row is None or row.ended is not None:
        how = "was never given" if row is None else f"has ended ({row.ended})"
        raise LeaseError(f"lease {fence} {how}. Fetch the item again.")
    return row


def _extend(turn: Turn, fence: int, item: int) -> Lease:
    turn.run(_EXTEND, {"fence": fence, "until": turn.now_ms + turn.lease_ms})
    return Lease(fence=fence, item=item, left_ms=turn.lease_ms)


def sweep(turn: Turn) -> None:
    """Return what has run out. Whoever asks for work does it, so it needs no clockwork."""
    due = turn.run(_DUE, {"now": turn.now_ms}).all()
    for lease in due:
        return_to_queue(turn, lease.id, lease.item, "expired")


def _from_queue(turn: Turn, row: sa.Row[Any], held: Collection[int]) -> Lease | None:
    """Lease the first open item ahead of the auditor's marks, items that came back first; move the marks."""
    place, returns = None, row.returns_passed
    if returns < turn.returns:
        place, returns = _walk(turn, _RETURNED, row.id, held, returns)
    passed = row.passed
    if place is None:
        place, passed = _walk(turn, _FRESH, row.id, held, passed)
    marks = {"passed_now": passed, "returns_now": returns}
    if place is not None:
        return grant(turn, row.id, place, _TAKE, _MARK, **marks)
    if (passed, returns) != (row.passed, row.returns_passed):
        turn.run(_MARK, {"who": row.id, **marks})
    return None


def _lane(number: sa.Column[Any]) -> sa.Select[Any]:
    """Return the question for the first open items of a lane ahead of a mark, and what the auditor said of them."""
    mine = sa.and_(standing.c.item == items.c.position, standing.c.auditor == sa.bindparam("who"))
    return (
        sa.select(items.c.position, number.label("number"), standing.c.verdict)
        .select_from(items.outerjoin(standing, mine))
        .where(items.c.open > ZERO, number > sa.bindparam("mark"))
        .order_by(number)
        .limit(sa.literal_column(str(LOOKED_AT)))
    )


_FRESH: Final = _lane(items.c.fresh)
_RETURNED: Final = _lane(items.c.returned)


def _walk(
    turn: Turn, lane: sa.Select[Any], auditor: int, held: Collection[int], mark: int
) -> tuple[int | None, int]:
    """Return the first item of a lane that is open to the auditor, and their new mark."""
    while True:
        rows = turn.run(lane, {"who": auditor, "mark": mark}).all()
        for row in rows:
            mark = row.number
            if row.verdict is None and row.position not in held:
                return row.position, mark
        if len(rows) < LOOKED_AT:
            return None, mark


def _own_skipped(turn: Turn, auditor: int) -> int | None:
    """Return the item that the auditor skipped longest ago and that still has a place."""
    holds = sa.exists().where(
        leases.c.item == standing.c.item, leases.c.auditor == auditor, leases.c.ended.is_(None)
    )
    return turn.run(
        sa.select(standing.c.item)
        .join(items, items.c.position == standing.c.item)
        .where(standing.c.auditor == auditor, standing.c.skipped, items.c.open > ZERO, ~holds)
        .order_by(standing.c.verdict)
        .limit(1)
    ).scalar_one_or_none()
