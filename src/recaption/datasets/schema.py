"""The parquet layout of captions and of rejects, and the lossless way there and back.

What cannot be a value is not stored as one: a size that is no size is null, a score that is NaN is null, and a NaN
or an object inside metadata becomes the text that names it. Nothing here raises on hostile input on the way in.
How texts and JSON are stored: `recaption.datasets.stored`.
"""

import io
import math
from collections.abc import Iterable, Mapping
from typing import IO, Any, Final, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from recaption.core.errors import DataError
from recaption.core.types import (
    Box,
    Caption,
    Evidence,
    EvidenceKind,
    Image,
    Origin,
    Provenance,
    Record,
    Rejected,
    Score,
)
from recaption.datasets.stored import (
    read_json,
    read_or_none,
    read_text,
    stored_json,
    stored_or_none,
    stored_text,
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


def to_row(record: Record) -> dict[str, Any]:
    """Return a record as a row of `CAPTIONS`; `from_row` gives an equal record back.

    An image that has both bytes and a path is stored by its path alone.
    """
    ids = [caption.id for caption in record.captions]
    best = record.captions[ids.index(record.chosen)] if record.chosen in ids else None
    width, height = _size(record.size)
    return {
        "key": stored_text(record.key),
        "caption": stored_text(best.text) if best else None,
        "original_caption": stored_or_none(record.original_text),
        "origin": best.origin if best else None,
        "aspect": stored_text(best.aspect) if best else None,
        "captions": [_caption_row(c, name) for c, name in zip(record.captions, ids, strict=True)],
        "evidence": [_evidence_row(e) for e in record.evidence],
        "image": _image_row(record.image) if record.image else None,
        "width": width,
        "height": height,
        "metadata": stored_json(record.metadata),
        "chosen": stored_or_none(record.chosen),
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
        "key": stored_text(rejected.key),
        "stage": stored_text(rejected.stage),
        "kind": rejected.kind,
        "reason": stored_text(rejected.reason),
        "retryable": rejected.retryable,
        "raw": stored_or_none(rejected.raw),
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
            key=read_text(row["key"]),
            stage=read_text(row["stage"]),
            kind=row["kind"],
            reason=read_text(row["reason"]),
            retryable=bool(row["retryable"]),
            raw=read_or_none(row["raw"]),
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
    image, captions = row.get("image"), row.get("captions")
    weight = len(image["data"] or b"") if isinstance(image, dict) else 0
    if isinstance(captions, list):
        weight += sum(len(c["text"]) + len(c["provenance"]) for c in captions)
    return weight + len(row.get("metadata") or "")


def _caption_row(caption: Caption, name: str) -> dict[str, Any]:
    p = caption.provenance
    made = {"stage": p.stage, "version": p.version, "parents": list(p.parents), "details": p.details}
    return {
        "id": name,
        "text": stored_text(caption.text),
        "origin": caption.origin,
        "aspect": stored_text(caption.aspect),
        "kept": caption.kept,
        "scores": [
            {"name": stored_text(n), "value": s.value, "reason": stored_or_none(s.reason)}
            for n, s in sorted(caption.scores.items())
        ],
        "flags": [{"name": stored_text(n), "reason": stored_text(r)} for n, r in sorted(caption.flags.items())],
        "provenance": stored_json(made),
    }


def _evidence_row(evidence: Evidence) -> dict[str, Any]:
    box, score = evidence.box, evidence.score
    return {
        "kind": evidence.kind,
        "label": stored_text(evidence.label),
        "source": stored_text(evidence.source),
        "box": [box.left, box.top, box.right, box.bottom] if box else None,
        "score": score if score is not None and math.isfinite(score) else None,
        "attributes": stored_json(evidence.attributes),
    }


def _image_row(image: Image) -> dict[str, Any]:
    return {
        "path": stored_or_none(image.path),
        "offset": image.offset,
        "length": image.length,
        "row": image.row,
        "column": stored_or_none(image.column),
        "url": stored_or_none(image.url),
        "name": stored_or_none(image.name),
        "data": image.data if image.path is None else None,
    }


def _record(row: Mapping[str, Any]) -> Record:
    stored_ids = [c["id"] for c in row["captions"]]
    captions = tuple(_caption(c) for c in row["captions"])
    chosen = read_or_none(row["chosen"])
    if chosen in stored_ids:
        # A caption's id is a digest of what it says; after an edit of the file the choice still points at it.
        chosen = captions[stored_ids.index(chosen)].id
    width, height = row["width"], row["height"]
    return Record(
        key=read_text(row["key"]),
        image=_image(row["image"]) if row["image"] is not None else None,
        size=(width, height) if width is not None and height is not None else None,
        captions=captions,
        evidence=tuple(_evidence(e) for e in row["evidence"]),
        metadata=read_json(row["metadata"]),
        chosen=chosen,
    )


def _caption(row: Mapping[str, Any]) -> Caption:
    made = read_json(row["provenance"])
    stage, version, parents, details = made["stage"], made["version"], made["parents"], made["details"]
    if not (isinstance(stage, str) and isinstance(version, str) and isinstance(details, dict)):
        raise ValueError(f"provenance {made!r}")
    if not isinstance(parents, list):
        raise ValueError(f"provenance parents {parents!r}")
    return Caption(
        text=read_text(row["text"]),
        origin=_one_of(_ORIGINS, row["origin"]),
        provenance=Provenance(
            stage=stage, version=version, parents=tuple(str(p) for p in parents), details=details
        ),
        aspect=read_text(row["aspect"]),
        kept=bool(row["kept"]),
        scores={
            read_text(s["name"]): Score(value=s["value"], reason=read_or_none(s["reason"]))
            for s in row["scores"]
        },
        flags={read_text(f["name"]): read_text(f["reason"]) for f in row["flags"]},
    )


def _evidence(row: Mapping[str, Any]) -> Evidence:
    return Evidence(
        kind=_one_of(_KINDS, row["kind"]),
        label=read_text(row["label"]),
        source=read_text(row["source"]),
        box=Box(*row["box"]) if row["box"] is not None else None,
        score=row["score"],
        attributes=read_json(row["attributes"]),
    )


def _image(row: Mapping[str, Any]) -> Image:
    return Image(
        data=row["data"],
        path=read_or_none(row["path"]),
        offset=row["offset"],
        length=row["length"],
        row=row["row"],
        column=read_or_none(row["column"]),
        url=read_or_none(row["url"]),
        name=read_or_none(row["name"]),
    )


def _size(size: tuple[int, int] | None) -> tuple[int | None, int | None]:
    if size is None or not all(0 < side <= MAX_SIDE_PX for side in size):
        return None, None
    return size


def _one_of(allowed: frozenset[str], value: object) -> Any:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(sorted(allowed))}")
    return value


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
