"""Our own log: every verdict that stands, one JSON object per line, as it is in the store and nothing else of it.

Ordered by item and auditor, with sorted names and no blanks: the same labels give the same bytes. It is only written;
a store is moved by copying its file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recaption.audit.interchange.answers import Outcome
from recaption.audit.interchange.items import Outing
from recaption.audit.interchange.options import ExportOptions, Tell
from recaption.audit.sheets import Sheet, sheet_of_item
from recaption.audit.types import AuditItem, Verdict
from recaption.core.digests import canonical_json
from recaption.core.errors import UserError
from recaption.datasets.atomic import write_atomic_stream

__all__ = ["LogLines"]


class LogLines:
    """The format `jsonl`."""

    shows_guideline = False

    def write(self, outing: Outing, target: Path, options: ExportOptions, tell: Tell) -> dict[str, int]:
        names = {
            person.name: f"auditor {number}" if options.anonymous else person.name
            for number, person in enumerate(outing.store.auditors(), start=1)
        }
        by_item: dict[int, list[Verdict]] = {}
        for verdict in outing.store.verdicts(standing_only=True):
            by_item.setdefault(verdict.item, []).append(verdict)
        count = 0
        with write_atomic_stream(target) as file:
            for item in outing.store.items() if by_item else ():
                if item.position not in by_item:
                    continue
                sheet = sheet_of_item(item)
                for verdict in sorted(by_item[item.position], key=lambda v: names[v.auditor]):
                    file.write(_line(_told(outing, item, sheet, verdict, names)))
                    count += 1
        return {"verdicts": count}

    def read(self, outing: Outing, source: Path) -> Iterator[Outcome]:
        raise UserError(
            "jsonl is the log of an audit and is only written; import label-studio, argilla or csv, "
            "or copy the store itself"
        )


def _told(
    outing: Outing, item: AuditItem, sheet: Sheet, verdict: Verdict, names: Mapping[str, str]
) -> dict[str, Any]:
    draft = verdict.draft
    told: dict[str, Any] = {
        "key": item.key,
        "auditor": names[verdict.auditor],
        "action": draft.action,
        "text": draft.text,
        "reason": draft.reason,
        "note": draft.note,
        "preferred": draft.preferred,
        "facts": list(draft.facts) or None,
        "version": draft.shown or sheet.version,
        "guideline": draft.guideline,
        "seconds": None if draft.took_ms is None else draft.took_ms / 1000,
        "at": datetime.fromtimestamp(verdict.at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
    }
    if draft.shown in (None, sheet.version):
        shown = sheet.captions[: outing.about.captions] if outing.compares else sheet.captions[:1]
        told["captions"] = [{"id": c.id, "role": c.role, "text": c.text} for c in shown]
    return {name: value for name, value in told.items() if value is not None}


def _line(told: Mapping[str, Any]) -> bytes:
    text = canonical_json(told)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:  # lone surrogates are no UTF-8, but JSON has a way to write them
        return f"{json.dumps(told, sort_keys=True, separators=(',', ':'))}\n".encode("ascii")
