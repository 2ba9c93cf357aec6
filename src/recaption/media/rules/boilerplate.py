"""Rule for what shops and stock agencies add: cut from heads, tails and segments, never from inside a sentence."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from recaption.media.rules.encoding import CJK
from recaption.media.rules.engine import Rule, State, Trigger, words_of
from recaption.media.rules.options import NormaliseOptions
from recaption.media.rules.wordlists import alternation, load, words

__all__ = ["boilerplate_rules", "is_boilerplate"]

_LISTS: Final[Mapping[str, Any]] = load("boilerplate")
_SITES: Final = frozenset(line.strip() for line in _LISTS["sites"].splitlines() if line.strip())
_SHOP_KINDS: Final = words("boilerplate", "shop_kinds")
_SHOP_WORDS: Final = words("boilerplate", "shop_words")
_FOLLOW: Final = frozenset({"find", "follow"})


def _any_of(section: str) -> str:
    return "(?:" + "|".join(f"(?:{pattern})" for pattern in _LISTS[section].splitlines() if pattern) + ")"


_HEAD: Final = re.compile(rf"\A[\s\"'“(\[*!.-]{{0,4}}{_any_of('heads')}", re.IGNORECASE)
_TAIL: Final = re.compile(
    rf"(?:\A|[\s,;.:!|/·•–—-]{{1,4}})\b{_any_of('tails')}[\s.,;:!…*|–—-]{{0,6}}\Z", re.IGNORECASE
)
_ORDER: Final = re.compile(r"\A(?:buy|shop|order|get)\s(?=\S)", re.IGNORECASE)
_ANYWHERE: Final = re.compile(_any_of("anywhere"), re.IGNORECASE)
_SEGMENT: Final = re.compile(rf"{_any_of('segments')}[\s.!*…]{{0,4}}", re.IGNORECASE)
_SEPARATOR: Final = re.compile(r"\s?\|\s?|\s[-–—•·~:»]{1,3}\s|\s?»\s?")
_SITE: Final = re.compile(rf"(?:www\.)?(?:{alternation(_SITES)})(?:\.(?:com|net|org|co\.uk))?", re.IGNORECASE)
_DOMAIN: Final = re.compile(
    rf"[A-Za-z0-9-]{{2,40}}(?:\.[A-Za-z0-9-]{{2,30}})?\.(?:{alternation(words('boilerplate', 'domain_ends'))})",
    re.IGNORECASE,
)
_SHOP_SEGMENT: Final = re.compile(
    rf"(?:[\w'’&.]+\s){{0,4}}(?:{alternation(words('boilerplate', 'shop_words'))})[\s.!]?", re.IGNORECASE
)

_ASCII_SEPARATORS: Final = ("|", " - ", " : ", " ~ ", " -- ", " --- ")
_VOCABULARY: Final = (
    words("boilerplate", "trigger_words")
    | words("boilerplate", "tail_words")
    | words("boilerplate", "head_words")
    | words("boilerplate", "segment_words")
    | {word for site in _SITES for word in words_of(site)}
)
_TAIL_WORDS: Final = words("boilerplate", "tail_words")
_HEAD_WORDS: Final = words("boilerplate", "head_words")
_QUOTES_WHAT_FOLLOWS: Final = words("boilerplate", "quoting_words")
_ANCHORS: Final = _TAIL_WORDS - words("boilerplate", "everyday_words") | words("boilerplate", "pairs")
_TRIGGERS: Final = words("boilerplate", "trigger_words") | {
    max(words_of(site), key=len) for site in _SITES if words_of(site)
}
_LONGEST_SEGMENT: Final = 60
_LONGEST_TAIL: Final = 70
_LONGEST_CREDIT: Final = 200  # "Stock Photo - Royalty-Free, Artist: …, Code: …"
_MOST_TAIL_WORDS: Final = 14
_MOST_CUTS: Final = 50

_ZH: Final = alternation(words("boilerplate", "chinese"))
_ZH_ENDS: Final = alternation(words("boilerplate", "chinese_tails"))
_ZH_TOKEN: Final = re.compile(
    rf"(?<![^\s|,，、/【】\[\]（）()_-])(?:{_ZH}){{1,8}}(?![^\s|,，、/【】\[\]（）()！!。_-])"
)
_ZH_TAIL: Final = re.compile(rf"(?<=[{CJK}A-Za-z0-9])(?:[\s,，。_-]?(?:{_ZH_ENDS})){{1,8}}[！!。.]?\Z")
_ZH_FIRSTS: Final = "".join(
    sorted({w[0] for s in ("chinese", "chinese_tails") for w in words("boilerplate", s)} - set("0123456789"))
)


def boilerplate_rules(_options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the rule of this module."""
    wide = "".join(character for character in _ZH_FIRSTS if ord(character) > 127)
    yield Rule("boilerplate", Trigger(words=_TRIGGERS, characters="|" + wide), _boilerplate)


