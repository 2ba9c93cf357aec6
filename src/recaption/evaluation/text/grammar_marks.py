"""Slips of marks: what is opened and never closed, marks that follow each other, blanks too few or too many.

Every pattern takes time that grows with the length of the text, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from recaption.evaluation.text.grammar_slip import Slip

__all__ = ["doubled_marks", "misplaced_blanks", "unbalanced"]

_PAIRS: Final = {
    "(": ")", "[": "]", "{": "}", "“": "”", "（": "）", "【": "】", "《": "》", "「": "」", "『": "』",
}  # fmt: skip
_CLOSERS: Final = {closer: opener for opener, closer in _PAIRS.items()}
_BRACKET: Final = re.compile("[" + re.escape("".join(_PAIRS) + "".join(_CLOSERS)) + "]")
_FACE: Final = re.compile(r"[:;=]['-]?[()\[\]]|[()\[\]]['-]?[:;=]")
_LABEL: Final = re.compile(r"(?:^|[\s,;(])(?:[A-Za-z]|\d{1,3}|[ivx]{1,4})\Z")
_INCHES: Final = re.compile(r"[\d¼½¾⅛]\s?\"")
_MOST: Final = 5
"""Slips of one kind that one text is charged with; a table of marks is no sentence."""

_DOUBLED: Final = re.compile(
    r"(?<!\.)\.\.(?![.\w/\\])|,[,;:!?]|,\.(?![.\w])|;[;,.]|(?<!:):[,.;](?!-)|[?!][.](?!\.)|，[，、。]|、[、，。]|(?<!。)。。(?!。)"
)
_MAY_BE_DOUBLED: Final = (
    "..", ",,", ",;", ",:", ",!", ",?", ",.", ";;", ";,", ";.", ":,", ":.", ":;", "?.", "!.",
    "，，", "，、", "，。", "、、", "、，", "、。", "。。",
)  # fmt: skip
_MAY_BE_MISPLACED: Final = (" ,", " .", " ;", " !", " ?")
"""What a text holds if the pattern can match: looking for these is many times faster."""
_MAY_LACK_BLANK: Final = re.compile(r"[,;!?.][A-Za-z]")
_NO_BLANK: Final = re.compile(r"[a-z][a-z)\"”][,;!?](?=[A-Za-z][a-z])|[a-z]{3}\.(?=[A-Z][a-z]{2,15}(?![\w.]))")
_BLANK_BEFORE: Final = re.compile(r"(?<=[A-Za-z)\"”])[ \t]{1,3}[,;!?.](?=\s|\Z)(?!\s?\.)")
_ADDRESS: Final = re.compile(r"[/@\\=_#&]|\bwww\b|://")
_ENDINGS: Final = frozenset({"com", "net", "org", "jpg", "png", "gif", "html", "php", "uk", "edu"})
_NEXT_WORD: Final = re.compile(r"\w{1,16}")
_AROUND: Final = 40


def unbalanced(text: str) -> Iterator[Slip]:
    """Yield brackets and quotation marks that have no other half; faces and list labels have none by right."""
    if _BRACKET.search(text) is None and '"' not in text:
        return
    faces = {place for face in _FACE.finditer(text) for place in range(*face.span())}
    opened: list[int] = []
    alone: list[int] = []
    for found in _BRACKET.finditer(text):
        place, mark = found.start(), found[0]
        if place in faces:
            continue
        if mark in _PAIRS:
            opened.append(place)
        elif opened and text[opened[-1]] == _CLOSERS[mark]:
            opened.pop()
        elif not _is_alone_by_right(text, place, mark):
            alone.append(place)
    alone += [place for place in opened if text[place] != "“" or "„" not in text]
    if text.count('"') % 2:
        inches = {found.end() - 1 for found in _INCHES.finditer(text)}
        straight = [found for found in _places(text, '"') if found not in inches]
        alone += straight[-1:] if len(straight) % 2 else []
    yield from (Slip("unbalanced", place, place + 1) for place in sorted(alone)[:_MOST])


def _is_alone_by_right(text: str, place: int, mark: str) -> bool:
    if mark == "”":  # closes „low quotes“ of other languages, and stands for inches
        return "„" in text or text[max(0, place - 1) : place].isdigit()
    return mark in ")）" and _LABEL.search(text[max(0, place - 5) : place]) is not None


def _places(text: str, mark: str) -> Iterator[int]:
    place = text.find(mark)
    while place >= 0:
        yield place
        place = text.find(mark, place + 1)


def doubled_marks(text: str) -> Iterator[Slip]:
    """Yield two marks where one should stand: `,,` and `..` and `,.`."""
    if not any(marks in text for marks in _MAY_BE_DOUBLED):
        return
    for found in islice(_DOUBLED.finditer(text), _MOST):
        if not _is_address(text, *found.span()):
            yield Slip("doubled_mark", *found.span())


def misplaced_blanks(text: str) -> Iterator[Slip]:
    """Yield marks with a blank before them, or without one behind; what looks like an address is left alone."""
    if any(marks in text for marks in _MAY_BE_MISPLACED):
        for found in islice(_BLANK_BEFORE.finditer(text), _MOST):
            yield Slip("blank_before_mark", *found.span())
    if _MAY_LACK_BLANK.search(text) is None:
        return
    for found in islice(_NO_BLANK.finditer(text), _MOST):
        after = _NEXT_WORD.match(text, found.end())
        is_ending = after is not None and after[0].lower() in _ENDINGS
        if not is_ending and not _is_address(text, *found.span()):
            yield Slip("no_blank_after_mark", *found.span())


def _is_address(text: str, start: int, end: int) -> bool:
    """Say whether the word around a place has marks of an address, a path or a tag."""
    before = text[max(0, start - _AROUND) : start].rpartition(" ")[2]
    after = text[end : end + _AROUND].partition(" ")[0]
    return _ADDRESS.search(before + text[start:end] + after) is not None
