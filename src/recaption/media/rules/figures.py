"""Rules for figures that say nothing about the picture: time stamps, pixel and parcel sizes, prices."""

import re
from collections.abc import Iterator
from typing import Final

from recaption.media.rules.engine import Rule, State, Trigger
from recaption.media.rules.options import NormaliseOptions
from recaption.media.rules.wordlists import alternation, words

__all__ = ["figure_rules"]

_MONTH: Final = alternation(words("figures", "months"))
_DAY, _YEAR = r"[0-3]?[0-9]", r"(?:1[89]|20)[0-9]{2}"
_STAMP: Final = re.compile(
    r"(?<![0-9A-Za-z.#/-])(?:19[5-9][0-9]|20[0-4][0-9])(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[ _T-]?[0-2][0-9][0-5][0-9](?:[0-5][0-9])?)?(?:[-_][0-9]{1,3})?(?![0-9A-Za-z-])"
    r"|(?<![0-9A-Za-z.#/-])(?:19|20)[0-9]{2}[-.:][01][0-9][-.:][0-3][0-9][ _T][0-2]?[0-9][.:h-][0-5][0-9]"
    r"(?:[.:m-][0-5][0-9](?:[.,][0-9]{1,6})?)?Z?(?![0-9A-Za-z])"
)
_STAMP_LIKE: Final = re.compile(r"[12][09][0-9]{2}[-.:]?[01][0-9][-.:]?[0-3][0-9]")
_DATE: Final = re.compile(
    r"(?:,?\s?\b(?:on|of|dated|taken)\s)?(?:,\s)?(?:"
    rf"\b(?:{_DAY}(?:st|nd|rd|th)?(?:\sof)?\s)?(?:{_MONTH})\.?,?\s(?:{_DAY}(?:st|nd|rd|th)?,?\s)?{_YEAR}\b"
    rf"|\b{_DAY}(?:st|nd|rd|th)?\s(?:{_MONTH})\b(?!\s?[0-9])|\b(?:{_MONTH})\s{_DAY}(?:st|nd|rd|th)\b"
    rf"|(?<![0-9./-]){_DAY}([./-])[0-3]?[0-9]\1(?:{_YEAR}|[0-9]{{2}})(?![0-9./-])"
    rf"|(?<![0-9./-]){_YEAR}([./-])[01]?[0-9]\2[0-3]?[0-9](?![0-9./-])"
    r"|[12][0-9]{3}\s?年\s?(?:[01]?[0-9]\s?月\s?(?:[0-3]?[0-9]\s?[日号])?)?)",
    re.IGNORECASE,
)

_NUMBER: Final = r"[0-9]{1,5}(?:[.,][0-9]{1,3}|[ -][0-9]/[0-9]{1,2}|/[0-9]{1,2})?"
_UNIT: Final = alternation(words("figures", "units")) + r"|in(?!\s+[A-Za-z]{2})"
_INCH: Final = "(?:\"|''|”|″|′′)"
_TIMES: Final = r"\s?(?:[x×*✕])\s?"
_LABELS: Final = alternation(words("figures", "size_labels"))
_LABEL: Final = rf"(?:\b(?:{_LABELS})|{alternation(words('figures', 'size_labels_zh'))})"
_SIZE: Final = re.compile(
    rf"(?:{_LABEL}\s?[:：]?\s?)?(?<![0-9A-Za-z.,/])(?!4\s?[x×]\s?[1-8]?[05]0\s?m)(?:"  # a relay race
    rf"[0-9]{{3,5}}\s?[x×*✕]\s?[0-9]{{3,5}}(?:\s?(?:px|pixels?|像素))?(?![0-9A-Za-z×*])"
    rf"|{_NUMBER}\s?(?:{_INCH}|(?:{_UNIT}))?{_TIMES}(?:{_NUMBER}\s?(?:{_INCH}|(?:{_UNIT}))?{_TIMES})?"
    rf"{_NUMBER}\s?(?:{_INCH}|(?:{_UNIT})(?![A-Za-z]))"
    rf"|{_NUMBER}\s?{_INCH}{_TIMES}{_NUMBER}(?![0-9A-Za-z.]))",
    re.IGNORECASE,
)

_SIZE_LIKE: Final = re.compile(r"[0-9][^0-9]{0,12}[xX×*✕]\s?[0-9]")

