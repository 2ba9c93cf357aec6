"""Texts of data and models, made fit for a page: bounded, without characters that drive the reader, and compared."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from recaption.core.printable import printable

__all__ = ["Comparison", "Cut", "Span", "cleaned", "compared", "cut", "short"]

Kind = Literal["same", "gone", "new", "kept"]

_LINE_ENDS: Final = re.compile(r"[ \t]*(?:\r\n?|[\n\v\f\x85\u2028\u2029])[ \t]*")
_BLANKS: Final = re.compile(r"[ \t\u00a0\u2000-\u200a\u3000]{3,}")
_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN: Final = re.compile(rf"(?:[{_CJK}]|[^\W{_CJK}]+(?:['’-][^\W{_CJK}]+)*|[^\w\s])\s*|\s+")
"""A word or a mark with the blanks after it, so that the tokens joined are the text."""
_MOST_TOKENS: Final = 300
"""Of either side: comparing costs their product."""
_LEAST_ALIKE: Final = 0.35
"""Share of the longer text in common below which it counts as rewritten: to mark every word as new says nothing."""
_LEAST_KEPT, _FEWEST_EXTENDED = 0.6, 4
"""Unless so much of the shorter one is still there, and it had so many words: then it was extended."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The beginning of a text, and how many characters were left out."""

    text: str
    more: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """A run of words of one side that fared alike."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two texts with what changed marked on either side.

    Of texts that have little in common the words in common are marked instead (`kept`).
    """

    before: Sequence[Span]
    after: Sequence[Span]
    rewritten: bool
    shared: int
    """Words in common, in order."""


def cleaned(text: str) -> str:
    """Return a text that cannot drive the page: lines stay, every other control or bidi character is written out."""
    if text.isprintable():
        return text
    lines = _LINE_ENDS.sub("\n", text).replace("\t", " ")
    return "\n".join(printable(line) for line in lines.split("\n"))


def cut(text: str, most: int) -> Cut:
    """Return at most so many characters of a text, cleaned, and how many are left out."""
    beginning = text[:most]
    return Cut(_BLANKS.sub("  ", cleaned(beginning)).strip(), len(text) - len(beginning))


def short(text: object, most: int = 80) -> str:
    """Return a name or label on one line; of a long one the beginning, with an ellipsis."""
    said = str(text)
    line = " ".join(cleaned(said[: most + 1]).split())
    return line if len(said) <= most else f"{line[:most].rstrip()}…"


def compared(before: str, after: str) -> Comparison:
    """Return both texts word by word, what they have in common told from what is gone or new. Case does not count.

    Of long texts the beginning is compared; the rest is left as it stands.
    """
    (old, old_rest), (new, new_rest) = _tokens(before), _tokens(after)
    matcher = difflib.SequenceMatcher(
        None, [t.strip().lower() for t in old], [t.strip().lower() for t in new], autojunk=False
    )
    blocks = [b for b in matcher.get_matching_blocks() if b.size]
    shared = sum(_is_word(old[b.a + i]) for b in blocks for i in range(b.size))
    fewest, most = sorted((sum(map(_is_word, old)), sum(map(_is_word, new))))
    is_extended = fewest >= _FEWEST_EXTENDED and shared >= _LEAST_KEPT * fewest
    rewritten = most > 0 and shared < _LEAST_ALIKE * most and not is_extended
    if rewritten:
        blocks = [b for b in blocks if any(_is_telling(t) for t in old[b.a : b.a + b.size])]
    marks: tuple[Kind, Kind, Kind] = ("kept", "same", "same") if rewritten else ("same", "gone", "new")
    return Comparison(
        _spans(old, [(b.a, b.size) for b in blocks], marks[0], marks[1], old_rest),
        _spans(new, [(b.b, b.size) for b in blocks], marks[0], marks[2], new_rest),
        rewritten,
        shared,
    )


def _tokens(text: str) -> tuple[list[str], str]:
    found: list[str] = []
    end = 0
    for match in _TOKEN.finditer(text):
        if len(found) == _MOST_TOKENS:
            break
        found.append(match.group())
        end = match.end()
    return found, text[end:]


def _spans(
    tokens: Sequence[str], blocks: Sequence[tuple[int, int]], common: Kind, other: Kind, rest: str
) -> list[Span]:
    found: list[Span] = []
    place = 0
    for start, size in [*blocks, (len(tokens), 0)]:
        _append(found, other, "".join(tokens[place:start]))
        _append(found, common, "".join(tokens[start : start + size]))
        place = start + size
    _append(found, "same", rest)
    return found


def _append(spans: list[Span], kind: Kind, text: str) -> None:
    marked = text.rstrip() if kind != "same" else text
    if marked:
        spans.append(Span(kind, marked))
    if len(marked) < len(text):  # no mark reaches over the blank after it
        spans.append(Span("same", text[len(marked) :]))


def _is_telling(token: str) -> bool:
    """Say whether a word in common is more than an article: by its length, in any language that has words."""
    return _is_word(token) and (len(token.strip()) > 3 or not token.isascii())


def _is_word(token: str) -> bool:
    return token[0].isalnum()
