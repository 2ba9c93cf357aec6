"""What the grammar rules know about words, read once from `grammar.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, Final

import yaml

from recaption.media.words import plural

__all__ = ["PLURAL", "Grammar", "Phrase", "grammar"]

PLURAL: Final = "PLURAL"
"""In a phrase: any plural."""
_PHRASES: Final = ("never", "confused")
_MOST_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that are a slip if they stand in a row, one of each set."""

    rule: str
    parts: tuple[frozenset[str], ...]
    unless: frozenset[str]
    """Words that may not follow."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """Word lists by name, and what is made of them."""

    sets: Mapping[str, frozenset[str]]
    singular: frozenset[str]
    plural: frozenset[str]
    phrases: tuple[Phrase, ...]
    starts: Mapping[str, frozenset[tuple[str, ...]]]
    """First word of a phrase to the two or three words that phrases begin with."""
    wrong_after: Mapping[str, frozenset[str]]
    """Determiner to the nouns that it cannot have."""
    interest: frozenset[str]
    """Articles, nouns and first words of phrases: a slip has one of these, or a word twice."""


@cache
def grammar() -> Grammar:
    """Return the word lists."""
    data: dict[str, Any] = yaml.safe_load(
        files("recaption.evaluation.text").joinpath("grammar.yaml").read_text("utf-8")
    )
    sets = {
        name: frozenset(value.split() if isinstance(value, str) else map(str, value))
        for name, value in data.items()
        if name not in _PHRASES
    }
    singular = sets["nouns"]
    plurals = frozenset(plural(noun) for noun in singular) | sets["many_people"]
    phrases = tuple(_phrase(rule, parts) for rule in _PHRASES for parts in data[rule])
    starts: dict[str, set[tuple[str, ...]]] = {}
    for phrase in phrases:
        for row in product(*phrase.parts[:_MOST_PARTS]):
            starts.setdefault(row[0], set()).add(row)
    return Grammar(
        sets=sets,
        singular=singular,
        plural=plurals,
        phrases=phrases,
        starts={word: frozenset(rows) for word, rows in starts.items()},
        wrong_after={
            **dict.fromkeys(sets["only_one"], plurals),
            **dict.fromkeys(sets["many"], singular),
        },
        interest=singular | plurals | frozenset(starts) | {"a", "an"},
    )


def _phrase(kind: str, parts: list[str]) -> Phrase:
    rule = "agreement" if kind == "never" else "confused_word"
    last = parts[-1]
    unless = frozenset({last[1:]}) if last.startswith("!") else frozenset()
    return Phrase(rule, tuple(frozenset(part.split()) for part in (parts[:-1] if unless else parts)), unless)
