"""Evidence as plain JSON and back: the one shape in which it is remembered and written."""

from typing import Any, cast, get_args

from recaption.core.errors import DataError
from recaption.core.types import Box, Evidence, EvidenceKind, JsonValue

__all__ = ["evidence_from_json", "evidence_to_json"]


def evidence_to_json(evidence: Evidence) -> dict[str, JsonValue]:
    """Return evidence as JSON; `box` is left, top, right, bottom."""
    box = evidence.box
    return {
        "kind": evidence.kind,
        "label": evidence.label,
        "source": evidence.source,
        "box": [box.left, box.top, box.right, box.bottom] if box else None,
        "score": evidence.score,
        "attributes": dict(evidence.attributes),
    }


def evidence_from_json(value: JsonValue) -> Evidence:
    """Return what `evidence_to_json` was given. Raises DataError for anything else."""
    try:
        item = cast(dict[str, Any], value)
        if item["kind"] not in get_args(EvidenceKind) or not isinstance(item["attributes"], dict):
            raise ValueError(item["kind"])
        return Evidence(
            kind=item["kind"],
            label=item["label"],
            source=item["source"],
            box=None if item["box"] is None else Box(*map(float, item["box"])),
            score=item["score"],
            attributes=item["attributes"],
        )
    except (TypeError, KeyError, ValueError) as error:
        raise DataError(f"not evidence: {type(error).__name__} {error}"[:200]) from error
