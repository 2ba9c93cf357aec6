"""Filling the store with a sample, and reading items and verdicts back, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from recaption.audit.database import NOW, Database, Turn
from recaption.audit.schema import auditors, items, leases, payloads, project, verdicts
from recaption.audit.types import AuditItem, Draft, Progress, Verdict
from recaption.core.errors import UserError

__all__ = [
    "add_items",
    "escaped",
    "positions",
    "read_item",
    "read_items",
    "read_progress",
    "read_verdict",
    "read_verdicts",
]

T = TypeVar("T")

ITEMS_PER_TURN: Final = 5_000
KEYS_PER_QUESTION: Final = 500
ROWS_PER_PAGE: Final = 500
MAX_KEY_CHARS: Final = 8_192


def escaped(text: str) -> str:
    """Return text as databases take it: ASCII, one to one. Keys of hostile data hold NUL and lone surrogates."""
    return json.dumps(text)[1:-1]


def add_items(database: Database, sample: Iterable[AuditItem]) -> int:
    """Append items to the queue, in order; return how many were new. A key that is there already is left as it is."""
    added = 0
    for part in _parts(sample, ITEMS_PER_TURN):
        with database.writing() as turn:
            added += _add(turn, part)
    return added


def read_item(connection: sa.Connection, position: int) -> AuditItem:
    """Return one item. Raises UserError where there is none."""
    row = connection.execute(_ITEM, {"place": position}).one_or_none()
    if row is None:
        raise UserError(f"there is no item {position} in this audit")
    return _item(row)


def positions(connection: sa.Connection, keys: Iterable[str]) -> dict[str, int]:
    """Return the positions of the items that have one of these keys."""
    wanted = {escaped(key): key for key in keys}
    found: dict[str, int] = {}
    for few in _parts(wanted, KEYS_PER_QUESTION):
        question = sa.select(items.c.key, items.c.position).where(items.c.key.in_(few))
        found.update((wanted[row.key], row.position) for row in connection.execute(question))
    return found


def read_items(database: Database) -> Iterator[AuditItem]:
    """Yield all items in the order of the queue."""
    for row in _pages(database, _ITEMS, items.c.position):
        yield _item(row)


def read_verdicts(database: Database, *, standing_only: bool) -> Iterator[Verdict]:
    """Yield the log in the order of writing, as it was when the reading began.

    What is written meanwhile is left out, and takes nothing away: what stood then is told as standing.
    """
    with database.reading() as connection:
        last = connection.execute(sa.select(sa.func.max(verdicts.c.id))).scalar_one() or 0
    question = _log_until(last)
    if standing_only:
        question = question.where(verdicts.c.action.not_in(("undo", "skip")), ~_replaced_until(last))
    for row in _pages(database, question.where(verdicts.c.id <= last), verdicts.c.id):
        yield _verdict(row)


def read_verdict(connection: sa.Connection, verdict: int) -> Verdict:
    """Return one row of the log. Raises UserError where there is none."""
    row = connection.execute(_log_until(None).where(verdicts.c.id == verdict)).one_or_none()
    if row is None:
        raise UserError(f"there is no verdict {verdict} in this audit")
    return _verdict(row)


def read_progress(connection: sa.Connection, auditor: int | None) -> Progress:
    """Return how far everybody is, and one auditor if named, as of one moment."""
    row = connection.execute(_PROGRESS[connection.dialect.name], {"who": auditor}).one()
    return Progress(
        items=row.items,
        finished=row.finished,
        slots=row.slots,
        done=row.done,
        leased=row.leased,
        frees_in_ms=None if row.frees_ms is None else max(0, row.frees_ms - row.now_ms),
        mine_done=row.mine_done or 0,
        mine_skipped=row.mine_skipped or 0,
        mine_spent_ms=row.mine_spent_ms or 0,
    )


_LIVE: Final = (
    sa.select(sa.func.count().label("leased"), sa.func.min(leases.c.expires_ms).label("frees_ms"))
    .where(leases.c.ended.is_(None))
    .subquery()
)
_MINE: Final = [auditors.c[name].label(f"mine_{name}") for name in ("done", "skipped", "spent_ms")]
_PROGRESS: Final = {
    engine: sa.select(project, _LIVE, *_MINE, now.label("now_ms")).select_from(
        project.join(_LIVE, sa.true()).outerjoin(auditors, auditors.c.id == sa.bindparam("who"))
    )
    for engine, now in NOW.items()
}

_ITEMS: Final = sa.select(items, payloads.c.payload).join(payloads, payloads.c.position == items.c.position)
_ITEM: Final = _ITEMS.where(items.c.position == sa.bindparam("place"))

_LOG: Final = (
    sa.select(verdicts, items.c.key, auditors.c.name)
    .join(items, items.c.position == verdicts.c.item)
    .join(auditors, auditors.c.id == verdicts.c.auditor)
)


def _replaced_until(last: int | None) -> sa.ColumnElement[bool]:
    """Tell whether a row of the log had been replaced or taken back by the time that row `last` was written."""
    later = verdicts.alias("later")
    # By item, which has an index, and few rows each.
    replaced = sa.exists().where(later.c.item == verdicts.c.item, later.c.supersedes == verdicts.c.id)
    return replaced if last is None else replaced.where(later.c.id <= last)


def _log_until(last: int | None) -> sa.Select[Any]:
    stands = sa.and_(verdicts.c.action != "undo", ~_replaced_until(last))
    return _LOG.add_columns(stands.label("stands"))


def _add(turn: Turn, part: Sequence[AuditItem]) -> int:
    wanted: dict[str, AuditItem] = {}
    for item in part:
        if not 1 <= len(item.key) <= MAX_KEY_CHARS:
            raise UserError(f"item {item.key[:80]!r}: a key has 1 to {MAX_KEY_CHARS} characters")
        wanted.setdefault(escaped(item.key), item)
    for few in _parts(list(wanted), KEYS_PER_QUESTION):
        for known in turn.run(sa.select(items.c.key).where(items.c.key.in_(few))).scalars():
            del wanted[known]
    if not wanted:
        return 0
    rows = [_row(turn, turn.positions + i, key, item) for i, (key, item) in enumerate(wanted.items())]
    texts = [
        {
            "position": row["position"],
            "payload": json.dumps(dict(item.payload), separators=(",", ":"), allow_nan=False),
        }
        for row, item in zip(rows, wanted.values(), strict=True)
    ]
    turn.run(sa.insert(items), rows)
    turn.run(sa.insert(payloads), texts)
    turn.count(items=len(rows), positions=len(rows), slots=sum(row["needed"] for row in rows))
    return len(rows)


def _row(turn: Turn, position: int, key: str, item: AuditItem) -> dict[str, Any]:
    needed = item.overlap or turn.overlap
    return {
        "position": position,
        "key": key,
        "stratum": escaped(item.stratum),
        "probability": item.probability,
        "unbiased": item.unbiased,
        "needed": needed,
        "done": 0,
        "open": needed,
        "fresh": position,
        "returned": None,
    }


def _parts(things: Iterable[T], size: int) -> Iterator[list[T]]:
    part: list[T] = []
    for thing in things:
        part.append(thing)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _pages(database: Database, question: sa.Select[Any], number: sa.Column[Any]) -> Iterator[sa.Row[Any]]:
    """Yield rows in the order of their number, a page per transaction, so that no reader holds up the database."""
    last = -1
    while True:
        with database.reading() as connection:
            page = connection.execute(question.where(number > last).order_by(number).limit(ROWS_PER_PAGE)).all()
        yield from page
        if len(page) < ROWS_PER_PAGE:
            return
        last = getattr(page[-1], number.name)


def _item(row: sa.Row[Any]) -> AuditItem:
    return AuditItem(
        key=_plain(row.key),
        payload=json.loads(row.payload),
        stratum=_plain(row.stratum),
        probability=row.probability,
        unbiased=row.unbiased,
        overlap=row.needed,
        position=row.position,
    )


def _verdict(row: sa.Row[Any]) -> Verdict:
    return Verdict(
        id=row.id,
        item=row.item,
        key=_plain(row.key),
        auditor=_plain(row.name),
        draft=Draft.of(row.action, row.body, row.took_ms),
        at_ms=row.at_ms,
        supersedes=row.supersedes,
        restores=row.restores,
        standing=bool(row.stands),
    )


def _plain(text: str) -> str:
    return str(json.loads(f'"{text}"'))
