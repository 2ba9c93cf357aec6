"""Answers of a file into the store: who said it, of which item, and what came of it; nothing is left out silently."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from recaption.audit.interchange.answers import Answer, Aside, Outcome, Refused, understood
from recaption.audit.interchange.items import Outing, item_name
from recaption.audit.interchange.options import ImportOptions, Tell
from recaption.audit.sheets import sheet_of_item
from recaption.audit.types import MAX_NAME_CHARS, AuditItem, Foreign, Receipt
from recaption.core.digests import digest_json, digest_text
from recaption.core.errors import UserError
from recaption.core.printable import printable

__all__ = ["ALWAYS_COUNTED", "MAX_ANSWERS", "auditor_name", "take_in"]

MAX_ANSWERS: Final = 2_000_000
MAX_NEW_AUDITORS: Final = 200
"""Whom one file can make; a file of a thousand names is not about a thousand people."""
AT_ONCE: Final = 100
"""Answers per transaction: they share a sync to disk, and whoever judges meanwhile hardly waits."""
MOST_TOLD: Final = 100
"""Lines about single answers; the rest is counted."""
ALWAYS_COUNTED: Final = ("imported", "revised", "unchanged", "skipped", "unknown items", "refused")

_BLANKS: Final = re.compile(r"\s+")


def take_in(
    outing: Outing,
    found: Iterable[Outcome],
    options: ImportOptions,
    tell: Tell,
    *,
    guideline: str | None = None,
) -> dict[str, int]:
    """Record what a file says, and return how much of it was imported, revised and so on.

    The whole file is read before the first verdict is written, so that a damaged one changes nothing.

    Args:
        guideline: The version that was handed out with the items, if any was.

    Raises:
        UserError: The file cannot be read to its end, an answer occurs twice, or nobody is named.
        BackendError: The database is gone; what was counted and told is on disk, and importing the file again goes
            on from there.
    """
    intake = _Intake(outing, options, tell, guideline)
    by_item = intake.sorted_out(found)
    for item in outing.store.items() if by_item else ():
        for answer in by_item.pop(item_name(item.key), ()):
            intake.take(item, answer)
        if not by_item:
            break
    intake.record()
    for answers in by_item.values():
        for answer in answers:
            intake.leave("unknown items", answer.place, "the audit has no such item")
    return intake.finished()


@dataclass(frozen=True, slots=True)
class _Ready:
    """An answer as the store takes it, and whether an `accept` was taken for an edit."""

    verdict: Foreign
    corrected: bool


class _Intake:
    """One import: the counts, the people, the lines told."""

    def __init__(self, outing: Outing, options: ImportOptions, tell: Tell, guideline: str | None) -> None:
        self._outing, self._options, self._tell, self._guideline = outing, options, tell, guideline
        self._counts: Counter[str] = Counter()
        self._told = 0
        self._people: dict[str, int] = {person.name: person.id for person in outing.store.auditors()}
        self._new = 0
        self._standing: set[tuple[int, str]] = set()
        self._due: list[tuple[Answer, _Ready | Refused]] = []

    def sorted_out(self, found: Iterable[Outcome]) -> dict[str, list[Answer]]:
        """Return the answers by item; of several by one person the latest, where the file says when."""
        answers: dict[tuple[str, str], Answer] = {}
        sources: set[str] = set()
        for outcome in found:
            if isinstance(outcome, Aside):
                self.leave(outcome.kind, outcome.place, outcome.why)
                continue
            if outcome.source in sources:
                raise UserError(f"{outcome.place} has the id of an answer before it; each answer needs its own")
            sources.add(outcome.source)
            key = (outcome.item, self._name(outcome))
            other = answers.get(key)
            if other is not None:
                outcome = self._later(other, outcome, key[1])
            answers[key] = outcome
            if len(sources) > MAX_ANSWERS:
                raise UserError(f"more than {MAX_ANSWERS:,} answers in one file; split it")
        names = {name for _, name in answers}
        by_item: dict[str, list[Answer]] = {}
        for (item, _), answer in answers.items():
            by_item.setdefault(item, []).append(answer)
        self._remember_words_of(names)
        return by_item

    def take(self, item: AuditItem, answer: Answer) -> None:
        """Set an answer aside; once there are enough of them, they are recorded in one transaction."""
        self._due.append((answer, self._read(item, answer)))
        if len(self._due) >= AT_ONCE:
            self.record()

    def record(self) -> None:
        """Record what was set aside, and count and tell what came of it; in this order, should it fail."""
        due, self._due = self._due, []
        ready = [said.verdict for _, said in due if not isinstance(said, Refused)]
        outcomes = iter(self._outing.store.record(ready) if ready else ())
        for answer, said in due:
            if isinstance(said, Refused):
                self.leave("refused", answer.place, said.why)
            else:
                self._came_of(answer, said, next(outcomes))

    def leave(self, kind: str, place: str = "", why: str = "") -> None:
        """Count what is not recorded; say why, where there is a reason."""
        self._counts[kind] += 1
        if not why:
            return
        self._told += 1
        if self._told <= MOST_TOLD:
            self._tell(printable(f"{place}: {why}" if place else why))

    def finished(self) -> dict[str, int]:
        """Return the counts."""
        if self._told > MOST_TOLD:
            self._tell(f"and {self._told - MOST_TOLD:,} more like these")
        extra = {kind: count for kind, count in sorted(self._counts.items()) if kind not in ALWAYS_COUNTED}
        return {kind: self._counts[kind] for kind in ALWAYS_COUNTED} | extra

    def _read(self, item: AuditItem, answer: Answer) -> _Ready | Refused:
        sheet = sheet_of_item(item)
        outing = self._outing
        row, meanings = outing.row(item, sheet), outing.meanings(item, sheet)
        said = understood(answer, row, meanings, self._guideline)
        if isinstance(said, Refused):
            return said
        if said.draft.action == "edit" and sheet.subject.is_cut:
            return Refused("the caption goes on beyond what was handed out; an edit drops the rest")
        try:
            auditor = self._person(self._name(answer))
        except UserError as error:
            return Refused(str(error))
        request = digest_json([answer.source, item.key, said.draft.action, said.draft.body()])
        verdict = Foreign(auditor=auditor, key=item.key, draft=said.draft, request=request)
        return _Ready(verdict, said.corrected)

    def _came_of(self, answer: Answer, said: _Ready, outcome: Receipt | UserError) -> None:
        if isinstance(outcome, UserError):  # others were first, or its auditor was taken off
            self.leave("refused", answer.place, str(outcome))
            return
        word = (said.verdict.auditor, said.verdict.key)
        before = word in self._standing
        self._standing.add(word)
        if outcome.repeated:
            self._counts["unchanged"] += 1
            return
        self._counts["revised" if before else "imported"] += 1
        if said.corrected:
            self._counts["accepted with another text, taken as edits"] += 1

    def _later(self, one: Answer, other: Answer, name: str) -> Answer:
        if not one.at or not other.at or one.at == other.at:
            raise UserError(
                f"{other.place}: {name!r} has judged this item already, in {one.place}. Keep one of the two."
            )
        self.leave("older answers")
        return max(one, other, key=lambda answer: answer.at)

    def _name(self, answer: Answer) -> str:
        told = auditor_name(answer.auditor)
        name = self._options.names.get(told, self._options.names.get(answer.auditor, told))
        if not name:
            if not self._options.auditor:
                raise UserError(f"{answer.place} does not say who judged. Name the auditor for the whole file.")
            name = self._options.auditor
        return auditor_name(name)

    def _person(self, name: str) -> int:
        """Return the number of an auditor, who is added where there is nobody of the name."""
        if name not in self._people:
            if self._new == MAX_NEW_AUDITORS:
                raise UserError(f"the file names more than {MAX_NEW_AUDITORS} people the audit does not know")
            person, _ = self._outing.store.add_auditor(name)
            self._people[person.name] = person.id
            self._new += 1
            self._counts["new auditors"] += 1
        return self._people[name]

    def _remember_words_of(self, names: set[str]) -> None:
        if not names & self._people.keys():
            return
        for verdict in self._outing.store.verdicts(standing_only=True):
            if verdict.auditor in names:
                self._standing.add((self._people[verdict.auditor], verdict.key))


def auditor_name(name: str) -> str:
    """Return a name from a file as the store takes it; one that had to be cut ends in digits of its own."""
    clean = "".join(
        c if c.isprintable() else " " for c in unicodedata.normalize("NFC", name[: 64 * MAX_NAME_CHARS])
    )
    clean = _BLANKS.sub(" ", clean).strip()
    if len(clean) <= MAX_NAME_CHARS:
        return clean
    return f"{clean[: MAX_NAME_CHARS - 9].rstrip()}~{digest_text(name)[:8]}"
