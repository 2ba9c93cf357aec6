"""Replies of a judge, read strictly: what is not an answer in the form asked for is no answer, and counted as such.

Two readers are kept as their papers have them, because figures are only comparable if replies are read alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from recaption.core.types import JsonValue
from recaption.models.openai.parse import fitting_json

__all__ = [
    "SUPPORT_VALUES",
    "Verdict",
    "YesNo",
    "json_reply",
    "open_chair_answer",
    "pope_answer",
    "verdict",
    "yes_no",
]

YesNo: TypeAlias = Literal["yes", "no", "unsure"]
Verdict: TypeAlias = Literal["first", "second", "tie"]

SUPPORT_VALUES: Final[Mapping[YesNo, float]] = {"yes": 0.0, "no": 1.0, "unsure": 0.5}
"""How suspicious a sentence is that a passage supports, does not support, or neither (CrossCheckGPT)."""

_LONGEST: Final = 2_000
"""Of a reply that was to be one word; more is no such reply."""
_WORD: Final = re.compile(r"[a-z]+")
_WRAPPED: Final = re.compile(r"^[\s\"'`*_.([{]+|[\s\"'`*_.!)\]}]+$")
_LEAD: Final = re.compile(r"^(?:(?:the |my )?(?:final )?(?:answer|verdict)(?: is)?\s*[:=]?\s*)")
_YES_NO: Final[Mapping[str, YesNo]] = {
    **dict.fromkeys(("yes", "true"), "yes"),
    **dict.fromkeys(("no", "false"), "no"),
    **dict.fromkeys(("unsure", "uncertain", "unclear", "unknown", "not sure"), "unsure"),
}
_VERDICTS: Final[Mapping[str, Verdict]] = {
    **dict.fromkeys(("first", "first caption", "the first", "the first caption", "1", "caption 1"), "first"),
    **dict.fromkeys(
        ("second", "second caption", "the second", "the second caption", "2", "caption 2"), "second"
    ),
    **dict.fromkeys(("tie", "a tie", "neither", "equal"), "tie"),
}


def yes_no(text: str) -> YesNo | None:
    """Return the answer to a question of yes or no; None where there is none, or two.

    It is the whole reply, or its first word if a comma, a full stop or a line ends it and what follows does not
    take it back: `Yes, a dog lies on the mat.`
    """
    plain = _bare(text)
    if plain in _YES_NO:
        return _YES_NO[plain]
    first, stop, rest = _parted(plain)
    said = _YES_NO.get(first)
    if said is None or not stop:
        return None
    others = {_YES_NO.get(word) for word in _WORD.findall(rest)} - {None, said}
    return None if others else said


def verdict(text: str) -> Verdict | None:
    """Return which of two captions a reply names; None unless it is that and nothing else."""
    return _VERDICTS.get(_bare(text))


def pope_answer(text: str) -> YesNo | None:
    """Return how POPE (Li et al. 2023) reads a reply: no where its first sentence has `no` or `not`, else yes.

    None for an empty reply, which the original takes for yes.
    """
    sentence = text[:_LONGEST].strip().partition(".")[0].replace(",", "")
    words = sentence.split()
    if not words:
        return None
    return "no" if {"No", "no", "not"} & set(words) else "yes"


def open_chair_answer(text: str) -> YesNo | None:
    """Return what OpenCHAIR (Ben-Kish et al. 2024) takes for the answer: yes before no, no before unsure."""
    words = set(_WORD.findall(text[:_LONGEST].lower()))
    if "yes" in words:
        return "yes"
    if words & {"no", "not"}:
        return "no"
    return "unsure" if "unsure" in words else None


def json_reply(text: str, schema: Mapping[str, JsonValue]) -> Any:
    """Return the value of a reply that fits a JSON schema; None where nothing in it does."""
    found = fitting_json(text, schema)
    return None if found is None else json.loads(found)


def _bare(text: str) -> str:
    """Return a reply in lower case without marks around it and without `Answer:` before it."""
    if len(text) > _LONGEST:
        return ""
    low = " ".join(text.lower().split())
    return _WRAPPED.sub("", _LEAD.sub("", _WRAPPED.sub("", low)))


def _parted(plain: str) -> tuple[str, str, str]:
    """Return what stands before the first comma, stop or colon, the mark, and the rest."""
    found = re.search(r"[,.;:!\n–—]|\s-\s", plain)
    if found is None:
        return plain, "", ""
    return plain[: found.start()].strip(" \"'`*_"), found[0], plain[found.end() :]
