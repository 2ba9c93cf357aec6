"""Slips of grammar per hundred words, by rules of our own that know little and are seldom wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from recaption.evaluation.measures import About, Floats, Listing, Result
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.counts import TextCounts, column_counts, spoken
from recaption.evaluation.text.figures import Owners, mean_over_texts, ratio_of_sums, shortened
from recaption.evaluation.text.grammar_rules import DEFAULT_RULES, RULES, Slip, checked_rules, slips
from recaption.evaluation.text.languages import ENGLISH, UNCLEAR
from recaption.evaluation.tools import Tools

__all__ = ["Grammar", "GrammarFacts", "SlipCounts"]

_PER: Final = 100
_AROUND: Final = 30
"""Characters shown before and behind an example."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SlipCounts:
    """What the rules found in one column."""

    slips: Floats
    """How many in each text."""
    words: Floats
    owners: Owners
    by_rule: Mapping[str, int]
    examples: Mapping[str, str]
    """Rule to its first find, with what stands around it."""
    other_languages: int
    """Texts that only the rules that need no English were applied to."""


@dataclass(frozen=True, slots=True, eq=False)
class GrammarFacts:
    """What was found, by column, and the rules that were asked."""

    rules: frozenset[str]
    columns: Mapping[str, SlipCounts]


class Grammar:
    """Slips that are wrong nearly always; what a rule cannot be sure of is not told."""

    name: ClassVar[str] = "grammar"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> GrammarFacts:
        """Return the slips of every text.

        Raises:
            UnknownNameError: `options.grammar_rules` names a rule that there is not.
        """
        named = tools.options.grammar_rules
        rules = DEFAULT_RULES if named is None else checked_rules(named)
        found = {
            column: _found(
                [text for _, text in spoken(subject, column)], column_counts(subject, tools, column), rules
            )
            for column in subject.columns
        }
        return GrammarFacts(rules, found)

    def score(self, subject: Subject, facts: GrammarFacts) -> Sequence[Result]:
        """Return slips per hundred words, the share of texts without any, and a table of rules."""
        owners = {column: found.owners for column, found in facts.columns.items()}
        rate = About(
            name="grammar_slips",
            title=f"Grammar slips per {_PER} words",
            group="fluency",
            better="lower",
            value_range=(0, None),
            primary=True,
            note=_note(facts),
        )
        clean = About(
            name="grammar_clean",
            title="Texts without a grammar slip",
            group="fluency",
            unit="share",
            value_range=(0, 1),
            note="a longer text has more room for slips",
        )
        sums = {column: (_PER * found.slips, found.words) for column, found in facts.columns.items()}
        without = {column: (found.slips == 0).astype(np.float64) for column, found in facts.columns.items()}
        return [
            ratio_of_sums(rate, sums, owners, len(subject)),
            mean_over_texts(clean, without, owners, len(subject)),
            _table(subject, facts),
        ]


def _found(texts: Sequence[str], counts: TextCounts, rules: frozenset[str]) -> SlipCounts:
    by_rule: Counter[str] = Counter()
    examples: dict[str, str] = {}
    numbers: list[int] = []
    others = 0
    for text, language in zip(texts, counts.languages, strict=True):
        is_english = language in (ENGLISH, UNCLEAR)
        others += not is_english
        found = slips(text, is_english=is_english, rules=rules)
        numbers.append(len(found))
        for slip in found:
            by_rule[slip.rule] += 1
            if slip.rule not in examples:
                examples[slip.rule] = _excerpt(text, slip)
    return SlipCounts(
        slips=np.array(numbers, dtype=np.float64),
        words=counts.words,
        owners=counts.owners,
        by_rule=by_rule,
        examples=examples,
        other_languages=others,
    )


def _excerpt(text: str, slip: Slip) -> str:
    start, end = max(0, slip.start - _AROUND), slip.end + _AROUND
    marked = f"{text[start : slip.start]}[{text[slip.start : slip.end]}]{text[slip.end : end]}"
    return shortened(("…" if start else "") + marked + ("…" if end < len(text) else ""))


def _note(facts: GrammarFacts) -> str:
    others = ", ".join(f"{f.other_languages:,} of {column!r}" for column, f in facts.columns.items())
    off = sorted(set(RULES) - facts.rules)
    return (
        f"all slips over all words; {len(facts.rules)} rules of our own that tell only what is certain"
        + (f" (off: {', '.join(off)})" if off else "")
        + f"; texts in another language than English, judged by their marks alone: {others}"
    )


def _table(subject: Subject, facts: GrammarFacts) -> Listing:
    rows = []
    for rule, meaning in RULES.items():
        found = [facts.columns[column] for column in subject.columns]
        if any(f.by_rule.get(rule) for f in found):
            cells = (cell for f in found for cell in (f"{f.by_rule.get(rule, 0):,}", f.examples.get(rule, "")))
            rows.append((rule, meaning, *cells))
    return Listing(
        name="grammar_rules",
        title="Grammar slips by rule",
        header=(
            "rule",
            "finds",
            *(head for column in subject.columns for head in (column, f"{column}: first")),
        ),
        rows=rows,
        note=f"Rules that found nothing: {', '.join(_silent(facts)) or 'none'}.",
    )


def _silent(facts: GrammarFacts) -> list[str]:
    return [
        rule
        for rule in RULES
        if rule in facts.rules and not any(f.by_rule.get(rule) for f in facts.columns.values())
    ]
