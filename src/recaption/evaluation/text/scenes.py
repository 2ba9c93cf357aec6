"""What an English caption says: things, how they look, where they are to each other. Word lists and a few rules.

It is no parser. A run of words between function words and verbs is taken for a noun phrase, and its last noun for the
thing. What a grammar would be needed for is missed. The words stand in `scenes.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final, Literal, TypeAlias

import yaml

from recaption.evaluation.text.tokens import MAX_CHARS
from recaption.media.labels import coco_matcher

__all__ = ["Relation", "Scene", "is_function_word", "scene", "singular"]

Relation: TypeAlias = "tuple[str, str, str]"
"""A thing, how it stands to another, the other."""

_TOKEN: Final = re.compile(r"[a-z]+(?:['’-][a-z]+)*")
_BREAK: Final = re.compile(r"[.,;:!?()\n\"“”]")
_STOP: Final = re.compile(r"[.;:!?\n]")
_LONGEST_WORD: Final = 30
_Kind: TypeAlias = Literal["relation", "verb", "function", "noun"]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a text says. Things are singular; attributes are not bound to theirs, as in CAPTURE."""

    objects: frozenset[str]
    attributes: frozenset[str]
    relations: frozenset[Relation]


@dataclass(frozen=True, slots=True)
class _Words:
    function: frozenset[str]
    articles: frozenset[str]
    verbs: frozenset[str]
    after_a_thing: frozenset[str]
    ing: frozenset[str]
    ed: frozenset[str]
    ly: frozenset[str]
    attributes: frozenset[str]
    things_too: frozenset[str]
    no_things: frozenset[str]
    relations: Mapping[str, tuple[tuple[str, ...], ...]]
    """First word to those that begin with it, longest first."""
    same_relations: Mapping[str, str]
    same_attributes: Mapping[str, str]
    plurals: Mapping[str, str]


def scene(text: str) -> Scene:
    """Return what a text says; of a very long one, what its first 20,000 characters say."""
    reading = _Reading()
    tokens = list(_tokens(text[:MAX_CHARS]))
    position = 0
    while position < len(tokens):
        word, breaks, stops = tokens[position]
        if breaks:
            reading.end_phrase()
        if stops:
            reading.end_sentence()
        phrase = _relation_at(tokens, position)
        if phrase:
            reading.relate(" ".join(phrase))
            position += len(phrase)
            continue
        reading.take(word)
        position += 1
    reading.end_phrase()
    return Scene(
        objects=frozenset(reading.objects),
        attributes=frozenset(reading.attributes),
        relations=frozenset(reading.relations),
    )


@dataclass(slots=True)
class _Reading:
    """What was read so far of a text."""

    objects: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    relations: set[Relation] = field(default_factory=set)
    _phrase: list[str] = field(default_factory=list)
    _last: str | None = None
    """The thing before, in this sentence."""
    _how: str | None = None
    """The last word of place or verb since then."""
    _article: bool = False
    """The phrase began after an article or the like."""

    def take(self, word: str) -> None:
        """Read one word that begins no relation."""
        kind = _kind(word)
        words = _words()
        if word in words.after_a_thing:
            kind = "verb" if any(w not in words.attributes for w in self._phrase) else "noun"
        if kind == "noun":
            self._phrase.append(word)
            return
        self.end_phrase()
        self._article = word in words.articles
        if kind == "verb":
            self._how = _stem(word)

    def relate(self, phrase: str) -> None:
        """Read a word or words of place."""
        self.end_phrase()
        self._article = False
        self._how = _words().same_relations.get(phrase, phrase)

    def end_phrase(self) -> None:
        """Take what was collected for a noun phrase."""
        words, phrase = _words(), self._phrase
        if not phrase:
            return
        self._phrase = []
        head = self._head(phrase)
        looks = phrase[:-1] if head == phrase[-1] else phrase
        self.attributes.update(words.same_attributes.get(w, w) for w in looks if w in words.attributes)
        thing = singular(head) if head else ""
        if not thing or head in words.no_things or thing in words.no_things:
            return
        self.objects.add(thing)
        if self._last is not None and self._how is not None and self._last != thing:
            self.relations.add((self._last, self._how, thing))
        self._last, self._how = thing, None

    def _head(self, phrase: list[str]) -> str:
        """Return the word of a phrase that names the thing; empty where it names none."""
        words = _words()
        nouns = [w for w in phrase if w not in words.attributes]
        if phrase[-1] in words.things_too and (nouns or self._article):
            return phrase[-1]
        return nouns[-1] if nouns else ""

    def end_sentence(self) -> None:
        """Forget what a relation could begin with."""
        self._last = self._how = None


