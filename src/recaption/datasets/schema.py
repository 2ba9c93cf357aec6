"""The parquet layout of captions and of rejects, and the lossless way there and back.

Texts of the web are not always text: JSON and file names can hold lone surrogates, which UTF-8 has no bytes for.
They are stored one to one in the last private-use block, U+10F800–U+10FFFF; a character of that block that was
there before is marked by U+10F7FF. Every other text is stored as it stands, so nobody who reads the files without
this module ever meets the escape in ordinary data. `from_row` undoes it.

What cannot be a value is not stored as one: a size that is no size is null, a score that is NaN is null, and a NaN
or an object inside metadata becomes the text that names it. Nothing here raises on hostile input on the way in.
"""

import io
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import IO, Any, Final, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from recaption.core.digests import canonical_json
from recaption.core.errors import DataError
from recaption.core.types import (
    Box,
    Caption,
    Evidence,
    EvidenceKind,
    Image,
    JsonValue,
    Origin,
    Provenance,
    Record,
    Rejected,
    Score,
)

__all__ = [
    "CAPTIONS",
    "REJECTS",
    "SCHEMA_VERSION",
    "from_row",
    "rejected_from_row",
    "rejected_to_row",
    "table_bytes",
    "to_row",
    "write_rows",
]

SCHEMA_VERSION: Final = 1
ROW_GROUP_ROWS: Final = 1024
ROW_GROUP_BYTES: Final = 64 << 20
"""A row group ends at whichever comes first, so that image bytes in the rows cannot fill the memory."""
MAX_SIDE_PX: Final = (1 << 31) - 1
MAX_DEPTH: Final = 64
MAX_FOREIGN_CHARACTERS: Final = 1000

