"""From the verdicts of an audit to one ruling on each record, which a run heeds.

What stands counts, one word of each auditor on an item; that the picture cannot be judged is none. Options are: the
caption shown is wrong, it was put right, it is right or best, another one on the screen is best. What most say holds;
of options with equally many voices the worst holds, in just this order: doubt is no praise, and no reason to take
another caption. Of several corrections the one that was written last holds: whoever came later saw as much, and no
text is put together from two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from recaption.audit.meaning import Meaning, meaning_of, standing_words
from recaption.audit.project import About
from recaption.audit.sheets import Sheet, sheet_of_item
from recaption.audit.types import AuditItem, Verdict
from recaption.core.types import MAX_REASON_CHARS, Image
from recaption.datasets.rulings import Ruling

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["rulings_in", "rulings_of"]

_REJECT: Final = "reject"
_EDIT: Final = "edit"
_JUDGE: Final = About()

Pictures: TypeAlias = Callable[[Ruling, Image], str]
"""Tells the digest of the picture of a ruling."""


def _unknown(ruling: Ruling, image: Image) -> str:
    return ""


def rulings_in(store: AuditStore, picture: Pictures = _unknown) -> list[Ruling]:
    """Return the rulings that the words standing in a store come to, in the order of keys.

    Args:
        picture: As for `rulings_of`.

    Raises:
        RunFolderError: The store holds items of something else than a run's captions.
    """
    about = About.of(store.settings.about)
    found = rulings_of(store.items(), store.verdicts(standing_only=True), about, picture)
    return [replace(ruling, audit=store.created_ms) for ruling in found]


def rulings_of(
    items: Iterable[AuditItem],
    verdicts: Iterable[Verdict],
    about: About = _JUDGE,
    picture: Pictures = _unknown,
) -> list[Ruling]:
    """Return the rulings that verdicts come to, in the order of keys.

    Args:
        items: What was judged; one item after the other is looked at.
        verdicts: The whole log or what stands of it, in any order: rows count by their numbers.
        about: Says how many captions were on one screen, where they were compared.
        picture: Returns the digest of the picture that a ruling is on, given where it lies; empty where that is not
            known. Asked for what has one and was ruled on, and for nothing else: a sample may have a million items.

    Raises:
        RunFolderError: An item that was judged is not a sheet.
    """
    words = standing_words(verdicts)
    found = (_ruling(item, words[item.key], about, picture) for item in items if item.key in words)
    return sorted((ruling for ruling in found if ruling is not None), key=lambda ruling: ruling.key)


@dataclass(frozen=True, slots=True)
class _Voice:
    """One auditor's word, and which option it is for: wrong, corrected, or the id of a caption."""

    option: str
    verdict: Verdict
    meaning: Meaning


def _ruling(item: AuditItem, said: Sequence[Verdict], about: About, picture: Pictures) -> Ruling | None:
    """Return what the words on one item come to; None where none of them can be understood."""
    sheet = sheet_of_item(item)
    ids = [caption.id for caption in sheet.captions]
    voices = list(_voices(said, sheet))
    if not voices:
        return None
    order = [_REJECT, _EDIT, *ids]
    counts = dict.fromkeys(order, 0)
    for voice in voices:
        counts[voice.option] += 1
    option = max(order, key=counts.__getitem__)  # of equals the first, which is the worst
    side = [voice for voice in voices if voice.option == option]
    last = side[-1].verdict
    basis = {
        "key": item.key,
        "shown": ids[0],
        "version": sheet.version,
        "auditors": tuple(sorted({voice.verdict.auditor for voice in side})),
        "said": len(side),
        "of": len(voices),
        "reason": _reasons(side),
        "guideline": last.draft.guideline or "",
        "at": last.at_ms / 1000,
        "verdicts": tuple(voice.verdict.id for voice in side),
    }
    ruling = Ruling(**basis, **_decided(option, side, sheet, about))  # type: ignore[arg-type]
    return ruling if sheet.image is None else replace(ruling, picture=picture(ruling, sheet.image))


def _voices(said: Sequence[Verdict], sheet: Sheet) -> Iterator[_Voice]:
    ids = {caption.id for caption in sheet.captions}
    for verdict in said:
        meaning = meaning_of(verdict.draft, sheet.subject.text)
        if meaning is None:
            continue
        if meaning.said in (_REJECT, _EDIT):
            yield _Voice(meaning.said, verdict, meaning)
        elif meaning.said == "accept":
            yield _Voice(sheet.subject.id, verdict, meaning)
        elif (preferred := verdict.draft.preferred) is not None and preferred in ids:
            # of another caption than those on the screen nobody can have spoken
            yield _Voice(preferred, verdict, meaning)


def _decided(option: str, side: Sequence[_Voice], sheet: Sheet, about: About) -> dict[str, object]:
    """Return the outcome that an option is, and what belongs to it."""
    if option == _REJECT:
        shown = sheet.captions[: about.captions] if about.task == "compare" else sheet.captions[:1]
        return {"outcome": "reject", "rejected": tuple(caption.id for caption in shown[1:])}
    if option == _EDIT:
        return {"outcome": "edit", "text": side[-1].meaning.text}
    if option == sheet.subject.id and all(voice.meaning.said == "accept" for voice in side):
        return {"outcome": "accept"}
    return {"outcome": "prefer", "preferred": option}


def _reasons(side: Sequence[_Voice]) -> str:
    """Return the reasons given, each once, on one line."""
    given = [" ".join(voice.meaning.reason[: MAX_REASON_CHARS * 4].split()) for voice in side]
    return "; ".join(dict.fromkeys(reason for reason in given if reason))[:MAX_REASON_CHARS].rstrip()
