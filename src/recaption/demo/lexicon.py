"""Captions to tokens that know what they mean in the rendered world."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol, TypeAlias

from recaption.demo.vocabulary import read_data, vocabulary
from recaption.recipes.strict import StrictModel, validated

__all__ = ["ANY_THING", "MANY", "MAX_TEXT_CHARS", "SIGN", "Kind", "Token", "sentences"]

MAX_TEXT_CHARS = 8_000
ANY_THING = "things"
SIGN = "sign"
MANY = "many"

Kind: TypeAlias = Literal[
    "thing", "colour", "material", "pattern", "size", "background", "word", "relation", "place",
    "indefinite", "definite", "negative", "number", "copula", "and", "comma", "preposition", "manner",
    "pronoun", "its", "one", "other",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A word or phrase; `value` is the name this world has for it. `raw` is what stood in the text."""

    kind: Kind
    value: str
    raw: str
    plural: bool = False
    exists: bool = False
    """True for a verb that may stand before its subject: "left of the cup stands a ball"."""


class Words(StrictModel):
    """A word in its two numbers."""

    singular: list[str]
    plural: list[str]


class Grammar(StrictModel):
    """The closed word classes."""

    indefinite: list[str]
    definite: list[str]
    negative: list[str]
    numbers: dict[str, int]
    many: list[str]
    things: Words
    sign: Words
    copulas: Words
    existentials: Words
    conjunctions: list[str]
    prepositions: list[str]
    manner: list[str]
    pronouns: list[str]
    pronoun_heads: list[str]
    possessive: list[str]
    says: list[str]
    after_says: list[str]
    relations: dict[str, list[str]]
    beside_it: dict[str, list[str]]
    places: dict[str, list[str]]
    of_picture: list[str]
    places_of_picture: dict[str, list[str]]
    colour_phrases: dict[str, list[str]]


Phrase: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """Phrases and their tokens; `longest` is the most words a phrase has."""

    phrases: dict[Phrase, Token]
    longest: int
    says: frozenset[str]
    after_says: frozenset[str]


_QUOTED = r"(?<!\w)[\"“„«]([^\"”“»\n]{1,120})[\"”“»]|(?<!\w)['‘]([^'’‘\n]{1,80})['’](?!\w)|「([^」\n]{1,80})」"
_TOKEN = re.compile(_QUOTED + r"|([^\W\d_]+(?:['’][^\W\d_]+)*)|(\d+)|([.!?;|\n•#])|([,:()&/])")
_COUNT_DIGITS = 2


def sentences(text: str) -> list[list[Token]]:
    """Return the tokens of each sentence. Of a text longer than MAX_TEXT_CHARS only the start is read."""
    book = lexicon()
    found: list[list[Token]] = []
    for pieces in _split(text[:MAX_TEXT_CHARS]):
        tokens = _tokens(pieces, book)
        if tokens:
            found.append(tokens)
    return found


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    quoted: bool = False

    @property
    def lower(self) -> str:
        return self.text.lower().replace("’", "'")


def _split(text: str) -> Iterable[list[_Piece]]:
    pieces: list[_Piece] = []
    for match in _TOKEN.finditer(text):
        quoted = match[1] or match[2] or match[3]
        if quoted is not None:
            pieces.append(_Piece(quoted, quoted=True))
        elif match[6] is not None:
            yield pieces
            pieces = []
        else:
            pieces.append(_Piece(match[0]))
    yield pieces


def _tokens(pieces: list[_Piece], book: Lexicon) -> list[Token]:
    tokens: list[Token] = []
    i = 0
    while i < len(pieces):
        piece = pieces[i]
        if piece.quoted:
            tokens.append(Token("word", " ".join(piece.text.split()), piece.text))
            i += 1
            continue
        said = _said(pieces, i, book)
        if said is not None:
            tokens.append(Token("word", pieces[said].text, pieces[said].text))
            i = said + 1
            continue
        token, length = _match(pieces, i, book)
        tokens.append(token)
        i += length
    return tokens


def _match(pieces: list[_Piece], i: int, book: Lexicon) -> tuple[Token, int]:
    for length in range(min(book.longest, len(pieces) - i), 0, -1):
        part = pieces[i : i + length]
        if length > 1 and any(p.quoted for p in part):
            continue
        token = book.phrases.get(tuple(p.lower for p in part))
        if token is not None:
            return token, length
    raw = pieces[i].text
    if raw.isdecimal() and len(raw) <= _COUNT_DIGITS:
        return Token("number", str(int(raw)), raw), 1
    return Token("other", raw.lower(), raw), 1


