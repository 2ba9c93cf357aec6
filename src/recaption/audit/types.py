"""What the store of an audit holds and hands out: items, auditors, leases, verdicts, progress. Frozen values.

Times are milliseconds since 1970 by the clock of the database; what a browser needs to know of a lease is how long
it still runs, since its own clock may be wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from recaption.core.errors import UserError
from recaption.core.types import JsonValue

__all__ = [
    "MAX_BODY_CHARS",
    "Action",
    "Assignment",
    "AuditItem",
    "Auditor",
    "Draft",
    "Fact",
    "Foreign",
    "Lease",
    "Progress",
    "Receipt",
    "Settings",
    "Verdict",
    "clean_name",
]

Action = Literal["accept", "edit", "reject", "prefer", "skip", "undo"]
"""What a verdict says. `skip` and `undo` come from the calls of these names and are never drafted."""
Fact = Literal["supported", "wrong", "unsure"]
"""What an auditor says of one sentence."""

DRAFTED: Final = frozenset({"accept", "edit", "reject", "prefer"})
MAX_BODY_CHARS: Final = 2_000_000
"""Longest JSON of a draft: a caption of a megabyte fits, a flood does not."""
MAX_NAME_CHARS: Final = 64
MAX_TOOK_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a project is run; fixed when its store is made."""

    overlap: int = 1
    """Distinct auditors per item."""
    lease_s: float = 600.0
    """How long an item is set aside for whoever has it on screen."""
    about: Mapping[str, JsonValue] = field(default_factory=dict)
    """Whatever else must be remembered with the store: seed, columns, guideline, where the captions lie."""

    def __post_init__(self) -> None:
        if not 1 <= self.overlap <= 100:
            raise UserError(f"overlap {self.overlap}: give 1 to 100 auditors per item")
        if not 0.001 <= self.lease_s <= 7 * 24 * 3600:
            raise UserError(f"lease of {self.lease_s} s: give between a millisecond and a week")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditItem:
    """One item of the sample."""

    key: str
    """Unique in the audit; usually the key of the record."""
    payload: Mapping[str, JsonValue] = field(default_factory=dict)
    """What the page shows: captions, scores, flags, evidence."""
    stratum: str = ""
    probability: float = 1.0
    """Of having been drawn, in (0, 1]; estimates weigh by its inverse."""
    unbiased: bool = True
    """Whether it was drawn at random; what was picked for being doubtful says nothing about the whole."""
    overlap: int | None = None
    """Distinct auditors for this item; None for the project's number."""
    position: int | None = None
    """Its place in the queue, once it is stored."""

    def __post_init__(self) -> None:
        if not 0.0 < self.probability <= 1.0:
            raise UserError(
                f"item {self.key[:80]!r}: the inclusion probability {self.probability} is not in (0, 1]"
            )
        if self.overlap is not None and not 1 <= self.overlap <= 100:
            raise UserError(f"item {self.key[:80]!r}: overlap {self.overlap} is not in 1 to 100")


@dataclass(frozen=True, slots=True)
class Auditor:
    """Who judges. The token is known to them alone; the store keeps its hash."""

    id: int
    name: str
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """An item set aside for one auditor.

    `fence` grows with every lease given: a write that comes with an older one than the newest is refused.
    """

    fence: int
    item: int
    """Position of the item."""
    left_ms: int
    """How long it runs, as of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an auditor wants to say about one item.

    `text` is the corrected caption (an `edit` needs it), `preferred` the id of the better one (a `prefer` needs it).
    `shown` names the version of the captions that were on screen, `guideline` that of the instructions.
    """

    action: Action
    text: str | None = None
    reason: str | None = None
    preferred: str | None = None
    facts: tuple[Fact, ...] = ()
    """One per sentence of the caption shown."""
    note: str | None = None
    shown: str | None = None
    guideline: str | None = None
    took_ms: int | None = None
    """Time with the item on screen, as the page measured it; at most a day."""

    def body(self) -> str:
        """Return what is stored beside action and time, as ASCII JSON that is the same for equal drafts.

        Raises:
            UserError: It is longer than `MAX_BODY_CHARS`.
        """
        content: dict[str, JsonValue] = {"facts": list(self.facts)} if self.facts else {}
        for name in ("text", "reason", "preferred", "note", "shown", "guideline"):
            value = getattr(self, name)
            if value is not None:
                content[name] = value
        # ASCII, because databases refuse lone surrogates and NUL, and captions hold both.
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        if len(text) > MAX_BODY_CHARS:
            raise UserError(f"this verdict has {len(text)} characters; at most {MAX_BODY_CHARS} are kept")
        return text

    def check(self) -> None:
        """Raise UserError where the draft lacks what its action needs, or holds what nobody can mean."""
        if self.action not in DRAFTED:
            raise UserError(f"a verdict is one of {', '.join(sorted(DRAFTED))}, not {str(self.action)[:40]!r}")
        if self.action == "edit" and self.text is None:
            raise UserError("an edit needs the corrected text")
        if self.action == "prefer" and not self.preferred:
            raise UserError("a preference needs the id of the better caption")
        if unknown := set(self.facts) - set(get_args(Fact)):
            raise UserError(f"a fact is one of {', '.join(get_args(Fact))}, not {str(min(unknown))[:40]!r}")
        if self.took_ms is not None and not 0 <= self.took_ms <= MAX_TOOK_MS:
            raise UserError(f"{self.took_ms} ms with one item on screen cannot be; give 0 to {MAX_TOOK_MS}")

    @classmethod
    def of(cls, action: Action, body: str, took_ms: int | None) -> Draft:
        """Return the draft that `body` was made from."""
        content = json.loads(body)
        facts = tuple(content.pop("facts", ()))
        return cls(action=action, facts=facts, took_ms=took_ms, **content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row of the log, which only ever grows."""

    id: int
    """Also the version: whoever revises a verdict says which one was on screen."""
    item: int
    key: str
    auditor: str
    draft: Draft
    at_ms: int
    supersedes: int | None = None
    """The verdict of the same auditor that this one replaces."""
    restores: int | None = None
    """The earlier verdict that holds again, where an undo took back a revision."""
    standing: bool = True
    """Whether it was the auditor's word on the item when it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A verdict that was given elsewhere, to be recorded."""

    auditor: int
    key: str
    draft: Draft
    request: str
    """As for a verdict from the page: made from what is imported, so that the same file twice counts once."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """An item on somebody's screen."""

    lease: Lease
    item: AuditItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The answer to a write: it is on disk."""

    verdict: int
    """Id of the row, and the version that the next revision names."""
    item: int
    repeated: bool = False
    """True where the same request had been carried out before; nothing was written again."""
    lease: Lease | None = None
    """After an undo: the item is back on the auditor's screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the audit is. A slot is one auditor's verdict on one item."""

    items: int
    finished: int
    """Items with all their verdicts."""
    slots: int
    done: int
    leased: int
    frees_in_ms: int | None
    """When the first lease runs out, if any is held; 0 where it has."""
    mine_done: int = 0
    mine_skipped: int = 0
    mine_spent_ms: int = 0


def clean_name(name: str) -> str:
    """Return an auditor's name, trimmed. Raises UserError where it is empty, long or not printable."""
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise UserError(f"auditor name {name[:80]!r}: give 1 to {MAX_NAME_CHARS} printable characters")
    return name
