"""JSON out of an answer that was to be JSON and is something around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from recaption.core.types import JsonValue

__all__ = ["fitting_json"]

_FENCE: Final = re.compile(r"```[a-zA-Z0-9]*\s*\n?(.*?)```", re.DOTALL)
_TRAILING_COMMA: Final = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')
"""Or a string, in which a comma means itself."""
_LONGEST: Final = 200_000
_MOST_STARTS: Final = 32
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def fitting_json(text: str, schema: Mapping[str, JsonValue]) -> str | None:
    """Return the JSON in an answer that fits a schema, written anew; None where there is none.

    Takes the answer as it stands, what stands in a code fence, or the first object or list in it; forgives a comma
    before a closing bracket. The last that fits wins where several stand alone, since a model that corrects itself
    says the better one later.
    """
    if len(text) > _LONGEST:
        return None
    stripped = text.strip().removeprefix("\ufeff").strip()
    for candidate in (stripped, *reversed(_FENCE.findall(stripped))):
        for value in _loaded(candidate):
            if _fits(value, schema):
                return json.dumps(value, ensure_ascii=False)
    for attempt in (stripped, _without_trailing_commas(stripped)):
        fitting = [value for value in _embedded(attempt) if _fits(value, schema)]
        if fitting:
            return json.dumps(fitting[-1], ensure_ascii=False)
    return None


def _loaded(text: str) -> list[Any]:
    for attempt in (text, _without_trailing_commas(text)):
        try:
            return [json.loads(attempt, parse_constant=_no_constant)]
        except (ValueError, RecursionError):
            continue
    return []


def _embedded(text: str) -> list[Any]:
    """Return the objects and lists that stand in a text, outermost only."""
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    found, position = [], 0
    for _ in range(_MOST_STARTS):
        start = re.compile(r"[{\[]").search(text, position)
        if start is None:
            break
        try:
            value, position = decoder.raw_decode(text, start.start())
            found.append(value)
        except (ValueError, RecursionError):
            position = start.end()
    return found


def _without_trailing_commas(text: str) -> str:
    return _TRAILING_COMMA.sub(lambda found: found[1] or "", text)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _fits(value: Any, schema: Mapping[str, Any], depth: int = 0) -> bool:
    """Return whether a value fits the parts of a JSON schema that captions need: types, fields, items, choices."""
    if depth > 16:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    wanted = schema.get("type")
    kinds = [wanted] if isinstance(wanted, str) else wanted or []
    if kinds and not any(_is(value, kind) for kind in kinds):
        return False
    if isinstance(value, dict):
        properties: Mapping[str, Any] = schema.get("properties") or {}
        extra = schema.get("additionalProperties", True)
        return (
            all(name in value for name in schema.get("required") or ())
            and (extra is not False or all(name in properties for name in value))
            and all(_fits(value[name], part, depth + 1) for name, part in properties.items() if name in value)
        )
    if isinstance(value, list):
        least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
        return least <= len(value) <= most and all(
            _fits(item, schema.get("items") or {}, depth + 1) for item in value
        )
    return True


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, _TYPES.get(kind, (object,)))
