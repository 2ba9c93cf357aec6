"""Each picture is seen once, however many texts are drawn from it.

The part of a model that sees pictures is told to answer for the pictures it has not seen yet, and its answer is then
handed to every row that shows the picture.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

__all__ = ["Seen", "Sight", "seeing_once", "sight"]

_FIELDS: Final = {
    "forward": ("last_hidden_state", "pooler_output"),
    "get_image_features": ("pooler_output", "deepstack_features"),
}
"""What later parts of a model read of the answer."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The part that sees, as an attribute of an object."""

    owner: Any
    attribute: str

    @property
    def call(self) -> Callable[..., Any]:
        """The function that is called."""
        found: Callable[..., Any] = getattr(self.owner, self.attribute)
        return found


def sight(model: Any, where: str) -> Sight | None:
    """Return the part of a model that sees; None if it has no such part that is known.

    Args:
        where: The path of a module, or `features` for the method `get_image_features` of the model inside.
    """
    if where == "features":
        inner = model.base_model
        return Sight(inner, "get_image_features") if hasattr(inner, "get_image_features") else None
    module = model
    for name in where.split("."):
        module = getattr(module, name)
    return Sight(module, "forward")


@dataclass(slots=True)
class Seen:
    """What was seen in pictures, by their keys. `encodes` counts how many pictures were looked at."""

    kind: type = object
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    encodes: int = 0

    def keep(self, keys: Sequence[str], answer: Any, tiles: Sequence[int], fields: Sequence[str]) -> None:
        """Remember the answer for several pictures, of which each came as so many tiles: of it, some fields."""
        self.kind = type(answer)
        self.encodes += len(keys)
        split = {
            name: _split_layers(value, [len(part) for part in answer.pooler_output])
            if name == "deepstack_features"
            else _split(value, tiles)
            for name in fields
            if (value := getattr(answer, name, None)) is not None
        }
        for index, key in enumerate(keys):
            self.parts[key] = {name: parts[index] for name, parts in split.items() if parts}

    def forget(self, but: Collection[str]) -> None:
        """Let go of all pictures but these."""
        for key in [key for key in self.parts if key.removesuffix("/blank") not in but]:
            del self.parts[key]

    def answer(self, keys: Sequence[str]) -> Any:
        """Return the answer for the pictures of all rows."""
        values = {name: _joined([self.parts[key][name] for key in keys]) for name in self.parts[keys[0]]}
        known = inspect.signature(self.kind).parameters
        found = self.kind(**{name: value for name, value in values.items() if name in known})
        # In transformers 5.17 the features of Idefics3 hang on an answer whose class does not know them.
        for name in values.keys() - known:
            setattr(found, name, values[name])
        return found


def _split(value: Any, tiles: Sequence[int]) -> list[Any]:
    """Return one part per picture; nothing where the value does not follow the pictures."""
    count, total = len(tiles), sum(tiles)
    if isinstance(value, Tensor):
        if len(value) == count:
            return list(value.split(1))
        return list(value.split(list(tiles))) if len(value) == total else []
    return [(part,) for part in value] if len(value) == count else []


def _split_layers(layers: Sequence[Any], lengths: Sequence[int]) -> list[Any]:
    """Return the features of several depths by picture, each of so many tokens."""
    whole = [isinstance(layer, Tensor) for layer in layers]
    split = [layer.split(list(lengths)) if one else layer for layer, one in zip(layers, whole, strict=True)]
    return [
        [layer[index] if one else (layer[index],) for layer, one in zip(split, whole, strict=True)]
        for index in range(len(lengths))
    ]


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))
    if isinstance(parts[0], tuple):
        return tuple(tensor for part in parts for tensor in part)
    return [_joined([part[layer] for part in parts]) for layer in range(len(parts[0]))]


@contextmanager
def seeing_once(
    part: Sight | None,
    seen: Seen,
    rows: Sequence[str],
    fresh: Sequence[str],
    inputs: dict[str, Tensor],
    tiles: Sequence[int],
    length: int = 0,
) -> Iterator[None]:
    """While this holds, the part that sees looks at fresh pictures alone, and answers for all rows.

    Args:
        rows: The key of each row's picture.
        fresh: Keys of the pictures that were not seen yet.
        inputs: What the part is to be given for the fresh ones, by the names of its arguments.
        tiles: Tiles of each fresh picture.
        length: Of the rows' pictures as the model is given them, along the first dimension.

    Raises:
        RuntimeError: The part was not asked, so the model saw nothing.
    """
    if part is None or not rows:
        yield
        return
    original, asked = part.call, False
    hooked = part.attribute in vars(part.owner)  # by accelerate, where a model is spread over devices
    names = list(inspect.signature(original).parameters)

    @functools.wraps(original)
    def once(*args: Any, **kwargs: Any) -> Any:
        nonlocal asked
        asked = True
        if fresh and fresh[0] not in seen.parts:
            given = [inputs.get(name, value) for name, value in zip(names, args, strict=False)]
            named = {name: inputs.get(name, value) for name, value in kwargs.items()}
            seen.keep(fresh, original(*given, **named), tiles, _FIELDS[part.attribute])
        # A beam search may repeat the rows before the model sees them, or after.
        shown = kwargs.get("pixel_values", args[0] if args else None)
        copies = 1 if shown is None or not length else max(1, len(shown) // length)
        return seen.answer([row for row in rows for _ in range(copies)])

    setattr(part.owner, part.attribute, once)
    try:
        yield
    finally:
        if hooked:
            setattr(part.owner, part.attribute, original)
        else:
            delattr(part.owner, part.attribute)
    if not asked:
        raise RuntimeError(f"{type(part.owner).__name__}.{part.attribute} was not asked for the pictures")
