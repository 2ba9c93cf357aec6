"""The base of every parameter model: unknown keys are errors, values are never bent to fit."""

import re
import reprlib
from collections.abc import Mapping
from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from recaption.core.errors import RecipeError, did_you_mean

__all__ = ["StrictModel", "validated"]

Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """Frozen; unknown keys refused; no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


def validated(model: type[Model], values: Mapping[str, object], where: str) -> Model:
    """Return `values` as a model.

    Args:
        where: Where the values stand, for the message: `rules.yaml: stages[2].fit`.

    Raises:
        RecipeError: All faults at once, each with its place, and close names for unknown keys.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        inner = {fault["loc"][:depth] for fault in faults for depth in range(len(fault["loc"]))}
        # What holds a fault is faulty for that alone: a list loses its bad items and is then called too short.
        told = [_told(model, fault, where) for fault in faults if fault["loc"] not in inner]
        raise RecipeError("\n".join(told)) from error


def _told(model: type[BaseModel], fault: ErrorDetails, where: str) -> str:
    path, kind, given = fault["loc"], fault["type"], fault["input"]
    place = ".".join([where, *map(str, path)])
    if kind == "extra_forbidden":
        return f"{place}: unknown key.{did_you_mean(str(path[-1]), _fields(model, path[:-1]))}"
    if kind == "missing":
        return f"{place}: {fault['msg']}"
    if kind == "literal_error" and isinstance(given, str):
        known = re.findall("'([^']*)'", fault["ctx"]["expected"])
        return f"{place}: unknown value {_shown(given)}.{did_you_mean(given[:100], known)}"
    said = fault["msg"].removeprefix("Value error, ")
    # A fault of several values together has all of them for its input.
    return f"{place}: {said}" if isinstance(given, Mapping) else f"{place}: {said} (got {_shown(given)})"


def _shown(value: object) -> str:
    """Return a short form of any value, however large."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to write out a number of thousands of digits
        return f"a very large {type(value).__name__}"


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the names allowed at a path, following nested models through lists, mappings and options."""
    annotation: object = model
    for part in path:
        nested = _model_in(annotation)
        if nested is not None and part in nested.model_fields:
            annotation = nested.model_fields[str(part)].annotation
    found = _model_in(annotation)
    return list(found.model_fields) if found else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Return the first model an annotation speaks of: of `tuple[Condition, ...] | None`, `Condition`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