def is_function_word(word: str) -> bool:
    """Say whether a word of any form says nothing by itself: articles, pronouns, prepositions, auxiliaries."""
    words = _words()
    return word in words.function or (word,) in words.relations.get(word, ())


@lru_cache(maxsize=20_000)
def singular(noun: str) -> str:
    """Return the singular of a noun in lower case; of several words, of the last."""
    before, space, word = noun.rpartition(" ")
    plurals = _words().plurals
    if word in plurals and not (before and word == "glasses"):  # but `wine glasses`
        return before + space + plurals[word]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        if word.endswith("ies") and len(word) > 4:
            word = word[:-3] + "y"
        elif word.endswith(("ches", "shes", "sses", "xes", "zes", "oes")):
            word = word[:-2]
        else:
            word = word[:-1]
    return before + space + word


def _tokens(text: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield words, a name of several as one, each with whether a phrase or a sentence ended before it."""
    low = text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)
    names = iter([(m.start, m.end) for m in coco_matcher().mentions(low) if " " in low[m.start : m.end]])
    name = next(names, None)
    end, possessive = 0, False
    for found in _TOKEN.finditer(low):
        start = found.start()
        if start < end or found.end() - start > _LONGEST_WORD:
            continue
        while name is not None and name[0] < start:
            name = next(names, None)
        word, stop = found[0], found.end()
        if name is not None and name[0] == start:
            word, stop = " ".join(low[start : name[1]].split()), name[1]
        gap = low[end:start]
        owned = word.removesuffix("'s").removesuffix("’s").rstrip("'’-")
        yield owned, possessive or _BREAK.search(gap) is not None, _STOP.search(gap) is not None
        end, possessive = stop, owned != word


def _relation_at(tokens: list[tuple[str, bool, bool]], position: int) -> tuple[str, ...]:
    for phrase in _words().relations.get(tokens[position][0], ()):
        if tuple(word for word, _, _ in tokens[position : position + len(phrase)]) == phrase:
            return phrase
    return ()


@lru_cache(maxsize=50_000)
def _kind(word: str) -> _Kind:
    words = _words()
    if word in words.function:
        return "function"
    if word in words.attributes or " " in word:
        return "noun"
    if word.endswith("ly") and word not in words.ly:
        return "function"
    if word in words.verbs:
        return "verb"
    if len(word) > 4 and (
        (word.endswith("ing") and word not in words.ing) or (word.endswith("ed") and word not in words.ed)
    ):
        return "verb"
    return "noun"


@lru_cache(maxsize=20_000)
def _stem(verb: str) -> str:
    """Return a stem that forms of one verb share: `riding` and `rides` give `rid`."""
    base = verb[:-3] + "y" if verb.endswith("ies") else re.sub(r"(?:ing|ed|es|s)$", "", verb)
    base = base.rstrip("e") or verb
    return base[:-1] if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "ls" else base


@cache
def _words() -> _Words:
    data: dict[str, Any] = yaml.safe_load(
        files("recaption.evaluation.text").joinpath("scenes.yaml").read_text("utf-8")
    )
    kinds = ("determiners", "numbers", "pronouns", "conjunctions", "auxiliaries", "adverbs")
    relations: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted(data["relations"], key=lambda p: (-len(p.split()), p)):
        relations.setdefault(phrase.split()[0], []).append(tuple(phrase.split()))
    verbs = {form for verb in data["verbs"] for form in (verb, verb + "s", verb + "es", verb[:-1] + "ies")}
    no_verbs = frozenset(data["no_verbs"])
    return _Words(
        function=frozenset(w for kind in kinds for w in data[kind]),
        articles=frozenset(data["determiners"]) | frozenset(data["numbers"]),
        verbs=frozenset(verbs - no_verbs) | frozenset(data["irregular_verbs"]),
        after_a_thing=frozenset(data["verbs_after_a_thing"]),
        ing=frozenset(data["things_in_ing"]),
        ed=frozenset(data["things_in_ed"]),
        ly=frozenset(data["things_in_ly"]),
        attributes=frozenset(w for some in data["attributes"].values() for w in some),
        things_too=frozenset(data["things_too"]),
        no_things=frozenset(data["no_things"]),
        relations={first: tuple(phrases) for first, phrases in relations.items()},
        same_relations=data["same_relations"],
        same_attributes=data["same_attributes"],
        plurals=data["irregular_plurals"],
    )
