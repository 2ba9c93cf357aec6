"""What a judge is asked: wordings kept as data and named by version; what is judged comes cleaned and fenced."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final, Literal, TypeAlias

import yaml

from recaption.prompts.fencing import fenced, harmless
from recaption.prompts.library import Prompt
from recaption.recipes.strict import StrictModel, validated

__all__ = ["MAX_JUDGED_CHARS", "Judged", "QuestionName", "empty_caption", "question"]

QuestionName: TypeAlias = Literal[
    "better_caption",
    "object_in_picture",
    "object_in_text",
    "supported",
    "units_of_text",
    "units_matched",
    "units_in_picture",
]
Judged: TypeAlias = Literal["first", "second", "caption", "passages", "passage", "sentence", "units", "oracle"]

MAX_JUDGED_CHARS: Final = 4000
"""Of a longer text a judge sees the beginning."""
_MAX_ITEMS: Final = 100
_MAX_THING_CHARS: Final = 60
_NOT_IN_A_NAME: Final = re.compile(r"[^\w '&-]+|_")


class _Asked(StrictModel):
    ask: str
    reply: str


class _Wording(StrictModel):
    version: int
    data: str
    labels: dict[Judged, str]
    questions: dict[QuestionName, _Asked]
    empty_caption: str


def question(
    name: QuestionName, data: Mapping[Judged, str | Sequence[str]] | None = None, *, thing: str = ""
) -> Prompt:
    """Return what to ask a judge; its id is `NAME/judge@VERSION`.

    Args:
        data: What is judged. A text becomes one line; a list one numbered line for each of its texts, 100 at most.
        thing: Name of a thing with its article; whatever is no word is taken out of it.
    """
    wording = _wording()
    asked = wording.questions[name]
    parts = [asked.ask.format(thing=_name(thing))]
    lines = [line for kind, given in (data or {}).items() for line in _lines(wording.labels[kind], given)]
    if lines:
        mark, block = fenced(lines)
        parts += [wording.data.format(mark=mark), block]
    return Prompt(f"{name}/judge@{wording.version}", "\n".join([*parts, asked.reply.format()]))


def empty_caption() -> str:
    """Return a caption that says nothing."""
    return _wording().empty_caption


def _name(thing: str) -> str:
    return " ".join(_NOT_IN_A_NAME.sub(" ", harmless(thing, _MAX_THING_CHARS)).split())


def _lines(label: str, given: str | Sequence[str]) -> list[str]:
    if isinstance(given, str):
        return [f"{label}: {harmless(given, MAX_JUDGED_CHARS)}"]
    items = [harmless(text, MAX_JUDGED_CHARS // 10) for text in given[:_MAX_ITEMS]]
    return [f"{label}:", *(f"{number}. {text}" for number, text in enumerate(items, start=1))]


@cache
def _wording() -> _Wording:
    text = resources.files("recaption.prompts").joinpath("data/judge.yaml").read_text("utf-8")
    return validated(_Wording, yaml.safe_load(text), "judge.yaml")
