"""From the verdicts of an audit to one ruling on each record, which a run heeds.

The last word of every auditor on an item counts once. Options are: the caption shown is wrong, it was put right, it
is right or best, another one on the screen is best. What most say holds; of options with equally many voices the
worst holds, in just this order: doubt is no praise, and no reason to take another caption. Of several corrections the
one that was written last holds: whoever came later saw as much, and no text is put together from two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recaption.audit.project import About
from recaption.audit.sheets import Sheet
from recaption.audit.types import AuditItem, Verdict
from recaption.core.errors import RunFolderError
from recaption.core.types import MAX_REASON_CHARS
from recaption.datasets.rulings import Ruling

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["rulings_in", "rulings_of"]

_REJECT: Final = "reject"
_EDIT: Final = "edit"
_EMPTIED: Final = "edited to nothing"
_JUDGE: Final = About()


def rulings_in(store: AuditStore) -> list[Ruling]:
    """Return the rulings that the words standing in a store come to, in the order of keys.

    Raises:
        RunFolderError: The store holds items of something else than a run's captions.
    """
    return rulings_of(store.items(), store.verdicts(standing_only=True), About.of(store.settings.about))


def rulings_of(items: Iterable[AuditItem], verdicts: Iterable[Verdict], about: About = _JUDGE) -> list[Ruling]:
    """Return the rulings that verdicts come to, in the order of keys.

    Args:
        items: What was judged; one item after the other is looked at.
        verdicts: The whole log or what stands of it, in any order: rows count by their numbers.
        about: Says how many captions were on one screen, where they were compared.

    Raises:
        RunFolderError: An item that was judged is not a sheet.
    """
    words = _last_words(verdicts)
    found = (_ruling(item, words[item.key], about) for item in items if item.key in words)
    return sorted((ruling for ruling in found if ruling is not None), key=lambda ruling: ruling.key)


def _last_words(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Return, by item, what each auditor said last, in the order of the log; a skip is nothing, nor is an undo."""
    last: dict[str, dict[str, Verdict]] = {}
    for verdict in verdicts:
        of_item = last.setdefault(verdict.key, {})
        before = of_item.get(verdict.auditor)
        if before is None or verdict.id > before.id:
            of_item[verdict.auditor] = verdict
    kept = {
        key: sorted((v for v in said.values() if v.draft.action not in ("skip", "undo")), key=lambda v: v.id)
        for key, said in last.items()
    }
    return {key: said for key, said in kept.items() if said}


@dataclass(frozen=True, slots=True)
class _Voice:
    """One auditor's word, and which option it is for: wrong, corrected, or the id of a caption."""

    option: str
    verdict: Verdict


def _ruling(item: AuditItem, said: Sequence[Verdict], about: About) -> Ruling | None:
    """Return what the words on one item come to; None where none of them can be understood."""
    sheet = _sheet(item)
    ids = [caption.id for caption in sheet.captions]
    voices = list(_voices(said, ids))
    if not voices:
        return None
    order = [_REJECT, _EDIT, *ids]
    counts = dict.fromkeys(order, 0)
    for voice in voices:
        counts[voice.option] += 1
    option = max(order, key=counts.__getitem__)  # of equals the first, which is the worst
    side = [voice.verdict for voice in voices if voice.option == option]
    basis = {
        "key": item.key,
        "shown": ids[0],
        "version": sheet.version,
        "auditors": tuple(sorted({v.auditor for v in side})),
        "said": len(side),
        "of": len(voices),
        "reason": _reasons(side),
        "guideline": side[-1].draft.guideline or "",
        "at": side[-1].at_ms / 1000,
        "verdicts": tuple(v.id for v in side),
    }
    return Ruling(**basis, **_decided(option, side, sheet, about))  # type: ignore[arg-type]


def _voices(said: Sequence[Verdict], ids: Sequence[str]) -> Iterator[_Voice]:
    for verdict in said:
        draft = verdict.draft
        if draft.action == "accept":
            yield _Voice(ids[0], verdict)
        elif draft.action == "reject" or (draft.action == "edit" and not (draft.text or "").strip()):
            yield _Voice(_REJECT, verdict)
        elif draft.action == "edit":
            yield _Voice(_EDIT, verdict)
        elif (
            draft.preferred is not None and draft.preferred in ids
        ):  # of another caption than those on the screen nobody can have spoken
            yield _Voice(draft.preferred, verdict)


def _decided(option: str, side: Sequence[Verdict], sheet: Sheet, about: About) -> dict[str, object]:
    """Return the outcome that an option is, and what belongs to it."""
    if option == _REJECT:
        shown = sheet.captions[: about.captions] if about.task == "compare" else sheet.captions[:1]
        return {"outcome": "reject", "rejected": tuple(caption.id for caption in shown[1:])}
    if option == _EDIT:
        text = side[-1].draft.text
        if text == sheet.subject.text:  # opened, looked at, saved
            return {"outcome": "accept"}
        return {"outcome": "edit", "text": text}
    if option == sheet.subject.id and all(v.draft.action == "accept" for v in side):
        return {"outcome": "accept"}
    return {"outcome": "prefer", "preferred": option}


def _reasons(side: Sequence[Verdict]) -> str:
    """Return the reasons given, each once, on one line."""
    given = []
    for verdict in side:
        emptied = verdict.draft.action == "edit" and not (verdict.draft.text or "").strip()
        reason = (verdict.draft.reason or (_EMPTIED if emptied else ""))[: MAX_REASON_CHARS * 4]
        given.append(" ".join(reason.split()))
    return "; ".join(dict.fromkeys(reason for reason in given if reason))[:MAX_REASON_CHARS].rstrip()


def _sheet(item: AuditItem) -> Sheet:
    try:
        sheet = Sheet.from_payload(item.payload)
        sheet.subject  # noqa: B018 - a sheet without a caption is none
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RunFolderError(
            f"item {item.key[:80]!r} of the audit holds no captions of a run ({type(error).__name__}); "
            "its verdicts cannot be applied"
        ) from error
    return sheet
