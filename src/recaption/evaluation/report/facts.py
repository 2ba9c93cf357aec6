"""Free-form facts about a run, shown by their shape: single values, lists, counts by name, facts within facts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeGuard

from recaption.core.types import JsonValue
from recaption.evaluation.report.texts import Cut, cut

__all__ = ["Count", "Fact", "facts_of", "split_facts"]

_MOST_FACTS: Final = 40
_MOST_ITEMS: Final = 24
_MOST_CHARS: Final = 24_000
"""Of all facts together."""
_VALUE_CHARS: Final = 400
_LABEL_CHARS: Final = 100
_DEEPEST: Final = 3
_NOTHING: Final = Cut("")
_DIGEST: Final = re.compile("[0-9a-f]{64}")
_HUGE: Final = 10**15


@dataclass(frozen=True, slots=True)
class Count:
    """A name with how often, and its share of the largest, in percent."""

    name: Cut
    number: str
    share: float


@dataclass(frozen=True, slots=True)
class Fact:
    """Something known, under a label."""

    label: Cut
    kind: Literal["value", "list", "counts", "facts"]
    value: Cut = _NOTHING
    items: Sequence[Cut] = ()
    counts: Sequence[Count] = ()
    facts: Sequence[Fact] = ()
    left_out: int = 0


def facts_of(values: Mapping[str, JsonValue]) -> list[Fact]:
    """Return facts that can be shown; what is empty is left out, and what comes after too many characters."""
    return _Teller().facts(values, _DEEPEST)


def split_facts(facts: Sequence[Fact]) -> tuple[list[Fact], list[Fact]]:
    """Return single values, and what takes more room."""
    return [f for f in facts if f.kind == "value"], [f for f in facts if f.kind != "value"]


class _Teller:
    """Makes facts of values, and knows how much room is left for them."""

    def __init__(self) -> None:
        self._room = _MOST_CHARS

    def facts(self, values: Mapping[str, JsonValue], deepest: int) -> list[Fact]:
        found = []
        for name, value in list(values.items())[:_MOST_FACTS]:
            if self._room > 0 and value not in (None, "", [], {}):
                found.append(self._fact(name, value, deepest))
        return found

    def _fact(self, name: str, value: JsonValue, deepest: int) -> Fact:
        label = self._label(name)
        if isinstance(value, dict) and deepest > 0:
            counts = {n: v for n, v in value.items() if _is_count(v)}
            if len(counts) == len(value):
                return self._counted(label, counts)
            inner = self.facts(value, deepest - 1)
            return Fact(label, "facts", facts=inner, left_out=max(0, len(value) - _MOST_FACTS))
        if isinstance(value, list) and deepest > 0 and any(isinstance(v, str | list | dict) for v in value):
            items = [self._cut(_said("", v), _VALUE_CHARS) for v in value[:_MOST_ITEMS] if self._room > 0]
            return Fact(label, "list", items=items, left_out=len(value) - len(items))
        return Fact(label, "value", value=self._cut(_said(name, value), _VALUE_CHARS))

    def _counted(self, label: Cut, counts: Mapping[str, int]) -> Fact:
        often = sorted(counts.items(), key=lambda item: -item[1])
        most = max(1, often[0][1])
        shown = [
            Count(self._cut(n, _LABEL_CHARS), f"{c:,}", 100 * c / most)
            for n, c in often[:_MOST_ITEMS]
            if self._room > 0
        ]
        return Fact(label, "counts", counts=shown, left_out=len(often) - len(shown))

    def _label(self, name: str) -> Cut:
        label = self._cut(name.removesuffix("_s").replace("_", " "), _LABEL_CHARS)
        return Cut(label.text[:1].upper() + label.text[1:], label.more)

    def _cut(self, text: str, most: int) -> Cut:
        part = cut(text, most)
        self._room -= len(part.text)
        return part


def _is_count(value: JsonValue) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _HUGE


def _said(name: str, value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and abs(value) >= _HUGE:
        return "a number of more than 15 digits"
    if isinstance(value, int) and name.endswith("seed"):
        return str(value)
    if isinstance(value, int | float):
        return _duration(value) if name.endswith("_s") or name == "seconds" else _number(value)
    if isinstance(value, dict):
        return ", ".join(f"{n} {_said(n, v)}" for n, v in list(value.items())[:_MOST_ITEMS])
    if isinstance(value, list):
        return ", ".join(_said("", v) for v in value[:_MOST_ITEMS])
    if value is None:
        return "none"
    return f"{value[:12]}…" if _DIGEST.fullmatch(value) else value


def _number(value: float) -> str:
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    )


def _duration(seconds: float) -> str:
    if not 60 <= seconds < 1e9:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"
