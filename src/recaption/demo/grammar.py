"""Tokens to noun phrases: [determiner | number] [size] [colour] [material] thing, strange words allowed between."""

from dataclasses import dataclass
from typing import TypeAlias

from recaption.demo.lexicon import Token

__all__ = ["Item", "Noun", "items_of"]

_MAX_FILLERS = 3
_MAX_WORDS = 16
_TRAITS = ("size", "colour", "material", "pattern")
_DETERMINERS = ("indefinite", "definite", "negative")


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun phrase; `thing` is empty for adjectives that stand alone: "is red and metallic"."""

    thing: str
    traits: tuple[Token, ...] = ()
    number: str | None = None
    plural: bool = False
    definite: bool = False
    indefinite: bool = False
    negated: bool = False


Item: TypeAlias = Noun | Token


def items_of(tokens: list[Token]) -> list[Item]:
    """Return a sentence as noun phrases and the words that join them; meaningless words are gone."""
    items: list[Item] = []
    i = 0
    while i < len(tokens):
        found = _noun_at(tokens, i)
        if found is not None:
            noun, i = found
            items.append(noun)
            continue
        if tokens[i].kind not in ("other", "number", "one", *_DETERMINERS):
            items.append(tokens[i])
        i += 1
    return items


def _noun_at(tokens: list[Token], start: int) -> tuple[Noun, int] | None:
    """Return the noun phrase that begins here and where it ends, or None."""
    traits: list[Token] = []
    number: str | None = None
    determiners: set[str] = set()
    fillers = 0
    end_of_traits = j = start
    while j < min(len(tokens), start + _MAX_WORDS):
        token = tokens[j]
        if token.kind in _TRAITS:
            traits.append(token)
            end_of_traits = j + 1
        elif token.kind in _DETERMINERS and not traits and not fillers:
            determiners.add(token.kind)
        elif token.kind == "number" and not traits and not fillers:
            number = token.value
        elif token.kind == "other" and j > start and fillers < _MAX_FILLERS:
            fillers += 1
        elif token.kind == "thing":
            return _noun(token, traits, number, determiners), j + 1
        elif not (token.kind in ("and", "comma") and _between_traits(tokens, j)):
            break
        j += 1
    if not traits:
        return None
    end = j + 1 if j < len(tokens) and tokens[j].kind == "one" else end_of_traits
    return Noun("", _own(traits), negated="negative" in determiners), end


def _noun(head: Token, traits: list[Token], number: str | None, determiners: set[str]) -> Noun:
    return Noun(
        head.value,
        tuple(traits),
        number,
        plural=head.plural,
        definite="definite" in determiners,
        indefinite="indefinite" in determiners,
        negated="negative" in determiners,
    )


def _between_traits(tokens: list[Token], j: int) -> bool:
    return j > 0 and j + 1 < len(tokens) and tokens[j - 1].kind in _TRAITS and tokens[j + 1].kind in _TRAITS


def _own(traits: list[Token]) -> tuple[Token, ...]:
    """In "with white stripes" white is the colour of the stripes, not of the thing."""
    patterns = tuple(t for t in traits if t.kind == "pattern")
    return patterns or tuple(traits)
