"""What can be mended without a model: by leaving something out, never by writing something."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from recaption.media.checks.about import Finding
from recaption.media.checks.damage import without_hidden
from recaption.media.checks.endings import whole_sentences
from recaption.media.checks.loops import unlooped
from recaption.media.checks.reading import Reading
from recaption.media.checks.wording import LABEL, opener_end
from recaption.media.checks.wrapping import unwrapped, without_roles

__all__ = ["MENDABLE", "mended"]

_MOST_ROUNDS: Final = 20
_LONGEST: Final = 20_000


def _without_label(text: str) -> str:
    found = LABEL.match(text)
    return _capitalised(text[found.end() :].lstrip(" *_#\t\n-–—")) if found else text


def _without_opener(text: str) -> str:
    end = opener_end(Reading(text))
    return _capitalised(text[end:].lstrip(" ,:，：")) if end else text


def _capitalised(text: str) -> str:
    first = text[:1].upper()
    return first + text[1:] if len(first) == 1 else text


_MENDERS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "hidden": without_hidden,
    "role": without_roles,
    "wrapper": unwrapped,
    "label": _without_label,
    "opener": _without_opener,
    "loop": unlooped,
    "cut": whole_sentences,
}
MENDABLE: Final = tuple(_MENDERS)
"""Findings that may be mended, in the order in which it is done."""


def mended(text: str, found: Finding | Iterable[Finding | str]) -> str | None:
    """Return the text without what was found, never longer, or None where nothing whole is left.

    Findings that nothing can be done about leave the text alone. Mending what is mended changes nothing.
    """
    named = [found] if isinstance(found, Finding) else list(found)
    names = {item if isinstance(item, str) else item.name for item in named}
    menders = [mend for name, mend in _MENDERS.items() if name in names]
    if len(text) > _LONGEST:
        return None
    for _ in range(_MOST_ROUNDS):
        before = text
        for mend in menders:
            result = mend(text)
            if result is None:
                if mend is unlooped:  # the loop is not at the end, or gone by now: for the next look to say
                    continue
                return None
            text = result.strip()
            if not text:
                return None
        if text == before:
            return text
    return None
