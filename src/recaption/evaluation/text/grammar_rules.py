"""Slips of grammar, found by rules that are named and can be switched off one by one.

What is told is wrong nearly always; much that is wrong is not told. A count says more about a column of thousands of
texts than about one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from recaption.core.errors import UnknownNameError
from recaption.evaluation.text.grammar_data import grammar
from recaption.evaluation.text.grammar_marks import doubled_marks, misplaced_blanks, unbalanced
from recaption.evaluation.text.grammar_slip import Slip
from recaption.evaluation.text.grammar_words import word_slips
from recaption.evaluation.text.tokens import MAX_CHARS
from recaption.media.checks.about import About
from recaption.media.checks.endings import endings
from recaption.media.checks.reading import Reading

__all__ = ["DEFAULT_RULES", "RULES", "Slip", "checked_rules", "slips"]

RULES: Final[dict[str, str]] = {
    "unbalanced": "a bracket or quotation mark without its other half",
    "doubled_mark": "two marks where one should stand",
    "cut": "stops in the middle of a sentence",
    "no_final_stop": "the last of several sentences has no end",
    "no_blank_after_mark": "no blank after a comma or full stop",
    "blank_before_mark": "a blank before a comma or full stop",
    "article": "a for an, or an for a",
    "number": "one dogs, two dog",
    "agreement": "subject and verb differ in number",
    "repeated_word": "a word or a few twice in a row",
    "confused_word": "a word mistaken for another that sounds alike",
    "lower_start": "a sentence that begins in lower case",
}
"""Every rule, and what it finds."""
_ANY_LANGUAGE: Final = frozenset({"unbalanced", "doubled_mark"})
"""Rules that need no English."""
DEFAULT_RULES: Final = frozenset(RULES) - {"lower_start"}
"""Those in force unless told otherwise: captions may well be fragments in lower case."""

_WORD_RULES: Final = frozenset({"article", "number", "agreement", "repeated_word", "confused_word"})
_TERMINAL: Final = frozenset(".!?…。！？｡")
_NO_END: Final = "the last sentence has no end"
"""How `endings` says so; in a caption without sentences that is no fault."""
_VERBS: Final = frozenset(
    {"is", "are", "was", "were", "has", "have", "can", "appears", "seems", "sits", "stands"}
)
_LEAST_PROSE: Final = 5
_LOWER_START: Final = re.compile(
    r"(?:\A\s*|[a-z]{3}(?<!\betc)(?<!prox)(?<!\bincl)(?<!\bfeat)(?<!\binc)(?<!\bltd)[.!?]\s+)"
    r"[\"'“‘(\[]*(?P<word>[a-z][\w'’-]*)(?![@/:]|\.\w)"
)


def checked_rules(names: Iterable[str]) -> frozenset[str]:
    """Return rules by name. Raises UnknownNameError."""
    chosen = frozenset(names)
    for name in sorted(chosen - frozenset(RULES)):
        raise UnknownNameError("grammar rule", name, RULES)
    return chosen


def slips(text: str, *, is_english: bool, rules: frozenset[str] = DEFAULT_RULES) -> list[Slip]:
    """Return what the rules find in a text, by place; of a long text only the beginning is read.

    Args:
        is_english: Whether the rules that know English apply.
    """
    text = text[:MAX_CHARS]
    found: list[Slip] = []
    for names, finder in _FINDERS:
        if not rules.isdisjoint(names) and (is_english or not names.isdisjoint(_ANY_LANGUAGE)):
            found.extend(slip for slip in finder(text) if slip.rule in rules)
    if any(slip.rule == "cut" for slip in found):
        # What a cut text has opened it never came to close: one slip, not two.
        found = [s for s in found if s.rule != "unbalanced" or text[s.start] in ")]}”"]
    return sorted(found, key=lambda slip: (slip.start, slip.end))


def _cut(text: str) -> Iterator[Slip]:
    if text.rstrip()[-1:] in _TERMINAL:
        return
    for finding in endings(Reading(text), About()):
        start, end = finding.span or (0, len(text))
        last = text[start:end].strip()
        if finding.reason == _NO_END:
            if _is_prose(text[:start]):
                yield Slip("no_final_stop", start, end)
        elif last.lower() not in grammar().sets["may_end"] and last != "A":
            yield Slip("cut", start, end)


def _is_prose(text: str) -> bool:
    """Say whether some sentence of a text has a verb that is known: what lists things ends without a stop."""
    words = text.lower().split()
    return len(words) >= _LEAST_PROSE and not _VERBS.isdisjoint(words)


def _lower_start(text: str) -> Iterator[Slip]:
    for found in _LOWER_START.finditer(text):
        yield Slip("lower_start", *found.span("word"))


def _words(text: str) -> Iterator[Slip]:
    return iter(()) if text.isupper() else word_slips(text)


_FINDERS: Final[tuple[tuple[frozenset[str], Callable[[str], Iterator[Slip]]], ...]] = (
    (frozenset({"unbalanced"}), unbalanced),
    (frozenset({"doubled_mark"}), doubled_marks),
    (frozenset({"no_blank_after_mark", "blank_before_mark"}), misplaced_blanks),
    (frozenset({"cut", "no_final_stop"}), _cut),
    (_WORD_RULES, _words),
    (frozenset({"lower_start"}), _lower_start),
)
