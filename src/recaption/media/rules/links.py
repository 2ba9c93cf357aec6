"""Rules for addresses and personal data: URLs, e-mails, payment cards, phone numbers."""

import re
from collections.abc import Callable, Iterator
from typing import Final, Literal

from recaption.media.rules.engine import Rule, State, Trigger, words_of
from recaption.media.rules.options import NormaliseOptions
from recaption.media.rules.wordlists import alternation, words

__all__ = ["is_card_number", "link_rules"]

_DOMAINS: Final = words("links", "top_level_domains")
_TLD: Final = alternation(_DOMAINS)
# ASCII only, so that a URL ends where Chinese text begins; brackets and quotes around it are not part of it.
_URL_BODY: Final = r"[A-Za-z0-9\-._~:/?#@!$&()*+,;=%]"
_URL: Final = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?:https?|ftps?)://|www\.(?=[A-Za-z0-9])){_URL_BODY}{{1,2000}}"
    rf"|(?<![A-Za-z0-9@._-])(?:[A-Za-z0-9-]{{1,63}}\.){{1,4}}(?:{_TLD})/{_URL_BODY}{{0,2000}}",
    re.IGNORECASE,
)
_URL_LIKE: Final = re.compile(r"\.[A-Za-z]{2,6}/|www\.", re.IGNORECASE)
_TRAILING: Final = re.compile(r"[.,;:!?'*]{1,20}\Z")
_LEAD_IN: Final = re.compile(
    rf"(?:\s|(?<=[(\[]))(?:{alternation(words('links', 'lead_ins'))})\s?[:：]?\s?\Z", re.IGNORECASE
)

_AFTER_ADDRESS: Final = ("", ".", ",", ";", "!", "?", ")", "]")

_EMAIL: Final = re.compile(
    r"(?:mailto:)?(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,5}[A-Za-z]{2,24}(?![A-Za-z0-9@])",
    re.IGNORECASE,
)
_DIGIT_RUN: Final = re.compile(r"(?<![0-9A-Za-z.-])[3-6][0-9]{3}(?:[ -]?[0-9]{2,6}){2,4}(?![0-9A-Za-z-])")
_CARD_GROUPS: Final = re.compile(
    r"(?:[0-9]{13,16}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}|[0-9]{4}([ -])[0-9]{6}\2[0-9]{5})"
)
_PHONE_LIKE: Final = re.compile(r"[0-9]{3}(?:[.-]|\) ?)[0-9]{3}[ .-][0-9]{4}")
_PHONE_WORDS: Final = words("links", "phone_words")
_PHONE: Final = re.compile(
    rf"(?:(?:\b(?:{alternation(words('links', 'phone_words'))})|{alternation(words('links', 'phone_words_zh'))})"
    r"\.?\s{0,3}(?:no|number|号码?)?\.?\s{0,3}[:：#]?\s{0,3}\+?[0-9(][0-9 ().-]{5,18}[0-9])(?![0-9])"
    r"|(?<![0-9A-Za-z+])\+[1-9][0-9]{0,2}[ .-]?(?:\([0-9]{1,4}\)[ .-]?)?[0-9]{2,4}(?:[ .-]?[0-9]{2,4}){1,4}(?![0-9])"
    r"|(?<![0-9A-Za-z(-])(?:1[ .-])?\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9-])"
    r"|(?<![0-9A-Za-z-])(?:1[ .-])?[2-9][0-9]{2}([.-])[2-9][0-9]{2}\1[0-9]{4}(?![0-9-])"
    rf"|(?<=[\u4e00-\u9fff：:])\s?1[3-9][0-9]{{9}}(?![0-9])",
    re.IGNORECASE,
)


def link_rules(options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the rules of this module."""
    yield Rule("urls", Trigger(characters="/", words=frozenset({"www"})), _urls)
    mode = options.personal_data
    yield Rule("emails", Trigger(characters="@"), _finder("email", _EMAIL, mode))
    yield Rule("cards", Trigger(digits=13), _finder("card", _DIGIT_RUN, mode, is_card_number))
    yield Rule("phones", Trigger(digits=7), _finder("phone", _PHONE, mode, _enough_digits, _may_be_phone))


def _urls(text: str, _state: State) -> tuple[str, int]:
    if "://" not in text and not _URL_LIKE.search(text):
        return text, 0
    kept, end, edits = "", 0, 0
    for match in _URL.finditer(text):
        before = text[end : match.start()]
        end = match.start() + len(_without_tail(match[0]))
        if text[end : end + 1] in _AFTER_ADDRESS:  # "… more at http://x.y": the lead-in goes with the address
            before = _LEAD_IN.sub("", before)
        kept = _joined(kept, before)
        edits += 1
    return (_joined(kept, text[end:]), edits) if edits else (text, 0)


def _joined(before: str, after: str) -> str:
    """Put two pieces together where an address was cut out: one space between words, none beside a space."""
    apart = before[-1:].isspace() or after[:1].isspace() or not before or not after
    return before + after if apart else f"{before} {after}"


def _without_tail(url: str) -> str:
    """Give back punctuation that belongs to the sentence, and a bracket that was opened outside."""
    while True:
        shorter = _TRAILING.sub("", url)
        if shorter.endswith(")") and shorter.count("(") < shorter.count(")"):
            shorter = shorter[:-1]
        if shorter == url:
            return url
        url = shorter


def is_card_number(digits: str) -> bool:
    """Return whether 13 to 16 digits, grouped as on a card, pass the Luhn check (ISO/IEC 7812-1)."""
    if not _CARD_GROUPS.fullmatch(digits):
        return False
    bare = digits.replace(" ", "").replace("-", "")
    if len(bare) == 13 and bare[0] != "4":  # only old Visa numbers are this short; the rest are bar codes
        return False
    total = 0
    for position, digit in enumerate(reversed(bare)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0 and len(set(bare)) > 1


def _may_be_phone(text: str) -> bool:
    if "+" in text or not text.isascii() or not _PHONE_WORDS.isdisjoint(words_of(text)):
        return True
    return _PHONE_LIKE.search(text) is not None


def _enough_digits(phone: str) -> bool:
    return 7 <= sum(character.isdigit() for character in phone) <= 15


def _finder(
    kind: str,
    pattern: re.Pattern[str],
    mode: Literal["drop", "mask", "tag"],
    holds: Callable[[str], bool] = bool,
    may_be: Callable[[str], bool] | None = None,
) -> Callable[[str, State], tuple[str, int]]:
    mask = f"[{kind}]" if mode == "mask" else ""

    def apply(text: str, state: State) -> tuple[str, int]:
        if may_be is not None and not may_be(text):
            return text, 0
        edits = 0

        def replace(match: re.Match[str]) -> str:
            nonlocal edits
            if not holds(match[0]):
                return match[0]
            found = state.flags.get("personal_data", "")
            if kind not in found:
                state.flags["personal_data"] = f"{found}, {kind}" if found else kind
            if mode == "tag":
                return match[0]
            edits += 1
            return mask

        return pattern.sub(replace, text), edits

    return apply
