"""Slips of English words: articles, numbers, agreement, words said twice, words mistaken for others.

Only what is certain is told: a noun phrase counts as ended where a word follows that cannot belong to it, a subject
as one where it begins a sentence. Words in `grammar.yaml`.

Most texts hold no slip, so every text is first looked through word by word for a place where one may be; only texts
with such a place are read closely.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import eq
from typing import Final

from recaption.evaluation.text.grammar_data import PLURAL, grammar
from recaption.evaluation.text.grammar_slip import Slip

__all__ = ["word_slips"]

_TOKEN: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_NOT_SPOKEN: Final = re.compile(r"[^a-z]|\A[^aeiouy]*\Z|\A(?:[lmnrx][^aeiouy]|[fs][bdgx]|h[^aeiouy])")
"""What may be spelled: no vowel, or a beginning that no English word has (`ndarray`)."""
_U_LIKE_YOU: Final = re.compile(r"u[^aeiouy][aeiouy]")
_SENTENCE: Final = re.compile(r"[.!?\n:]")
_BLANKED: Final = "".join(c if c.isalnum() or c == "'" else " " for c in map(chr, range(128)))
"""For `str.translate`, which is faster where every character is there."""
_MOST_ADJECTIVES: Final = 2
_SHORT: Final = 4
_RUNS: Final = (1, 2, 3)
"""Words that may be said twice in a row."""
_ARTICLES: Final = frozenset({"a", "an"})
_NOTHING: Final = frozenset[str]()
_EITHER: Final = ("eu", "ew", "ou", "y", "one", "once")
_JOINERS: Final = frozenset("-–/&+(_'’")
"""What goes on with a noun: `two dog/cat pictures`."""


def word_slips(text: str) -> Iterator[Slip]:
    """Yield the slips `article`, `number`, `agreement`, `repeated_word` and `confused_word` of an English text."""
    if _may_slip(text.lower().replace("’", "'").translate(_BLANKED).split()):
        tokens = _Tokens(text)
        for i in range(len(tokens.low)):
            yield from _slips_at(tokens, i)


def _may_slip(words: Sequence[str]) -> bool:
    """Say whether a slip may be somewhere; true too often rather than too seldom."""
    if any(bytes(map(eq, words, words[size:])).find(b"\1" * size) >= 0 for size in _RUNS):
        return True
    known = grammar()
    interest = known.interest
    for i in [i for i, word in enumerate(words) if word in interest]:
        word, after = words[i], words[i + 1 : i + 2]
        if word in _ARTICLES:
            if after and _is_wrong(word, after[0]):
                return True
        elif word in known.starts:
            if _may_be_phrase(words, i):
                return True
        elif _may_disagree(words, i):
            return True
    return False


def _may_be_phrase(words: Sequence[str], i: int) -> bool:
    starts = grammar().starts
    row = tuple(words[i : i + 3])
    return row[:2] in starts[row[0]] or row in starts[row[0]]


def _may_disagree(words: Sequence[str], noun: int) -> bool:
    """Say whether a noun has a verb after it, or a determiner before it, that it may not have."""
    known = grammar()
    is_plural = words[noun] in known.plural
    if (
        words[noun + 1 : noun + 2]
        and words[noun + 1] in known.sets["verb_of_one" if is_plural else "verb_of_many"]
    ):
        return True
    place = noun - 1
    while place > 0 and noun - place <= _MOST_ADJECTIVES and words[place] in known.sets["adjectives"]:
        place -= 1
    if place < 0:
        return False
    if words[place] == "of":
        return not is_plural and words[max(0, place - 1)] in known.sets["many_of"]
    return words[noun] in known.wrong_after.get(words[place], _NOTHING)


@lru_cache(maxsize=8192)
def _is_wrong(article: str, word: str) -> bool:
    """Say whether a word surely wants the other article."""
    sets = grammar().sets
    word = word.partition("'")[0]
    if word in sets["not_after_article"] or word in sets["spelled"] or _NOT_SPOKEN.search(word):
        return False
    like_vowel = _sounds_like_vowel(word)
    return like_vowel is not None and like_vowel != (article == "an")


def _sounds_like_vowel(word: str) -> bool | None:
    sets = grammar().sets
    if word in sets["sounds_like_vowel"]:
        return True
    if word in sets["sounds_like_consonant"]:
        return False
    if word in sets["may_take_an"] or _U_LIKE_YOU.match(word) or word.startswith(_EITHER):
        return None
    return word[0] in "aeiou"


class _Tokens:
    """The words of a text, in lower case, and where they stand."""

    __slots__ = ("low", "spans", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        found = list(_TOKEN.finditer(text))
        self.spans = [match.span() for match in found]
        self.low = [match[0].lower().replace("’", "'") for match in found]

    def written(self, i: int) -> str:
        """Return a word as it is written."""
        start, end = self.spans[i]
        return self.text[start:end]

    def at(self, i: int) -> str:
        """Return a word in lower case; nothing beyond the last."""
        return self.low[i] if i < len(self.low) else ""

    def touch(self, i: int) -> bool:
        """Say whether nothing but blanks on one line stands between a word and the next."""
        if i + 1 >= len(self.low):
            return False
        between = self.text[self.spans[i][1] : self.spans[i + 1][0]]
        return between == " " or (between.isspace() and "\n" not in between)

    def begins(self, i: int) -> bool:
        """Say whether a word begins a sentence."""
        return i == 0 or _SENTENCE.search(self.text, self.spans[i - 1][1], self.spans[i][0]) is not None

    def slip(self, rule: str, first: int, last: int) -> Slip:
        """Return a slip that reaches from one word to another."""
        return Slip(rule, self.spans[first][0], self.spans[last][1])


def _slips_at(tokens: _Tokens, i: int) -> Iterator[Slip]:
    """Yield what is wrong from a word on: at most one slip of a word or phrase, and a word said twice."""
    for find in (_repeated, _repeated_run, _article, _number, _agreement, _phrase):
        slip = find(tokens, i)
        if slip is not None:
            yield slip
            return


def _repeated(tokens: _Tokens, i: int) -> Slip | None:
    """`the the dog`."""
    word = tokens.low[i]
    if tokens.at(i + 1) != word or len(word) == 1 or not word.isalpha() or not tokens.touch(i):
        return None
    first, second = tokens.written(i), tokens.written(i + 1)
    # A capital in the second is a name (Duran Duran), a third saying a chant.
    is_name = second[0].isupper() or (first[0].isupper() and not tokens.begins(i))
    is_chant = tokens.at(i + 2) == word or (i > 0 and tokens.low[i - 1] == word)
    if is_name or is_chant or word in grammar().sets["may_repeat"]:
        return None
    return tokens.slip("repeated_word", i, i + 1)


def _repeated_run(tokens: _Tokens, i: int) -> Slip | None:
    """`on the on the mat`, `near a dog near a dog`; not `over and over and over`."""
    low, sets = tokens.low, grammar().sets
    for size in _RUNS[1:]:
        run, last = low[i : i + size], i + 2 * size - 1
        if run != low[i + size : last + 1] or (i > 0 and low[i - 1] == low[i - 1 + size]):
            continue
        is_said = not sets["run_needs"].isdisjoint(run) and sets["run_lacks"].isdisjoint(run)
        if is_said and all(tokens.touch(place) for place in range(i, last)):
            return tokens.slip("repeated_word", i, last)
    return None


def _article(tokens: _Tokens, i: int) -> Slip | None:
    """`a apple`, `an dog`."""
    article = tokens.low[i]
    if article not in _ARTICLES or not tokens.touch(i) or not _is_article(tokens, i):
        return None
    written, word = tokens.written(i + 1), tokens.low[i + 1].partition("-")[0]
    # What may be letters spoken one by one is left alone.
    is_spelled = written[1:] != written[1:].lower() or (written[0].isupper() and len(word) <= _SHORT)
    return tokens.slip("article", i, i + 1) if not is_spelled and _is_wrong(article, word) else None


def _is_article(tokens: _Tokens, i: int) -> bool:
    """Say whether an `a` is an article and no letter."""
    written = tokens.written(i)
    if written[0] == "A" and not tokens.begins(i):
        return False
    return i == 0 or not tokens.touch(i - 1) or tokens.low[i - 1] not in grammar().sets["letter_after"]


def _number(tokens: _Tokens, i: int) -> Slip | None:
    """`a dogs in the grass`, `two dog in the grass`, `a group of dog in the grass`."""
    known, word, last = grammar(), tokens.low[i], i
    if word in known.sets["many_of"] and tokens.at(i + 1) == "of" and tokens.touch(i):
        wrong, last = known.singular, i + 1
    elif word in known.wrong_after:
        wrong = known.wrong_after[word]
    else:
        return None
    if last == i and not _determines(tokens, i):
        return None
    noun = _noun_after(tokens, last, wrong)
    if noun is None or tokens.at(noun + 1) == "of" or not _ends_phrase(tokens, noun):
        return None
    return tokens.slip("number", i, noun)


def _determines(tokens: _Tokens, i: int) -> bool:
    """Say whether a number or article belongs to what follows, and not to what stands before it."""
    word = tokens.low[i]
    if word in _ARTICLES:
        return _is_article(tokens, i)
    return i == 0 or not tokens.touch(i - 1) or tokens.low[i - 1] not in grammar().sets["no_number_after"]


def _agreement(tokens: _Tokens, i: int) -> Slip | None:
    """`The dogs is`, `A dog are`, at the beginning of a sentence."""
    known, word = grammar(), tokens.low[i]
    for numbers, nouns, verbs in (
        ("subject_of_many", known.plural, "verb_of_one"),
        ("subject_of_one", known.singular, "verb_of_many"),
    ):
        if word in known.sets[numbers] and tokens.begins(i):
            noun = _noun_after(tokens, i, nouns)
            if noun is not None and tokens.touch(noun) and tokens.low[noun + 1] in known.sets[verbs]:
                return tokens.slip("agreement", i, noun + 1)
    return None


def _phrase(tokens: _Tokens, i: int) -> Slip | None:
    """`they was`, `could of`."""
    known = grammar()
    if tokens.low[i] not in known.starts:
        return None
    for phrase in known.phrases:
        last = i + len(phrase.parts) - 1
        if last >= len(tokens.low) or tokens.at(last + 1) in phrase.unless:
            continue
        if all(tokens.touch(place) for place in range(i, last)) and all(
            _is_one_of(tokens.low[i + n], part) for n, part in enumerate(phrase.parts)
        ):
            return tokens.slip(phrase.rule, i, last)
    return None


def _is_one_of(word: str, part: frozenset[str]) -> bool:
    if PLURAL in part:
        return word in grammar().sets["many_people"] or (word.endswith("s") and not word.endswith(("ss", "'s")))
    return word in part


def _noun_after(tokens: _Tokens, i: int, nouns: frozenset[str]) -> int | None:
    """Return where the noun is that a word determines, adjectives between them; None if it is none of `nouns`."""
    adjectives = grammar().sets["adjectives"]
    for place in range(i + 1, i + 2 + _MOST_ADJECTIVES):
        if not tokens.touch(place - 1):
            return None
        word = tokens.low[place]
        if word in nouns:
            return place if tokens.written(place).islower() else None
        if word not in adjectives:
            return None
    return None


def _ends_phrase(tokens: _Tokens, noun: int) -> bool:
    """Say whether a noun phrase surely ends with this word."""
    if tokens.touch(noun):
        return tokens.low[noun + 1] in grammar().sets["after_noun"]
    end = tokens.spans[noun][1]
    return tokens.text[end : end + 2].strip()[:1] not in _JOINERS
