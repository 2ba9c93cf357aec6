"""Writing into the log: submit, record, skip, undo.

Every call carries a request id, and is carried out once however often it arrives. Every first verdict carries the
fence of its lease, every revision the id of the verdict that was on screen; what comes second is refused, and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from recaption.audit.database import Turn
from recaption.audit.errors import LeaseError
from recaption.audit.loading import positions
from recaption.audit.log_rows import (
    Write,
    append,
    by_request,
    count_done,
    item_row,
    keep_loser,
    last_word,
    latest,
    lease_of,
    live_on,
    remaining,
    row_of,
    same,
    seen_by,
    set_standing,
    standing_of,
)
from recaption.audit.queue import end_lease, grant, person, return_to_queue, sweep
from recaption.audit.schema import conflicts, items, standing, verdicts
from recaption.audit.types import Draft, Foreign, Lease, Receipt
from recaption.core.errors import UserError

__all__ = ["Clash", "check_request", "record", "skip", "submit", "undo"]

MAX_REQUEST_CHARS: Final = 64

ANOTHER_WINDOW: Final = "this item was opened again in another window"
JUDGED_ALREADY: Final = "you have said something else on this item, in another window perhaps"
CHANGED_SINCE: Final = "your verdict has changed since this page showed it"
GIVEN_AWAY: Final = "the time for this item had run out, and others have it now"
FINISHED: Final = "others have said all that was asked for on this item"
ON_SCREEN: Final = "others have this item on their screens; try again later"
REUSED: Final = "this request was carried out before, with something else in it"


@dataclass(frozen=True, slots=True)
class Clash:
    """A write that came second; becomes a `ConflictError` once the loser's text is on disk."""

    why: str
    mine: Draft
    theirs: int | None


def check_request(request: str) -> None:
    """Raise UserError where a request id is empty, long, or not plain ASCII."""
    if not 1 <= len(request) <= MAX_REQUEST_CHARS or not (request.isascii() and request.isprintable()):
        raise UserError(f"a request id has 1 to {MAX_REQUEST_CHARS} ASCII characters, not {request[:80]!r}")


def submit(
    turn: Turn, auditor: int, item: int, draft: Draft, request: str, fence: int | None, base: int | None
) -> Receipt | Clash:
    """Write an auditor's verdict: the first one under a lease, or a revision of `base`."""
    write = Write(auditor, request, item, draft, draft.body())
    person(turn, auditor)
    before = _carried_out(turn, write)
    if before is not None:
        return before
    held = standing_of(turn, auditor, item)
    current = None if held is None or held.skipped else held.verdict
    if base is not None:
        if base != current:
            item_row(turn, item)  # or what is kept would belong to nothing
            return _clash(turn, write, CHANGED_SINCE, current or latest(turn, item, auditor))
        return _revise(turn, write, held, base)
    if current is not None:
        if same(row_of(turn, current), write):
            return Receipt(verdict=current, item=item, repeated=True)
        return _clash(turn, write, JUDGED_ALREADY, current)
    if fence is None:
        raise UserError("a first verdict needs the fence of its lease, a revision the verdict that it replaces")
    return _first(turn, write, fence, held)


def record(turn: Turn, told: Sequence[Foreign]) -> list[Receipt | Clash | UserError]:
    """Write verdicts that were given elsewhere, each on its auditor's own place or on a free one.

    What cannot be taken is refused before any of it is written, and so holds up none of the others.
    """
    places = positions(turn.connection, {one.key for one in told})
    known: set[int] = set()
    answers: list[Receipt | Clash | UserError] = []
    for one in told:
        try:
            write = _foreign(turn, one, places.get(one.key), known)
        except UserError as error:
            answers.append(error)
        else:
            answers.append(_recorded(turn, write))
    return answers


