"""The base of every parameter model: unknown keys are errors, values are never bent to fit."""

from collections.abc import Mapping
from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

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
        lines = []
        for fault in error.errors():
            path = ".".join(str(part) for part in fault["loc"])
            if fault["type"] == "extra_forbidden":
                hint = did_you_mean(str(fault["loc"][-1]), _fields(model, fault["loc"][:-1]))
                lines.append(f"{where}.{path}: unknown key.{hint}")
            else:
                lines.append(f"{where}.{path}: {fault['msg']} (got {fault['input']!r})")
        raise RecipeError("\n".join(lines)) from error


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
