"""The tables of an audit.

`verdicts` and `conflicts` are the log: triggers refuse to change or delete a row of theirs. What stands, what is open
and how far everybody is are kept beside it in the same transactions, so that no question needs a scan.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

__all__ = [
    "SCHEMA_VERSION",
    "auditors",
    "conflicts",
    "items",
    "leases",
    "metadata",
    "payloads",
    "project",
    "standing",
    "verdicts",
]

SCHEMA_VERSION: Final = 1

# SQLite numbers rows by itself only in columns of the type INTEGER, which holds 64 bits there.
Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata: Final = sa.MetaData()

project: Final = sa.Table(
    "audit_project",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("created_ms", Big, nullable=False),
    sa.Column("overlap", sa.Integer, nullable=False),
    sa.Column("lease_ms", Big, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("items", Big, nullable=False),
    sa.Column("positions", Big, nullable=False),  # the next item gets this one
    sa.Column("slots", Big, nullable=False),
    sa.Column("done", Big, nullable=False),
    sa.Column("finished", Big, nullable=False),
    sa.Column("returns", Big, nullable=False),  # how often an item has come back to the queue
)
"""One row. Writers lock it first, so that they come one after the other."""

items: Final = sa.Table(
    "audit_items",
    metadata,
    sa.Column("position", Big, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, nullable=False, unique=True),  # escaped to ASCII
    sa.Column("stratum", sa.Text, nullable=False),  # escaped to ASCII
    sa.Column("probability", sa.Float(53), nullable=False),
    sa.Column("unbiased", sa.Boolean, nullable=False),
    sa.Column("needed", sa.Integer, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("open", sa.Integer, nullable=False),  # needed - done - live leases
    # Its number in one lane of the queue or the other. The first is its position again, in a column of its own,
    # because a planner that may walk along the primary key does so, over everything that is finished.
    sa.Column("fresh", Big),
    sa.Column("returned", Big),
    sa.CheckConstraint("open >= 0 AND done >= 0 AND done + open <= needed", name="slots_add_up"),
)
# Only what is open is in the queue's indexes, so that finished items cost nothing.
sa.Index(
    "audit_items_fresh",
    items.c.fresh,
    sqlite_where=sa.text("open > 0"),
    postgresql_where=sa.text("open > 0"),
)
sa.Index(
    "audit_items_returned",
    items.c.returned,
    sqlite_where=sa.text("open > 0"),
    postgresql_where=sa.text("open > 0"),
)

payloads: Final = sa.Table(  # apart, so that the rows that change with every lease stay short
    "audit_payloads",
    metadata,
    sa.Column("position", Big, sa.ForeignKey(items.c.position), primary_key=True, autoincrement=False),
    sa.Column("payload", sa.Text, nullable=False),
)

auditors: Final = sa.Table(
    "audit_auditors",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("passed", Big, nullable=False),  # last position that was offered, or full when they came by
    sa.Column("returns_passed", Big, nullable=False),  # the same for items that came back
    sa.Column("done", Big, nullable=False),
    sa.Column("skipped", Big, nullable=False),
    sa.Column("spent_ms", Big, nullable=False),
)

leases: Final = sa.Table(
    "audit_leases",
    metadata,
    sa.Column("id", Big, primary_key=True),  # the fence
    sa.Column("item", Big, sa.ForeignKey(items.c.position), nullable=False),
    sa.Column("auditor", Big, sa.ForeignKey(auditors.c.id), nullable=False),
    sa.Column("granted_ms", Big, nullable=False),
    sa.Column("expires_ms", Big, nullable=False),
    sa.Column("ended", sa.Text),  # NULL while it lives, then how it ended
    sqlite_autoincrement=True,  # a fence is never given twice
)
LIVE: Final = sa.text("ended IS NULL")
sa.Index(
    "audit_leases_live", leases.c.auditor, leases.c.item, unique=True, sqlite_where=LIVE, postgresql_where=LIVE
)
sa.Index("audit_leases_expiring", leases.c.expires_ms, sqlite_where=LIVE, postgresql_where=LIVE)

verdicts: Final = sa.Table(
    "audit_verdicts",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("item", Big, sa.ForeignKey(items.c.position), nullable=False, index=True),
    sa.Column("auditor", Big, sa.ForeignKey(auditors.c.id), nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("took_ms", Big),
    sa.Column("at_ms", Big, nullable=False),
    sa.Column("fence", Big),
    sa.Column("supersedes", Big, sa.ForeignKey("audit_verdicts.id")),
    sa.Column("restores", Big, sa.ForeignKey("audit_verdicts.id")),
    sa.UniqueConstraint("auditor", "request", name="one_verdict_per_request"),
    sqlite_autoincrement=True,
)

standing: Final = sa.Table(
    "audit_standing",
    metadata,
    sa.Column("item", Big, sa.ForeignKey(items.c.position), primary_key=True, autoincrement=False),
    sa.Column("auditor", Big, sa.ForeignKey(auditors.c.id), primary_key=True, autoincrement=False),
    sa.Column("verdict", Big, sa.ForeignKey(verdicts.c.id), nullable=False),
    sa.Column("skipped", sa.Boolean, nullable=False),
)
"""Which verdict is an auditor's word on an item, or which skip."""
sa.Index("audit_standing_latest", standing.c.auditor, standing.c.verdict)
sa.Index(
    "audit_standing_skipped",
    standing.c.auditor,
    standing.c.verdict,
    sqlite_where=sa.text("skipped = 1"),
    postgresql_where=sa.text("skipped"),
)

conflicts: Final = sa.Table(
    "audit_conflicts",
    metadata,
    sa.Column("id", Big, primary_key=True),
    sa.Column("item", Big, sa.ForeignKey(items.c.position), nullable=False),
    sa.Column("auditor", Big, sa.ForeignKey(auditors.c.id), nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("took_ms", Big),
    sa.Column("at_ms", Big, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("theirs", Big, sa.ForeignKey(verdicts.c.id)),
    sa.UniqueConstraint("auditor", "request", name="one_conflict_per_request"),
    sqlite_autoincrement=True,
)
"""What came second, kept for whoever closed the window too soon."""


def _append_only(table: sa.Table) -> None:
    name = table.name
    for event in ("UPDATE", "DELETE"):
        sqlite = sa.DDL(
            f"CREATE TRIGGER {name}_no_{event.lower()} BEFORE {event} ON {name} "
            f"BEGIN SELECT RAISE(ABORT, '{name} only ever grows'); END"
        )
        sa.event.listen(table, "after_create", sqlite.execute_if(dialect="sqlite"))
    function = sa.DDL(
        f"CREATE FUNCTION {name}_grows() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{name} only ever grows'; END $$"
    )
    trigger = sa.DDL(
        f"CREATE TRIGGER {name}_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {name}_grows()"
    )
    for statement in (function, trigger):
        sa.event.listen(table, "after_create", statement.execute_if(dialect="postgresql"))


_append_only(verdicts)
_append_only(conflicts)
