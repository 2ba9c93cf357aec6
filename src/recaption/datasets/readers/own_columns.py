"""Rows that Recaption exported: every caption comes back as it was, not only the one that was chosen."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from recaption.core.errors import DataError
from recaption.core.types import Caption, JsonValue, Origin, Provenance, Score
from recaption.datasets.readers.source_text import clean_text
from recaption.datasets.readers.values import json_safe, whole_number

__all__ = ["OwnColumns", "own_columns"]

_ORIGINS: Final[Mapping[str, Origin]] = {origin: origin for origin in get_args(Origin)}
_MAX_CAPTIONS: Final = 10_000
_MAX_SIDE_PX: Final = 1 << 31
_BESIDE: Final = frozenset({"image", "evidence", "file_name", "url"})
_ALWAYS: Final = frozenset({"key", "caption", "original_caption", "captions", "chosen", "text"})


@dataclass(frozen=True, slots=True)
class OwnColumns:
    """What an exported row says beside its image, its evidence and the source's own columns."""

    captions: tuple[Caption, ...]
    chosen: str | None
    size: tuple[int, int] | None
    key: str | None
    used: frozenset[str]
    """The columns that it stands in."""

    def source_name(self, column: str) -> str:
        """Return what a column was called before the export gave way to one of its own."""
        bare = column.rstrip("_")
        return column[:-1] if bare != column and bare in self.used | _BESIDE else column


def own_columns(values: Mapping[str, object]) -> OwnColumns | None:
    """Return what an exported row says; None where a row is not one, or was changed beyond reading.

    A row is one if it has the column `original_caption`, and `captions` with a text and a provenance each.
    """
    if "original_caption" not in values or "captions" not in values:
        return None
    entries = values["captions"]
    try:
        if isinstance(entries, str):
            entries = json.loads(entries)
        if not isinstance(entries, list) or len(entries) > _MAX_CAPTIONS:
            return None
        captions = tuple(_caption(entry) for entry in entries)
        stored = [entry.get("id") for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, DataError):
        return None
    chosen = values.get("chosen") if "chosen" in values else _chosen_by_text(values, captions, stored)
    picked = captions[stored.index(chosen)].id if chosen in stored else None
    width, height = whole_number(values.get("width")), whole_number(values.get("height"))
    size = None
    if width is not None and height is not None and 0 < width < _MAX_SIDE_PX and 0 < height < _MAX_SIDE_PX:
        size = (width, height)
    key = values.get("key")
    return OwnColumns(
        captions=captions,
        chosen=picked,
        size=size,
        key=key if isinstance(key, str) and key else None,
        used=_ALWAYS | (frozenset({"width", "height"}) if "width" in values else frozenset()),
    )


def _chosen_by_text(
    values: Mapping[str, object], captions: tuple[Caption, ...], stored: list[object]
) -> object:
    """Return the id of the caption whose text stands for the row; None where it may be the first by default."""
    text = values.get("caption", values.get("text"))
    default = next((caption.text for caption in captions if caption.kept), None)
    if text == default:
        return None
    return next((id_ for id_, caption in zip(stored, captions, strict=True) if caption.text == text), None)


def _caption(entry: Any) -> Caption:
    """Return a caption. Raises ValueError, KeyError, TypeError or AttributeError where it is none."""
    made = entry["provenance"]
    text, origin, aspect = entry["text"], _ORIGINS[entry["origin"]], entry["aspect"]
    details = _plain(made["details"])
    if not (isinstance(text, str) and isinstance(aspect, str) and isinstance(details, dict)):
        raise TypeError("a caption of another layout")
    return Caption(
        text=clean_text(text)[0],
        origin=origin,
        provenance=Provenance(
            stage=str(made["stage"]),
            version=str(made["version"]),
            parents=tuple(str(parent) for parent in made["parents"]),
            details=details,
        ),
        aspect=aspect,
        kept=bool(entry["kept"]),
        scores={str(n): Score(value=s["value"], reason=s["reason"]) for n, s in entry["scores"].items()},
        flags={str(n): str(reason) for n, reason in entry["flags"].items()},
    )


def _plain(value: object) -> JsonValue:
    return json_safe(value, lambda kind: None)