def is_boilerplate(segment: str) -> bool:
    """Return whether a whole segment is a site, a shop or a set phrase, and says nothing of the picture."""
    if len(segment) > _LONGEST_SEGMENT:
        return False
    named = words_of(segment)
    if segment.isascii() and not (
        _VOCABULARY.issuperset(named) or "." in segment or named[-1] in _SHOP_WORDS or named[0] in _FOLLOW
    ):
        return False
    if _SITE.fullmatch(segment) or _SEGMENT.fullmatch(segment) or _DOMAIN.fullmatch(segment):
        return True
    if not _SHOP_SEGMENT.fullmatch(segment):
        return False
    return len(named) < 2 or named[-2] not in _SHOP_KINDS


def _boilerplate(text: str, _state: State) -> tuple[str, int]:
    edits = 0
    if "(" in text or "[" in text or "lick to" in text:
        text, edits = _ANYWHERE.subn(" ", text)
    if not text.isascii():
        text, more = _ZH_TOKEN.subn(" ", text)
        edits += more
        text, more = _ZH_TAIL.subn("", text)
        edits += more
    for _ in range(_MOST_CUTS):
        shorter = _shorten(text)
        if shorter == text:
            break
        text, edits = shorter, edits + 1
    return text, edits


def _shorten(text: str) -> str:
    """Cut one head, tail or segment; the same text if there is none."""
    said = words_of(text)
    if _VOCABULARY.issuperset(said) and _SEGMENT.fullmatch(text.strip()):
        return ""  # a set phrase and nothing else; a lone shop's name may be what the picture shows
    if (
        said
        and said[-1] in _TAIL_WORDS
        and not _ANCHORS.isdisjoint(said[-_MOST_TAIL_WORDS:])
        and (tail := _tail(text))
    ):
        return _ORDER.sub("", text[: tail.start()].rstrip())
    if not _HEAD_WORDS.isdisjoint(said[:2]) and (head := _HEAD.match(text)):
        return text[head.end() :].lstrip(" :,-–—|!.")
    return _without_segment(text)


def _tail(text: str) -> re.Match[str] | None:
    reach = _LONGEST_CREDIT if "oyalty" in text or "ights" in text else _LONGEST_TAIL
    found = _TAIL.search(text, max(0, len(text) - reach))
    # "A shop sign reading FREE SHIPPING": there the words are what the picture shows.
    quoted = found is not None and text[: found.start()].rpartition(" ")[2].lower() in _QUOTES_WHAT_FOLLOWS
    return None if quoted else found


def _without_segment(text: str) -> str:
    if text.isascii() and not any(map(text.__contains__, _ASCII_SEPARATORS)):
        return text
    first, last = None, None
    for separator in _SEPARATOR.finditer(text):
        first, last = first or separator, separator
    if first is None or last is None:
        return text
    if is_boilerplate(text[last.end() :].strip()):
        return text[: last.start()].rstrip()
    if "|" in first[0] and is_boilerplate(text[: first.start()].strip()):
        return text[first.end() :].lstrip()
    return text
