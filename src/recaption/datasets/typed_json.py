"""Dataclasses to plain JSON and back, strictly: nothing unknown, nothing missing, nothing bent, no NaN."""

from __future__ import annotations

import math
import reprlib
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from recaption.core.errors import DataError, did_you_mean
from recaption.core.printable import printable
from recaption.datasets.stored import read_text, stored_text

__all__ = ["from_plain", "to_plain"]

Made = TypeVar("Made")

MAX_DEPTH: Final = 64
"""Of what is written as a whole, and of each free-form value that is read: whatever is written can be read."""
_SHOWN_CHARS: Final = 120
_PLAIN: Final = (bool, int, float, str, type(None))


class _FreeForm:
    """Stands for `JsonValue` in the types read: any JSON."""


def to_plain(value: object, where: str = "", depth: int = MAX_DEPTH) -> Any:
    """Return dataclasses, mappings and sequences as dicts and lists, in their own order.

    Texts go through `stored_text`: JSON files are UTF-8, and texts of the web may hold what UTF-8 has no bytes for.

    Raises:
        DataError: A value is NaN or infinite, nested too deep, or of a type that JSON has no word for; the message
            says where.
    """
    if depth == 0:
        raise _too_deep(where)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return stored_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{where or 'the value'}: {value} is no JSON")
    if isinstance(value, _PLAIN):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name), _at(where, f.name), depth - 1) for f in fields(value)}
    if isinstance(value, Mapping):
        return {_name(name, where): to_plain(item, _at(where, name), depth - 1) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [to_plain(item, f"{where}[{i}]", depth - 1) for i, item in enumerate(value)]
    raise DataError(f"{where or 'the value'}: {type(value).__name__} is no JSON")


def from_plain(kind: type[Made], value: object, where: str = "") -> Made:
    """Return the dataclass that `to_plain` was given; sequences come back as tuples.

    Raises:
        DataError: The first thing that does not fit, in one line, with its place.
    """
    return cast(Made, _read(kind, value, where))


def _read(kind: Any, value: object, where: str) -> Any:
    if kind is _FreeForm:
        return _free(value, where, MAX_DEPTH)
    if is_dataclass(kind):
        return _dataclass(cast("type[Any]", kind), value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        if not isinstance(value, str) or value not in arguments:
            raise _unfit(f"one of {', '.join(map(repr, arguments))}", value, where)
        return value
    if origin in (Union, types.UnionType):
        return None if value is None else _read(_only(arguments), value, where)
    if origin is tuple:
        return _tuple(arguments, value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(arguments[1], value, where)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(_items(value, where)))
    return _scalar(kind, value, where)


def _scalar(kind: Any, value: object, where: str) -> object:
    if kind is str and isinstance(value, str):
        return read_text(value)
    if kind is bool and isinstance(value, bool):
        return value
    if isinstance(value, bool):
        raise _unfit(kind.__name__, value, where)
    if kind is int and isinstance(value, int):
        return value
    if kind is float and isinstance(value, int | float):
        return _finite(value, where)
    raise _unfit(
        {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}[kind], value, where
    )


def _finite(value: float, where: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DataError(f"{where}: a number too large")
    return number


def _dataclass(kind: type[Any], value: object, where: str) -> Any:
    if not isinstance(value, dict):
        raise _unfit("an object", value, where)
    hints, known = _hints(cast(Any, kind)), {f.name: f for f in fields(kind)}
    for name in value:
        if name not in known:
            raise DataError(f"{_at(where, name)}: unknown key.{did_you_mean(str(name)[:100], known)}")
    for name, field in known.items():
        if name not in value and _is_required(field):
            raise DataError(f"{_at(where, name)}: missing")
    return kind(**{name: _read(hints[name], item, _at(where, name)) for name, item in value.items()})


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


@cache
def _hints(kind: Any) -> dict[str, Any]:
    # The alias speaks of itself, which no reader of types can follow to its end.
    return get_type_hints(kind, localns={"JsonValue": _FreeForm})


def _tuple(arguments: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    items = _items(value, where)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if len(items) != len(arguments):
        raise _unfit(f"a list of {len(arguments)}", value, where)
    return tuple(_read(kind, items[i], f"{where}[{i}]") for i, kind in enumerate(arguments))


def _mapping(kind: Any, value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unfit("an object", value, where)
    return {read_text(name): _read(kind, item, _at(where, name)) for name, item in value.items()}


def _items(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _unfit("a list", value, where)
    return value


def _free(value: object, where: str, depth: int) -> Any:
    if depth == 0:
        raise _too_deep(where)
    if isinstance(value, str):
        return read_text(value)
    if isinstance(value, float):
        return _finite(value, where)
    if isinstance(value, list):
        return [_free(item, f"{where}[{i}]", depth - 1) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return {read_text(n): _free(item, _at(where, n), depth - 1) for n, item in value.items()}
    return value


def _only(arguments: tuple[Any, ...]) -> Any:
    """Return the one type of `T | None`; no other union is written."""
    (kind,) = (a for a in arguments if a is not type(None))
    return kind


def _name(name: object, where: str) -> str:
    if not isinstance(name, str):
        raise DataError(f"{where or 'the value'}: a key that is {type(name).__name__}, not text")
    return stored_text(name)


def _at(where: str, name: object) -> str:
    shown = printable(str(name)[:_SHOWN_CHARS])
    return f"{where}.{shown}" if where else shown


def _too_deep(where: str) -> DataError:
    return DataError(f"{where[:_SHOWN_CHARS]}…: nested more than {MAX_DEPTH} deep")


def _unfit(wanted: str, value: object, where: str) -> DataError:
    return DataError(f"{where or 'the value'}: {wanted} belongs here, not {_shown(value)}")


def _shown(value: object) -> str:
    try:
        return printable(reprlib.repr(value))
    except ValueError:  # Python refuses to write out a number of thousands of digits
        return f"a very large {type(value).__name__}"
