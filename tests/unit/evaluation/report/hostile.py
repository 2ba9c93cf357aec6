"""The sample with an attack at the end of every text in it: column names, titles, captions, keys, reasons, facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from recaption.datasets.typed_json import from_plain, to_plain
from recaption.evaluation.result import Evaluation
from tests.unit.evaluation.report.sample import TWO, sample

__all__ = ["ATTACKS", "attacked", "hostile"]

ATTACKS = (
    "<script>window.__pwned=1</script>",
    '"><img src=x onerror="window.__pwned=1">',
    "' onmouseover='window.__pwned=1",
    "</style><script>window.__pwned=1</script><style>",
    "</title></textarea></svg><svg onload=window.__pwned=1>",
    "<!--<script>window.__pwned=1//-->",
    "]]><script>window.__pwned=1</script>",
    "javascript:window.__pwned=1",
    "{{7*7}}{% for x in y %}{# #}",
    "<iframe srcdoc='<script>top.__pwned=1</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=https://example.com/'>",
    "<link rel=stylesheet href=//example.com/x.css><base href=//example.com/>",
    "&lt;script&gt;window.__pwned=1&#60;/script&#62;",
    "\u202egnp.exe\u2066\u200f\u0000\u001b[31m\x7f\u2028\r\n\ud800\udfff",
    "url(https://example.com/x) expression(1) \\3c script",
    "Z\u0351\u036b\u0343" * 40,
    "مرحبا بالعالم 你好 👩‍👩‍👧 " + "W" * 300,
)
_KEPT = frozenset({"group", "better", "unit", "thumbnail", "kind"})


def attacked(text: str) -> str:
    """Return a text with an attack after it, the same one whenever it is asked about the same text."""
    return text + ATTACKS[sum(text.encode("utf-8", "surrogatepass")) % len(ATTACKS)]


def hostile(columns: Sequence[str] = TWO) -> Evaluation:
    """Return the sample, attacked everywhere; equal texts stay equal, so that everything still belongs together."""
    return from_plain(Evaluation, _walked(to_plain(sample(columns))))


def _walked(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {(k if k in _FIELDS else attacked(k)): _walked(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_walked(v, name) for v in value]
    return attacked(value) if isinstance(value, str) and name not in _KEPT else value


def _fields_of(value: Any) -> set[str]:
    if is_dataclass(value):
        return {f.name for f in fields(value)} | {
            n for f in fields(value) for n in _fields_of(getattr(value, f.name))
        }
    if isinstance(value, dict):
        return {n for v in value.values() for n in _fields_of(v)}
    return {n for v in value for n in _fields_of(v)} if isinstance(value, tuple | list) else set()


_FIELDS = _fields_of(sample())
