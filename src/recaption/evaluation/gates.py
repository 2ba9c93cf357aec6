"""Conditions under which an evaluation is a failure: `recall_at_1.t2i < -0.01`, for use in continuous integration."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

from recaption.core.errors import UserError
from recaption.evaluation.result import Evaluation, Row

__all__ = ["Gate", "broken", "parse_gate"]

Part = Literal["delta", "low", "high", "value", "baseline"]

_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FORM: Final = re.compile(
    r"\s*(?:(?P<part>delta|low|high|value|baseline)\((?P<inner>[\w.@-]+)\)|(?P<name>[\w.@-]+))"
    r"\s*(?P<operator><=|>=|<|>)\s*(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition that must not hold, of one measure, for every column but the baseline."""

    text: str
    part: Part
    """`delta`: the difference from the baseline; `low`, `high`: the ends of its interval; `value`: the column's own
    figure; `baseline`: the baseline's."""
    measure: str
    operator: str
    number: float


def parse_gate(text: str) -> Gate:
    """Return the gate that a text means: `NAME < NUMBER` speaks of the difference, `low(NAME) < 0` of its interval.

    Raises:
        UserError: It is no such condition.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise UserError(
            f"--fail-if {text[:200]!r}: expected NAME < NUMBER with <, <=, > or >=, as in 'recall_at_1.t2i < -0.01'; "
            "NAME alone is the difference from the baseline, low(NAME) and high(NAME) the ends of its interval, "
            "value(NAME) and baseline(NAME) the figures themselves."
        )
    return Gate(
        text=text.strip(),
        part=cast(Part, match["part"] or "delta"),
        measure=match["inner"] or match["name"],
        operator=match["operator"],
        number=float(match["number"]),
    )


def broken(gates: Sequence[Gate], evaluation: Evaluation) -> list[str]:
    """Return a sentence for every gate that fails; a figure that is not known fails its gate.

    Raises:
        UserError: A gate names a measure that the evaluation does not have.
    """
    rows = {row.about.name: row for row in evaluation.rows}
    found = []
    for gate in gates:
        if gate.measure not in rows:
            raise UserError(_unknown(gate, rows, evaluation))
        if len(evaluation.columns) == 1 and gate.part not in ("value", "baseline"):
            raise UserError(
                f"--fail-if {gate.text!r}: one column has no differences; speak of its figure: value({gate.measure})"
            )
        for column in evaluation.columns[1:] or evaluation.columns:
            value = _value(gate, rows[gate.measure], evaluation.columns[0], column)
            if value is None:
                found.append(f"{gate.text}: {column} has no such figure")
            elif _OPERATORS[gate.operator](value, gate.number):
                found.append(f"{gate.text}: {value:.6g} for {column}")
    return found


def _unknown(gate: Gate, known: Iterable[str], evaluation: Evaluation) -> str:
    """Say that there is no such measure: a close name, or what may have kept it from being measured."""
    told = f"--fail-if: no measure {gate.measure!r}."
    close = difflib.get_close_matches(gate.measure, list(known), n=3, cutoff=0.6)
    if close:
        return f"{told} Did you mean {' or '.join(map(repr, close))}? All names: --all, or report.json."
    lacking: dict[str, list[str]] = {}
    for skipped in evaluation.skipped:
        lacking.setdefault(skipped.reason, []).append(skipped.metric)
    why = "".join(f"\nnot run: {', '.join(names)}: {reason}" for reason, names in lacking.items())
    return f"{told} All names: --all, or report.json.{why}"


def _value(gate: Gate, row: Row, baseline: str, column: str) -> float | None:
    if gate.part in ("value", "baseline"):
        told = row.values.get(baseline if gate.part == "baseline" else column)
        return told.value if told else None
    effect = row.effects.get(column)
    return cast("float | None", getattr(effect, gate.part)) if effect else None