_CURRENCY: Final = r"(?:US|AU|CA|C|A|HK|NZ|S)?[$€£¥￥₹₽₩]"
_AMOUNT: Final = r"[0-9]{1,3}(?:[,.][0-9]{3}){1,3}(?:[.,][0-9]{2})?|[0-9]{1,7}(?:[.,][0-9]{1,2})?"
_CODE: Final = r"(?:USD|EUR|GBP|CNY|RMB|JPY|INR|Rs\.?)"
_PRICE_CORE: Final = (
    rf"(?:{_CURRENCY}\s?(?:{_AMOUNT})(?:\s?[-–~]\s?{_CURRENCY}?\s?(?:{_AMOUNT}))?(?:\s?{_CODE})?"
    rf"|{_CODE}\s?(?:{_AMOUNT})|(?:{_AMOUNT})\s?(?:[€£₽]|{_CODE}\b|元|块钱|円))"
)
_ASKING: Final = alternation(words("figures", "asking"))
_ASKING_STRONGLY: Final = alternation(words("figures", "asking_strongly"))
_ASKING_ZH: Final = alternation(words("figures", "asking_zh"))
_LONGEST_TAIL: Final = 60
_SPOKEN: Final = words("figures", "spoken_before")
_LAST_WORD: Final = re.compile(r"([A-Za-z]{1,20})\s*\Z")
_TAIL_PRICE: Final = re.compile(
    rf"(?:[\s,;:|(\[–—-]|\b(?:{_ASKING})\b|(?:{_ASKING_ZH})){{0,8}}(?<![0-9A-Za-z$€£.,])"
    rf"{_PRICE_CORE}(?:\s?(?:each|only|/?pc|起|/件|!|\)|\]|\+)){{0,3}}[\s.!]{{0,3}}\Z",
    re.IGNORECASE,
)
_ASKED_PRICE: Final = re.compile(
    rf"(?:\b(?:{_ASKING_STRONGLY})\b\s?[:：]?\s?|(?:{_ASKING_ZH})[:：]?\s?){_PRICE_CORE}(?![0-9%])",
    re.IGNORECASE,
)
_LONE_PRICE: Final = re.compile(
    rf"(?:(?<=\s[|–—-]\s)|(?<=[(\[【]))\s?{_PRICE_CORE}\s?(?=\s[|–—-]\s|[)\]】])|\A{_PRICE_CORE}\s(?=[|–—-]\s|[A-Z\u4e00-\u9fff])"
    rf"|(?<=[\u4e00-\u9fff]\s){_PRICE_CORE}(?=\s[\u4e00-\u9fff])",
    re.IGNORECASE,
)


def figure_rules(options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the rules of this module."""
    if options.dates != "keep":
        drop = options.dates == "drop"
        yield Rule("dates", Trigger(digits=2 if drop else 8), _every_date if drop else _stamps)
    yield Rule("dimensions", Trigger(characters="×*✕", words=words("figures", "size_triggers")), _sizes)
    money = frozenset({"usd", "eur", "gbp", "cny", "rmb", "jpy", "inr", "rs"})
    yield Rule("prices", Trigger(characters="$€£¥￥₹₽₩元块円", words=money), _prices)


def _stamps(text: str, _state: State) -> tuple[str, int]:
    return _STAMP.subn(" ", text) if _STAMP_LIKE.search(text) else (text, 0)


def _every_date(text: str, _state: State) -> tuple[str, int]:
    text, edits = _STAMP.subn(" ", text)
    text, more = _DATE.subn(" ", text)
    return text, edits + more


def _sizes(text: str, _state: State) -> tuple[str, int]:
    return _SIZE.subn(" ", text) if _SIZE_LIKE.search(text) else (text, 0)


def _prices(text: str, _state: State) -> tuple[str, int]:
    """Cut what is asked for a thing; an amount inside a sentence ("won $1,000 in a quiz") is news and stays."""
    text, edits = _ASKED_PRICE.subn(" ", text)
    text, more = _LONE_PRICE.subn(" ", text)
    edits += more
    if (tail := _TAIL_PRICE.search(text, max(0, len(text) - _LONGEST_TAIL))) and not _is_spoken(
        text[: tail.start()]
    ):
        text = text[: tail.start()]
        edits += 1
    return text, edits


def _is_spoken(before: str) -> bool:
    """Return whether the words before a price make it part of a sentence."""
    last = _LAST_WORD.search(before[-24:])
    return last is not None and last[1].lower() in _SPOKEN
