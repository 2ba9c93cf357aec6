"""Models in recipes: a short word or a mapping, to a class and its validated parameters.

`embedded` · `Salesforce/blip2-opt-2.7b` or a folder · `http://host:8000/v1#model` · `NAME=MODEL` ·
`{NAME: {model: …, dtype: bf16}}`, where NAME is registered (`recaption doctor` lists them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from pydantic import BaseModel

from recaption.core.errors import RecipeError, UnknownNameError
from recaption.core.registry import known_names, resolve
from recaption.recipes.strict import validated

__all__ = ["Backend", "BackendKind", "BackendValue", "backend"]

BackendKind: TypeAlias = Literal["generators", "scorers"]
BackendValue: TypeAlias = str | dict[str, dict[str, Any] | None]
"""What a recipe may say to name a model."""

_OF_A_MODEL: dict[BackendKind, str] = {"generators": "transformers", "scorers": "clip"}
"""Who takes a model's name or folder that stands alone."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A model as a recipe names it, checked but not loaded."""

    kind: BackendKind
    name: str
    params: BaseModel
    factory: Any

    def build(self) -> Any:
        """Return the generator or scorer. Cheap: what is heavy is loaded at its first use."""
        return self.factory(self.params)


def backend(kind: BackendKind, value: BackendValue, where: str) -> Backend:
    """Return the model that a recipe's value means.

    Args:
        where: Where the value stands, for messages: `caption.captioner`.

    Raises:
        RecipeError: The value names nothing known, or its parameters are wrong.
    """
    name, params = _said(kind, value, where)
    try:
        factory = cast(Any, resolve(kind, name))
    except UnknownNameError as error:
        raise RecipeError(f"{where}: {error}") from error
    model = getattr(factory, "Params", None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise RecipeError(f"{where}: {name!r} has no `Params` class; see the documentation on writing one.")
    return Backend(kind, name, validated(model, params, f"{where}.{name}"), factory)


def _said(kind: BackendKind, value: BackendValue, where: str) -> tuple[str, Mapping[str, Any]]:
    if isinstance(value, str):
        return _word(kind, value.strip(), where)
    if len(value) != 1:
        raise RecipeError(f"{where}: one model is one name with its parameters, found {sorted(value)}.")
    ((name, params),) = value.items()
    return name, params or {}


def _word(kind: BackendKind, word: str, where: str) -> tuple[str, Mapping[str, Any]]:
    if not word:
        raise RecipeError(f"{where}: it is empty; name a model, or one of {', '.join(known_names(kind))}.")
    if word in known_names(kind):
        return word, {}
    if word.startswith(("http://", "https://")) and kind == "generators":
        url, mark, model = word.partition("#")
        if not mark or not model:
            raise RecipeError(f"{where}: {word!r} says no model; write it behind a #: {url}#MODEL")
        return "openai", {"url": url, "model": model}
    name, mark, model = word.partition("=")
    if mark and name in known_names(kind):
        return name, {"model": model}
    if (
        mark and name and not Path(word).exists() and "/" not in name and "." not in name
    ):  # no hub's name holds `=`
        raise RecipeError(f"{where}: {UnknownNameError(kind.rstrip('s'), name, known_names(kind))}")
    if "://" in word:
        raise RecipeError(f"{where}: {word!r} is an address, and scorers work on this machine only.")
    if "/" in word or Path(word).is_dir():
        return _OF_A_MODEL[kind], {"model": word}
    raise RecipeError(f"{where}: {UnknownNameError(kind.rstrip('s'), word, known_names(kind))}")
