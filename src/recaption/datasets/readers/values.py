"""Any value a data format can hold, as JSON can hold it."""

import datetime
import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from uuid import UUID

from recaption.core.errors import DataError
from recaption.core.types import JsonValue
from recaption.datasets.readers.conventions import MAX_JSON_DEPTH
from recaption.datasets.readers.source_text import clean_text

__all__ = ["json_safe", "whole_number"]


def json_safe(value: object, dropped: Callable[[str], None], depth: int = 0) -> JsonValue:
    """Return a value as JSON can hold it: no NaN, times in ISO 8601, no bytes.

    Args:
        dropped: Told the kind of each value that has no such form and became None.

    Raises:
        DataError: The value is nested too deep.
    """
    if depth > MAX_JSON_DEPTH:
        raise DataError(f"nested deeper than {MAX_JSON_DEPTH} levels")
    if isinstance(value, str):
        return clean_text(value)[0]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        return {clean_text(str(k))[0]: json_safe(v, dropped, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items: Iterable[object] = value
        return [json_safe(v, dropped, depth + 1) for v in items]
    return _rare(value, dropped, depth)


def _rare(value: object, dropped: Callable[[str], None], depth: int) -> JsonValue:
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    plain = getattr(value, "tolist", None)  # numpy arrays and scalars, without importing numpy
    if callable(plain) and not isinstance(value, bytes | bytearray | memoryview):
        return json_safe(plain(), dropped, depth + 1)
    dropped("binary" if isinstance(value, bytes | bytearray | memoryview) else type(value).__name__)
    return None


def _number(value: float | Decimal) -> int | float | None:
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        if value == value.to_integral_value() and abs(value) < 2**63:
            return int(value)
        value = float(value)
    return value if math.isfinite(value) else None


def whole_number(value: object) -> int | None:
    """Return an int, or a float without a fraction, as an int; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not (math.isfinite(value) and value.is_integer()):
        return None
    return int(value)
