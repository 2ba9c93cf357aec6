"""Forty ways in which a server says when to come back, well formed or not (RFC 9110, section 10.2.3, and habits)."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

__all__ = ["FORMS", "Form"]

_HOUR: Final = 3600
_BEHIND: Final = "Thu, 01 Jan 1970 00:00:00 GMT"


@dataclass(frozen=True)
class Form:
    """What a 429 says, and how long that is."""

    name: str
    headers: Callable[[], Mapping[str, str]]
    """Made when the answer is, since dates move on."""
    least_s: float
    """To wait at least, before any cap; 0 where nothing usable is said."""
    most_s: float | None = None
    """To wait at most, jitter aside; None where the client is free, up to its cap."""


def _said(name: str, least_s: float, most_s: float | None = None, **headers: str) -> Form:
    named = {header.replace("_", "-"): value for header, value in headers.items()}
    return Form(name, lambda: named, least_s, most_s)


def _dated(
    name: str, form: str, in_s: float, clock_s: float = 0, date: bool = True, least_s: float = 0.0
) -> Form:
    """Return a date `in_s` from now on a server whose clock is `clock_s` ahead; whole seconds round down."""

    def headers() -> Mapping[str, str]:
        now = time.time() + clock_s
        said = {"Retry-After": time.strftime(form, time.gmtime(now + in_s))}
        return {**said, "Date": formatdate(now, usegmt=True)} if date else said

    return Form(name, headers, least_s, in_s if in_s > 0 else None)


_FIXED: Final = "%a, %d %b %Y %H:%M:%S GMT"
_RFC850: Final = "%A, %d-%b-%y %H:%M:%S GMT"
_ASCTIME: Final = "%a %b %e %H:%M:%S %Y"

FORMS: Final = (
    _said("whole seconds", 1, 1, Retry_After="1"),
    _said("blanks around", 1, 1, Retry_After="  1  "),
    _said("leading zeros", 1, 1, Retry_After="001"),
    _said("a fraction", 0.6, 0.6, Retry_After="0.6"),
    _said("a bare fraction", 0.5, 0.5, Retry_After=".5"),
    _said("zero", 0, None, Retry_After="0"),
    _said("zero point zero", 0, None, Retry_After="0.0"),
    _said("negative", 0, None, Retry_After="-5"),
    _said("negative fraction", 0, None, Retry_After="-0.1"),
    _said("a billion", 1e9, 1e9, Retry_After="1000000000"),
    _said("a billion, short", 0, None, Retry_After="1e9"),
    _said("four hundred digits", 0, None, Retry_After="9" * 400),
    _said("infinite", 0, None, Retry_After="inf"),
    _said("not a number", 0, None, Retry_After="nan"),
    _said("empty", 0, None, Retry_After=""),
    _said("garbage", 0, None, Retry_After="soon"),
    _said("hexadecimal", 0, None, Retry_After="0x10"),
    _said("a list", 0, None, Retry_After="1, 2"),
    _said("a unit", 0, None, Retry_After="1s"),
    _said("JSON", 0, None, Retry_After='{"seconds": 1}'),
    _said("control characters", 0, None, Retry_After="1\t\t"),
    _said("underscores", 0, None, Retry_After="1_0"),
    _said("milliseconds", 0.7, 0.7, Retry_After_Ms="700"),
    _said("milliseconds with a fraction", 0.25, 0.25, Retry_After_Ms="250.5"),
    _said("no milliseconds", 0, None, Retry_After_Ms="0"),
    _said("negative milliseconds", 0, None, Retry_After_Ms="-700"),
    _said("garbage milliseconds", 0, None, Retry_After_Ms="soon"),
    _said("garbage milliseconds and seconds", 1, 1, Retry_After_Ms="soon", Retry_After="1"),
    _said("both, milliseconds finer", 0.8, 1, Retry_After_Ms="800", Retry_After="1"),
    _said("both, one zero", 0, 1, Retry_After_Ms="0", Retry_After="1"),
    _said("mixed case", 1, 1, rEtRy_aFtEr="1"),
    _dated("a date", _FIXED, 2, least_s=1),
    _dated("a date, clock an hour ahead", _FIXED, 2, _HOUR, least_s=1),
    _dated("a date, clock an hour behind", _FIXED, 2, -_HOUR, least_s=1),
    _dated("a date as of old (RFC 850)", _RFC850, 2, least_s=0),
    _dated("a date as C writes it", _ASCTIME, 2, least_s=0),
    _dated("a date gone by", _FIXED, -10),
    _dated("a date in a year", _FIXED, 365 * 86400, least_s=364 * 86400),
    _said("the beginning of time", 0, None, Retry_After=_BEHIND),
    _said("a date that is none", 0, None, Retry_After="Fri, 31 Feb 2027 25:61:00 GMT"),
)
"""With 1 s or 2 s where something is to be waited for, so that a test may really wait."""
