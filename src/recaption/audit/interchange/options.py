"""What may be said of an export and of an import, the same for every format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from recaption.core.errors import UnknownNameError, UserError

__all__ = ["Delimiter", "ExportOptions", "ImageMode", "ImportOptions", "Tell", "silent"]

ImageMode: TypeAlias = Literal["copy", "link", "embed", "none"]
Delimiter: TypeAlias = Literal[",", ";"]
Tell: TypeAlias = Callable[[str], None]
"""Takes one line for the user."""

MAX_SIDE_PX: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How items are handed out."""

    images: ImageMode | None = None
    """`copy`: encoded anew into a folder beside the file, under names that say nothing. `link`: the images where they
    lie. `embed`: inside the file. `none`: without. None for what suits the format."""
    image_prefix: str | None = None
    """What stands before a picture's path, `https://pictures.example/` for one. None for what suits the format."""
    image_root: Path | None = None
    """For `link`: the folder that the other tool serves; links are paths below it."""
    max_side_px: int = 1_280
    """Longer sides of pictures that are copied or embedded are shrunk to this."""
    delimiter: Delimiter = ","
    """Of a CSV file; `;` where spreadsheets write decimals with a comma."""
    anonymous: bool = False
    """`jsonl`: call the auditors `auditor 1` and so on, in the order in which they joined."""

    def __post_init__(self) -> None:
        if self.images is not None and self.images not in get_args(ImageMode):
            raise UnknownNameError("way with images", str(self.images)[:60], get_args(ImageMode))
        if not 64 <= self.max_side_px <= MAX_SIDE_PX:
            raise UserError(f"pictures of {self.max_side_px} pixels: give 64 to {MAX_SIDE_PX:,}")
        if self.delimiter not in get_args(Delimiter):
            raise UserError(f"a CSV file is delimited by , or ; not by {self.delimiter!r:.20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How verdicts are taken in."""

    auditor: str | None = None
    """Whose verdicts they are where the file does not say."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What auditors whom the file calls one thing are called here: `{"label-studio:7": "Anna"}`."""


def silent(line: str) -> None:
    """Tell nobody."""
