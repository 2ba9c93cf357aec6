"""From the log of an audit to the judgements that quality is read from.

What stands counts, and nothing else: what was revised, undone or skipped is nobody's word any more. Where captions
are compared, an auditor prefers or finds none of them right; only the first is told, as it says nothing of how good
the caption is, and the second alone would make every set look bad.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from recaption.audit.judgements import Judgement
from recaption.audit.project import About, Task
from recaption.audit.sheets import Sheet
from recaption.audit.types import AuditItem, Verdict
from recaption.core.errors import RunFolderError

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["judgements", "judgements_of", "texts_judged"]

_EMPTIED: Final = "edited to nothing"


def judgements(store: AuditStore) -> Iterator[Judgement]:
    """Yield what stands in a store, in the order in which it was said.

    Raises:
        RunFolderError: The store holds items of something else than a run's captions.
    """
    texts = texts_judged(store.items())
    task = About.of(store.settings.about).task
    return judgements_of(store.verdicts(standing_only=True), texts, task)


def texts_judged(items: Iterable[AuditItem]) -> dict[str, str]:
    """Return, by key, the caption of each item that is judged. Raises RunFolderError where an item has none."""
    found = {}
    for item in items:
        try:
            found[item.key] = Sheet.from_payload(item.payload).subject.text
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise RunFolderError(
                f"item {item.key[:80]!r} of the audit holds no captions of a run ({type(error).__name__}); "
                "its verdicts say nothing of quality"
            ) from error
    return found


def judgements_of(
    verdicts: Iterable[Verdict], texts: Mapping[str, str], task: Task = "judge"
) -> Iterator[Judgement]:
    """Yield the judgements in a log, in its order.

    Args:
        verdicts: The whole log, or what stands of it.
        texts: The caption judged, by the key of the item.
    """
    told = ("prefer",) if task == "compare" else ("accept", "edit", "reject")
    for verdict in verdicts:
        if verdict.standing and verdict.draft.action in told:
            yield _judgement(verdict, texts[verdict.key])


def _judgement(verdict: Verdict, shown: str) -> Judgement:
    draft = verdict.draft
    kind, reason, edited = draft.action, draft.reason or "", None
    if kind == "edit" and draft.text is not None and draft.text.strip():
        edited = draft.text
    elif kind == "edit":
        kind, reason = "reject", reason or _EMPTIED
    assert kind != "undo"  # noqa: S101 - nothing that was undone stands
    return Judgement(
        key=verdict.key,
        auditor=verdict.auditor,
        kind=kind,
        reason=reason,
        seconds=None if draft.took_ms is None else draft.took_ms / 1000,
        shown=shown,
        edited=edited,
        at=verdict.at_ms / 1000,
    )
