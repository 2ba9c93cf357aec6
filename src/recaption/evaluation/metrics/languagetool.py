"""What LanguageTool finds per hundred words, where it is installed; rules and version are its own.

Rules on capitals, punctuation, white space and spelling are left out: captions may be fragments in lower case, and
hold names. It needs a server on this machine, or its files and Java; nothing is downloaded.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

import numpy as np

from recaption.core.digests import digest_json, seed_from
from recaption.core.errors import BackendError
from recaption.core.protocols import Answer, Fleeting
from recaption.core.types import JsonValue
from recaption.evaluation.extract.languagetool import DISABLED, CheckError, LanguageTool
from recaption.evaluation.extract.languagetool_server import opened
from recaption.evaluation.measures import About, Floats, Listing, Result
from recaption.evaluation.metric import Need
from recaption.evaluation.subject import Subject
from recaption.evaluation.text.counts import column_counts, spoken
from recaption.evaluation.text.figures import Owners, mean_over_texts, ratio_of_sums
from recaption.evaluation.text.languages import ENGLISH, UNCLEAR
from recaption.evaluation.tools import Tools

__all__ = ["LanguageToolFacts", "LanguageToolFound", "LanguageToolMetric"]

_VERSION: Final = "1"
"""Of what is remembered of an answer; another one would be asked again."""
_LANGUAGE: Final = "en-US"
_MOST_ITEMS: Final = 2_000
_AT_ONCE: Final = 256
_THREADS: Final = 4
_TRIES: Final = 2
_MOST_FAILURES: Final = 10
"""Texts in a row that fail before the server counts as gone."""
_PER: Final = 100
_MOST_ROWS: Final = 30


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LanguageToolFound:
    """What was found in one column; one value for each English text of the sample that could be checked."""

    owners: Owners
    matches: Floats
    words: Floats
    by_rule: Mapping[tuple[str, str], int]
    """Category and rule to findings."""
    failed: int
    """Texts that could not be checked."""


@dataclass(frozen=True, slots=True, eq=False)
class LanguageToolFacts:
    """What was found, by column, by whom, and in how many items."""

    columns: Mapping[str, LanguageToolFound]
    version: str
    items: int


class LanguageToolMetric:
    """Findings of LanguageTool, by a server of this machine."""

    name: ClassVar[str] = "languagetool"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def extract(self, subject: Subject, tools: Tools) -> LanguageToolFacts:
        """Return what is found in the English texts of a seeded sample of items, each distinct one asked about once.

        Raises:
            Unavailable: LanguageTool is not here.
            BackendError: The server is gone. What was answered is remembered.
        """
        chosen = _sample(len(subject), seed_from(subject.seed, self.name))
        with opened(tools.options) as (client, version):
            picked = {column: _english(subject, tools, column, chosen) for column in subject.columns}
            texts = (text for rows in picked.values() for _, text, _ in rows)
            found = _asked(texts, client, version, tools)
        columns = {column: _column(rows, found) for column, rows in picked.items()}
        return LanguageToolFacts(columns, version, len(chosen))

    def score(self, subject: Subject, facts: LanguageToolFacts) -> Sequence[Result]:
        """Return findings per hundred words, the share of texts without any, and a table of rules."""
        owners = {column: found.owners for column, found in facts.columns.items()}
        failed = ", ".join(f"{found.failed:,} of {column!r}" for column, found in facts.columns.items())
        rate = About(
            name="languagetool_matches",
            title=f"LanguageTool findings per {_PER} words",
            group="fluency",
            better="lower",
            value_range=(0, None),
            note=f"{facts.version}, {_LANGUAGE}, without {', '.join(DISABLED).lower()}; English texts of "
            f"{facts.items:,} items; texts that could not be checked: {failed}",
        )
        clean = About(
            name="languagetool_clean",
            title="Texts in which LanguageTool finds nothing",
            group="fluency",
            unit="share",
            value_range=(0, 1),
            note="a longer text has more room for findings",
        )
        sums = {column: (_PER * found.matches, found.words) for column, found in facts.columns.items()}
        without = {column: (found.matches == 0).astype(np.float64) for column, found in facts.columns.items()}
        return [
            ratio_of_sums(rate, sums, owners, len(subject)),
            mean_over_texts(clean, without, owners, len(subject)),
            _table(subject, facts),
        ]


def _sample(items: int, seed: int) -> frozenset[int]:
    if items <= _MOST_ITEMS:
        return frozenset(range(items))
    return frozenset(np.random.default_rng(seed).permutation(items)[:_MOST_ITEMS].tolist())


def _english(
    subject: Subject, tools: Tools, column: str, chosen: frozenset[int]
) -> list[tuple[int, str, float]]:
    """Return item, text and number of words of the texts that are not known to be in another language."""
    counts = column_counts(subject, tools, column)
    return [
        (owner, text, words)
        for (owner, text), language, words in zip(
            spoken(subject, column), counts.languages, counts.words.tolist(), strict=True
        )
        if owner in chosen and language in (ENGLISH, UNCLEAR)
    ]


def _column(
    rows: Sequence[tuple[int, str, float]], found: Mapping[str, list[tuple[str, str]] | None]
) -> LanguageToolFound:
    by_rule: Counter[tuple[str, str]] = Counter()
    kept = []
    for owner, text, words in rows:
        matches = found[text]
        if matches is not None:
            kept.append((owner, len(matches), words))
            by_rule.update(matches)
    table = np.array(kept, dtype=np.float64).reshape(len(kept), 3)
    return LanguageToolFound(
        owners=table[:, 0].astype(np.int64),
        matches=table[:, 1],
        words=table[:, 2],
        by_rule=by_rule,
        failed=len(rows) - len(kept),
    )


def _asked(
    texts: Iterable[str], client: LanguageTool, version: str, tools: Tools
) -> dict[str, list[tuple[str, str]] | None]:
    """Return the category and rule of each finding by text; None for a text that could not be checked."""
    distinct = list(dict.fromkeys(texts))
    patience = _Patience(client)
    found: dict[str, list[tuple[str, str]] | None] = {}
    with ThreadPoolExecutor(_THREADS, "recaption-languagetool") as pool:
        for start in range(0, len(distinct), _AT_ONCE):
            part = distinct[start : start + _AT_ONCE]
            keys = [
                digest_json(["languagetool", _VERSION, version, _LANGUAGE, list(DISABLED), t]) for t in part
            ]

            def call(positions: Sequence[int], part: Sequence[str] = part) -> Iterator[Answer]:
                futures = {pool.submit(patience.check, part[i]): i for i in positions}
                try:
                    for future in as_completed(futures):
                        yield futures[future], future.result()
                finally:
                    for future in futures:
                        future.cancel()

            for text, value in zip(part, tools.ledger.recall(keys, call), strict=True):
                rows = cast(Sequence[Any] | None, value)
                found[text] = None if rows is None else [(str(c), str(r)) for c, r in rows]
    return found


class _Patience:
    """Asks again what failed once, and gives up where everything fails."""

    def __init__(self, client: LanguageTool) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._failures = 0

    def check(self, text: str) -> JsonValue | Fleeting:
        """Return what is found in a text; a failure is handed on and never remembered.

        Raises:
            BackendError: Too many texts in a row have failed.
        """
        reason = ""
        for _ in range(_TRIES):
            try:
                checked = self._client.check(text, _LANGUAGE)
            except CheckError as error:
                reason = str(error)
                continue
            with self._lock:
                self._failures = 0
            return [[match.category, match.rule] for match in checked.matches]
        with self._lock:
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                raise BackendError(
                    f"LanguageTool at {self._client.url} failed for {self._failures} texts in a row: {reason}. "
                    "See to it and evaluate again; what was answered is remembered."
                )
        return Fleeting(None)


def _table(subject: Subject, facts: LanguageToolFacts) -> Listing:
    every: Counter[tuple[str, str]] = Counter()
    for found in facts.columns.values():
        every.update(found.by_rule)
    order = sorted(every.items(), key=lambda item: (-item[1], item[0]))
    rows = [
        (*key, *(f"{facts.columns[column].by_rule.get(key, 0):,}" for column in subject.columns))
        for key, _ in order[:_MOST_ROWS]
    ]
    return Listing(
        name="languagetool_rules",
        title="LanguageTool findings by rule",
        header=("category", "rule", *subject.columns),
        rows=rows,
        note=f"The {len(rows)} most frequent of {len(order)} rules that found something. {facts.version}.",
    )
