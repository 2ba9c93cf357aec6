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

__all__ = ["LabelMatcher", "Mention", "coco_labels", "coco_matcher", "mentions_label"]

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
        self._phrases: dict[str, list[tuple[tuple[str, ...], str | None]]] = {}
        table: dict[tuple[str, ...], str | None] = {}
        for phrase in nothing:
            table |= dict.fromkeys(_forms(phrase))
        for label, words in synonyms.items():
            for word in (label, *words):
                table |= dict.fromkeys(_forms(word), label)
        for tokens in sorted(table, key=len, reverse=True):
            self._phrases.setdefault(tokens[0], []).append((tokens, table[tokens]))

    def mentions(self, text: str) -> list[Mention]:
        """Return every mention in order; of a very long text only the first 20,000 characters are read."""
        return list(self._scan(text[:_MAX_CHARACTERS]))

    def labels_in(self, text: str) -> frozenset[str]:
        """Return the classes a text names."""
        return frozenset(mention.label for mention in self._scan(text[:_MAX_CHARACTERS]))

    def _scan(self, text: str) -> Iterator[Mention]:
        low = text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)
        found = [(m.group(), m.start(), m.end()) for m in _TOKEN.finditer(low)]
        words = [word for word, _, _ in found]
        position = 0
        while position < len(words):
            tokens, label = self._longest(words, position)
            after = position + max(1, len(tokens))
            if label is not None:
                start, end = found[position][1], found[after - 1][2]
                adjective = after < len(words) and not _CLAUSE_END.search(low, end, found[after][1])
                if not (tokens[0] in self._alone and adjective and words[after] not in self._after):
                    yield Mention(label, start, end)
            position = after

    def _longest(self, words: list[str], position: int) -> tuple[tuple[str, ...], str | None]:
        for tokens, label in self._phrases.get(words[position], ()):
            if tuple(words[position : position + len(tokens)]) == tokens:
                return tokens, label
        return (), None


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
def coco_matcher() -> LabelMatcher:
    """Return the matcher of the 80 COCO classes."""
    data = _data()
    synonyms: dict[str, list[str]] = {label: list(words) for label, words in data["synonyms"].items()}
    synonyms["person"] += data["people_at_work"]
    for animal in data["animals"]:
        names = (animal, *synonyms[animal])
        synonyms[animal] += [f"{age} {name}" for age in data["before_an_animal"] for name in names]
        synonyms[data["soft_toy"]] += [f"{word} {name}" for word in data["before_a_soft_toy"] for name in names]
    return LabelMatcher(
        synonyms,
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
