"""Runs ordered text rules until nothing changes, touching only the texts a rule can possibly touch.

Each rule declares what a text must contain before it can do anything (`Trigger`). The engine compiles all triggers
into one bit mask per text, so a text no rule can touch costs a few byte-level scans and no regular expression.

Idempotence holds for every string, by construction: a pass is a deterministic function, the result is either a fixed
point of it, or (no fixed point within `MAX_PASSES`) the text exactly as it came, flagged `unstable`. Running again
on a fixed point changes nothing; running again on an unstable text takes the same path to the same answer.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import AnyStr, Final, NamedTuple, TypeAlias

__all__ = [
    "MAX_PASSES",
    "Edit",
    "Normalised",
    "Normaliser",
    "Rule",
    "State",
    "Trigger",
    "says_twice",
    "words_of",
]

MAX_PASSES: Final = 8
_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})
_NO_FLAGS: Final[Mapping[str, str]] = MappingProxyType({})

# Bytes to lower-case words: letters lowered, everything else a space ("IMG_2024.jpg" is "img" and "jpg").
_TO_WORDS: Final = bytes(b | 32 if 65 <= b <= 90 else b if 97 <= b <= 122 else 32 for b in range(256))
_DIGIT_TO_ZERO: Final = bytes(48 if 48 <= b <= 57 else b for b in range(256))
_CAPITAL_TO_A: Final = bytes(65 if 65 <= b <= 90 else b for b in range(256))
_NOT_SHAPE: Final = bytes(b for b in range(128) if not (65 <= b <= 90 or 97 <= b <= 122 or b == 32))
_BEYOND_ASCII: Final = re.compile("[^\x00-\x7f]")
_KNOWN_LENGTH: Final = 16
_KNOWN_PLANS: Final = 4_096
_KNOWN_CHARACTERS: Final = 20_000  # so that hostile text cannot grow the cache without end


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What a text must contain before a rule can change it; any one condition is enough.

    A trigger may be too wide (the rule then finds nothing), never too narrow.
    """

    characters: str = ""
    """Any of these; no ASCII letters or digits."""
    ranges: tuple[tuple[int, int], ...] = ()
    """Any code point from first to last, beyond ASCII."""
    words: frozenset[str] = frozenset()
    """Any of these lower-case words of ASCII letters."""
    digits: int = 0
    """At least this many ASCII digits, if not 0."""
    starts: str = ""
    """First character is one of these."""
    ends: str = ""
    """Last character is one of these."""
    twice: str = ""
    """Any of these ASCII marks at least twice."""
    double_space: bool = False
    said_twice: bool = False
    """Words said twice in a row, one or several; only ASCII letters are looked at."""
    capitals: bool = False
    """Two words in capitals side by side."""
    one_token: bool = False
    """No space anywhere."""
    always: bool = False


@dataclass(slots=True)
class State:
    """What rules share while one text is cleaned."""

    protected: frozenset[str]
    """Lower-case words that must stay as they are: they were read in the picture."""
    flags: dict[str, str]


