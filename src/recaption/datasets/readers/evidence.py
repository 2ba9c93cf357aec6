"""Columns that say what is in the picture, as evidence."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final, get_args

from recaption.core.types import Box, Evidence, EvidenceKind, JsonValue
from recaption.datasets.readers.source_text import clean_text
from recaption.datasets.readers.values import json_safe, whole_number

__all__ = ["box_from_corner_and_size", "given_evidence", "objects", "tags"]

_MAX_ITEMS: Final = 2000
_MAX_LABEL_CHARACTERS: Final = 2000
_KINDS: Final[Mapping[str, EvidenceKind]] = {kind: kind for kind in get_args(EvidenceKind)}
_BOXES: Final = ("bbox", "bboxes", "boxes", "box")
_CATEGORIES: Final = ("category", "categories", "label", "labels", "category_id", "name", "names")

Complain = Callable[[str], None]
"""Told, in a few words, about each entry that could not be used."""


def tags(value: object, source: str, complain: Complain) -> list[Evidence]:
    """Return a list, or a string with commas (or semicolons), as tags."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            value = _from_json(value, complain)
        else:
            value = value.split("," if "," in value else ";")
    found = []
    for item in _items(value, complain):
        if not isinstance(item, str):
            complain("tags that are not text")
        elif label := _label(item):
            found.append(Evidence(kind="tag", label=label, source=source))
    return found


def objects(value: object, source: str, names: Sequence[str], complain: Complain) -> list[Evidence]:
    """Return Hugging Face's object detection column as evidence.

    Either `{"bbox": [[x, y, w, h], …], "category": […]}` or a list of `{"bbox": [x, y, w, h], "category": …}`.

    Args:
        names: Class names, for categories that are numbers.
    """
    if isinstance(value, str):
        value = _from_json(value, complain)
    found = []
    for box, category in _pairs(value, complain):
        number = whole_number(category)
        if number is not None:
            category = names[number] if 0 <= number < len(names) else None
        label = _label(category) if isinstance(category, str) else ""
        place = box_from_corner_and_size(box)
        if place is None or not label:
            complain("objects without a box" if place is None else "objects without a class name")
            continue
        found.append(Evidence(kind="object", label=label, source=source, box=place))
    return found


def _pairs(value: object, complain: Complain) -> list[tuple[object, object]]:
    if isinstance(value, Mapping):
        boxes, categories = _first(value, _BOXES), _first(value, _CATEGORIES)
        if not isinstance(boxes, Sequence) or not isinstance(categories, Sequence):
            return []
        if len(boxes) != len(categories):
            complain("object lists with unequal numbers of boxes and classes")
            return []
        return list(zip(boxes, categories, strict=True))[:_MAX_ITEMS]
    entries = [item for item in _items(value, complain) if isinstance(item, Mapping)]
    return [(_first(e, _BOXES), _first(e, _CATEGORIES)) for e in entries]


def _first(mapping: Mapping[object, object], names: Sequence[str]) -> object:
    return next((mapping[name] for name in names if name in mapping), None)


def box_from_corner_and_size(value: object) -> Box | None:
    """Return `[x, y, width, height]` as a box; None where it is none."""
    numbers = _four(value)
    if numbers is None:
        return None
    x, y, width, height = numbers
    return _box(x, y, x + width, y + height)


def given_evidence(value: object, source: str, complain: Complain) -> list[Evidence]:
    """Return a list of our own evidence: kind, label, source, box `[left, top, right, bottom]`, score, attributes."""
    if isinstance(value, str):
        value = _from_json(value, complain)
    found = []
    for item in _items(value, complain):
        one = _one_given(item, source, complain) if isinstance(item, Mapping) else None
        if one is None:
            complain("evidence entries that are not usable")
        else:
            found.append(one)
    return found


def _one_given(item: Mapping[object, object], source: str, complain: Complain) -> Evidence | None:
    kind, label, box, score = (
        _KINDS.get(str(item.get("kind"))),
        item.get("label"),
        item.get("box"),
        item.get("score"),
    )
    if kind is None or not isinstance(label, str) or not _label(label):
        return None
    place = None
    if box is not None:
        numbers = _four(box)
        place = _box(*numbers) if numbers else None
        if place is None:
            return None
    if score is not None and not (isinstance(score, int | float) and 0 <= score <= 1):
        return None
    said_by = item.get("source")
    attributes = item.get("attributes")
    if isinstance(attributes, str):
        attributes = _from_json(attributes, complain)
    return Evidence(
        kind=kind,
        label=_label(label),
        source=clean_text(said_by)[0] if isinstance(said_by, str) and said_by else source,
        box=place,
        score=None if score is None else float(score),
        attributes=_attributes(attributes, complain),
    )


def _attributes(value: object, complain: Complain) -> dict[str, JsonValue]:
    safe = json_safe(value, lambda kind: complain(f"{kind} attributes of evidence"))
    return safe if isinstance(safe, dict) else {}


def _four(value: object) -> tuple[float, float, float, float] | None:
    if isinstance(value, Mapping):
        value = [value.get(side) for side in ("left", "top", "right", "bottom")]
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != 4:
        return None
    if not all(isinstance(v, int | float) and abs(v) < 1e9 for v in value):
        return None
    a, b, c, d = value
    return float(a), float(b), float(c), float(d)


def _box(left: float, top: float, right: float, bottom: float) -> Box | None:
    try:
        return Box(left, top, right, bottom)
    except ValueError:
        return None


def _label(text: str) -> str:
    return " ".join(clean_text(text[:_MAX_LABEL_CHARACTERS])[0].split())


def _items(value: object, complain: Complain) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        complain(f"entries that are {type(value).__name__}, not a list")
        return []
    if len(value) > _MAX_ITEMS:
        complain(f"lists longer than {_MAX_ITEMS:,}, cut")
    return list(value[:_MAX_ITEMS])


def _from_json(text: str, complain: Complain) -> object:
    if not text.strip():
        return None
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        complain(f"JSON that does not parse ({type(error).__name__})")
        return None
    return found
