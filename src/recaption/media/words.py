"""English word forms: plurals, articles, numbers, lists. Rules here, exceptions in `words.yaml`.

Written for noun labels of a few words; a sentence comes out as it went in plus an ending.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import yaml

__all__ = [
    "article",
    "capitalised",
    "counted",
    "is_paired",
    "is_plural",
    "is_uncountable",
    "join_list",
    "number_word",
    "plural",
]

_HEAD = re.compile(r"(.+?)( (?:of|in|on|with|for|from|at|without) .+)", re.DOTALL)
_SIBILANT = ("s", "x", "z", "ch", "sh")
_VOWELS = "aeiou"


@cache
def _forms() -> dict[str, Any]:
    text = files("recaption.media").joinpath("words.yaml").read_text(encoding="utf-8")
    forms: dict[str, Any] = yaml.safe_load(text)
    sets = ("unchanged", "uncountable", "paired", "plural_only", "singular_with_s", "man_is_no_man")
    forms |= {name: frozenset(forms[name]) for name in sets}
    forms["irregular_plurals"] = frozenset(forms["irregular"].values())
    return forms


def _last_word(noun: str) -> str:
    head = _HEAD.fullmatch(noun)
    return (head[1] if head else noun).rpartition(" ")[2].lower()


@lru_cache(maxsize=4096)
def is_uncountable(noun: str) -> bool:
    """Say whether a noun takes neither number nor article: grass, broccoli."""
    return _last_word(noun) in _forms()["uncountable"]


@lru_cache(maxsize=4096)
def is_paired(noun: str) -> bool:
    """Say whether a noun is counted in pairs: scissors."""
    return _last_word(noun) in _forms()["paired"]


@lru_cache(maxsize=4096)
def is_plural(noun: str) -> bool:
    """Say whether a noun is a plural already: skis, people, flowers."""
    word, forms = _last_word(noun), _forms()
    if word in forms["plural_only"] or word in forms["irregular_plurals"] or word in forms["paired"]:
        return True
    singular = word in forms["singular_with_s"] or word in forms["unchanged"] or word in forms["uncountable"]
    return len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) and not singular


@lru_cache(maxsize=4096)
def plural(noun: str) -> str:
    """Return the plural of a singular noun; plurals and uncountable nouns come back as they are."""
    head = _HEAD.fullmatch(noun)
    if head:
        return plural(head[1]) + head[2]
    before, space, word = noun.rpartition(" ")
    return before + space + _plural_word(word) if word else noun


def _plural_word(word: str) -> str:
    forms, low = _forms(), word.lower()
    if low in forms["irregular"]:
        return str(forms["irregular"][low]) if low == word else _as_cased(word, forms["irregular"][low])
    if low in forms["unchanged"] or low in forms["uncountable"] or is_plural(low) or not low[-1].isalnum():
        return word
    if low.endswith("man") and low not in forms["man_is_no_man"]:
        return word[:-2] + "en"
    if low.endswith(_SIBILANT):
        return word + "es"
    if low.endswith("y") and len(low) > 1 and low[-2] not in _VOWELS:
        return word[:-1] + "ies"
    return word + "s"


def _as_cased(word: str, form: str) -> str:
    return form.upper() if word.isupper() else form.capitalize() if word[0].isupper() else form


@lru_cache(maxsize=4096)
def article(phrase: str) -> str:
    """Return `a` or `an`, by the sound the phrase most likely begins with."""
    forms, first = _forms(), phrase.split(" ", 1)[0]
    low = first.lower()
    if re.match(forms["an_before"], low) or re.match(r"8|1[18](?!\d)", low):
        return "an"
    if re.match(forms["a_before"], low):
        return "a"
    spelled = re.split(r"[-\d]", first, maxsplit=1)[0]
    if spelled.isupper() and (len(first) > 1):
        return "an" if first[0] in forms["letters_with_vowel_sound"] else "a"
    return "an" if low[:1] in _VOWELS and low else "a"


def number_word(count: int) -> str:
    """Return a number as a word up to twelve, as digits beyond."""
    words: list[str] = _forms()["numbers"]
    return words[count] if 0 <= count < len(words) else str(count)


@lru_cache(maxsize=4096)
def counted(noun: str, count: int, adjectives: str = "") -> str:
    """Return a noun with its number: `a red ball`, `two dogs`, `a pair of scissors`, `grass`."""
    described = f"{adjectives} {noun}" if adjectives else noun
    if is_paired(noun):
        pair = "pair" if count == 1 else "pairs"
        return f"{'a' if count == 1 else number_word(count)} {pair} of {described}"
    if is_uncountable(noun) or is_plural(noun):
        return described
    if count == 1:
        return f"{article(described)} {described}"
    return f"{number_word(count)} {plural(described)}"


def join_list(items: Sequence[str], word: str = "and") -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


def capitalised(text: str) -> str:
    """Return the text with its first letter in upper case and the rest untouched."""
    return text[:1].upper() + text[1:]
