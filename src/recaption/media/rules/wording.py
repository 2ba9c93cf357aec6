"""Rules for single words: chat abbreviations are spelt out, well-known misspellings corrected."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from recaption.media.rules.engine import Rule, State, Trigger, words_of
from recaption.media.rules.language import reads_as_english
from recaption.media.rules.options import NormaliseOptions
from recaption.media.rules.wordlists import alternation, pairs

__all__ = ["wording_rules"]

_SLANG: Final = pairs("slang", "english")
_NEEDS_ENGLISH: Final = frozenset(pairs("slang", "english_sure"))
_ALL_SLANG: Final = {**_SLANG, **pairs("slang", "english_sure")}
_SLANG_KEYS: Final = frozenset(_ALL_SLANG)
_SLANG_ZH: Final = pairs("slang", "chinese")
_TYPOS: Final = pairs("typos", "english")
_TYPOS_ZH: Final = pairs("typos", "chinese")


def _whole_words(entries: Mapping[str, str]) -> re.Pattern[str]:
    """Match any entry as a whole lower-case word: no letter, digit, hyphen or dot-letter beside it."""
    slashed = frozenset(entry for entry in entries if entry.endswith("/"))
    plain = alternation(frozenset(entries) - slashed)
    return re.compile(
        rf"(?<![\w@#'’./&-])(?:(?:{plain})(?![\w@&'’/-]|\.\w)|(?P<slashed>{alternation(slashed)})[ ]?(?=[\w\"'“(]))"
    )


_SLANG_WORD: Final = _whole_words(_ALL_SLANG)
_TYPO: Final = re.compile(r"(?<![\w@#'’./&-])[a-z]{3,24}(?![\w@'’/-]|\.\w)")
_CHUNK: Final = re.compile(r"[A-Za-z0-9'&/.-]+")
_SLANG_PHRASE_ZH: Final = re.compile(alternation(frozenset(_SLANG_ZH)))
_TYPO_ZH: Final = re.compile(alternation(frozenset(_TYPOS_ZH)))


def wording_rules(_options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the rules of this module."""
    yield Rule(
        "slang",
        Trigger(words=frozenset(_keys(_ALL_SLANG)), characters="".join({key[0] for key in _SLANG_ZH})),
        _slang,
    )
    yield Rule(
        "typos", Trigger(words=frozenset(_TYPOS), characters="".join({key[0] for key in _TYPOS_ZH})), _typos
    )


def _keys(entries: Mapping[str, str]) -> Iterator[str]:
    """Yield one word of each entry by which the engine can tell that it may be there."""
    for entry in entries:
        yield max(words_of(entry), key=len)


def _slang(text: str, state: State) -> tuple[str, int]:
    edits = 0
    if not text.isascii():
        text, edits = _SLANG_PHRASE_ZH.subn(lambda m: _SLANG_ZH[m[0]], text)
    if not _may_be_slang(text):
        return text, edits
    sure = reads_as_english(text, doubt=False)
    if not sure and not reads_as_english(text, doubt=True):
        return text, edits

    def spell(match: re.Match[str]) -> str | None:
        word = match[0]
        if slashed := match["slashed"]:
            return _ALL_SLANG[slashed] + " "
        return None if word in _NEEDS_ENGLISH and not sure else _ALL_SLANG[word]

    text, more = _replace(_SLANG_WORD, text, state, spell)
    return text, edits + more


def _may_be_slang(text: str) -> bool:
    chunks = _CHUNK.findall(text)
    if not _SLANG_KEYS.isdisjoint(chunks) or "w/" in text:
        return True
    return any(chunk[-1] in "./'" and chunk.rstrip("./'") in _ALL_SLANG for chunk in chunks)


def _typos(text: str, state: State) -> tuple[str, int]:
    edits = 0
    if not text.isascii():
        text, edits = _TYPO_ZH.subn(lambda m: _TYPOS_ZH[m[0]], text)
    if not reads_as_english(text, doubt=True):
        return text, edits
    text, more = _replace(_TYPO, text, state, lambda match: _TYPOS.get(match[0]))
    return text, edits + more


def _replace(
    pattern: re.Pattern[str], text: str, state: State, spell: Callable[[re.Match[str]], str | None]
) -> tuple[str, int]:
    edits = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal edits
        right = None if match[0] in state.protected else spell(match)
        if right is None:
            return match[0]
        edits += 1
        return right

    return pattern.sub(replace, text), edits
