"""How much a text repeats itself and breaks the form of a caption. No model: rules, the same for everybody.

Repetition is the largest of three shares: n-grams that occurred before (1 - distinct / all), words that repeat the
word before them, sentences that occurred before. A text caught in a loop has above 0.3. The form is six rules on
case, stop, pairs of marks, lines, markup and capitals; patterns in `repetition.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any, Final, Literal, TypeAlias

import yaml
from pydantic import Field

from recaption.core.digests import digest_json, digest_text
from recaption.core.protocols import Images
from recaption.core.types import Caption, Record, Score
from recaption.media.sentences import stripped_sentences
from recaption.recipes.strict import StrictModel

__all__ = ["RepetitionScorer", "Rule", "broken_rules", "repeated"]

Rule: TypeAlias = Literal["begins", "ends", "paired", "one_line", "plain", "case"]

_IDEOGRAPH: Final = "\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(rf"[{_IDEOGRAPH}]|(?:(?![{_IDEOGRAPH}])[\w'’-])+")
_NOT_ONE_LINE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]")
_SHOUTED_LETTERS: Final = 12
"""Fewer capitals may be a name or an abbreviation."""
_TOLD: Final[Mapping[Rule, str]] = {
    "begins": "begins in lower case",
    "ends": "no final stop",
    "paired": "marks without a partner",
    "one_line": "line breaks or control characters",
    "plain": "markup or a link",
    "case": "all in capitals",
}


class RepetitionScorer:
    """Gives 0 to a clean text and up to 1 to one that only repeats itself: less is better."""

    name = "repetition"
    version = "1"
    higher_is_better = False
    value_range: tuple[float | None, float | None] = (0.0, 1.0)
    sees_images = False

    class Params(StrictModel):
        """What counts, and how much."""

        ngram: int = Field(default=4, ge=1, le=20)
        """Words that must recur together to count; of Chinese and Japanese, characters."""
        rules: tuple[Rule, ...] = ("begins", "ends", "paired", "one_line", "plain", "case")
        form: float = Field(default=0.3, ge=0, le=1)
        """What a text that repeats nothing gets if it breaks every rule; one of six costs a sixth of that."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self.fingerprint = digest_json(
            [self.name, self.version, _data_digest(), params.model_dump(mode="json")]
        )

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> list[Score]:
        """Return one score per pair, in order; the reason says what was found. An empty text has no value."""
        return [self._score(caption.text) for _, caption in pairs]

    def _score(self, text: str) -> Score:
        if not text.strip():
            return Score(value=None, reason="the text is empty")
        share, told = repeated(text, self._params.ngram)
        broken = broken_rules(text, self._params.rules)
        form = self._params.form * len(broken) / len(self._params.rules) if broken else 0.0
        reasons = [*([told] if told else []), *(_TOLD[rule] for rule in broken)]
        return Score(value=round(1 - (1 - share) * (1 - form), 6), reason="; ".join(reasons) or None)


def repeated(text: str, ngram: int = 4) -> tuple[float, str | None]:
    """Return the share of a text, in [0, 1], that repeats what it said before, and what repeats."""
    words = [word.casefold() for word in _WORD.findall(text)]
    runs = sum(a == b for a, b in pairwise(words)) / (len(words) - 1) if len(words) > 1 else 0.0
    shares = (
        (
            _share([tuple(words[i : i + ngram]) for i in range(len(words) - ngram + 1)]),
            f"runs of {ngram} words",
        ),
        (runs, "words right after themselves"),
        (_share(_sentences(text)), "sentences"),
    )
    share, what = max(shares, key=lambda entry: entry[0])
    return share, f"{share:.0%} of {what} repeated" if share else None


def broken_rules(text: str, rules: Sequence[Rule]) -> list[Rule]:
    """Return those of the rules that a text breaks."""
    return [rule for rule in rules if not _CHECKS[rule](text.strip())]


def _share(items: Sequence[Hashable]) -> float:
    return 1 - len(set(items)) / len(items) if items else 0.0


def _sentences(text: str) -> list[tuple[str, ...]]:
    spans, _ = stripped_sentences(text)
    found = [tuple(_WORD.findall(text[start:end].casefold())) for start, end in spans]
    return [words for words in found if words]


@dataclass(frozen=True, slots=True)
class _Marks:
    stops: str
    closers: str
    pairs: tuple[str, ...]
    even: tuple[str, ...]
    markup: re.Pattern[str]


def _text() -> str:
    return resources.files("recaption.models").joinpath("repetition.yaml").read_text("utf-8")


@cache
def _data_digest() -> str:
    return digest_text(_text())


@cache
def _marks() -> _Marks:
    data: dict[str, Any] = yaml.safe_load(_text())
    markup = "|".join(f"(?:{pattern})" for pattern in data["markup"])
    return _Marks(
        data["stops"],
        data["closers"],
        tuple(data["pairs"]),
        tuple(data["even"]),
        re.compile(markup, re.MULTILINE),
    )


def _begins(text: str) -> bool:
    first = next((c for c in text if c.isalnum()), "")
    return not first.islower()


def _ends(text: str) -> bool:
    return text.rstrip(_marks().closers)[-1:] in tuple(_marks().stops)


def _paired(text: str) -> bool:
    marks = _marks()
    if any(text.count(mark) % 2 for mark in marks.even):
        return False
    closing = {pair[1]: pair[0] for pair in marks.pairs}
    opening = set(closing.values())
    open_marks: list[str] = []
    for c in text:
        if c in opening:
            open_marks.append(c)
        elif c in closing and (not open_marks or open_marks.pop() != closing[c]):
            return False
    return not open_marks


def _one_line(text: str) -> bool:
    return _NOT_ONE_LINE.search(text) is None


def _plain(text: str) -> bool:
    return _marks().markup.search(text) is None


def _case(text: str) -> bool:
    capitals = sum(c.isupper() for c in text)
    return capitals < _SHOUTED_LETTERS or any(c.islower() for c in text)


_CHECKS: Final[Mapping[Rule, Callable[[str], bool]]] = {
    "begins": _begins,
    "ends": _ends,
    "paired": _paired,
    "one_line": _one_line,
    "plain": _plain,
    "case": _case,
}
