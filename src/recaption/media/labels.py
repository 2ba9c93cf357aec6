"""Which object classes a text mentions: words and synonyms of the 80 COCO classes, whole words only.

`A hot dog on a bench` names a hot dog and a bench, and no dog. The words stand in `labels.yaml`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

import yaml

from recaption.media.words import plural

__all__ = ["LabelMatcher", "Mention", "coco_labels", "coco_matcher", "label_matcher", "mentions_label"]

_TOKEN = re.compile(r"[^\W_]+", re.ASCII)
_CLAUSE_END = re.compile(r"[.,;:!?]")
_MAX_CHARACTERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Mention:
    """A class named by a text, at `text[start:end]`."""

    label: str
    start: int
    end: int


class LabelMatcher:
    """Finds the mentions of classes in English text; of overlapping phrases the longest wins."""

    def __init__(
        self,
        synonyms: dict[str, list[str]],
        *,
        nothing: Iterable[str] = (),
        only_alone: Iterable[str] = (),
        after_a_thing: Iterable[str] = (),
    ) -> None:
        """Build the phrase table.

        Args:
            synonyms: Class name to the other words for it; plurals are derived.
            nothing: Phrases that contain such a word and mean no class.
            only_alone: Words that name a thing only when no noun follows (`orange`).
            after_a_thing: Words that may follow such a thing.
        """
        self.labels = tuple(synonyms)
        self._after = frozenset(after_a_thing)
        self._alone = frozenset(only_alone)
        table: dict[tuple[str, ...], str | None] = {}
        for phrase in nothing:
            table |= dict.fromkeys(_forms(phrase))
        for label, words in synonyms.items():
            for word in (label, *words):
                table |= dict.fromkeys(_forms(word), label)
        self._table = table
        lengths: dict[str, set[int]] = {}
        for tokens in table:
            lengths.setdefault(tokens[0], set()).add(len(tokens))
        self._lengths = {word: tuple(sorted(some, reverse=True)) for word, some in lengths.items()}
        """By first word, how many words phrases have that begin with it, longest first."""

    def mentions(self, text: str) -> list[Mention]:
        """Return every mention in order; of a very long text only the first 20,000 characters are read."""
        tokens = _Tokens(text)
        found = list(self._scan(tokens))
        spans = tokens.spans if found else []
        return [Mention(label, spans[first][0], spans[after - 1][1]) for label, first, after in found]

    def named(self, text: str) -> tuple[str, ...]:
        """Return the classes a text names in order, each as often as it is mentioned."""
        return tuple([label for label, _, _ in self._scan(_Tokens(text))])

    def labels_in(self, text: str) -> frozenset[str]:
        """Return the classes a text names."""
        return frozenset(label for label, _, _ in self._scan(_Tokens(text)))

    def _scan(self, tokens: "_Tokens") -> Iterator[tuple[str, int, int]]:
        """Yield classes with the numbers of their first token and of the one after their last."""
        words, known = tokens.words, self._lengths
        after = 0
        for first in [i for i, word in enumerate(words) if word in known]:
            if first < after:
                continue
            phrase, label = self._longest(words, first)
            after = first + max(1, len(phrase))
            if label is None:
                continue
            followed = after < len(words) and words[after] not in self._after
            if followed and phrase[0] in self._alone and not tokens.clause_ends_before(after):
                continue  # an adjective
            yield label, first, after

    def _longest(self, words: list[str], position: int) -> tuple[tuple[str, ...], str | None]:
        for length in self._lengths[words[position]]:
            phrase = tuple(words[position : position + length])
            if phrase in self._table:
                return phrase, self._table[phrase]
        return (), None


class _Tokens:
    """The words of a text in lower case, and where they stand, found out when asked for."""

    __slots__ = ("_low", "_spans", "words")

    def __init__(self, text: str) -> None:
        text = text[:_MAX_CHARACTERS]
        self._low = text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)
        self.words: list[str] = _TOKEN.findall(self._low)
        self._spans: list[tuple[int, int]] | None = None

    @property
    def spans(self) -> list[tuple[int, int]]:
        if self._spans is None:
            self._spans = [match.span() for match in _TOKEN.finditer(self._low)]
        return self._spans

    def clause_ends_before(self, place: int) -> bool:
        """Say whether a mark stands between a word and the one before it."""
        return _CLAUSE_END.search(self._low, self.spans[place - 1][1], self.spans[place][0]) is not None


def _forms(phrase: str) -> list[tuple[str, ...]]:
    forms = {tuple(_TOKEN.findall(form.lower())) for form in (phrase, plural(phrase))}
    return [form for form in forms if form]


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(
        files("recaption.media").joinpath("labels.yaml").read_text(encoding="utf-8")
    )
    return data


@cache
def _coco_words() -> dict[str, list[str]]:
    data = _data()
    synonyms: dict[str, list[str]] = {label: list(words) for label, words in data["synonyms"].items()}
    synonyms["person"] += data["people_at_work"]
    for animal in data["animals"]:
        names = (animal, *synonyms[animal])
        synonyms[animal] += [f"{age} {name}" for age in data["before_an_animal"] for name in names]
        synonyms[data["soft_toy"]] += [f"{word} {name}" for word in data["before_a_soft_toy"] for name in names]
    return synonyms


@cache
def coco_matcher() -> LabelMatcher:
    """Return the matcher of the 80 COCO classes."""
    return label_matcher(_coco_words())


def label_matcher(labels: Iterable[str]) -> LabelMatcher:
    """Return a matcher of any classes: with all our words for those of COCO, name and plural for the others."""
    data = _data()
    return LabelMatcher(
        {label: _coco_words().get(label, []) for label in labels},
        nothing=data["not_the_thing"],
        only_alone=data["only_alone"],
        after_a_thing=data["words_after_a_thing"],
    )


def coco_labels() -> tuple[str, ...]:
    """Return the names of the 80 COCO classes."""
    return coco_matcher().labels


@lru_cache(maxsize=4096)
def _label_pattern(label: str) -> re.Pattern[str]:
    words = "|".join(re.escape(form) for form in sorted({label, plural(label)}, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)


def mentions_label(text: str, label: str) -> bool:
    """Say whether a text names a label: by any known word for it, else by the label or its plural."""
    if label in coco_labels():
        return label in coco_matcher().labels_in(text)
    return _label_pattern(label).search(text[:_MAX_CHARACTERS]) is not None
