"""Rule for words, phrases and segments said twice in a row."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from recaption.media.rules.engine import Rule, State, Trigger, says_twice, words_of
from recaption.media.rules.language import reads_as_english
from recaption.media.rules.options import NormaliseOptions
from recaption.media.rules.wordlists import load, words

__all__ = ["repeat_rules"]

_WORD: Final = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
_FUNCTION: Final = words("repeats", "function_words")
_DOUBLED: Final = words("repeats", "doubled")
_NAMES: Final = frozenset(line.strip() for line in load("repeats")["phrases"].splitlines() if line.strip())
_CHINESE: Final = re.compile(r"([\u4e00-\u9fff]{4,20})(?:[\s,，、;；]{0,3}\1){1,50}")
_IDEOGRAPH: Final = re.compile("[\u4e00-\u9fff]")
_LONGEST: Final = 12
_LEAST_LETTERS: Final = 8
_MOST_WORDS: Final = 2_000
_LONG_WORD: Final = 4
_OPENERS: Final = "([{“"
_INSIDE: Final = re.compile(
    r"\.? |[-/]| [&+] "
)  # what may lie between the words of one phrase: no comma, no dash
_CLOSERS: Final = ")]}”"


def repeat_rules(_options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the rule of this module."""
    trigger = Trigger(said_twice=True, ranges=((0x4E00, 0x9FFF),))
    yield Rule("repeats", trigger, _repeats)


def _repeats(text: str, _state: State) -> tuple[str, int]:
    edits = 0
    if not text.isascii() and _IDEOGRAPH.search(text):
        text, edits = _CHINESE.subn(r"\1", text)
    if not says_twice(words_of(text)):
        return text, edits
    spans = [match.span() for match in _WORD.finditer(text)]
    if not 2 <= len(spans) <= _MOST_WORDS:
        return text, edits
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter whose lower case is longer would shift every span
        return text, edits
    said = [lowered[start:end] for start, end in spans]
    if len(set(said)) == len(said):
        return text, edits
    cuts = _find(text, said, spans)
    if cuts:
        text = _cut(text, cuts)
    return text, edits + len(cuts)


def _find(text: str, said: list[str], spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what to cut: from the end of the first saying to the end of the second."""
    last_seen: dict[str, int] = {}
    cuts: list[tuple[int, int]] = []
    english: bool | None = None
    position = 0
    while position < len(said):
        word = said[position]
        before = last_seen.get(word)
        last_seen[word] = position
        if before is None:
            position += 1
            continue
        length = position - before
        if length > _LONGEST or said[before:position] != said[position : position + length]:
            position += 1
            continue
        if english is None:
            english = reads_as_english(text, doubt=True)
        first, second = spans[before:position], spans[position : position + length]
        if _is_slip(text, said[before:position], first, second, english):
            cuts.append((first[-1][1], second[-1][1]))
        for offset in range(length):
            last_seen[said[position + offset]] = position + offset
        position += length
    return cuts


def _is_slip(
    text: str, phrase: list[str], first: list[tuple[int, int]], second: list[tuple[int, int]], english: bool
) -> bool:
    gap = text[first[-1][1] : second[0][0]]
    if any(opener in gap for opener in _OPENERS):
        return False
    if len(phrase) == 1:
        word = text[second[0][0] : second[0][1]]
        if gap != " " or not word.islower() or not english or word in _DOUBLED:
            return False
        return word in _FUNCTION or (word.isalpha() and len(word) >= _LONG_WORD and word.isascii())
    if any(character.isalnum() for character in gap) or len(set(phrase)) == 1:
        return False
    if not all(_INSIDE.fullmatch(text[end:start]) for (_, end), (start, _) in pairwise(first)):
        return False
    if sum(character.isalpha() for word in phrase for character in word) < _LEAST_LETTERS:
        return False
    return " ".join(phrase) not in _NAMES


def _cut(text: str, cuts: list[tuple[int, int]]) -> str:
    parts, position = [], 0
    for start, end in cuts:
        parts.append(text[position:start])
        # A bracket closed right after the first saying stays closed: "(red car) red car" is "(red car)".
        if text[start] in _CLOSERS and text[end : end + 1] != text[start]:
            parts.append(text[start])
        position = end
    return "".join([*parts, text[position:]])
