"""Rules for the marks of social media: hashtags and emoji."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

from recaption.media.rules.engine import Rule, State, Trigger
from recaption.media.rules.options import NormaliseOptions

__all__ = ["social_rules"]

_HASHTAG: Final = re.compile(r"(?<![\w&#])#(?=\w{0,60}[^\W\d_])(?![0-9a-fA-F]{6}\b)(\w{1,100})#?")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_+")
_BRANDS: Final = re.compile(r"[a-z]{1,2}[A-Z][a-z]+")  # iPhone, eBay: one word

_EMOJI_RANGES: Final = (
    (0x203C, 0x203C),
    (0x2049, 0x2049),
    (0x20E3, 0x20E3),
    (0x231A, 0x231B),
    (0x23E9, 0x23F3),
    (0x25A0, 0x25FF),
    (0x2600, 0x266C),
    (0x2670, 0x27BF),
    (0x2B05, 0x2B07),
    (0x2B1B, 0x2B1C),
    (0x2B50, 0x2B55),
    (0x3030, 0x3030),
    (0x303D, 0x303D),
    (0x3297, 0x3299),
    (0x1F000, 0x1FAFF),
)
_EMOJI_CLASS: Final = "".join(f"{chr(first)}-{chr(last)}" for first, last in _EMOJI_RANGES)
_JOINERS: Final = "\u200d\ufe0e\ufe0f\U000e0020-\U000e007f"
_EMOJI: Final = re.compile(f"[{_EMOJI_CLASS}][{_EMOJI_CLASS}{_JOINERS}]{{0,40}}")
_LOVE: Final = re.compile(r"(?<=\b[Ii] )[♥❤\U0001f49a-\U0001f49f]\ufe0f?(?= ?[A-Za-z])")
_NAMED_FIRST: Final = 0x1F1E6  # regional indicators, which spell country codes


def social_rules(options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the rules of this module."""
    yield Rule("hashtags", Trigger(characters="#"), _hashtags)
    if options.emoji != "keep":
        spell: Callable[[re.Match[str]], str] = _spelled if options.emoji == "name" else lambda _match: " "
        yield Rule("emoji", Trigger(ranges=_EMOJI_RANGES), _emoji(spell))


def _hashtags(text: str, _state: State) -> tuple[str, int]:
    return _HASHTAG.subn(_as_words, text)


def _as_words(match: re.Match[str]) -> str:
    word = match[1]
    apart = word if _BRANDS.fullmatch(word) else _CAMEL.sub(" ", word)
    return f"{apart} " if match[0].endswith("#") else apart


def _emoji(spell: Callable[[re.Match[str]], str]) -> Callable[[str, State], tuple[str, int]]:
    def apply(text: str, _state: State) -> tuple[str, int]:
        text, edits = _LOVE.subn("love", text)
        text, more = _EMOJI.subn(spell, text)
        return text, edits + more

    return apply


def _spelled(match: re.Match[str]) -> str:
    """Return the Unicode names of the emoji in a run; bullets and ornaments have none worth saying."""
    names = []
    for character in match[0]:
        point = ord(character)
        if _NAMED_FIRST <= point <= 0x1F1FF:
            names.append(chr(ord("A") + point - _NAMED_FIRST))
        elif point >= 0x1F300 or character in "♥❤☀☁☂☃☕⚽⚾✈⭐":
            names.append(unicodedata.name(character, "").lower())
    return f" {' '.join(filter(None, names))} "
