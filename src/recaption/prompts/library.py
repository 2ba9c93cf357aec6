"""What models are asked: wordings by language, aspect and style of model, kept as data and named by version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, TypeAlias

import yaml
from pydantic import Field

from recaption.core.digests import digest_text
from recaption.core.errors import RecipeError, did_you_mean
from recaption.prompts.fencing import fenced, harmless
from recaption.recipes.strict import StrictModel, validated

__all__ = ["ContextKind", "Language", "Prompt", "aspects", "prompt"]

Language: TypeAlias = Literal["en", "zh"]
ContextKind: TypeAlias = Literal["alt", "text", "objects", "tags"]

_MAX_ITEM_CHARS = 400
_MAX_DATA_CHARS = 1600


class _Ask(StrictModel):
    ask: str
    words: int = Field(gt=0)


class _Wording(StrictModel):
    version: int
    language: str
    constraint: str
    length: str
    data: str
    labels: dict[ContextKind, str]
    aspects: dict[str, _Ask]
    prefix: dict[str, str]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to ask, and how to name it. `id` is `aspect/language@version`, or `own` and a digest."""

    id: str
    text: str


def aspects(language: Language = "en") -> list[str]:
    """Return every aspect there is a wording for."""
    return list(_wording(language).aspects)


def prompt(
    aspect: str,
    style: str,
    language: Language = "en",
    *,
    own: str | None = None,
    words: int | None = None,
    data: Mapping[ContextKind, Sequence[str]] | None = None,
) -> Prompt:
    """Return what to ask a model of a style about an aspect.

    Args:
        style: `chat` takes an instruction, `prefix` the opening of a text, `none` nothing at all; any other style
            is a family's task words.
        own: The user's wording instead of ours; the constraint still follows it in style `chat`.
        words: Length to aim at instead of the aspect's.
        data: What came with the picture. Cleaned, bounded and delimited; only style `chat` can be told.

    Raises:
        RecipeError: There is no such aspect, or the style has no word for it.
    """
    wording = _wording(language)
    name = f"{aspect}/{language}@{wording.version}" if own is None else f"own:{digest_text(own)[:12]}"
    if own is None and aspect not in wording.aspects:
        raise RecipeError(f"unknown aspect {aspect!r}.{did_you_mean(aspect, wording.aspects)}")
    if style == "chat":
        return Prompt(name, _instruction(wording, aspect, own, words, data or {}))
    if style == "none":
        return Prompt(name, "")
    if own is not None:
        return Prompt(name, own)
    known = wording.prefix if style == "prefix" else _task_words().get(style)
    if known is None:
        raise RecipeError(f"no prompts for models of style {style!r}. Give your own: caption.prompts.{aspect}.")
    if aspect not in known:
        raise RecipeError(f"this model has no word for the aspect {aspect!r}; it knows: {', '.join(known)}.")
    return Prompt(name, known[aspect])


def _instruction(
    wording: _Wording,
    aspect: str,
    own: str | None,
    words: int | None,
    data: Mapping[ContextKind, Sequence[str]],
) -> str:
    asked = wording.aspects.get(aspect)
    length = words or (asked.words if asked and own is None else None)
    parts = [own or (asked.ask if asked else ""), wording.constraint]
    if length:
        parts.append(wording.length.format(words=length))
    lines = _lines(wording, data)
    if lines:
        mark, block = fenced(lines)
        parts += [wording.data.format(mark=mark), block]
    return "\n".join(parts)


def _lines(wording: _Wording, data: Mapping[ContextKind, Sequence[str]]) -> list[str]:
    lines = []
    for kind, items in data.items():
        clean = [text for item in items if (text := harmless(item, _MAX_ITEM_CHARS))]
        if clean:
            lines.append(f"{wording.labels[kind]}: {' | '.join(dict.fromkeys(clean))}"[:_MAX_DATA_CHARS])
    return lines


@cache
def _wording(language: Language) -> _Wording:
    return validated(_Wording, _read(f"{language}.yaml"), f"{language}.yaml")


@cache
def _task_words() -> dict[str, dict[str, str]]:
    return _read("tokens.yaml")


def _read(name: str) -> dict[str, dict[str, str]]:
    text = resources.files("recaption.prompts").joinpath(f"data/{name}").read_text("utf-8")
    data: dict[str, dict[str, str]] = yaml.safe_load(text)
    return data
