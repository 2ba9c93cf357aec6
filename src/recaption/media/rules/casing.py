"""Rules for capitals: shouting is lowered, a text begins with a capital letter."""

import re
from collections.abc import Iterator
from typing import Final

from recaption.media.rules.engine import Rule, State, Trigger
from recaption.media.rules.options import NormaliseOptions
from recaption.media.rules.wordlists import words

__all__ = ["casing_rules"]

_UPPER: Final = "A-ZÀ-ÖØ-Þ"
_LOWER: Final = "a-zß-öø-ÿ"
_WORD: Final = rf"[{_UPPER}][{_UPPER}'’]*"
# Three words in capitals or more; between them spaces, punctuation, single capitals and figures.
_RUN: Final = re.compile(
    rf"[{_UPPER}](?<![\w.].)[{_UPPER}0-9'’-]*(?:[\s,;:&/()+!?.\"“”–—-]{{1,4}}[{_UPPER}0-9][{_UPPER}0-9'’-]*)+(?![\w])"
)
_TOKEN: Final = re.compile(rf"[{_UPPER}0-9][{_UPPER}0-9'’]*")
_SHOUTED: Final = re.compile(rf"(?<![\w.])[{_UPPER}]{{2,}}(?![\w]|\.\w)")
_OTHER_SCRIPT: Final = re.compile("[\u0100-\u1cff\u2c00-\u2dff\u3040-\ud7ff]")
_VOWEL: Final = re.compile("[AEIOUYÀ-ÖØ-Þ]")
_ROMAN: Final = re.compile(r"(?=[IVX])X{0,3}(?:IX|IV|V?I{0,3})")
_ACRONYMS: Final = words("casing", "acronyms")
_ORDINARY: Final = words("casing", "short_words")
_SMALL: Final = words("casing", "small_words")
_LEAST_SHOUTED: Final = 3
_LEAST_SHOUTED_ALONE: Final = 2

_BRANDLIKE: Final = re.compile(
    rf"[{_LOWER}]{{1,3}}[{_UPPER}]|[\w-]{{1,60}}\.\w{{2}}|\S{{1,60}}@"
)  # iPhone, x.com
_FIRST_LETTERS: Final = "".join(
    map(chr, (*range(ord("a"), ord("z") + 1), *range(0xE0, 0xF7), *range(0xF8, 0xFF)))
)
_ENDS_LIKE_A_WORD: Final = re.compile(r"[\w)\]\"'”’]\Z")
_FULL_STOP_WORDS: Final = 4


def casing_rules(options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the rules of this module."""
    titled = options.capitals == "title"

    def shouting(text: str, state: State) -> tuple[str, int]:
        return _lower_shouting(text, state, titled)

    yield Rule("shouting", Trigger(capitals=True, ranges=((0xC0, 0xDE),)), shouting)
    if options.final_stop:
        yield Rule("sentence_case", Trigger(always=True), _sentence_with_stop)
    else:
        yield Rule("sentence_case", Trigger(starts=_FIRST_LETTERS), _sentence_case)


def _lower_shouting(text: str, state: State, titled: bool) -> tuple[str, int]:
    if not text.isascii() and _OTHER_SCRIPT.search(text):
        return text, 0
    alone = text.isupper()
    edits = 0

    def quieter(match: re.Match[str]) -> str:
        nonlocal edits
        words_there = _SHOUTED.findall(match[0])
        enough = len(words_there) >= _LEAST_SHOUTED_ALONE
        if not alone:
            enough = sum(_SHOUTED.search(part) is not None for part in match[0].split()) >= _LEAST_SHOUTED
        if not enough or sum(not _is_acronym(word) for word in words_there) < 2:
            return match[0]
        lowered = _TOKEN.sub(lambda m: _quiet(m, state.protected, titled), match[0])
        edits += lowered != match[0]
        return lowered

    return _RUN.sub(quieter, text), edits


def _quiet(match: re.Match[str], protected: frozenset[str], titled: bool) -> str:
    word, text = match[0], match.string
    before, after = text[max(0, match.start() - 2) : match.start()], text[match.end() : match.end() + 2]
    if (before[-1:] == "." and before[:1].isalnum()) or (after[:1] == "." and after[1:].isalnum()):
        return word  # U.S.A., EXAMPLE.COM
    if any(c.isdigit() for c in word) or len(word) < 2 or _is_acronym(word) or word.lower() in protected:
        return "a" if word == "A" and before[-1:] == after[:1] == " " else word  # the article, not an initial
    lowered = word.lower()
    if not titled or (lowered in _SMALL and match.start() > 0):
        return lowered if match.start() > 0 else lowered.capitalize()
    return lowered.capitalize()


def _is_acronym(word: str) -> bool:
    """Return whether a word in capitals is read letter by letter: listed, without a vowel, or a Roman number."""
    bare = word.replace("'", "").replace("’", "")
    if bare in _ACRONYMS:
        return True
    if bare.lower() in _ORDINARY:
        return False
    return not _VOWEL.search(bare) or _ROMAN.fullmatch(bare) is not None


def _sentence_case(text: str, state: State) -> tuple[str, int]:
    first = text[:1]
    if first not in _FIRST_LETTERS or _BRANDLIKE.match(text):
        return text, 0
    raised = first.upper()
    if raised == first or len(raised) != 1 or (state.protected and text.split(None, 1)[0] in state.protected):
        return text, 0
    return raised + text[1:], 1


def _sentence_with_stop(text: str, state: State) -> tuple[str, int]:
    text, edits = _sentence_case(text, state)
    if len(text.split()) >= _FULL_STOP_WORDS and text.isascii() and _ENDS_LIKE_A_WORD.search(text):
        return text + ".", edits + 1
    return text, edits