def _foreign(turn: Turn, told: Foreign, item: int | None, known: set[int]) -> Write:
    """Return what is to be written. Raises UserError where it cannot be; `known` are those asked for before."""
    check_request(told.request)
    told.draft.check()
    if told.auditor not in known:
        person(turn, told.auditor)
        known.add(told.auditor)
    if item is None:
        raise UserError(f"there is no item {told.key[:80]!r} in this audit")
    return Write(told.auditor, told.request, item, told.draft, told.draft.body())


def _recorded(turn: Turn, write: Write) -> Receipt | Clash:
    before = _carried_out(turn, write)
    if before is not None:
        return before
    place = seen_by(turn, write.auditor, write.item)
    held = None if place.verdict is None else place
    if held is not None and not held.skipped:
        if same(row_of(turn, held.verdict), write):
            return Receipt(verdict=held.verdict, item=write.item, repeated=True)
        return _revise(turn, write, held, held.verdict)
    if place.fence is None and not place.open:
        sweep(turn)
        place = seen_by(turn, write.auditor, write.item)
    if place.fence is not None:
        end_lease(turn, place.fence, "imported")
    elif not place.open:
        why = FINISHED if place.done == place.needed else ON_SCREEN
        return _clash(turn, write, why, last_word(turn, write.item))
    return _said(turn, write, place, held, fence=place.fence, taken=int(place.fence is None))


def skip(turn: Turn, auditor: int, fence: int, reason: str | None, request: str) -> Receipt:
    """Leave an item to others. Raises LeaseError where the lease has ended."""
    person(turn, auditor)
    lease = lease_of(turn, auditor, fence)
    draft = Draft(action="skip", reason=reason)
    write = Write(auditor, request, lease.item, draft, draft.body())
    before = _carried_out(turn, write)
    if isinstance(before, Receipt):
        return before
    if before is not None:
        raise LeaseError("nothing was skipped: this request was carried out before, with something else in it")
    if lease.ended is not None:
        raise LeaseError(f"nothing was skipped: lease {fence} has ended ({lease.ended})")
    held = standing_of(turn, auditor, lease.item)
    verdict = append(turn, write, fence=fence, supersedes=None if held is None else held.verdict)
    set_standing(turn, write, verdict, held, skipped=True)
    return_to_queue(turn, fence, lease.item, "skipped")
    if held is None:
        turn.count_for(auditor, skipped=1)
    return Receipt(verdict=verdict, item=lease.item)


def undo(turn: Turn, auditor: int, request: str, verdict: int | None) -> Receipt | Clash:
    """Take back an auditor's latest word, or the one named.

    A revision falls back to what it replaced. A first verdict or a skip puts the item back on the auditor's screen.
    """
    person(turn, auditor)
    draft = Draft(action="undo")
    mine = sa.select(standing).where(standing.c.auditor == auditor)
    known = by_request(turn, verdicts, Write(auditor, request, 0, draft, ""))
    if known is not None:
        if known.action != "undo" and known.restores is None:
            return Clash(REUSED, draft, known.id)
        lease = remaining(turn, live_on(turn, auditor, known.item))
        return Receipt(verdict=known.id, item=known.item, repeated=True, lease=lease)
    if verdict is None:
        held = turn.run(mine.order_by(standing.c.verdict.desc()).limit(1)).one_or_none()
    else:
        held = turn.run(mine.where(standing.c.verdict == verdict)).one_or_none()
    if held is None:
        raise UserError("there is nothing to undo" if verdict is None else f"verdict {verdict} does not stand")
    before = _replaced(turn, held.verdict)
    if before is None or held.skipped:
        return _withdraw(turn, Write(auditor, request, held.item, draft, draft.body()), held)
    restored = Draft.of(before.action, before.body, before.took_ms)
    write = Write(auditor, request, held.item, restored, before.body)
    new = append(turn, write, supersedes=held.verdict, restores=before.id)
    set_standing(turn, write, new, held, skipped=False)
    return Receipt(verdict=new, item=held.item)


