"""Set phrases of models: refusals, talk about themselves, boilerplate openers, labels, guesses, addresses."""

import re
from collections.abc import Iterator
from typing import Final

from recaption.media.checks.about import About, Finding
from recaption.media.checks.patterns import any_of, lines, load, pattern, words
from recaption.media.checks.reading import Reading

__all__ = ["LABEL", "opener_end", "wording"]

_DATA: Final = load("wording")
_EDGE: Final = r"[\s\"'“‘*_#>-]{0,6}"
_REFUSAL: Final = pattern("wording", "refusal")
_REFUSAL_ZH: Final = pattern("wording", "refusal_zh")
_META: Final = pattern("wording", "meta")
_META_ZH: Final = pattern("wording", "meta_zh")
_META_ANYWHERE: Final = re.compile(_DATA["meta_anywhere"])
_LEAK: Final = pattern("wording", "leak")
_LEAK_ZH: Final = pattern("wording", "leak_zh")
_HEDGE: Final = pattern("wording", "hedge")
_HEDGE_ZH: Final = re.compile(_DATA["hedge_zh"])
_MAYBE_LINK: Final = re.compile(r"\.[A-Za-z]|@|://")
_LINK: Final = pattern("wording", "link")
_OPENER: Final = re.compile(
    rf"\A{_EDGE}"
    + any_of(
        line.replace("{picture}", _DATA["picture"]).replace("{shows}", _DATA["shows"])
        for line in lines(_DATA["opener"])
    ),
    re.IGNORECASE,
)
_OPENER_ZH: Final = re.compile(rf"\A{_EDGE}" + any_of(lines(_DATA["opener_zh"])))
LABEL: Final = re.compile(rf"\A{_EDGE}" + any_of(lines(_DATA["label"])), re.IGNORECASE)
"""A label or a pleasantry at the beginning, with what parts it from the caption."""

_TRIGGERS: Final = {
    name: words("wording", f"triggers/{name}")
    for name in ("refusal", "meta", "leak", "hedge", "opener", "label")
}
_LABEL_ZH: Final = frozenset(_DATA["triggers"]["label_zh"])
_HEAD: Final = 160
"""Characters in which the colon of a label stands."""


def wording(reading: Reading, about: About) -> Iterator[Finding]:
    """Yield `refusal`, `meta`, `leak`, `opener`, `label`, `hedge` and `link`."""
    if about.finish_reason == "refusal":
        yield Finding("refusal", "the service refused")
    plain = reading.plain.lower()
    for name, english, chinese in (
        ("refusal", _REFUSAL, _REFUSAL_ZH),
        ("meta", _META, _META_ZH),
        ("leak", _LEAK, _LEAK_ZH),
        ("hedge", _HEDGE, _HEDGE_ZH),
    ):
        found = None if reading.vocabulary.isdisjoint(_TRIGGERS[name]) else english.search(plain)
        if found is None and reading.cjk:
            found = chinese.search(plain)
        if found is not None:
            yield Finding(name, f"says {_shown(found[0])!r}", found.span())
    if ":" in plain or "<" in plain:
        special = _META.search(plain) if _META_ANYWHERE.search(plain) else None
        if special is not None and reading.vocabulary.isdisjoint(_TRIGGERS["meta"]):
            yield Finding("meta", f"says {_shown(special[0])!r}", special.span())
    if "==" in plain or "[" in plain:
        mark = _LEAK.search(plain)
        if mark is not None and reading.vocabulary.isdisjoint(_TRIGGERS["leak"]):
            yield Finding("leak", f"says {_shown(mark[0])!r}", mark.span())
    if end := opener_end(reading):
        yield Finding("opener", f"begins with {_shown(reading.text[:end])!r}", (0, end))
    if _may_have_label(reading) and (found := LABEL.match(reading.text)):
        yield Finding("label", f"begins with {_shown(found[0])!r}", found.span())
    if _MAYBE_LINK.search(reading.text) and (link := _foreign_link(reading, about)):
        yield Finding("link", f"holds the address {_shown(link[0])!r}", link.span())


def opener_end(reading: Reading) -> int:
    """Return where the boilerplate at the beginning of a text ends; 0 if there is none."""
    if reading.words and reading.words[0] in _TRIGGERS["opener"] and (found := _OPENER.match(reading.text)):
        return found.end()
    if reading.cjk and (found := _OPENER_ZH.match(reading.text)):
        return found.end()
    return 0


def _may_have_label(reading: Reading) -> bool:
    head = reading.text[:_HEAD]
    return (
        ":" in head
        or "：" in head
        or (bool(reading.words) and reading.words[0] in _TRIGGERS["label"])
        or (reading.cjk and head.lstrip()[:1] in _LABEL_ZH)
    )


def _foreign_link(reading: Reading, about: About) -> re.Match[str] | None:
    """Return an address that the picture does not show; a quoted one stands in the words read there."""
    seen = None
    for found in _LINK.finditer(reading.text.lower()):
        if seen is None:
            seen = " ".join(about.seen_texts).lower()
        quoted = any(start <= found.start() and found.end() <= end for start, end in reading.quotes)
        if not (quoted and found[0].strip("\"'”").lower() in seen):
            return found
    return None


def _shown(text: str) -> str:
    return " ".join(text.split())[:60]
