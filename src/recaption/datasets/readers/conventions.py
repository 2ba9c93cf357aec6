"""Names and limits that hold for every reader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import yaml

__all__ = [
    "MAX_IMAGE_BYTES",
    "MAX_JSON_BYTES",
    "MAX_JSON_DEPTH",
    "MAX_TEXT_BYTES",
    "Conventions",
    "conventions",
]

MAX_IMAGE_BYTES: Final = 64 * 1024 * 1024
MAX_TEXT_BYTES: Final = 1024 * 1024
MAX_JSON_BYTES: Final = 4 * 1024 * 1024
"""One JSON item, one line of a table, one JSON member of a tar."""
MAX_JSON_DEPTH: Final = 64


@dataclass(frozen=True, slots=True)
class Conventions:
    """The lists in `conventions.yaml`; extensions are lower case and have no dot."""

    columns: Mapping[str, Sequence[str]]
    image_extensions: frozenset[str]
    sidecar_extensions: tuple[str, ...]
    table_extensions: frozenset[str]
    metadata_names: tuple[str, ...]
    tar_extensions: tuple[str, ...]
    member_text: frozenset[str]
    member_json: frozenset[str]


@cache
def conventions() -> Conventions:
    """Return the names that data sets in the wild give to things."""
    text = files(__package__).joinpath("conventions.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    return Conventions(
        columns=data["columns"],
        image_extensions=frozenset(data["image_extensions"]),
        sidecar_extensions=tuple(data["sidecar_extensions"]),
        table_extensions=frozenset(data["table_extensions"]),
        metadata_names=tuple(data["metadata_names"]),
        tar_extensions=tuple(data["tar_extensions"]),
        member_text=frozenset(data["member_text"]),
        member_json=frozenset(data["member_json"]),
    )
