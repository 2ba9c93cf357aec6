"""From the log of an audit to the judgements that quality is read from.

What stands counts, and nothing else: what was revised, undone or skipped is nobody's word any more. Where captions
are compared there are no judgements: to prefer one text to another is to judge neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from recaption.audit.judgements import Judgement
from recaption.audit.meaning import meaning_of, of_the_picture
from recaption.audit.sheets import sheet_of_item
from recaption.audit.types import AuditItem, Verdict

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["judgements", "judgements_of", "texts_judged", "unjudgeable"]


def judgements(store: AuditStore) -> Iterator[Judgement]:
    """Yield what stands in the store of an audit that judges, in the order in which it was said.

    Raises:
        RunFolderError: The store holds items of something else than a run's captions.
    """
    texts = texts_judged(store.items())
    return judgements_of(store.verdicts(standing_only=True), texts)


def unjudgeable(store: AuditStore) -> int:
    """Return of how many items somebody says that the picture cannot be judged; that enters no judgement."""
    return len({v.key for v in store.verdicts(standing_only=True) if of_the_picture(v.draft)})


def texts_judged(items: Iterable[AuditItem]) -> dict[str, str]:
    """Return, by key, the caption of each item that is judged. Raises RunFolderError where an item has none."""
    return {item.key: sheet_of_item(item).subject.text for item in items}


def judgements_of(verdicts: Iterable[Verdict], texts: Mapping[str, str]) -> Iterator[Judgement]:
    """Yield the judgements in a log, in its order.

    Args:
        verdicts: The whole log, or what stands of it.
        texts: The caption judged, by the key of the item.
    """
    for verdict in verdicts:
        if not verdict.standing:
            continue
        draft, shown = verdict.draft, texts[verdict.key]
        meaning = meaning_of(draft, shown)
        if meaning is None or meaning.said == "prefer":
            continue
        yield Judgement(
            key=verdict.key,
            auditor=verdict.auditor,
            kind=meaning.said,
            reason=meaning.reason,
            seconds=None if draft.took_ms is None else draft.took_ms / 1000,
            shown=shown,
            edited=meaning.text,
            at=verdict.at_ms / 1000,
        )
