"""One sentence made shorter: its longest beginning that fits and ends well."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from recaption.media.budgets import Budget
from recaption.media.salience import judge
from recaption.media.sentences import Cut, Span, cuts, is_dangling, is_plain, span_around

__all__ = ["CutAt", "Measure", "Shortened", "balanced", "end_well", "finer", "measured", "shorten", "window"]

CutAt = Literal["none", "sentence", "clause", "phrase", "word"]
"""The finest cut that was made in a text."""

Measure = Callable[[str], int]
"""What a text costs, special tokens not counted."""

_MOST_LOOSE_WORDS: Final = 8
"""In a row; more of them are not language, and a beginning that ends so is given up."""
_FINENESS: Final[tuple[CutAt, ...]] = ("none", "sentence", "clause", "phrase", "word")
_LEAST_WINDOW: Final = 1000
_CHARACTERS_PER_TOKEN: Final = 16
_SEPARATORS: Final = ",;:，；：、–—-|/\\&+"
_STOPS: Final = ".!?。！？"
_AFTER_STOP: Final = "\"'”’»)]」』）】》…"
_PAIRS: Final = ("“”", "()", "（）", "「」", "《》")
_ONLY_OPENING: Final = "“‘«([{（【「『《"
_OPENING: Final = _ONLY_OPENING + "\"'"
_CLOSING: Final = {
    '"': '"',
    "“": "”",
    "«": "»",
    "「": "」",
    "『": "』",
    "《": "》",
    "(": ")",
    "[": "]",
    "（": "）",
    "【": "】",
}
_UNSPACED = (
    "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
_BLANK = re.compile(r"(?<=\S)(?=\s)|(?<=[，；：、。])(?=\S)")
_BETWEEN_CHARACTERS = re.compile(rf"(?<=[{_UNSPACED}])(?=[{_UNSPACED}])")
_REST_OF_LIST = re.compile(
    r"(?:, (?!and |or )[\w'’-]++(?: (?!and |or )[\w'’-]++){0,3})*+,? (and|or) (?:[\w'’-]++ ?+){1,4}[,.]",
    re.IGNORECASE,
)
_LIST_ITEM = re.compile(r", ([\w'’-]++(?: [\w'’-]++){0,3})$")


@dataclass(frozen=True, slots=True)
class Shortened:
    """A beginning of a sentence, made to end well."""

    text: str
    cost: int
    end: int
    """Offset in the source up to which it was kept."""
    level: Literal["clause", "phrase", "word"]
    note: str | None = None
    """What could not be kept whole."""


def finer(a: CutAt, b: CutAt) -> CutAt:
    """Return the finer of two cuts."""
    return max(a, b, key=_FINENESS.index)


def measured(budget: Budget, lead: str = "") -> Measure:
    """Return the measure of a budget for texts that follow the blanks `lead`."""
    return lambda body: budget.count(lead + body) - budget.specials


def window(room: int) -> int:
    """Return how many characters of a sentence are looked at: more than can fit, yet bounded."""
    return max(_LEAST_WINDOW, _CHARACTERS_PER_TOKEN * room)


def shorten(
    text: str,
    span: Span,
    room: int,
    measure: Measure,
    guard: Sequence[Span] = (),
    *,
    clauses_only: bool = False,
) -> Shortened | None:
    """Return the longest beginning of the sentence `text[span]` that costs at most `room`; None if there is none.

    A clause end is preferred, then a phrase end, then a place between words.
    """
    near = (span[0], min(span[1], span[0] + window(room)))
    found = cuts(text, *near, guard)
    settings = judge().settings
    clause = _longest(text, span, [c for c in found if c.level == "clause"], room, measure, guard)
    if clauses_only or (clause and clause.cost >= settings["keep_clause_share"] * room):
        return clause
    phrase = _longest(text, span, found, room, measure, guard)
    if phrase and phrase.cost >= settings["keep_phrase_share"] * room:
        return phrase
    return _between_words(text, span, near, room, measure, guard) or phrase


def _longest(
    text: str, span: Span, places: Sequence[Cut], room: int, measure: Measure, guard: Sequence[Span]
) -> Shortened | None:
    """Search the last of the ascending places at which the ended beginning still fits."""
    best: Shortened | None = None

    def overflows(place: Cut) -> bool:
        nonlocal best
        ended, end = end_well(text, span, place.end, guard, mend_list=place.level == "phrase")
        cost = measure(ended)
        if cost <= room and any(map(str.isalnum, ended)) and (best is None or end > best.end):
            best = Shortened(ended, cost, end, place.level)
        return cost > room

    # The first steps double, so that a huge text is never measured far beyond what fits.
    reach = 1
    while reach < len(places) and not overflows(places[reach - 1]):
        reach *= 2
    bisect_left(places, True, reach // 2, min(reach, len(places)), key=overflows)
    return best


def _between_words(
    text: str, span: Span, near: Span, room: int, measure: Measure, guard: Sequence[Span]
) -> Shortened | None:
    """Cut between words: outside what is to stay whole, else inside it, else between unspaced characters."""
    enough = judge().settings["keep_word_share"] * room
    blanks = [match.start() for match in _BLANK.finditer(text, *near)]
    outside = [place for place in blanks if span_around(guard, place) is None]
    between = [
        match.start()
        for match in _BETWEEN_CHARACTERS.finditer(text, *near)
        if not unicodedata.category(text[match.start()]).startswith("M")
    ]
    best: Shortened | None = None
    tries: tuple[tuple[list[int], str | None], ...] = (
        (outside, None),
        (blanks, "a quote or name is longer than the budget"),
        (sorted({*blanks, *between}), "cut between characters, this script writes no blanks between words"),
    )
    for places, note in tries:
        found = _longest(text, span, [Cut(p, p, "phrase") for p in places], room, measure, guard)
        if found and (best is None or found.cost > best.cost):
            best = Shortened(found.text, found.cost, found.end, "word", note)
        if best and best.cost >= enough:
            break
    return best


def end_well(
    text: str, span: Span, place: int, guard: Sequence[Span] = (), *, mend_list: bool = False
) -> tuple[str, int]:
    """Return `text[span[0]:place]` with a proper end, and the offset up to which the source was kept.

    Left out at the end: blanks, commas, words that ask for more. Added: the closing mark of a quote that was cut,
    the full stop if the sentence had one, and with `mend_list` the `and` of a list that lost its last items.
    """
    start, end, loose_words = span[0], place, 0
    while end > start:
        last = text[end - 1]
        if last.isspace() or last in _SEPARATORS or _opens(text, start, end - 1, guard):
            end -= 1
            continue
        loose = is_dangling(text, start, end)
        if not loose:
            break
        end -= loose
        loose_words += 1
        if loose_words > _MOST_LOOSE_WORDS:
            return "", start
    if end <= start:
        return "", start
    body = _mended_list(text, start, end, span[1]) if mend_list else text[start:end]
    around = span_around(guard, end)
    closing = _CLOSING.get(text[around[0]], "") if around else ""
    stop = _full_stop(text, span)
    return body + closing + ("" if body[-1] in _STOPS and not closing else stop), end


def _opens(text: str, start: int, place: int, guard: Sequence[Span]) -> bool:
    """Say whether the mark at a place opens a quote or bracket, of which nothing is left."""
    mark = text[place]
    if mark not in _OPENING:
        return False
    around = span_around(guard, place + 1)
    return mark in _ONLY_OPENING or place == start or text[place - 1].isspace() or (around or (0,))[0] == place


def balanced(text: str, source: str) -> str:
    """Return the text without the quote marks and brackets that lost their partner to a cut."""
    if text.count('"') % 2 and source.count('"') % 2 == 0:
        place = 0 if text[0] == '"' else text.rindex('"')
        text = text[:place] + text[place + 1 :]
    for opening, closing in _PAIRS:
        surplus = text.count(opening) - text.count(closing)
        if surplus and source.count(opening) == source.count(closing):
            text = text.replace(opening, "", surplus) if surplus > 0 else text.replace(closing, "", -surplus)
    return text.strip()


def _full_stop(text: str, span: Span) -> str:
    last = text[span[0] : span[1]].rstrip().rstrip(_AFTER_STOP)[-1:]
    return last if last and last in _STOPS else ""


def _mended_list(text: str, start: int, end: int, sentence_end: int) -> str:
    """Give a list that lost its last items an `and` again: `a, b` of `a, b, and c` becomes `a and b`."""
    body = text[start:end]
    goes_on = _REST_OF_LIST.match(text, end, sentence_end)
    item = _LIST_ITEM.search(body) if goes_on else None
    if not goes_on or not item or not is_plain(item[1]):
        return body
    head = body[: item.start()]
    comma = "," if _LIST_ITEM.search(head) else ""
    return f"{head}{comma} {goes_on[1]} {item[1]}"