_METADATA: Final = {"recaption.schema": str(SCHEMA_VERSION)}
_SCORE: Final = pa.struct([("name", pa.string()), ("value", pa.float64()), ("reason", pa.string())])
_FLAG: Final = pa.struct([("name", pa.string()), ("reason", pa.string())])
_CAPTION: Final = pa.struct(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("origin", pa.string()),
        ("aspect", pa.string()),
        ("kept", pa.bool_()),
        ("scores", pa.list_(_SCORE)),
        ("flags", pa.list_(_FLAG)),
        ("provenance", pa.string()),
    ]
)
_EVIDENCE: Final = pa.struct(
    [
        ("kind", pa.string()),
        ("label", pa.string()),
        ("source", pa.string()),
        ("box", pa.list_(pa.float64())),
        ("score", pa.float64()),
        ("attributes", pa.string()),
    ]
)
_IMAGE: Final = pa.struct(
    [
        ("path", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("row", pa.int64()),
        ("column", pa.string()),
        ("url", pa.string()),
        ("name", pa.string()),
        ("data", pa.binary()),
    ]
)

CAPTIONS: Final = pa.schema(
    [
        ("key", pa.string()),
        ("caption", pa.string()),
        ("original_caption", pa.string()),
        ("origin", pa.string()),
        ("aspect", pa.string()),
        ("captions", pa.list_(_CAPTION)),
        ("evidence", pa.list_(_EVIDENCE)),
        ("image", _IMAGE),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("metadata", pa.string()),
        ("chosen", pa.string()),
    ],
    metadata=_METADATA,
)
"""One row per record.

`caption`, `origin` and `aspect` are those of the chosen caption, null while none is chosen. `original_caption` is the
first text that came with the data, untouched. `box` is left, top, right, bottom in pixels of the upright image.
`provenance`, `attributes` and `metadata` are canonical JSON. `image.data` is set only where there is no place to read
the bytes from again.
"""

REJECTS: Final = pa.schema(
    [
        ("key", pa.string()),
        ("stage", pa.string()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("retryable", pa.bool_()),
        ("raw", pa.string()),
    ],
    metadata=_METADATA,
)
"""One row per record that did not reach the output."""

_ORIGINS: Final = frozenset(get_args(Origin))
_KINDS: Final = frozenset(get_args(EvidenceKind))
_ESCAPE: Final = "\U0010f7ff"
_SHIFT: Final = 0x10F800 - 0xD800
_UNSTORABLE: Final = re.compile("[\ud800-\udfff\U0010f7ff-\U0010ffff]")
_STORED: Final = re.compile("\U0010f7ff([\U0010f7ff-\U0010ffff])|([\U0010f800-\U0010ffff])")


def to_row(record: Record) -> dict[str, Any]:
    """Return a record as a row of `CAPTIONS`; `from_row` gives an equal record back.

    An image that has both bytes and a path is stored by its path alone.
    """
    ids = [caption.id for caption in record.captions]
    best = record.captions[ids.index(record.chosen)] if record.chosen in ids else None
    width, height = _size(record.size)
    return {
        "key": _stored(record.key),
        "caption": _stored(best.text) if best else None,
        "original_caption": _stored_or_none(record.original_text),
        "origin": best.origin if best else None,
        "aspect": _stored(best.aspect) if best else None,
        "captions": [_caption_row(c, name) for c, name in zip(record.captions, ids, strict=True)],
        "evidence": [_evidence_row(e) for e in record.evidence],
        "image": _image_row(record.image) if record.image else None,
        "width": width,
        "height": height,
        "metadata": _json(record.metadata),
        "chosen": _stored_or_none(record.chosen),
    }


def from_row(row: Mapping[str, Any]) -> Record:
    """Return the record a row of `CAPTIONS` stands for.

    Raises:
        DataError: The row does not have the layout of `CAPTIONS`.
    """
    try:
        return _record(row)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        key = repr(row.get("key"))[:100] if isinstance(row, Mapping) else "?"
        raise DataError(f"row {key} is not a row of recaption's captions: {_named(error)}") from error


def rejected_to_row(rejected: Rejected) -> dict[str, Any]:
    """Return a reject as a row of `REJECTS`."""
    return {
        "key": _stored(rejected.key),
        "stage": _stored(rejected.stage),
        "kind": rejected.kind,
        "reason": _stored(rejected.reason),
        "retryable": rejected.retryable,
        "raw": _stored_or_none(rejected.raw),
    }


def rejected_from_row(row: Mapping[str, Any]) -> Rejected:
    """Return the reject a row of `REJECTS` stands for.

    Raises:
        DataError: The row does not have the layout of `REJECTS`.
    """
    try:
        if row["kind"] not in ("dropped", "failed"):
            raise ValueError(f"kind {row['kind']!r}")
        return Rejected(
            key=_read(row["key"]),
            stage=_read(row["stage"]),
            kind=row["kind"],
            reason=_read(row["reason"]),
            retryable=bool(row["retryable"]),
            raw=_read_or_none(row["raw"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"a row is not a row of recaption's rejects: {_named(error)}") from error


def table_bytes(rows: Iterable[Mapping[str, Any]], schema: Any) -> bytes:
    """Return rows as a parquet file. The same rows and the same pyarrow give the same bytes."""
    buffer = io.BytesIO()
    write_rows(buffer, rows, schema)
    return buffer.getvalue()


def write_rows(file: IO[bytes], rows: Iterable[Mapping[str, Any]], schema: Any) -> int:
    """Write rows to an open file as parquet, one row group in memory at a time; return how many rows."""
    count = 0
    group: list[Mapping[str, Any]] = []
    weight = 0
    with pq.ParquetWriter(file, schema, compression="zstd", compression_level=1, version="2.6") as writer:
        for row in rows:
            group.append(row)
            weight += _weight(row)
            count += 1
            if len(group) >= ROW_GROUP_ROWS or weight >= ROW_GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=len(group))
                group, weight = [], 0
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=len(group))
    return count


def _weight(row: Mapping[str, Any]) -> int:
    """Return about how many bytes a row holds, counting what can be large."""
    weight = len((row.get("image") or {}).get("data") or b"") + len(row.get("metadata") or "")
    return weight + sum(len(c["text"]) + len(c["provenance"]) for c in row.get("captions") or ())


def _caption_row(caption: Caption, name: str) -> dict[str, Any]:
    p = caption.provenance
    made = {"stage": p.stage, "version": p.version, "parents": list(p.parents), "details": p.details}
    return {
        "id": name,
        "text": _stored(caption.text),
        "origin": caption.origin,
        "aspect": _stored(caption.aspect),
        "kept": caption.kept,
        "scores": [
            {"name": _stored(n), "value": s.value, "reason": _stored_or_none(s.reason)}
            for n, s in sorted(caption.scores.items())
        ],
        "flags": [{"name": _stored(n), "reason": _stored(r)} for n, r in sorted(caption.flags.items())],
        "provenance": _json(made),
    }


def _evidence_row(evidence: Evidence) -> dict[str, Any]:
    box, score = evidence.box, evidence.score
    return {
        "kind": evidence.kind,
        "label": _stored(evidence.label),
        "source": _stored(evidence.source),
        "box": [box.left, box.top, box.right, box.bottom] if box else None,
        "score": score if score is not None and math.isfinite(score) else None,
        "attributes": _json(evidence.attributes),
    }


def _image_row(image: Image) -> dict[str, Any]:
    return {
        "path": _stored_or_none(image.path),
        "offset": image.offset,
        "length": image.length,
        "row": image.row,
        "column": _stored_or_none(image.column),
        "url": _stored_or_none(image.url),
        "name": _stored_or_none(image.name),
        "data": image.data if image.path is None else None,
    }


def _record(row: Mapping[str, Any]) -> Record:
    stored_ids = [c["id"] for c in row["captions"]]
    captions = tuple(_caption(c) for c in row["captions"])
    chosen = _read_or_none(row["chosen"])
    if chosen in stored_ids:
        # A caption's id is a digest of what it says; after an edit of the file the choice still points at it.
        chosen = captions[stored_ids.index(chosen)].id
    width, height = row["width"], row["height"]
    return Record(
        key=_read(row["key"]),
        image=_image(row["image"]) if row["image"] is not None else None,
        size=(width, height) if width is not None and height is not None else None,
        captions=captions,
        evidence=tuple(_evidence(e) for e in row["evidence"]),
        metadata=_object(row["metadata"]),
        chosen=chosen,
    )


def _caption(row: Mapping[str, Any]) -> Caption:
    made = _object(row["provenance"])
    stage, version, parents, details = made["stage"], made["version"], made["parents"], made["details"]
    if not (isinstance(stage, str) and isinstance(version, str) and isinstance(details, dict)):
        raise ValueError(f"provenance {made!r}")
    if not isinstance(parents, list):
        raise ValueError(f"provenance parents {parents!r}")
    return Caption(
        text=_read(row["text"]),
        origin=_one_of(_ORIGINS, row["origin"]),
        provenance=Provenance(
            stage=stage, version=version, parents=tuple(str(p) for p in parents), details=details
        ),
        aspect=_read(row["aspect"]),
        kept=bool(row["kept"]),
        scores={
            _read(s["name"]): Score(value=s["value"], reason=_read_or_none(s["reason"])) for s in row["scores"]
        },
        flags={_read(f["name"]): _read(f["reason"]) for f in row["flags"]},
    )


def _evidence(row: Mapping[str, Any]) -> Evidence:
    return Evidence(
        kind=_one_of(_KINDS, row["kind"]),
        label=_read(row["label"]),
        source=_read(row["source"]),
        box=Box(*row["box"]) if row["box"] is not None else None,
        score=row["score"],
        attributes=_object(row["attributes"]),
    )


def _image(row: Mapping[str, Any]) -> Image:
    return Image(
        data=row["data"],
        path=_read_or_none(row["path"]),
        offset=row["offset"],
        length=row["length"],
        row=row["row"],
        column=_read_or_none(row["column"]),
        url=_read_or_none(row["url"]),
        name=_read_or_none(row["name"]),
    )


def _size(size: tuple[int, int] | None) -> tuple[int | None, int | None]:
    if size is None or not all(0 < side <= MAX_SIDE_PX for side in size):
        return None, None
    return size


def _one_of(allowed: frozenset[str], value: object) -> Any:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(sorted(allowed))}")
    return value


def _stored(text: str) -> str:
    return text if text.isascii() else _UNSTORABLE.sub(_escape, text)


def _stored_or_none(text: str | None) -> str | None:
    return None if text is None else _stored(text)


def _read(text: str) -> str:
    return text if text.isascii() else _STORED.sub(_unescape, text)


def _read_or_none(text: str | None) -> str | None:
    return None if text is None else _read(text)


def _escape(match: re.Match[str]) -> str:
    found = match.group()
    return chr(ord(found) + _SHIFT) if ord(found) < 0xE000 else _ESCAPE + found


def _unescape(match: re.Match[str]) -> str:
    return match.group(1) or chr(ord(match.group(2)) - _SHIFT)


def _json(value: Mapping[str, Any]) -> str:
    if not value:
        return "{}"
    try:
        text = canonical_json(value)
    except (DataError, RecursionError):
        text = canonical_json(_plain(value, MAX_DEPTH))
    return _stored(text)


def _object(text: str) -> dict[str, JsonValue]:
    if text == "{}":
        return {}
    value = json.loads(_read(text), parse_constant=_no_constant)
    if not isinstance(value, dict):
        raise ValueError(f"JSON {type(value).__name__} where an object belongs")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON holds {name}")


def _plain(value: object, depth: int) -> JsonValue:
    """Return a value as JSON can hold it; what it cannot hold becomes the text that names it."""
    if depth == 0:
        return "nested too deep"
    if isinstance(value, Mapping):
        return {str(name): _plain(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, int) and value.bit_length() > 8192:
        return f"an integer of {value.bit_length()} bits"
    if (
        value is None
        or isinstance(value, bool | int | str)
        or (isinstance(value, float) and math.isfinite(value))
    ):
        return value
    return str(value)[:MAX_FOREIGN_CHARACTERS]


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
