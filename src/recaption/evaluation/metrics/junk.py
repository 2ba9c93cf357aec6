"""What no caption should hold: refusals, prompts, boilerplate openers, markup, addresses, damaged characters, loops.

The same checks that a run applies to what a model answers, applied to every column alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from recaption.evaluation.measures import About as Figure
from recaption.evaluation.measures import Additive, Listing, Result
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.counts import spoken
from recaption.evaluation.text.figures import Owners, mean_over_texts, shortened
from recaption.evaluation.text.tokens import MAX_CHARS
from recaption.evaluation.tools import Tools
from recaption.media.checks.about import About
from recaption.media.checks.damage import damage
from recaption.media.checks.findings import FINDINGS
from recaption.media.checks.loops import loops
from recaption.media.checks.reading import Reading
from recaption.media.checks.wording import wording
from recaption.media.checks.wrapping import wrapping
from recaption.media.rules.boilerplate import boilerplate_rules
from recaption.media.rules.encoding import encoding_rules
from recaption.media.rules.engine import Normaliser
from recaption.media.rules.filenames import file_name_rules
from recaption.media.rules.options import NormaliseOptions

__all__ = ["KINDS", "Junk", "JunkFacts", "JunkFound", "junk_in"]


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    names: tuple[str, ...]
    """Findings that count for it."""


KINDS: Final[Mapping[str, _Kind]] = {
    "refusal": _Kind("Refusals", ("refusal",)),
    "prompt": _Kind("The model speaks of itself, its prompt or its task", ("meta", "leak", "role", "label")),
    "opener": _Kind("Openers that say that a picture shows something", ("opener",)),
    "markup": _Kind("Markdown, JSON, HTML, quotation marks around it", ("wrapper", "entities")),
    "link": _Kind("Addresses", ("link",)),
    "name": _Kind("File names and other words of no use", ("file_names", "boilerplate")),
    "damage": _Kind("Damaged, invisible or no letters", ("damaged", "hidden", "mojibake", "symbols")),
    "loop": _Kind("Loops", ("loop",)),
}
"""Kinds of junk."""
_HARMLESS: Final = "opener"
"""A matter of style, and left out of the sum."""

_MEANINGS: Final = {
    **{name: FINDINGS[name] for kind in KINDS.values() for name in kind.names if name in FINDINGS},
    "mojibake": "letters that were read in the wrong encoding",
    "entities": "HTML entities",
    "file_names": "names of files and cameras",
    "boilerplate": "words of shops, agencies and search engines",
}
_CHECKS: Final = (damage, wrapping, wording, loops)
_NOTHING_KNOWN: Final = About()


@dataclass(frozen=True, slots=True, eq=False)
class JunkFound:
    """What was found in one column."""

    kinds: Mapping[str, NDArray[np.bool_]]
    """Kind to whether each text has it."""
    owners: Owners
    by_name: Mapping[str, int]
    """Finding to the number of texts that have it."""
    examples: Mapping[str, str]
    """Finding to the first text that has it, shortened."""


@dataclass(frozen=True, slots=True, eq=False)
class JunkFacts:
    """What was found, by column."""

    columns: Mapping[str, JunkFound]


class Junk:
    """Shares of texts that hold what no caption should hold."""

    name: ClassVar[str] = "junk"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> JunkFacts:
        """Return what the checks find in every text."""
        return JunkFacts({column: _found(spoken(subject, column)) for column in subject.columns})

    def score(self, subject: Subject, facts: JunkFacts) -> Sequence[Result]:
        """Return the share of texts with any junk but openers, a share for every kind, and a table of findings."""
        owners = {column: found.owners for column, found in facts.columns.items()}
        n = len(subject)

        def share(
            name: str, title: str, of: Sequence[str], *, primary: bool = False, note: str = ""
        ) -> Additive:
            about = Figure(
                name=name,
                title=title,
                group="fluency",
                better="lower",
                unit="share",
                value_range=(0, 1),
                primary=primary,
                note=note,
            )
            values = {
                column: np.any([found.kinds[kind] for kind in of], axis=0).astype(np.float64)
                for column, found in facts.columns.items()
            }
            return mean_over_texts(about, values, owners, n)

        every = [kind for kind in KINDS if kind != _HARMLESS]
        return [
            share("junk", "Texts that hold junk", every, primary=True, note="any kind below, openers left out"),
            *(share(f"junk.{kind}", about.title, [kind]) for kind, about in KINDS.items()),
            _table(subject, facts),
        ]


def junk_in(text: str) -> Iterator[str]:
    """Yield the names of what is found in a text; of a long one only the beginning is read."""
    text = text[:MAX_CHARS]
    reading = Reading(text)
    for check in _CHECKS:
        for finding in check(reading, _NOTHING_KNOWN):
            if finding.name in _MEANINGS:
                yield finding.name
    yield from _repairer().run(text).fired


@cache
def _repairer() -> Normaliser:
    """Return the rules that repair a text, or rid it of what says nothing: what a run cleans, counts here."""
    options = NormaliseOptions()
    every = chain(encoding_rules(options), file_name_rules(options), boilerplate_rules(options))
    return Normaliser([rule for rule in every if rule.name in _MEANINGS])


def _found(texts: Iterator[tuple[int, str]]) -> JunkFound:
    owners: list[int] = []
    names_of: list[frozenset[str]] = []
    by_name: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for owner, text in texts:
        names = frozenset(junk_in(text))
        owners.append(owner)
        names_of.append(names)
        for name in names:
            by_name[name] += 1
            if name not in examples:
                examples[name] = shortened(text)
    return JunkFound(
        kinds={
            kind: np.array([not names.isdisjoint(about.names) for names in names_of], dtype=np.bool_)
            for kind, about in KINDS.items()
        },
        owners=np.array(owners, dtype=np.int64),
        by_name=by_name,
        examples=examples,
    )


def _table(subject: Subject, facts: JunkFacts) -> Listing:
    rows = []
    for name, meaning in _MEANINGS.items():
        found = [facts.columns[column] for column in subject.columns]
        if any(f.by_name.get(name) for f in found):
            cells = (cell for f in found for cell in (f"{f.by_name.get(name, 0):,}", f.examples.get(name, "")))
            rows.append((name, meaning, *cells))
    silent = [name for name in _MEANINGS if all(name != row[0] for row in rows)]
    return Listing(
        name="junk_findings",
        title="Junk by finding",
        header=(
            "finding",
            "means",
            *(head for column in subject.columns for head in (column, f"{column}: first")),
        ),
        rows=rows,
        note=f"Texts that have it. Found nowhere: {', '.join(silent) or 'none'}.",
    )
