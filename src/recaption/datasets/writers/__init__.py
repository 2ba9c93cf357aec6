"""Export: records in the format another tool reads."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from recaption.core.protocols import Writer
from recaption.core.registry import resolve
from recaption.core.types import Record
from recaption.recipes.strict import validated

__all__ = ["export"]


def export(
    records: Iterable[Record], format: str, target: Path, params: Mapping[str, object] | None = None
) -> Mapping[str, int]:
    """Write records in a format, by its registry name; return how many were written, and what was left out and why.

    Raises:
        UnknownNameError: There is no such format.
        RecipeError: A parameter is unknown or has a bad value.
        RunFolderError: The target is in the way or cannot be written.
    """
    factory = cast("Any", resolve("writers", format))
    writer: Writer = factory(validated(factory.Params, params or {}, f"export to {format}"))
    return writer.write(records, target)
