"""Numbers, names and quoted words that nothing else says."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from recaption.media.checks.about import About, Finding
from recaption.media.checks.patterns import words
from recaption.media.checks.reading import Reading

__all__ = ["support"]

_NOT_NAMES: Final = words("support", "not_names")
_UNITS: Final = words("support", "units")
_NUMBER: Final = re.compile(r"\d[\d.,:/-]*\d|\d")
_AFTER: Final = re.compile(r"\s?(\$|%|°|[a-z'.]+)")
_CAPITALISED: Final = re.compile(r"[A-ZÀ-ÖØ-Þ][\w'’-]*")
_OPENERS: Final = "\"'“‘(（[「《«*"
_SENTENCE_ENDS: Final = ".!?…:\n。！？：;"
_PART: Final = re.compile(r"[^\W_]+")
_MOST_COUNTED: Final = 99
_TITLE_SHARE: Final = 0.4
_TOO_MANY: Final = 20_000


@lru_cache(maxsize=1024)
def _known(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(part for text in texts for part in _PART.findall(text[:_TOO_MANY].lower()))


def support(reading: Reading, about: About) -> Iterator[Finding]:
    """Yield `number`, `name` and `quote`, each once, for the first that no context has."""
    for start, end in reading.quotes:
        said = _PART.findall(reading.text[start:end].lower())
        if said and sum(part in _known(about.context_texts) for part in said) * 2 < len(said):
            yield Finding("quote", f"nothing else says {reading.text[start:end][:40]!r}", (start, end))
            break
    plain = reading.plain
    if (number := _unknown_number(plain, about)) is not None:
        yield Finding("number", f"nothing else says {number[0]!r}", number.span())
    if (name := _unknown_name(reading, about)) is not None:
        yield Finding("name", f"nothing else says {name[0]!r}", name.span())


def _unknown_number(plain: str, about: About) -> re.Match[str] | None:
    for found in _NUMBER.finditer(plain):
        value = found[0]
        if all(part in _known(about.context_texts) for part in _PART.findall(value)):
            continue
        after = _AFTER.match(plain, found.end())
        before = plain[found.start() - 1 : found.start()]
        counts = (
            value.isdigit()
            and int(value[:4]) <= _MOST_COUNTED
            and len(value) <= 2
            and not (before and before in "$€£¥#-–")
            and after is not None
            and after[0][0] == " "
            and after[1].strip("'.") not in _UNITS
            and after[1].isalpha()
        )
        if not counts and not (before == "-" and value.isdigit()):
            return found
    return None


def _unknown_name(reading: Reading, about: About) -> re.Match[str] | None:
    plain = reading.plain
    found = list(_CAPITALISED.finditer(plain))
    # Where most words are capitalised, capitals name nothing.
    if len(found) > 3 and len(found) > _TITLE_SHARE * len(reading.words):
        return None
    for name in found:
        before = plain[max(0, name.start() - 3) : name.start()].rstrip(" " + _OPENERS)
        inside = name.start() > 0 and before and before[-1] not in _SENTENCE_ENDS
        if not inside or len(name[0]) == 1:
            continue
        word = name[0].lower().replace("’", "'").removesuffix("'s").rstrip("'-")
        if word in _NOT_NAMES:
            continue
        parts = _PART.findall(word)
        if not all(part in _known(about.context_texts) or part in _NOT_NAMES for part in parts):
            return name
    return None