Edit: TypeAlias = Callable[[str, State], tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A named edit. `apply` returns the new text and how many edits it made (0: text unchanged)."""

    name: str
    trigger: Trigger
    apply: Edit


class Normalised(NamedTuple):
    """A cleaned text: rule name to number of edits, and findings (name to reason)."""

    text: str
    fired: Mapping[str, int] = _NOTHING
    flags: Mapping[str, str] = _NO_FLAGS


def words_of(text: str) -> list[str]:
    """Return the lower-case runs of ASCII letters, as triggers see them."""
    return text.encode("ascii", "replace").translate(_TO_WORDS).decode().split()


def says_twice(words: Sequence[AnyStr]) -> bool:
    """Return whether one word, or several in a row, are followed at once by the same again."""
    seen: dict[AnyStr, int] = {}
    for position, word in enumerate(words):
        before = seen.get(word)
        if before is not None and words[before:position] == words[position : 2 * position - before]:
            return True
        seen[word] = position
    return False


class Normaliser:
    """Applies rules in the order given. Immutable after construction but for caches; safe in several threads."""

    def __init__(self, rules: Sequence[Rule], *, max_characters: int = 100_000) -> None:
        self._rules = tuple(rules)
        self._max_characters = max_characters
        self._odd: dict[bytes, int] = {}
        self._plans: dict[int, tuple[tuple[int, str, Edit], ...]] = {}
        masks = _Masks(self._rules)
        self._bytes, self._ranges = masks.bytes, masks.ranges
        self._words = {word.encode(): mask for word, mask in masks.words.items()}
        self._word_keys = frozenset(self._words)
        self._asks_for_words = bool(self._words or masks.repeated)
        self._characters: dict[str, int] = {}
        self._starts, self._ends = masks.starts, masks.ends
        self._digits = masks.digits
        self._always = masks.always
        self._double_space = masks.double_space
        self._repeated, self._capitals, self._one_token = masks.repeated, masks.capitals, masks.one_token
        self._twice = masks.twice
        kept = b"0123456789" + "".join(masks.twice).encode()
        self._inert = bytes(b for b in range(128) if not self._bytes[b] and b not in kept)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rules that are on, in order."""
        return tuple(rule.name for rule in self._rules)

    def run(self, text: str, protected: frozenset[str] = frozenset()) -> Normalised:
        """Clean one text; `protected` are lower-case words that must not be altered."""
        if len(text) > self._max_characters:
            reason = f"longer than {self._max_characters} characters, left as it is"
            return Normalised(text, _NOTHING, {"too_long": reason})
        mask = self._mask(text)
        return self._edit(text, mask, protected) if mask else Normalised(text)

    def run_many(self, texts: Iterable[str]) -> list[Normalised]:
        """Clean many texts, in order."""
        limit, mask_of, edit, new = self._max_characters, self._mask, self._edit, Normalised
        results = []
        for text in texts:
            if len(text) > limit:
                results.append(self.run(text))
            elif mask := mask_of(text):
                results.append(edit(text, mask, frozenset()))
            else:
                results.append(new(text))
        return results

    def _edit(self, text: str, mask: int, protected: frozenset[str]) -> Normalised:
        current, fired, state = text, dict[str, int](), State(protected, {})
        settled = 0  # rules that have seen the current text and left it alone need not be asked again
        for _ in range(MAX_PASSES):
            todo, changed = mask & ~settled, False
            for bit, name, apply in self._plans.get(todo) or self._plan(todo):
                edited, edits = apply(current, state)
                if edits and edited != current:
                    current, changed, settled = edited, True, 0
                    fired[name] = fired.get(name, 0) + edits
                else:
                    settled |= bit
            if not changed:
                return Normalised(current, fired, state.flags)
            mask = self._mask(current)
            if not mask & ~settled:
                return Normalised(current, fired, state.flags)
        state.flags["unstable"] = f"still changing after {MAX_PASSES} passes, left as it is"
        return Normalised(text, _NOTHING, state.flags)

    def _plan(self, mask: int) -> tuple[tuple[int, str, Edit], ...]:
        chosen = ((1 << position, rule) for position, rule in enumerate(self._rules) if mask >> position & 1)
        plan = tuple((bit, rule.name, rule.apply) for bit, rule in chosen)
        if len(self._plans) < _KNOWN_PLANS:
            self._plans[mask] = plan
        return plan

    def _mask(self, text: str) -> int:
        """Return one bit per rule that may have something to do."""
        if not text:
            return 0
        mask = self._always | self._starts.get(text[0], 0) | self._ends.get(text[-1], 0)
        if text.isascii():
            data = text.encode()
        else:
            data = text.encode("ascii", "replace")
            mask |= self._beyond_ascii(text)
        odd = data.translate(_DIGIT_TO_ZERO, self._inert)
        if odd:
            bits = self._odd.get(odd)
            mask |= self._learn_odd(odd) if bits is None else bits
        if self._asks_for_words:
            words = data.translate(_TO_WORDS).split()
            unique = set(words)
            if not self._word_keys.isdisjoint(unique):
                for word in self._word_keys & unique:
                    mask |= self._words[word]
            if len(unique) != len(words) and self._repeated and says_twice(words):
                mask |= self._repeated
        if b" " not in data:
            mask |= self._one_token
        elif b"  " in data:
            mask |= self._double_space
        if self._capitals and b"AA AA" in data.translate(_CAPITAL_TO_A, _NOT_SHAPE):
            mask |= self._capitals
        return mask

    def _beyond_ascii(self, text: str) -> int:
        mask, known = 0, self._characters
        for character in set(_BEYOND_ASCII.findall(text)):
            bits = known.get(character)
            mask |= self._learn(character) if bits is None else bits
        return mask

    def _learn_odd(self, odd: bytes) -> int:
        """Return the mask of what is left of an ASCII text without letters: its marks, digits as zeros."""
        mask = 0
        for byte in set(odd):
            mask |= self._bytes[byte]
        digits = odd.count(b"0")
        for least, bits in self._digits:
            if digits >= least:
                mask |= bits
        for mark, bits in self._twice.items():
            if odd.count(mark.encode()) > 1:
                mask |= bits
        if len(odd) <= _KNOWN_LENGTH and len(self._odd) < _KNOWN_CHARACTERS:
            self._odd[odd] = mask
        return mask

    def _learn(self, character: str) -> int:
        point, bits = ord(character), 0
        for first, last, mask in self._ranges:
            if first <= point <= last:
                bits |= mask
        if len(self._characters) < _KNOWN_CHARACTERS:
            self._characters[character] = bits
        return bits


class _Masks:
    """Triggers turned into masks: bit n stands for rule n."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.bytes = [0] * 128
        self.ranges: list[tuple[int, int, int]] = []
        self.words: dict[str, int] = {}
        self.starts: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        least: dict[int, int] = {}
        self.twice: dict[str, int] = {}
        self.always = self.double_space = self.repeated = self.capitals = self.one_token = 0
        for position, rule in enumerate(rules):
            bit, trigger = 1 << position, rule.trigger
            _mark(self.starts, trigger.starts, bit)
            _mark(self.ends, trigger.ends, bit)
            _mark(self.words, trigger.words, bit)
            _mark(self.twice, trigger.twice, bit)
            self.double_space |= bit * trigger.double_space
            for character in trigger.characters:
                if ord(character) < 128:
                    self.bytes[ord(character)] |= bit
                else:
                    self.ranges.append((ord(character), ord(character), bit))
            self.ranges.extend((first, last, bit) for first, last in trigger.ranges)
            if trigger.digits:
                least[trigger.digits] = least.get(trigger.digits, 0) | bit
            self.always |= bit * trigger.always
            self.repeated |= bit * trigger.said_twice
            self.capitals |= bit * trigger.capitals
            self.one_token |= bit * trigger.one_token
        self.digits = sorted(least.items())


def _mark(table: dict[str, int], keys: Iterable[str], bit: int) -> None:
    for key in keys:
        table[key] = table.get(key, 0) | bit
