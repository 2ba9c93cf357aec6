"""How a language names, counts, lists and says things. The words stand in `english.yaml` and `chinese.yaml`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal, Protocol

from recaption.media import labels, words
from recaption.media.compose.data import load_data
from recaption.media.compose.facts import Group

__all__ = ["Draw", "Grammar", "Language", "Phrase", "grammar_of"]

Language = Literal["en", "zh"]


class Draw:
    """A short seeded supply of choices."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def index(self, count: int) -> int:
        """Return the next choice among `count`."""
        self._state, choice = divmod(self._state, count) if count > 1 else (self._state, 0)
        return choice


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words for something, and whether they take a plural verb."""

    text: str
    plural: bool = False
    collective: bool = False
    """True for `a crowd of people`, which opens with a singular: there is a crowd, a crowd are."""


class Grammar(Protocol):
    """What the renderer asks of a language."""

    data: dict[str, Any]
    language: Language
    between_sentences: str

    def name(self, group: Group, draw: Draw, *, kinds: Sequence[str], definite: bool) -> Phrase:
        """Return a noun phrase with the adjectives of the given kinds: `two red balls`, `the dogs`."""

    def join(self, items: Sequence[str]) -> str:
        """Return a list in one phrase."""

    def sentence(self, text: str) -> str:
        """Return a filled template as a sentence."""

    def place(self, label: str, *, known_only: bool) -> str | None:
        """Return how a background is said; None if unknown labels are not wanted and this is one."""

    def mentioned(self, text: str, names: Sequence[str]) -> frozenset[str]:
        """Return those labels a text names already."""

    def names_place(self, text: str) -> bool:
        """Say whether a text ends in the name of a place."""

    def bearer(self, label: str, *, definite: bool) -> str:
        """Return the name of a thing that bears words."""

    def adjective(self, word: str) -> str | None:
        """Return an adjective of this language."""


class English:
    """English, by `english.yaml` and `recaption.media.words`."""

    language: Language = "en"
    between_sentences = " "

    def __init__(self) -> None:
        self.data = load_data("english.yaml")
        self._place_names = frozenset(self.data["place_names"])

    def name(self, group: Group, draw: Draw, *, kinds: Sequence[str], definite: bool) -> Phrase:
        """Return `a red ball`, `two dogs`, `many people` or `the dogs`."""
        noun = self._noun(group.label)
        described = f"{self._adjectives(group, kinds)} {noun}".lstrip() if group.look and kinds else noun
        one = group.count == 1 and not group.crowd
        if definite or words.is_uncountable(noun):
            return _definite(noun, described, one) if definite else Phrase(described)
        if group.crowd or group.count >= 10:
            options = self.data["many"].get(group.label, self.data["many"]["default"])
            text = options[draw.index(len(options))].format(plural=words.plural(described))
            return Phrase(text, plural=True, collective=text.startswith("a "))
        if group.unsure and group.count > 1:
            return Phrase(self.data["several"].format(plural=words.plural(described)), plural=True)
        plural = not one or (words.is_plural(noun) and not words.is_paired(noun))
        return Phrase(words.counted(noun, group.count, described.removesuffix(noun).rstrip()), plural)

    def _noun(self, label: str) -> str:
        named = self.data["names"].get(label) or self.data["names"].get(label.lower())
        if named or label.islower():
            return str(named or label)
        return label.lower() if label == label.capitalize() or (len(label) > 4 and label.isupper()) else label

    def _adjectives(self, group: Group, kinds: Sequence[str]) -> str:
        look = dict(group.look)
        ordered = (look[kind] for kind in self.data["adjective_order"] if kind in look and kind in kinds)
        return " ".join(filter(None, map(self.adjective, ordered)))

    def adjective(self, word: str) -> str | None:
        """Return the adjective of a word: `wooden` of `wood`; words of another script have none."""
        return str(self.data["adjectives"].get(word, word)) if word.isascii() else None

    def join(self, items: Sequence[str]) -> str:
        """Return `a, b and c`."""
        return words.join_list(items, self.data["list_word"])

    def sentence(self, text: str) -> str:
        """Return the text with a capital first letter."""
        return words.capitalised(text)

    def place(self, label: str, *, known_only: bool) -> str | None:
        """Return `on grass`; for labels not listed `against a … background`."""
        known: str | None = self.data["places"].get(label)
        if known or known_only:
            return known
        bare = label.removesuffix(" background").strip() or label
        return str(self.data["any_place"].format(article=words.article(bare), label=bare))

    def mentioned(self, text: str, names: Sequence[str]) -> frozenset[str]:
        """Return the labels named by their own words or a synonym."""
        matcher = labels.coco_matcher()
        known = matcher.labels_in(text)
        return frozenset(
            name
            for name in names
            if (name in known if name in matcher.labels else labels.mentions_label(text, name))
        )

    def names_place(self, text: str) -> bool:
        """Say whether the last word is one for a place."""
        return text.rstrip(" .!").rpartition(" ")[2].lower() in self._place_names

    def bearer(self, label: str, *, definite: bool) -> str:
        """Return `a sign` or `the sign`."""
        noun = self._noun(label)
        return f"the {noun}" if definite else words.counted(noun, 1)


class Chinese:
    """Chinese, by `chinese.yaml`: no inflection, but measure words."""

    language: Language = "zh"
    between_sentences = ""

    def __init__(self) -> None:
        self.data = load_data("chinese.yaml")

    def _noun(self, label: str) -> tuple[str, str]:
        name, measure = self.data["names"].get(label.lower(), (label, self.data["any_measure"]))
        return name, measure

    def name(self, group: Group, draw: Draw, *, kinds: Sequence[str], definite: bool) -> Phrase:
        """Return `两只狗`, `一个红色的球`, `许多人`; definite names are bare."""
        noun, measure = self._noun(group.label)
        look = dict(group.look)
        before = [self.adjective(look[k]) for k in ("colour", "texture") if k in look and k in kinds]
        after = [self.adjective(look[k]) for k in ("size", "material") if k in look and k in kinds]
        described = "".join(filter(None, before)) + ("的" if any(before) else "")
        described += "".join(filter(None, after)) + noun
        if definite:
            return Phrase(described)
        if group.crowd or group.count >= 10:
            options = self.data["many"].get(group.label, self.data["many"]["default"])
            return Phrase(options[draw.index(len(options))].format(noun=described))
        if group.unsure and group.count > 1:
            return Phrase(self.data["several"].format(measure=measure, noun=described))
        return Phrase(f"{self.data['numbers'][group.count]}{measure}{described}")

    def adjective(self, word: str) -> str | None:
        """Return the Chinese adjective; words that have none are left out."""
        known: str | None = self.data["adjectives"].get(word)
        return known or (word if _is_han(word) else None)

    def join(self, items: Sequence[str]) -> str:
        """Return `甲、乙和丙`."""
        if len(items) < 2:
            return "".join(items)
        return f"{'、'.join(items[:-1])}{self.data['list_word']}{items[-1]}"

    def sentence(self, text: str) -> str:
        """Return the text as it is."""
        return text

    def place(self, label: str, *, known_only: bool) -> str | None:
        """Return `草地上`; for labels not listed `…背景前`."""
        known: str | None = self.data["places"].get(label)
        if known or known_only:
            return known
        return str(self.data["any_place"].format(label=self.adjective(label) or label))

    def mentioned(self, text: str, names: Sequence[str]) -> frozenset[str]:
        """Return the labels whose Chinese name, or another word for it, stands in the text."""
        low = text.lower()
        found = set()
        for name in names:
            options = (self._noun(name)[0], *self.data["also_called"].get(name.lower(), ()), name.lower())
            if any(option in low for option in options):
                found.add(name)
        return frozenset(found)

    def names_place(self, text: str) -> bool:
        """Say whether the text ends in a word for a place."""
        return text.rstrip(" 。！").endswith(tuple(self.data["place_names"]))

    def bearer(self, label: str, *, definite: bool) -> str:
        """Return `牌子`."""
        return self._noun(label)[0]


def _is_han(text: str) -> bool:
    return bool(text) and all("一" <= c <= "鿿" for c in text)


@lru_cache(maxsize=4096)
def _definite(noun: str, described: str, one: bool) -> Phrase:
    if words.is_uncountable(noun):
        return Phrase(f"the {described}")
    return Phrase(f"the {described if one else words.plural(described)}", not one or words.is_plural(noun))


@cache
def grammar_of(language: Language) -> Grammar:
    """Return the grammar of a language, built once."""
    return English() if language == "en" else Chinese()
