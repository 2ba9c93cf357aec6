"""Texts that are broken as texts: empty, too long, damaged characters, more marks than words."""

import re
from collections.abc import Iterator
from typing import Final

from recaption.media.checks.about import About, Finding
from recaption.media.checks.reading import Reading

__all__ = ["damage", "without_hidden"]

_DAMAGED: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U0001fffe\U0001ffff"
    "\U0010fffe\U0010ffff\ue000-\uf8ff]"
)
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HIDDEN: Final = re.compile(
    "[\ufeff\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\u00ad\u061c\u180e\U000e0000-\U000e007f]"
)
_NAMES: Final = {0: "NUL", 0xFFFD: "a replacement character", 0xFEFF: "a byte order mark"}
_MARK_RUN: Final = re.compile(r"([^\w\s]|_)\1{9,}")
_MOST_MARKS: Final = 0.5
"""Share of marks among all that is not blank from which a text says nothing."""
_FEWEST_CJK: Final = 2


def damage(reading: Reading, about: About) -> Iterator[Finding]:
    """Yield `empty`, `short`, `long`, `damaged`, `hidden` and `symbols`."""
    text = reading.text
    if not reading.ascii or not text.replace("\n", " ").isprintable():
        if found := (_CONTROL if reading.ascii else _DAMAGED).search(text):
            yield Finding("damaged", f"holds {_named(found[0])}", found.span())
        if not reading.ascii and (found := _HIDDEN.search(text)):
            yield Finding("hidden", f"holds {_named(found[0])}, which nobody sees", found.span())
    if not reading.words:
        if marks_only := text.strip():
            yield Finding("symbols", f"no word, only marks: {marks_only[:20]!r}")
        else:
            yield Finding("empty", "no text")
        return
    said = len(reading.tokens)
    least = max(_FEWEST_CJK, about.min_words * 2) if reading.cjk else about.min_words
    if said < least:
        yield Finding("short", f"{said} word{'s' if said != 1 else ''}")
    solid = sum(map(len, text.split()))
    marks = solid - sum(map(len, reading.words))
    if marks > _MOST_MARKS * solid:
        yield Finding("symbols", "more marks than letters")
    elif marks >= 10 and (run := _MARK_RUN.search(text)):
        yield Finding("symbols", f"{run[1]!r} {len(run[0])} times in a row", run.span())


def _named(character: str) -> str:
    point = ord(character)
    if 0xD800 <= point <= 0xDFFF:
        return "half a surrogate pair"
    return _NAMES.get(point, f"the character U+{point:04X}")


def without_hidden(text: str) -> str:
    """Return the text without characters that nobody sees."""
    return _HIDDEN.sub("", text)