def _said(pieces: list[_Piece], i: int, book: Lexicon) -> int | None:
    """Return where the unquoted word stands that a sign is said to show: after "reads", "says", "the word"…"""
    if pieces[i].lower not in book.says:
        return None
    j = i + 1
    while j < len(pieces) and j <= i + 3 and not pieces[j].quoted and pieces[j].lower in book.after_says:
        j += 1
    if j >= len(pieces) or pieces[j].quoted:
        return None
    raw = pieces[j].text
    shouted = len(raw) > 1 and raw.isupper() and not pieces[i].text.isupper()
    return j if shouted or raw.upper() in vocabulary().words else None


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Return every phrase with a meaning, built once from the data files."""
    grammar = validated(Grammar, read_data("grammar.yaml"), "grammar.yaml")
    phrases: dict[Phrase, Token] = {}

    def add(
        kind: Kind, value: str, texts: Iterable[str], *, plural: bool = False, exists: bool = False
    ) -> None:
        for text in texts:
            words = tuple(text.split())
            phrases.setdefault(words, Token(kind, value, text, plural, exists))

    # The first meaning of a phrase stands, so the world goes before the grammar.
    _add_world(add)
    _add_grammar(add, grammar)
    return Lexicon(
        phrases, max(len(p) for p in phrases), frozenset(grammar.says), frozenset(grammar.after_says)
    )


class _Add(Protocol):
    def __call__(
        self, kind: Kind, value: str, texts: Iterable[str], *, plural: bool = False, exists: bool = False
    ) -> None: ...


def _add_world(add: _Add) -> None:
    known = vocabulary()
    for name, shape in known.shapes.items():
        add("thing", name, [name, *shape.also])
        add("thing", name, [shape.plural, *shape.also_plural], plural=True)
    for one, many in known.absent.things.items():
        add("thing", one, [one])
        add("thing", one, [many], plural=True)
    for name, colour in known.colours.items():
        add("colour", name, [name, *colour.also])
    for name in known.absent.colours:
        add("colour", name, [name])
    for name, material in known.materials.items():
        add("material", name, [name, *material.also])
        add("pattern", name, material.nouns)
    for name in known.absent.materials:
        add("material", name, [name])
    for name, size in known.sizes.items():
        add("size", name, [name, *size.also])
    for name, place in known.backgrounds.items():
        add("background", name, [name, *place.also])


def _add_grammar(add: _Add, grammar: Grammar) -> None:
    add("thing", ANY_THING, grammar.things.singular)
    add("thing", ANY_THING, grammar.things.plural, plural=True)
    add("thing", SIGN, grammar.sign.singular)
    add("thing", SIGN, grammar.sign.plural, plural=True)
    for name, phrases in grammar.colour_phrases.items():
        add("colour", name, phrases)
    for word, number in grammar.numbers.items():
        add("number", str(number), [word])
    add("number", MANY, grammar.many)
    for name, phrases in grammar.relations.items():
        add("relation", name, phrases)
    for name, sides in grammar.beside_it.items():
        near = [f"{to} {its} {side}" for to in ("to", "on") for its in grammar.possessive for side in sides]
        add("its", name, near)
    for name, phrases in [*grammar.places.items(), *grammar.places_of_picture.items()]:
        whole = [f"{phrase} {end}" for phrase in phrases for end in grammar.of_picture]
        add("place", name, whole)
    for name, phrases in grammar.places.items():
        add("place", name, phrases)
    add("copula", "", grammar.existentials.plural, plural=True, exists=True)
    add("copula", "", grammar.existentials.singular, exists=True)
    add("copula", "", grammar.copulas.plural, plural=True)
    add("copula", "", grammar.copulas.singular)
    classes: list[tuple[Kind, list[str]]] = [
        ("indefinite", grammar.indefinite),
        ("definite", grammar.definite),
        ("negative", grammar.negative),
        ("and", grammar.conjunctions),
        ("comma", [","]),
        ("manner", grammar.manner),
        ("preposition", grammar.prepositions),
        ("pronoun", grammar.pronouns),
        ("one", grammar.pronoun_heads),
    ]
    for kind, words in classes:
        add(kind, "", words)
