"""How much a sentence tells of what is in a picture, judged by its words alone.

English; in other languages every sentence counts alike, but for a few Chinese mood words. Words in `fitting.yaml`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml

__all__ = ["Judge", "content_words", "judge"]

_WORD = re.compile(r"[^\W\d_]{3,}")
_FEWEST_WORDS: Final = 6
"""Shorter sentences are judged as if they had as many words, so that `A dog.` is not the richest text of all."""


@dataclass(frozen=True, slots=True)
class Judge:
    """The word lists, compiled."""

    settings: dict[str, float]
    plain: frozenset[str]
    empty: frozenset[str]
    """Vague words, and words that only guess."""
    filler_sentence: re.Pattern[str]
    filler_anywhere: tuple[str, ...]
    filler_clause: re.Pattern[str]
    same_clause: re.Pattern[str]
    """A comma after which a list of doings goes on: `, watching, or waiting`."""
    dependent: re.Pattern[str]

    def richness(self, sentence: str, seen: set[str]) -> float:
        """Return the share of new words for things, less the vague ones, in [0, 1]; adds the words to `seen`."""
        words = _WORD.findall(sentence.lower())
        telling = set(words) - self.plain
        vague = len(telling & self.empty)
        fresh = {fold(word) for word in telling - self.empty} - seen
        seen |= fresh
        value = (len(fresh) - self.settings["vague_weight"] * vague) / max(len(words), _FEWEST_WORDS)
        return min(1.0, max(0.0, value))

    def is_filler(self, sentence: str) -> bool:
        """Say whether a sentence speaks of moods, or sums up."""
        if self.filler_sentence.match(sentence) is not None:
            return True
        return not sentence.isascii() and any(mark in sentence for mark in self.filler_anywhere)

    def is_dependent(self, sentence: str) -> bool:
        """Say whether a sentence leans on the one before it: `They …`, `Another one …`."""
        return self.dependent.match(sentence) is not None


def fold(word: str) -> str:
    """Return a lower-case word without its plural s."""
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word


def content_words(text: str) -> set[str]:
    """Return the words of a text that may name things, folded; no vague and no function words."""
    known = judge()
    return {fold(word) for word in set(_WORD.findall(text.lower())) - known.plain - known.empty}


@cache
def judge() -> Judge:
    """Return the judge, built once from the data file."""
    data: dict[str, Any] = yaml.safe_load(files("recaption.media").joinpath("fitting.yaml").read_text("utf-8"))
    sentence = rf"[\s\"'“(]*+{_one_of(data['filler_sentences'])}"
    dependent = rf"[\s\"'“(]*+(?:{_one_of(data['dependent'])}|{'|'.join(data['dependent_zh'])})"
    return Judge(
        settings={key: float(value) for key, value in data.items() if isinstance(value, int | float)},
        plain=frozenset(data["plain"]),
        empty=frozenset(data["vague"]) | frozenset(data["hedges"]),
        filler_sentence=re.compile(sentence, re.IGNORECASE),
        filler_anywhere=tuple(data["filler_anywhere"]),
        filler_clause=re.compile(rf",\s*+{_one_of(data['filler_clauses'])}", re.IGNORECASE),
        same_clause=re.compile(r",\s*+(?:or |(?:and )?(?:\w+ly )?\w+ing\b)", re.IGNORECASE),
        dependent=re.compile(dependent, re.IGNORECASE),
    )


def _one_of(phrases: Iterable[str]) -> str:
    longest_first = sorted(phrases, key=lambda p: (-len(p), p))
    return "(?:" + "|".join(re.escape(p).replace(r"\ ", " ") for p in longest_first) + r")(?!\w)"
