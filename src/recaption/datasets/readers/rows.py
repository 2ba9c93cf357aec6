"""One row of anything, as a record."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from recaption.core.digests import digest_json
from recaption.core.errors import DataError
from recaption.core.types import Caption, Evidence, Image, JsonValue, Origin, Provenance, Record, Rejected
from recaption.datasets.readers import evidence as columns_of_evidence
from recaption.datasets.readers.accounting import Tally, rejected
from recaption.datasets.readers.columns import Roles
from recaption.datasets.readers.conventions import MAX_TEXT_BYTES
from recaption.datasets.readers.image_refs import ImageRoot, image_identity
from recaption.datasets.readers.own_columns import OwnColumns, own_columns
from recaption.datasets.readers.source_text import clean_text, safe_key, without_tokens
from recaption.datasets.readers.values import json_safe, whole_number

__all__ = [
    "BadRow",
    "Parts",
    "Row",
    "RowMaker",
    "download_failure",
    "key_text",
    "merged_parts",
    "parts_of",
    "source_caption",
    "unique",
]

_MAX_CAPTIONS: Final = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """What a table says about one thing, and where in the table."""

    place: str
    """`line 12`, `row 5`."""
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A piece of a table that is no row."""

    place: str
    reason: str
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What a row says beside its key and its image."""

    captions: tuple[Caption, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    key: str | None = None
    chosen: str | None = None
    size: tuple[int, int] | None = None
    exported: bool = False
    """Whether Recaption exported the row, so that it is complete: key, choice and size come from it too."""

    def record(self, key: str, image: Image | None) -> Record:
        """Return a record of a thing that is said to have these parts."""
        return Record(
            key=key,
            image=image,
            size=self.size,
            captions=self.captions,
            evidence=self.evidence,
            metadata=self.metadata,
            chosen=self.chosen,
        )


def source_caption(
    text: str, *, damaged: bool, origin: Origin = "alt", column: str | None = None
) -> Caption | None:
    """Return a text that came with the data as a caption; None where it is blank.

    Raises:
        DataError: The text is over the limit.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise DataError(f"a text of {len(text):,} characters is over the limit of {MAX_TEXT_BYTES:,}")
    plain, replaced = clean_text(text)
    bare = without_tokens(plain)
    if not bare.strip():
        return None
    details: dict[str, JsonValue] = {} if column is None else {"column": clean_text(column)[0]}
    if bare != plain:
        details["removed"] = "data-juicer tokens"
    flags = {"bad_encoding": "characters that are not UTF-8 were replaced"} if damaged or replaced else {}
    return Caption(
        text=bare, origin=origin, provenance=Provenance(stage="source", details=details), flags=flags
    )


def unique(captions: Sequence[Caption]) -> tuple[Caption, ...]:
    """Return captions without repetitions; one that was said twice remembers `times`."""
    if len(captions) < 2:
        return tuple(captions)
    found: dict[str, Caption] = {}
    for caption in captions:
        before = found.setdefault(caption.id, caption)
        if before is not caption:
            times = whole_number(before.provenance.details.get("times", 1)) or 1
            details = {**before.provenance.details, "times": times + 1}
            found[caption.id] = replace(before, provenance=replace(before.provenance, details=details))
    return tuple(found.values())


def parts_of(
    values: Mapping[str, object],
    roles: Roles,
    tally: Tally,
    *,
    origin: Origin = "alt",
    class_names: Mapping[str, Sequence[str]] | None = None,
) -> Parts:
    """Return the captions, evidence and other columns of a row.

    Args:
        class_names: Column path (`objects.category`) to names, for categories that are numbers.

    Raises:
        DataError: Something is over a limit.
    """
    own = own_columns(values)
    if own is not None:
        return _exported(values, own, roles, tally)
    metadata = _others(values, roles.used, tally)
    captions: list[Caption] = []
    if roles.caption is not None:
        texts, unusable = _texts(values.get(roles.caption))
        if unusable:
            tally.add("captions that are not text, kept as metadata", unusable)
            metadata[roles.caption] = json_safe(values[roles.caption], _dropped(tally, roles.caption))
        made = (source_caption(t, damaged=False, origin=origin, column=roles.caption) for t in texts)
        captions = [caption for caption in made if caption is not None]
        if metadata.get("original_caption") in [caption.text for caption in captions]:
            del metadata["original_caption"]
    key = metadata.pop("key") if "original_caption" in values and isinstance(metadata.get("key"), str) else None
    found = _evidence(values, roles, tally, class_names or {})
    return Parts(unique(captions), found, metadata, key=key if isinstance(key, str) and key.strip() else None)


def _exported(values: Mapping[str, object], own: OwnColumns, roles: Roles, tally: Tally) -> Parts:
    others = _others(values, own.used | roles.used, tally)
    return Parts(
        captions=own.captions,
        evidence=_evidence(values, roles, tally, {}),
        metadata={own.source_name(name): value for name, value in others.items()},
        key=own.key,
        chosen=own.chosen,
        size=own.size,
        exported=True,
    )


def _others(values: Mapping[str, object], used: frozenset[str], tally: Tally) -> dict[str, JsonValue]:
    """Return the columns that pass through."""
    return {
        clean_text(str(name))[0]: json_safe(value, _dropped(tally, str(name)))
        for name, value in values.items()
        if name not in used
    }


