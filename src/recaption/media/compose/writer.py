"""Collects the sentences of one caption and remembers what they rest on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from recaption.media.compose.facts import Facts, Group, Limits, split_by_look
from recaption.media.compose.grammar import Draw, Grammar, Language, Phrase
from recaption.media.compose.relations import Statement, statements
from recaption.media.labels import mentions_label

__all__ = ["ALL_KINDS", "Aspect", "Draft", "View", "Writer"]

Aspect = Literal["brief", "appearance", "context", "text", "dense"]
ALL_KINDS: Final = ("colour", "size", "material", "texture")
"""Kinds of adjectives, the most telling first."""
_MAX_TAGS: Final = 5
_MAX_LEAD_WORDS: Final = 8
_SENTENCE_ENDS: Final = (".", "!", "?", "…", "。", "！", "？")


@dataclass(frozen=True, slots=True)
class Draft:
    """One rendered caption and what it rests on."""

    aspect: Aspect
    text: str
    language: Language
    templates: tuple[str, ...]
    """`name/variant` of each sentence."""
    indices: tuple[int, ...]
    """Positions of the evidence stated, pixel facts apart."""
    pixels: tuple[int, ...]
    """Positions of the pixel facts stated."""
    uses_alt: bool
    seed: int


class View:
    """What all aspects of one record share."""

    def __init__(self, facts: Facts, alt: str | None, grammar: Grammar, limits: Limits) -> None:
        self.facts, self.alt, self.grammar, self.limits = facts, alt, grammar, limits
        names = [group.label for group in facts.groups]
        self.named_by_alt = grammar.mentioned(alt, names) if alt else frozenset()

    @cached_property
    def units(self) -> list[Group]:
        """Groups told apart by look where they can be, most important first."""
        units = [part for group in self.facts.groups for part in split_by_look(group)]
        if len(units) > self.limits.max_groups_dense:
            return list(self.facts.groups)
        return sorted(units, key=lambda unit: -unit.weight)

    @cached_property
    def statements(self) -> list[Statement]:
        """What may be said about positions."""
        return statements(self.units, self.limits.max_relations, flat=self.limits.flat)

    @cached_property
    def place(self) -> tuple[str, int] | None:
        """Background or scene as it is said, and its evidence."""
        if self.facts.background:
            label, index = self.facts.background
            said = self.grammar.place(label, known_only=False)
            return (said, index) if said else None
        for label, index in self.facts.tags:
            said = self.grammar.place(label.lower(), known_only=True)
            if said:
                return said, index
        return None

    @property
    def alt_names_place(self) -> bool:
        """True when the alt-text says already where all this is."""
        if not (self.place and self.alt):
            return False
        said, index = self.place
        named = [label for label, i in (*self.facts.tags, self.facts.background or ("", -1)) if i == index]
        return said.lower() in self.alt.lower() or any(mentions_label(self.alt, label) for label in named)

    @cached_property
    def other_tags(self) -> list[tuple[str, int]]:
        """Tags that say something no other sentence does."""
        labels = {group.label.lower() for group in self.facts.groups}
        alt = (self.alt or "").lower()
        place = self.place[1] if self.place else None
        rest = [
            (label, index)
            for label, index in self.facts.tags
            if index != place and label.lower() not in labels and label.lower() not in alt
        ]
        return rest[:_MAX_TAGS]


class Writer:
    """Collects the sentences of one caption and remembers what they rest on."""

    def __init__(self, view: View, aspect: Aspect, seed_of: Callable[[str], int]) -> None:
        self.view, self.facts, self.grammar, self.aspect = view, view.facts, view.grammar, aspect
        self._seed_of = seed_of
        self.sentences: list[str] = []
        self.templates: list[str] = []
        self.indices: dict[int, None] = {}
        self.pixels: dict[int, None] = {}
        self.known: set[int] = set()
        self.opening: str | None = None
        self.says_more_than_alt = False
        self.uses_alt = False

    @cached_property
    def seed(self) -> int:
        """What every choice depends on."""
        return self._seed_of(self.aspect)

    @cached_property
    def draw(self) -> Draw:
        """The choices of this caption."""
        return Draw(self.seed)

    def draft(self) -> Draft:
        """Return what was written."""
        return Draft(
            self.aspect,
            self._text(),
            self.grammar.language,
            tuple(self.templates),
            tuple(self.indices),
            tuple(self.pixels),
            self.uses_alt,
            self.seed,
        )

    def _text(self) -> str:
        text = ""
        for sentence in self.sentences:
            gap = " " if text[-1:].isascii() else self.grammar.between_sentences
            text += gap + sentence if text else sentence
        return text

    def say(self, template: str, *, plural: bool = False, plural_first: bool = False, **slots: str) -> None:
        """Add a sentence."""
        variants: list[str] = self.grammar.data["templates"][template]
        choice = self._choice(variants)
        agreeing = {
            slot: forms[plural_first if slot.endswith("_first") else plural]
            for slot, forms in self.grammar.data["forms"].items()
        }
        text = variants[choice].format(**agreeing, **slots)
        if self.opening:
            text = self.grammar.data["placed"].format(place=self.opening, sentence=text)
            self.opening = None
        self.sentences.append(text if template == "with" else self.grammar.sentence(text))
        self.templates.append(f"{template}/{choice}")
        self.says_more_than_alt = True

    def _choice(self, variants: Sequence[str]) -> int:
        """Return a variant that does not open with the word the sentence before opens with, if there is one."""
        opening = self.sentences[-1].split(" ", 1)[0] if self.sentences else ""
        fresh = [n for n, variant in enumerate(variants) if not opening or variant.split(" ", 1)[0] != opening]
        options = fresh or range(len(variants))
        return options[self.draw.index(len(options))]

    def name(self, group: Group, kinds: Sequence[str], *, definite: bool | None = None) -> Phrase:
        """Return the words for a group: `a dog` at first mention, `the dog` after."""
        known = id(group) in self.known or (self.uses_alt and group.label in self.view.named_by_alt)
        is_definite = known if definite is None else definite
        if is_definite:
            kinds = self._telling(group)
        self.known.add(id(group))
        self.indices |= dict.fromkeys(group.indices)
        return self.grammar.name(group, self.draw, kinds=kinds, definite=is_definite)

    def _telling(self, group: Group) -> Sequence[str]:
        """Return the kinds of adjectives that tell a group from others of its label; none if it is alone."""
        rivals = [
            dict(unit.look) for unit in self.view.units if unit.label == group.label and unit is not group
        ]
        look = dict(group.look)
        for kind in ALL_KINDS:
            if rivals and look.get(kind) and all(rival.get(kind) != look[kind] for rival in rivals):
                return (kind,)
        return ALL_KINDS if rivals else ()

    def listed(
        self, groups: Sequence[Group], kinds: Sequence[str], template: str, *, place: bool = False
    ) -> None:
        """Say a list of groups, with the place if there is one."""
        slots, plural, plural_first = self._list(groups, kinds)
        where = self.view.place if place else None
        if where:
            self.indices[where[1]] = None
            self.say(
                f"{template}_in_place", plural=plural, plural_first=plural_first, place=where[0], things=slots
            )
        else:
            self.say(template, plural=plural, plural_first=plural_first, things=slots)

    def _list(self, groups: Sequence[Group], kinds: Sequence[str]) -> tuple[str, bool, bool]:
        phrases = [self.name(group, kinds, definite=False) for group in groups]
        plural = len(phrases) > 1 or phrases[0].plural
        first = phrases[0].plural and not phrases[0].collective
        return self.grammar.join([phrase.text for phrase in phrases]), plural, first

    def lead(self, groups: Sequence[Group], kinds: Sequence[str]) -> None:
        """Open with the alt-text as it stands, and add the groups it does not name."""
        alt, grammar = self.view.alt or "", self.grammar
        self.uses_alt = True
        missing = [group for group in groups if group.label not in self.view.named_by_alt]
        bare = alt.removesuffix(".").removesuffix("。")
        one_clause = len(bare.split()) <= _MAX_LEAD_WORDS and not bare.endswith(_SENTENCE_ENDS)
        if missing and one_clause and grammar.names_place(bare) and not self.view.named_by_alt:
            things, _, _ = self._list(missing, kinds)
            self.say("with", alt=bare, things=things)
            return
        end = "。" if "一" <= alt[-1:] <= "鿿" else "."
        self.sentences.append(alt if alt.endswith(_SENTENCE_ENDS) else alt + end)
        self.templates.append("alt")
        if missing:
            things, plural, first = self._list(missing, kinds)
            template = "also" if self.view.named_by_alt else "shows"
            self.say(template, plural=plural, plural_first=first, things=things)
