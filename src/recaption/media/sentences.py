"""Where a text may be cut: sentences, clauses, phrases, and what must stay whole. English and Chinese.

All spans are offsets, `text[start:end]`. Every segmentation covers its text, so joining gives the text back.
Rules here, words in `sentences.yaml`. Time grows with the length of the text, whatever it holds.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Literal

import yaml

__all__ = [
    "Cut",
    "Level",
    "Span",
    "clause_spans",
    "cuts",
    "is_clause_end",
    "is_dangling",
    "is_plain",
    "leads_in",
    "merged",
    "protected_spans",
    "sentence_spans",
    "span_around",
    "stripped_sentences",
]

Span = tuple[int, int]
Level = Literal["clause", "phrase"]

_CLOSERS = "\"'”’»)\\]」』）】》"
_STOP = re.compile(
    rf"(?:[.!?…]++[{_CLOSERS}]*+|[。！？｡]++[{_CLOSERS}。！？]*+"
    r"|\n[^\S\n]*+\n|\n[ \t]*+(?=(?:[-*•]|\d{1,3}[.)])[ \t]))"
    r"(?P<blanks>\s*+)"
)
_OPENERS = "\"'“‘«([{（【「『《"
_WORD = re.compile(r"[\w'’]++")
_ONE = re.compile(r"\bone\b")
_LEFT_OF_A_CUT = 40
"""Characters looked at to find the word before a place; longer words are no words we know."""
_QUOTE = re.compile(
    r'"[^"\n]{1,300}+"|“[^”\n]{1,300}+”|«[^»\n]{1,300}+»|「[^」\n]{1,300}+」|『[^』\n]{1,300}+』|《[^》\n]{1,300}+》'
    r"|'(?<!\w')(?=\w)[^'\n]{1,80}+'(?!\w)|‘[^’\n]{1,80}+’(?!\w)"
)
_BRACKET = re.compile(r"\([^()\n]{1,300}+\)|\[[^\[\]\n]{1,300}+\]|（[^（）\n]{1,300}+）|【[^【】\n]{1,300}+】")
_CAPITAL = r"(?:[^\W\d_a-z]\w{0,3}\.(?= )|[^\W\d_a-z][\w'’&-]*+)"
_NAME = re.compile(
    # It begins with one set of characters, which lets the matcher skip all else.
    r"[A-ZÀ-\U0010ffff](?<![\w.].)(?:\w{0,3}\.(?= )|[\w'’&-]*+)"
    rf"(?:[ ](?:(?:of|the|de|la|van|von|and|&)[ ]){{0,2}}(?:{_CAPITAL}|\d[\w-]*+))*"
)
_CONTRACTED = ("n't", "'s", "’s", "'re", "’re")
_PASSIVE = re.compile(r"\b(?:is|are|was|were|be|been|being)(?: \w+ly)? \w+(?:ed|en|wn)$")


@dataclass(frozen=True, slots=True)
class Cut:
    """A place where a sentence may end: `text[:end]` stays, and what follows begins at `resume`."""

    end: int
    resume: int
    level: Level


@dataclass(frozen=True, slots=True)
class _Rules:
    abbreviations: frozenset[str]
    ambiguous: frozenset[str]
    before_numbers: frozenset[str]
    openers: frozenset[str]
    governors: frozenset[str]
    dangling: frozenset[str]
    leading: re.Pattern[str]
    introducers: frozenset[str]
    predicates: frozenset[str]
    boundary: re.Pattern[str]
    correlative: re.Pattern[str]
    """The second half of `one … and the other …`, which is not let go alone."""


@cache
def _rules() -> _Rules:
    data: dict[str, Any] = yaml.safe_load(
        files("recaption.media").joinpath("sentences.yaml").read_text("utf-8")
    )

    def one_of(*names: str) -> str:
        entries = sorted({str(w) for name in names for w in data[name]}, key=lambda w: (-len(w), w))
        return "(?:" + "|".join(re.escape(w).replace(r"\ ", " ") for w in entries) + r")(?!\w)"

    predicate, conjunction = one_of("predicates"), one_of("conjunctions")
    new_clause = rf"(?:{one_of('subjects')}|{one_of('determiners')}(?: [\w'’-]++){{1,4}}? {predicate})"
    # Every alternative begins with one mark or blank, which lets the matcher skip all else.
    clause = (
        rf"(?<=;)\s++|(?<=[；，])\s*+|(?<=—)—?\s*+|(?<=\s)[–—-]{{1,2}}\s++"
        rf"|(?<=,)\s++(?={one_of('after_comma')}|(?:\w+ly )?\w+ing\b)"
        rf"|(?:(?<=,)\s++|(?<=\s))(?={conjunction} (?:{predicate}|{new_clause}|{one_of('subordinators')}))"
        rf"|(?<=\s)(?={one_of('subordinators')})"
    )
    phrase = (
        rf"(?<=,)\s++|(?<=[、：])|(?<=\s)(?={one_of('prepositions')}|[(（\[【])"
        rf"|(?<=\s)(?={conjunction} {one_of('determiners', 'prepositions')})"
    )
    sets = {
        name: frozenset(str(w) for w in data[name])
        for name in (
            "abbreviations",
            "ambiguous",
            "before_numbers",
            "openers",
            "governors",
            "dangling",
            "introducers",
            "predicates",
        )
    }
    return _Rules(
        **sets,
        leading=re.compile(rf"[\s,;:，；：、–—-]*+(?:{one_of('leading')}[\s,]++)*+", re.IGNORECASE),
        correlative=re.compile(
            rf",?\s+(?:(?:{conjunction}|{one_of('subordinators')}) )?(?:{one_of('correlatives')}|(?P<one>one\b))"
        ),
        boundary=re.compile(rf"[\s,;；，、：—](?:(?P<clause>{clause})|(?P<phrase>{phrase}))"),
    )


def sentence_spans(text: str) -> list[Span]:
    """Split a text into sentences, each with the blanks after it."""
    spans: list[Span] = []
    start = 0
    for stop in _STOP.finditer(text):
        if text[stop.start()] in ".!?…" and not _ends_sentence(text, stop):
            continue
        spans.append((start, stop.end()))
        start = stop.end()
    if start < len(text):
        spans.append((start, len(text)))
    return spans


def stripped_sentences(text: str) -> tuple[list[Span], list[str]]:
    """Return the sentences without the blanks around them, and the blanks before each."""
    spans: list[Span] = []
    leads: list[str] = []
    previous = 0
    for start, end in sentence_spans(text):
        body = text[start:end]
        begin = start + len(body) - len(body.lstrip())
        stop = start + len(body.rstrip())
        if stop > begin:
            spans.append((begin, stop))
            leads.append(text[previous:begin])
            previous = stop
    return spans, leads


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    """Decide whether a Latin full stop, exclamation or question mark ends a sentence."""
    after, follows = stop.start("blanks"), stop.end()
    if follows == len(text):
        return True
    if after == follows:
        return text[after] > "⺀" and text[after].isalpha()
    rest = text[follows : follows + _LEFT_OF_A_CUT].lstrip(_OPENERS)
    if rest[:1].islower():
        return text.count("\n", after, follows) > 1
    return after - stop.start() > 1 or text[stop.start()] != "." or _stops_after(text, stop.start(), rest)


def _stops_after(text: str, place: int, rest: str) -> bool:
    """Say whether a full stop after the word before `place` is more than the mark of an abbreviation."""
    word = _word_before(text, place)
    rules = _rules()
    is_initial = len(word) == 1 and text[place - 1].isupper()
    if not is_initial and word not in rules.abbreviations:
        return not (word in rules.before_numbers and rest[:1].isdigit())
    if word in rules.before_numbers and rest[:1].isdigit():
        return False
    follower = _WORD.match(rest)
    opens = follower is not None and follower[0].lower() in rules.openers
    return opens and (is_initial or word in rules.ambiguous)


def _word_before(text: str, place: int) -> str:
    """Return the word that ends at a place, in lower case; empty where a mark stands there."""
    words = text[max(0, place - _LEFT_OF_A_CUT) : place].rsplit(None, 1)
    if not words or not (words[-1][-1].isalnum() or words[-1][-1] in "&+"):
        return ""
    return words[-1].lstrip(_OPENERS).lower()


def clause_spans(text: str) -> list[Span]:
    """Split a text into clauses; the separator belongs to the clause it begins."""
    return _split_at_cuts(text, ("clause",))


def phrase_spans(text: str) -> list[Span]:
    """Split a text into phrases, finer than clauses; the separator belongs to the phrase it begins."""
    return _split_at_cuts(text, ("clause", "phrase"))


def _split_at_cuts(text: str, levels: Sequence[Level]) -> list[Span]:
    guard = protected_spans(text)
    spans: list[Span] = []
    for start, end in sentence_spans(text):
        ends = [cut.end for cut in cuts(text, start, end, guard) if cut.level in levels]
        edges = [start, *ends, end]
        spans.extend((a, b) for a, b in pairwise(edges) if b > a)
    return spans


def cuts(text: str, start: int, end: int, guard: Sequence[Span] = ()) -> list[Cut]:
    """Return where the sentence `text[start:end]` may be cut short and still be a sentence or a noun phrase.

    Args:
        guard: Sorted spans that no cut may fall into, as of `protected_spans`.
    """
    rules = _rules()
    sentence = text[start:end]
    lowered = sentence.lower()
    # A few letters change length in lower case, and offsets must hold; such a sentence is read as it stands.
    low = lowered if len(lowered) == len(sentence) else sentence
    body = _main_clause(low)
    earliest = _first_predicate(low, body)
    found: list[Cut] = []
    for match in rules.boundary.finditer(low, body):
        place, resume = match.span()
        if place <= body or resume >= len(low) or _inside(guard, start + place, start + resume):
            continue
        if low[place] == ",":
            resumes = _parenthesis_end(low, resume)
            if resumes is not None:
                earliest = resumes
                continue
            if match["clause"] is not None:
                # The verb before it is one we do not know; what was taken for it belongs to the next clause.
                earliest = min(earliest, place - 1)
        if place <= earliest:
            continue
        is_phrase = match["clause"] is None
        if is_phrase and _governs(low, place):
            continue
        if _word_before(low, place) not in rules.dangling and not _is_second_half(low, place):
            found.append(Cut(start + place, start + resume, "phrase" if is_phrase else "clause"))
    return found


def is_clause_end(text: str, start: int, end: int, place: int) -> bool:
    """Say whether `cuts` of the sentence `text[start:end]` would hold the comma at `place` as a clause end."""
    low = text[start:end].lower()
    here = place - start
    match = _rules().boundary.match(low, here) if len(low) == end - start else None
    if match is None or match["clause"] is None or _word_before(low, here) in _rules().dangling:
        return False
    return here > _main_clause(low) and _parenthesis_end(low, match.end()) is None


def _is_second_half(low: str, place: int) -> bool:
    """Say whether what follows answers to something before: `one …`, and here `, while the other …`."""
    match = _rules().correlative.match(low, place)
    return match is not None and (match["one"] is None or _ONE.search(low, 0, place) is not None)


def _inside(guard: Sequence[Span], place: int, resume: int) -> bool:
    return span_around(guard, place) is not None or span_around(guard, resume) is not None


def _first_predicate(low: str, body: int) -> int:
    """Return where the first verb of the main clause ends; where the clause begins if no verb is known."""
    predicates = _rules().predicates
    for match in _WORD.finditer(low, body):
        if match[0] in predicates or match[0].endswith(_CONTRACTED):
            return match.end()
    return body


def _governs(low: str, place: int) -> bool:
    """Say whether the word before a place needs the phrase after it: `located`, `is topped`."""
    if _word_before(low, place) in _rules().governors:
        return True
    return _PASSIVE.search(low[max(0, place - _LEFT_OF_A_CUT) : place]) is not None


def _main_clause(low: str) -> int:
    """Return where the main clause begins: after `in the background,` or `while she waits,`."""
    first = _WORD.search(low)
    comma = low.find(",") if first and first[0] in _rules().introducers else -1
    return comma + 1


def _parenthesis_end(low: str, after: int) -> int | None:
    """Return where the main verb is, if all that lies between subject and verb begins here: `, who is tall, sits`."""
    comma = low.find(",", after)
    verb = _WORD.match(low, comma + 2) if comma >= 0 else None
    return verb.end() if verb and verb[0] in _rules().predicates else None


def is_dangling(text: str, start: int, end: int) -> int:
    """Return the length of the word before `end` if no text may end with it (`and`, `with`, `the`), else 0."""
    word = _word_before(text, end)
    fits = end - len(word) >= start and text[end - len(word) : end].lower() == word
    return len(word) if fits and word in _rules().dangling else 0


def is_plain(item: str) -> bool:
    """Say whether some words can be an item of a list: no verb, no preposition, nothing that begins a clause."""
    rules = _rules()
    low = item.lower()
    if any(word in rules.predicates or word in rules.introducers for word in low.split()):
        return False
    boundary = rules.boundary.match(f", {low}")
    return not low.endswith("ing") and (boundary is None or boundary["clause"] is None)


def leads_in(text: str, start: int, end: int) -> int:
    """Return where a split-off part begins once its leading marks and conjunction are left out."""
    found = _rules().leading.match(text, start, end)
    return found.end() if found else start


def protected_spans(text: str) -> list[Span]:
    """Return the spans to keep whole, sorted and apart: quotes, brackets, names inside sentences."""
    spans = [match.span() for pattern in (_QUOTE, _BRACKET) for match in pattern.finditer(text)]
    names = list(_names(text))
    # Where every word is capitalised, capitals name nothing.
    if sum(end - start for start, end in names) * 2 < len(text):
        spans.extend(names)
    return merged(spans)


def merged(spans: Sequence[Span]) -> list[Span]:
    """Return spans sorted, with those that overlap made one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif end > start:
            joined.append((start, end))
    return joined


def _names(text: str) -> Iterator[Span]:
    for match in _NAME.finditer(text):
        # Capitals at the start of a sentence say nothing; a second capitalised word after it does.
        before = text[max(0, match.start() - 3) : match.start()].rstrip(" \"'“‘«([")
        inside = before and before[-1] not in ".!?…:\n"
        if match[0][0].isupper() and (" " in match[0] or (inside and len(match[0]) > 1)):
            yield match.span()


def span_around(spans: Sequence[Span], place: int) -> Span | None:
    """Return the span that a place lies strictly inside of; None if there is none."""
    i = bisect_right(spans, (place, 0)) - 1
    return spans[i] if i >= 0 and spans[i][0] < place < spans[i][1] else None
