"""A text as statements, in the judge's words: taken apart, matched with those of a reference, held against the image.

Every reply is JSON of a fixed form. One that is not, or whose list has another length than was asked about, is a
failure of that text; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from recaption.core.types import JsonValue
from recaption.evaluation.extract.answers import json_reply
from recaption.evaluation.extract.judging import NOT_READABLE, Question, Reply, Tally, read_replies
from recaption.evaluation.subject import Item
from recaption.evaluation.tools import Tools
from recaption.prompts.questions import question

__all__ = ["Matches", "Statement", "StatementJudge", "Statements"]

Value = TypeVar("Value")

MOST_STATEMENTS: Final = 60
"""Of one text; what it says beyond is left out."""
_ROOM: Final = 3_000
"""Tokens of an answer that lists statements."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a text says."""

    text: str
    is_descriptive: bool
    """It says more than that something is there."""


Statements: TypeAlias = "tuple[Statement, ...]"
Matches: TypeAlias = "tuple[int | None, ...]"
"""For each statement the place of the reference's that says the same."""


def _object(name: str, items: JsonValue) -> Mapping[str, JsonValue]:
    properties: dict[str, JsonValue] = {name: {"type": "array", "items": items}}
    return {"type": "object", "properties": properties, "required": [name], "additionalProperties": False}


_UNITS: Final = _object(
    "units",
    {
        "type": "object",
        "properties": {"text": {"type": "string"}, "descriptive": {"type": "boolean"}},
        "required": ["text", "descriptive"],
        "additionalProperties": False,
    },
)
_MATCHES: Final = _object("matches", {"type": ["integer", "null"]})
_VERDICTS: Final = _object("verdicts", {"type": "boolean"})


@dataclass(slots=True)
class StatementJudge:
    """Asks the three kinds of question, and keeps count of what became of them."""

    tools: Tools
    tallies: dict[str, Tally] = field(default_factory=dict)
    """By kind of question."""

    def taken_apart(self, kind: str, texts: Sequence[tuple[Item, str]]) -> list[Statements | None]:
        """Return the statements of each text; None where the judge gave none that can be read."""
        questions = [
            Question(
                key=item.key,
                prompt=question("units_of_text", {"caption": text}),
                schema=_UNITS,
                max_tokens=_ROOM,
            )
            for item, text in texts
        ]
        return self._asked(kind, questions, [_statements] * len(questions), sees=False)

    def matched(self, pairs: Sequence[tuple[Item, Statements, Statements]]) -> list[Matches | None]:
        """Return for the statements of texts which of the reference's say the same."""
        questions = [
            Question(
                key=item.key,
                prompt=question("units_matched", {"units": _said(own), "oracle": _said(oracle)}),
                schema=_MATCHES,
                max_tokens=_ROOM,
            )
            for item, own, oracle in pairs
        ]
        readers = [_matches(len(own), len(oracle)) for _, own, oracle in pairs]
        return self._asked("statements matched", questions, readers, sees=False)

    def verdicts(self, texts: Sequence[tuple[Item, Statements]]) -> list[tuple[bool, ...] | None]:
        """Return for the statements of texts whether they are true of the image."""
        questions = [
            Question(
                key=item.key,
                prompt=question("units_in_picture", {"units": _said(own)}),
                record=item.record,
                schema=_VERDICTS,
                max_tokens=_ROOM,
            )
            for item, own in texts
        ]
        readers = [_booleans(len(own)) for _, own in texts]
        return self._asked("statements held against images", questions, readers, sees=True)

    def _asked(
        self,
        kind: str,
        questions: Sequence[Question],
        readers: Sequence[Callable[[str], Value | None]],
        *,
        sees: bool,
    ) -> list[Value | None]:
        raw = read_replies(questions, str, self.tools, sees=sees)
        replies = [_read(reply, reader) for reply, reader in zip(raw, readers, strict=True)]
        self.tallies[kind] = Tally.of(replies)
        return [reply.value for reply in replies]


def _read(raw: Reply[str], reader: Callable[[str], Value | None]) -> Reply[Value]:
    if raw.value is None:
        return Reply(None, raw.failure)
    value = reader(raw.value)
    return Reply(value, "" if value is not None else NOT_READABLE)


def _said(statements: Statements) -> list[str]:
    return [statement.text for statement in statements]


def _statements(text: str) -> Statements | None:
    found = json_reply(text, _UNITS)
    if found is None:
        return None
    given = [Statement(" ".join(unit["text"].split()), unit["descriptive"]) for unit in found["units"]]
    return tuple(statement for statement in given if statement.text)[:MOST_STATEMENTS]


def _matches(own: int, oracle: int) -> Callable[[str], Matches | None]:
    def read(text: str) -> Matches | None:
        given = _list(text, _MATCHES, "matches", own)
        if given is None or any(place is not None and not 1 <= place <= oracle for place in given):
            return None
        return tuple(None if place is None else place - 1 for place in given)

    return read


def _booleans(own: int) -> Callable[[str], tuple[bool, ...] | None]:
    def read(text: str) -> tuple[bool, ...] | None:
        given = _list(text, _VERDICTS, "verdicts", own)
        return None if given is None else tuple(given)

    return read


def _list(text: str, schema: Mapping[str, JsonValue], name: str, length: int) -> list[Any] | None:
    found = json_reply(text, schema)
    return found[name] if found is not None and len(found[name]) == length else None