def merged_parts(first: Parts, second: Parts) -> Parts:
    """Return what two rows say of one thing; the captions of the second keep the columns that differ."""
    differing: dict[str, JsonValue] = {
        name: value
        for name, value in second.metadata.items()
        if name in first.metadata and first.metadata[name] != value
    }
    return Parts(
        captions=unique([*first.captions, *(_with_columns(c, differing) for c in second.captions)]),
        evidence=first.evidence + tuple(e for e in second.evidence if e not in first.evidence),
        metadata={**second.metadata, **first.metadata},
        key=first.key or second.key,
        chosen=first.chosen or second.chosen,
        size=first.size or second.size,
        exported=first.exported or second.exported,
    )


def _with_columns(caption: Caption, columns: Mapping[str, JsonValue]) -> Caption:
    if not columns:
        return caption
    provenance = caption.provenance
    details: dict[str, JsonValue] = {**provenance.details, "columns": dict(columns)}
    return replace(caption, provenance=replace(provenance, details=details))


def _dropped(tally: Tally, column: str) -> Callable[[str], None]:
    return lambda kind: tally.add("values dropped, JSON cannot hold them", f"{kind} in {column!r}")


def _texts(value: object) -> tuple[list[str], str | None]:
    """Return the texts in a cell, and the kind of what is no text."""
    if value is None:
        return [], None
    if isinstance(value, str):
        return [value], None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ([str(value)] if value == value else []), None
    if isinstance(value, list | tuple):
        found = [_texts(item) for item in value[:_MAX_CAPTIONS] if not isinstance(item, list | tuple)]
        unusable = [kind for _, kind in found if kind]
        return [text for texts, _ in found for text in texts], unusable[0] if unusable else None
    return [], type(value).__name__


def _evidence(
    values: Mapping[str, object], roles: Roles, tally: Tally, class_names: Mapping[str, Sequence[str]]
) -> tuple[Evidence, ...]:
    def complain(what: str) -> None:
        tally.add("pieces of evidence not used", what)

    found: list[Evidence] = []
    for name in roles.tags:
        found += columns_of_evidence.tags(values.get(name), f"column:{name}", complain)
    if roles.objects is not None:
        column = roles.objects
        names = next((n for path, n in class_names.items() if path.split(".")[0] == column), ())
        found += columns_of_evidence.objects(values.get(column), f"column:{column}", names, complain)
    if roles.evidence is not None:
        column = roles.evidence
        found += columns_of_evidence.given_evidence(values.get(column), f"column:{column}", complain)
    return tuple(found)


def key_text(value: object) -> str:
    """Return a key column's value as a key, empty where there is none."""
    if isinstance(value, str):
        return safe_key(value) if value.strip() else ""
    number = whole_number(value)
    return "" if number is None or abs(number) > 10**30 else str(number)


@dataclass(frozen=True, slots=True)
class RowMaker:
    """Turns the rows of one table into records."""

    table: str
    """Name for messages and for the keys of rejected rows."""
    roles: Roles
    root: ImageRoot
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def make(self, row: Row | BadRow, tally: Tally) -> Record | Rejected:
        """Return a row as a record, or why it cannot be one."""
        if isinstance(row, BadRow):
            return rejected(f"{self.table} {row.place}", f"{row.place}: {row.reason}", raw=row.raw)
        try:
            failure = download_failure(row.values)
            if failure is not None:
                raise DataError(failure)
            return self._record(row, tally)
        except DataError as error:
            key = key_text(row.values.get(self.roles.key or "")) or f"{self.table} {row.place}"
            return rejected(key, f"{self.table} {row.place}: {error}", raw=_shown(row, self.roles))

    def _record(self, row: Row, tally: Tally) -> Record:
        cell = row.values.get(self.roles.image) if self.roles.image else None
        image = self.root.image(cell)
        parts = parts_of(row.values, self.roles, tally, class_names=self.class_names)
        key = self._key(row, cell, image, parts)
        if image is not None and image.row is not None:
            image = replace(image, data=None)  # the cell can be read again; records stay small
        return parts.record(key, image)

    def _key(self, row: Row, cell: object, image: Image | None, parts: Parts) -> str:
        if self.roles.key is not None:
            key = key_text(row.values.get(self.roles.key))
            if key:
                return key
            if "key" in self.roles.asked:
                raise DataError(f"the key column {self.roles.key!r} is empty")
        texts = [caption.text for caption in parts.captions]
        identity = image_identity(cell, image)
        if identity is None and not texts:
            raise DataError("the row has neither an image nor a text")
        return digest_json([identity, texts])[:32]


def download_failure(values: Mapping[str, object]) -> str | None:
    """Return why img2dataset has no image for a row; None where it has one, or the row is not img2dataset's."""
    status = values.get("status")
    if not isinstance(status, str) or status == "success" or "error_message" not in values:
        return None
    message = values.get("error_message")
    return f"img2dataset: {status[:100]}" + (f": {str(message)[:300]}" if message else "")


def _shown(row: Row, roles: Roles) -> str | None:
    value = row.values.get(roles.caption or "")
    if isinstance(value, str):
        return value
    plain = {str(k): v for k, v in row.values.items() if isinstance(v, str | int | float) and k != roles.image}
    return json.dumps(plain, ensure_ascii=False) if plain else None