def _replaced(turn: Turn, verdict: int) -> sa.Row[Any] | None:
    """Return the verdict that a revision replaced; None where it was the first. Undone twice, it goes two back."""
    row = row_of(turn, verdict)
    if row.restores is not None:
        row = row_of(turn, row.restores)
        if row.restores is not None:
            return _replaced(turn, row.id)
    before = None if row.supersedes is None else row_of(turn, row.supersedes)
    return None if before is None or before.action in {"skip", "undo"} else before


def _first(turn: Turn, write: Write, fence: int, held: sa.Row[Any] | None) -> Receipt | Clash:
    lease = lease_of(turn, write.auditor, fence)
    if lease.item != write.item:
        raise LeaseError(f"lease {fence} is for item {lease.item}, not {write.item}")
    taken = 0
    place = item_row(turn, write.item)
    if lease.ended is None:
        end_lease(turn, fence, "submitted")
    else:
        if live_on(turn, write.auditor, write.item) is not None:
            return _clash(turn, write, ANOTHER_WINDOW, None)
        if not place.open:
            return _clash(turn, write, GIVEN_AWAY, last_word(turn, write.item))
        taken = 1  # late, but nobody has been given the place
    return _said(turn, write, place, held, fence=fence, taken=taken)


def _said(
    turn: Turn, write: Write, place: sa.Row[Any], held: sa.Row[Any] | None, *, fence: int | None, taken: int
) -> Receipt:
    """Write an auditor's first verdict on an item; `taken` is 1 where it takes a free place, 0 where it has one."""
    verdict = append(turn, write, fence=fence, supersedes=None if held is None else held.verdict)
    set_standing(turn, write, verdict, held, skipped=False)
    count_done(turn, place, 1, open_by=-taken)
    spent = write.draft.took_ms or 0
    turn.count_for(write.auditor, done=1, skipped=0 if held is None else -1, spent_ms=spent)
    return Receipt(verdict=verdict, item=write.item)


def _revise(turn: Turn, write: Write, held: sa.Row[Any] | None, base: int) -> Receipt:
    verdict = append(turn, write, supersedes=base)
    set_standing(turn, write, verdict, held, skipped=False)
    turn.count_for(write.auditor, spent_ms=write.draft.took_ms or 0)
    return Receipt(verdict=verdict, item=write.item)


def _withdraw(turn: Turn, write: Write, held: sa.Row[Any]) -> Receipt:
    """Take back a first verdict or a skip: nothing of the auditor's stands on the item any more."""
    lease: Lease | None
    if held.skipped:
        turn.count_for(write.auditor, skipped=-1)
        lease = _again(turn, write)
    else:
        count_done(turn, item_row(turn, write.item), -1, open_by=0)  # its place goes straight to the new lease
        turn.count_for(write.auditor, done=-1)
        lease = grant(turn, write.auditor, write.item)
    verdict = append(turn, write, supersedes=held.verdict)
    turn.run(sa.delete(standing).where(standing.c.item == write.item, standing.c.auditor == write.auditor))
    return Receipt(verdict=verdict, item=write.item, lease=lease)


def _again(turn: Turn, write: Write) -> Lease | None:
    """Return a lease on an item that was skipped: the one held, a new one, or none if others have taken it."""
    live = live_on(turn, write.auditor, write.item)
    if live is not None:
        return remaining(turn, live)
    free = (items.c.position == write.item, items.c.open > 0)
    taken = turn.run(sa.update(items).where(*free).values(open=items.c.open - 1))
    return grant(turn, write.auditor, write.item) if taken.rowcount else None


def _carried_out(turn: Turn, write: Write) -> Receipt | Clash | None:
    """Return the answer that the same request got before; one that was refused is tried anew."""
    row = by_request(turn, verdicts, write)
    if row is not None:
        if same(row, write):
            return Receipt(verdict=row.id, item=row.item, repeated=True)
        return Clash(REUSED, write.draft, row.id)
    return None


def _clash(turn: Turn, write: Write, why: str, theirs: int | None) -> Clash:
    if by_request(turn, conflicts, write) is None:
        keep_loser(turn, write, why, theirs)
    return Clash(why, write.draft, theirs)
