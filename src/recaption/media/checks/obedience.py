"""Answers that do what a text beside the picture tells them, and the texts that try.

Whatever came with a picture is data. Where it holds an instruction, an answer that holds words of that instruction
is taken to have obeyed it: dropping one caption too many there costs little, and the original stays.
"""

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from recaption.media.checks.about import About, Finding
from recaption.media.checks.patterns import load, pattern, words
from recaption.media.checks.reading import CJK, Reading

__all__ = ["Instruction", "instruction_in", "obedience"]

_MARKS: Final = pattern("obedience", "marks", "marks_latin")
_SCRIPT_MARKS: Final = pattern("obedience", "marks_script")
_TRIGGERS: Final = words("obedience", "triggers")
_TRIGGER_CHARACTERS: Final = frozenset(load("obedience")["trigger_characters"])
_TRIGGER_LETTERS: Final = 5
_OTHER_SCRIPT: Final = re.compile("[\u0370-\u1fff\u2e80-\uffff]")
_ODD: Final = re.compile(r"[^\W\d_][0-9@$!|]+[^\W\d_]|\w{20}|(?:(?<!\w)\w[^\w]{1,2}){5}")
"""Digits for letters, words run together, letters spelled out: worth reading without blanks."""
_SQUEEZED: Final = pattern("obedience", "marks_squeezed")
_COMMON: Final = words("obedience", "common")
_COMMON_ZH: Final = words("obedience", "common_zh")
_MARKUP: Final = re.compile(r"[<>*_#`|\[\](){}~=\\/^•·]+")
_BLANKS: Final = re.compile(r"[^\S\n]+")
_SPELLED: Final = re.compile(r"(?<!\w)(?:\w[ .\-_*+|/·,]{1,2}){4,}\w(?!\w)")
_NOT_LETTERS: Final = re.compile(r"[\W_]+")
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{16,2000}={0,2}")
_HEX: Final = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[ :]?){12,1000}(?![0-9A-Fa-f])")
_STOP: Final = re.compile(r"[.!?;]\s|[\n。！？]")
_WORD: Final = re.compile(r"[^\W_]+")
_TOKEN: Final = re.compile(rf"[^\W_{CJK}]+|[{CJK}]+")
_CODED: Final = re.compile(
    r"(?=\w*\d)(?=\w*[^\W\d])\w{4,}|(?<![^\W_])[A-Z]{2,}[_-][A-Z0-9_-]{2,}|\b[A-Z]{5,}\b"
)
"""A word that is nothing but a mark: letters with digits, or capitals."""
_TAG_BLOCK: Final = {0xE0000 + point: chr(point) for point in range(0x20, 0x7F)}
_TAG_RUN: Final = re.compile("[\U000e0020-\U000e007e]{4,}")
_LOOKALIKES: Final = str.maketrans(
    "авекмнорстухіјѕԁһӏԛԝүгαβεζηικμνορτυχωγıɡℓ", "abekmhopctyxijsdhlqwyrabezhikmvoptuxwyigl"
)
_DIGITS_FOR_LETTERS: Final = str.maketrans("0134578@$!", "oieastbasi")
_LONGEST: Final = 4_000
_MOST_TEXTS: Final = 400
_LEAST_LETTERS: Final = 3
_LEAST_SQUEEZED: Final = 5


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a text beside a picture tells a model."""

    mark: str
    """The words that gave it away, folded."""
    words: frozenset[str]
    """Words of the instruction that an answer has no other reason to hold."""
    squeezed: str
    """The text without blanks, where it was recognised only so; empty otherwise."""


def obedience(reading: Reading, about: About) -> Iterator[Finding]:
    """Yield `injected` where the context holds an instruction, and `obeyed` where the answer follows it."""
    if not about.context_texts:
        return
    instruction = instruction_in(about.context_texts)
    if instruction is None:
        return
    yield Finding("injected", f"what came with the picture tells the model {instruction.mark[:60]!r}")
    for variant in _variants(reading.text):
        said = _telling(variant)
        if taken := sorted(said & instruction.words):
            yield Finding(
                "obeyed", f"an instruction beside the picture holds its words {', '.join(taken[:4])!r}"
            )
            return
        if instruction.squeezed:
            spelled = [word for word in said if len(word) >= _LEAST_SQUEEZED and word in instruction.squeezed]
            if spelled:
                yield Finding("obeyed", f"an instruction beside the picture spells {min(spelled)!r}")
                return


@lru_cache(maxsize=1024)
def instruction_in(texts: tuple[str, ...]) -> Instruction | None:
    """Return the first instruction to a model that texts beside a picture hold; None if they hold none.

    Args:
        texts: Each alone may hold one, and so may all in a row: lines read in a picture are parts of one text.
    """
    bounded = tuple(dict.fromkeys(text[:_LONGEST] for text in texts[:_MOST_TEXTS] if text))
    if not bounded:
        return None
    told: list[str] = []
    words_: set[str] = set()
    squeezed = ""
    joined = " ".join(bounded)[: 4 * _LONGEST]
    for text in bounded if len(bounded) == 1 else (*bounded, joined):
        if text is joined and told:
            break
        for variant in _variants(text):
            if (found := _mark(variant)) is not None:
                told.append(found[0].strip())
                words_ |= _telling(variant[_sentence_start(variant, found.start()) :])
        if _ODD.search(text) is None:
            continue
        letters = _squeeze(text)
        found = _SQUEEZED.search(letters)
        if found is not None:
            told.append(found[0])
            words_ |= _telling(_fold(text))
        if found is not None or told:
            squeezed += letters
    if not told:
        return None
    for text in bounded:
        words_ |= {part for code in _CODED.findall(text) for part in _telling(_fold(code))}
    return Instruction(told[0], frozenset(words_), squeezed)


def _mark(text: str) -> re.Match[str] | None:
    """Return the first mark of an instruction in a folded text."""
    begins = {word[:_TRIGGER_LETTERS] for word in _WORD.findall(text)}
    if not (begins.isdisjoint(_TRIGGERS) and _TRIGGER_CHARACTERS.isdisjoint(text)):
        found = _MARKS.search(text)
        if found is not None:
            return found
    return _SCRIPT_MARKS.search(text) if _OTHER_SCRIPT.search(text) else None


def _sentence_start(text: str, place: int) -> int:
    return max((found.end() for found in _STOP.finditer(text, 0, place)), default=0)


def _variants(text: str) -> list[str]:
    """Return the ways to read a text: as it stands, without markup, with look-alikes resolved, decoded."""
    folded = _fold(text)
    bare = _BLANKS.sub(" ", _MARKUP.sub(" ", folded))
    found = [folded, bare]
    if not folded.isascii():
        found.append(bare.translate(_LOOKALIKES))
        plain = "".join(c for c in unicodedata.normalize("NFD", bare) if not unicodedata.combining(c))
        found.append(plain)
    if not text.isascii():
        found.extend(run.translate(_TAG_BLOCK).lower() for run in _TAG_RUN.findall(text))
    if _SPELLED.search(bare):
        found.append(_SPELLED.sub(lambda m: _NOT_LETTERS.sub("", m[0]), bare))
    found.extend(_fold(decoded) for decoded in _decoded(text))
    return list(dict.fromkeys(found))


def _fold(text: str) -> str:
    if text.isascii() and "&" not in text and "%" not in text:
        return text.lower()
    text = unicodedata.normalize("NFKC", text.translate(_TAG_BLOCK))
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cs"))
    if "&" in text:
        text = html.unescape(text)
    if text.count("%") >= _LEAST_LETTERS:
        text = unquote(text, errors="replace")
    return text.lower()


def _squeeze(text: str) -> str:
    return _NOT_LETTERS.sub("", _fold(text).translate(_LOOKALIKES).translate(_DIGITS_FOR_LETTERS))


def _decoded(text: str) -> Iterator[str]:
    """Yield what base64 and hexadecimal parts of a text say, where that is text."""
    for found in _BASE64.finditer(text):
        part = found[0].rstrip("=")
        try:
            yield base64.b64decode(part + "=" * (-len(part) % 4), validate=True).decode("utf-8")
        except (ValueError, binascii.Error):
            continue
    for found in _HEX.finditer(text):
        try:
            yield bytes.fromhex(found[0].replace(":", " ")).decode("utf-8")
        except ValueError:
            continue


def _telling(text: str) -> set[str]:
    """Return the words of a folded text that say something; of Chinese and the like, pairs of characters."""
    found: set[str] = set()
    for token in _TOKEN.findall(text):
        if token[0] > "\u2fff":
            pairs = {token[i : i + 2] for i in range(len(token) - 1)}
            found |= pairs - _COMMON_ZH
        elif (
            len(token) >= _LEAST_LETTERS or (not token.isalpha() and len(token) > 1)
        ) and token not in _COMMON:
            found.add(token)
    return found
