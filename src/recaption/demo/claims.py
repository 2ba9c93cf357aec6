"""What a caption says, as facts: things and their looks, counts, backgrounds, words, and where things are.

Every mention is a claim of its own: "a red ball … a red ball" claims twice. Sentences are read left to right;
what cannot be understood is skipped, so any text has a reading, and most texts about other worlds an empty one.
Negations are skipped too: "no sign" claims nothing.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from recaption.demo.grammar import Item, Noun, items_of
from recaption.demo.lexicon import ANY_THING, MANY, MAX_TEXT_CHARS, SIGN, Token, sentences

__all__ = ["FACT_KINDS", "PICTURE", "Claims", "Fact", "FactKind", "parse"]

FactKind: TypeAlias = Literal["object", "colour", "material", "size", "count", "background", "word", "relation"]
FACT_KINDS: tuple[FactKind, ...] = get_args(FactKind)
PICTURE = "picture"
"""Target of a relation that places a thing in the picture: `left`, `top right`, `centre`."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One checkable thing that a scene is or a caption says.

    `subject` is a shape, `sign`, `things` (all objects together) or empty. `target` is for relations only.
    """

    kind: FactKind
    subject: str
    value: str = ""
    target: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: " + " ".join(p for p in (self.subject, self.value, self.target) if p)


@dataclass(frozen=True, slots=True)
class Claims:
    """Everything a text says, one entry per mention; `truncated` if only its start was read."""

    facts: tuple[Fact, ...]
    truncated: bool = False


def parse(text: str) -> Claims:
    """Return what a caption says, mention by mention."""
    facts: list[Fact] = []
    last = ""
    for tokens in sentences(text):
        sentence = _Sentence(items_of(tokens), last)
        facts += sentence.read()
        last = sentence.topic
    return Claims(tuple(facts), truncated=len(text) > MAX_TEXT_CHARS)


@dataclass
class _Sentence:
    """One sentence; `last` is what "it" means if nothing nearer does."""

    items: list[Item]
    last: str
    facts: list[Fact] = field(default_factory=list)
    relation_of: dict[int, list[str]] = field(default_factory=dict)
    """Position of a relation's target: the relation's subjects."""

    @property
    def topic(self) -> str:
        names = [name for name in map(_name, self.items) if name]
        return names[0] if names else self.last

    def read(self) -> list[Fact]:
        seen: dict[str, int] = {}
        for i, item in enumerate(self.items):
            if isinstance(item, Noun):
                if item.thing and not item.negated:
                    self._mention(item, seen, listed=_kind(self.items, i - 1) == "and")
                elif not item.thing and self._is_predicate(i):
                    for thing in self._subjects(i):
                        self._describe(thing, item.traits)
            elif item.kind == "background":
                self._add("background", "", item.value)
            elif item.kind == "word":
                self._add("word", SIGN, item.value)
            elif item.kind == "place":
                for thing in self._subjects(i):
                    self._add("relation", thing, item.value, PICTURE)
            elif item.kind == "relation":
                self._relate(i, item.value)
            elif item.kind == "its":
                self._relate_to_it(i, item.value)
        return self.facts

    def _add(self, kind: FactKind, subject: str, value: str = "", target: str = "") -> None:
        self.facts.append(Fact(kind, subject, value, target))

    def _mention(self, noun: Noun, seen: dict[str, int], *, listed: bool) -> None:
        if noun.thing == ANY_THING:
            if noun.number is not None and noun.number != MANY:  # "some things" says nothing
                self._add("count", ANY_THING, noun.number)
            return
        self._add("object", noun.thing)
        if noun.number is not None or noun.plural:
            self._add("count", noun.thing, noun.number or MANY)
        elif not noun.definite:
            # "a ball and a ball" in one sentence are two balls; "red ball cheap ball" is one, sold hard.
            seen[noun.thing] = seen.get(noun.thing, 0) + 1
            if seen[noun.thing] > 1 and (noun.indefinite or listed):
                self._add("count", noun.thing, str(seen[noun.thing]))
        self._describe(noun.thing, noun.traits)

    def _describe(self, thing: str, traits: tuple[Token, ...]) -> None:
        for trait in traits:
            if trait.kind == "colour":
                self._add("colour", thing, trait.value)
            elif trait.kind == "size":
                self._add("size", thing, trait.value)
            else:
                self._add("material", thing, trait.value)

    def _is_predicate(self, i: int) -> bool:
        """Return whether adjectives that stand alone speak of the thing before: "is red", "with stripes"."""
        noun, before = self.items[i], self.items[i - 1] if i else None
        if not isinstance(noun, Noun) or noun.negated or not isinstance(before, Token):
            return False
        if _kind(self.items, i + 1) == "background":  # "a red brick wall"
            return False
        return before.kind in ("copula", "manner", "and", "comma") or before.raw == "with"

    def _relate(self, i: int, relation: str) -> None:
        spots = self._targets(i)
        by_pronoun = _kind(self.items, i + 1) == "pronoun"
        if not spots and not by_pronoun:
            return  # "above all", "under a blue sky"
        targets = [_name(self.items[k]) for k in spots]
        subjects = self._after_verb(i, spots[-1] if spots else i + 1) or self._subjects(i)
        if by_pronoun:
            earlier = [n for n in map(_name, self.items[:i]) if n and n not in subjects]
            targets = earlier[-1:] or [self.last]
        self.relation_of.update(dict.fromkeys(spots, subjects))
        for subject in subjects:
            for target in targets:
                if target and target != subject:
                    self._add("relation", subject, relation, target)

    def _targets(self, i: int) -> list[int]:
        """Return where a relation's targets stand; several only where no other reading is likely.

        "is left of a cup and a lamp" has two; "a ball left of a cup and a lamp" may list three things.
        """
        k = i + 1
        if k >= len(self.items) or not _name(self.items[k]):
            return []
        spots, linked = [k], False
        opens = not any(map(_name, self.items[:i]))
        if not opens and not self._has_verb(i):
            return spots
        links = ("and",) if opens else ("and", "comma")
        ends = ("relation", "place", "its") if opens else ("relation", "place", "its", "copula")
        while True:
            j = k + 1
            while _kind(self.items, j) in links:
                j += 1
            another = k + 1 < j < len(self.items) and _name(self.items[j])
            if not another or _kind(self.items, j + 1) in ends:
                return spots if linked else spots[:1]
            linked = linked or any(_kind(self.items, n) == "and" for n in range(k, j))
            spots.append(j)
            k = j

    def _has_verb(self, i: int) -> bool:
        """Return whether a verb stands between a thing and position `i`: "a ball is …", not "there is a ball …"."""
        first = next((k for k in range(i) if _name(self.items[k])), i)
        return any(_kind(self.items, k) == "copula" for k in range(first, i))

    def _relate_to_it(self, i: int, relation: str) -> None:
        """Read "a cup with a ball to its left"."""
        near = [n for n in map(_name, self.items[:i]) if n]
        target = near[-2] if len(near) > 1 else self.last
        if near and target and target != near[-1]:
            self._add("relation", near[-1], relation, target)

    def _after_verb(self, i: int, spot: int) -> list[str]:
        """Return the subjects that stand behind: "left of the cup is a ball", "above it, a lamp"."""
        if i and _kind(self.items, i - 1) not in ("comma", "and"):
            return []
        first = not any(map(_name, self.items[:i]))
        k = spot + 1
        comma = _kind(self.items, k) == "comma"
        k += comma
        verb = self.items[k] if k < len(self.items) else None
        if isinstance(verb, Token) and verb.exists:
            k += 1
        elif not (first and comma):
            return []
        many = isinstance(verb, Token) and verb.plural
        return _joined(self.items[k:]) if many else _joined(self.items[k : k + 1])

    def _subjects(self, i: int) -> list[str]:
        """Return the things that what stands at `i` speaks of, looking back."""
        k = i - 1
        joined = many = False
        while k >= 0 and not _name(self.items[k]):
            here = self.items[k]
            if isinstance(here, Token):
                joined = joined or here.kind in ("and", "comma", "copula")
                many = many or here.kind == "comma" or (here.kind == "copula" and here.plural)
            k -= 1
        if k < 0:
            pronoun = any(_kind(self.items, j) == "pronoun" for j in range(i))
            return [self.last] if pronoun and self.last else []
        if joined and k in self.relation_of:
            return self.relation_of[k]
        return _joined(self.items[k::-1]) if many else _joined(self.items[k : k + 1])


def _name(item: Item) -> str:
    """Return the thing an item stands for; a quoted word stands for the sign that bears it."""
    if isinstance(item, Noun):
        return "" if item.negated or item.thing == ANY_THING else item.thing
    return SIGN if item.kind == "word" else ""


def _kind(items: list[Item], i: int) -> str:
    item = items[i] if 0 <= i < len(items) else None
    return item.kind if isinstance(item, Token) else ""


def _joined(items: list[Item]) -> list[str]:
    """Return the things at the start that only "and" and commas join."""
    names: list[str] = []
    for item in items:
        name = _name(item)
        if name:
            names.append(name)
        elif not names or not isinstance(item, Token) or item.kind not in ("and", "comma"):
            break
    return names
