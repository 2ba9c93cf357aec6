"""Datasets to subjects: which texts are held against which, a seeded sample of the items, and a count of the rest.

The sample is of keys, not of positions: the same keys are drawn whatever the order, and from two runs over one input.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from recaption.core.digests import seed_from
from recaption.core.errors import UserError, did_you_mean
from recaption.core.protocols import Reader
from recaption.core.types import JsonValue, Record, Rejected
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.unreadable import Refusals

__all__ = ["Column", "Loaded", "load"]

_CHOSEN: Final = "chosen"
_ORIGINAL: Final = "original"
_EXPORTED: Final = {"caption": _CHOSEN, "original_caption": _ORIGINAL}
"""Columns of our own exports, which are read as what they are."""
_MOST_TEXTS: Final = 64
"""Of one item in one column; more are left out."""

Texts: TypeAlias = "tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of texts: what it is called, and where in a record its texts are.

    `original`: the texts that came with the data. `chosen`: the caption that stands for the record. `aspect:NAME`,
    `origin:NAME`: captions that still stand, of that aspect or origin. Anything else names a column of the data, also
    the one that the originals were read from.
    """

    name: str
    where: str
    source: int = 0
    """Which of several datasets."""
    optional: bool = False
    """Left out where no item has a text in it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A subject, and what became of the items that are not in it."""

    subject: Subject
    counts: Mapping[str, int]
    records: Mapping[str, Mapping[str, Record]]
    """By column and key: the record that a text is from, which differs where several datasets are compared."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why records could not be read and how often, the commonest of the reasons first, to the first keys."""


def load(
    readers: Sequence[Reader],
    columns: Sequence[Column],
    *,
    references: str | None = None,
    by: Sequence[str] = (),
    sample: int | None = None,
    seed: int = 0,
    watch: Callable[[int], None] = lambda read: None,
) -> Loaded:
    """Return the items of one dataset, or those that several have in common, by key.

    Args:
        references: Where the reference texts are, in the words of a `Column`.
        by: Columns of the data whose values make subsets.
        sample: At most so many items, drawn by `seed`; None for all.
        watch: Told how many records were read.

    Raises:
        UserError: Nothing was read, datasets have no key in common, or a column is in none of the records.
    """
    if len({column.name for column in columns}) < len(columns):
        raise UserError(f"two columns have the same name: {', '.join(c.name for c in columns)}")
    own = next((c for c in columns if references is not None and c.where == references), None)
    if own is not None:
        raise _against_itself(own, references)
    counts: Counter[str] = Counter()
    shared = _shared_keys(readers, counts) if len(readers) > 1 else None
    unread = Refusals()
    drawn = [_drawn(reader, shared, sample, seed, counts, watch, unread) for reader in readers]
    keys = list(drawn[0])
    if not keys:
        reason = "no record was read" if len(drawn) == 1 else "the datasets share no key"
        first = unread.first()
        raise UserError(f"nothing to evaluate: {reason}{f'; {first}' if first else ''}")
    sources: Counter[str] = Counter()
    found = _Found()
    items = [
        _item(key, [records[key] for records in drawn], columns, references, by, found, sources) for key in keys
    ]
    wanted = {c.where for c in columns if not c.optional} | ({references} if references else set()) | set(by)
    _require(wanted - found.names, drawn[0].values())
    _require_other_references(references, columns, items)
    items, kept = _without_empty(items, columns)
    if not kept:
        raise UserError(f"no record has a text in {' or '.join(repr(c.where) for c in columns)}")
    for i, column in enumerate(kept):
        counts[f"without a text: {column.name}"] = sum(not item.texts[i] for item in items)
    if sources:  # somebody looked at the images of this dataset; what nobody found is not there
        items = [item if item.labels is not None else replace(item, labels=frozenset()) for item in items]
    subject = Subject(
        columns=tuple(column.name for column in kept),
        items=tuple(items),
        label_source=", ".join(sorted(sources)) or None,
        seed=seed,
    )
    records = {column.name: drawn[column.source] for column in kept}
    return Loaded(subject, {name: n for name, n in counts.items() if n}, records, unread.commonest())


@dataclass(slots=True)
class _Found:
    """Which places were seen to hold something."""

    names: set[str] = field(default_factory=set)


def _without_empty(items: list[Item], columns: Sequence[Column]) -> tuple[list[Item], list[Column]]:
    """Leave out the optional columns that no item has a text in."""
    places = [
        i for i, column in enumerate(columns) if not column.optional or any(item.texts[i] for item in items)
    ]
    if len(places) == len(columns):
        return items, list(columns)
    cut = [
        replace(
            item,
            texts=tuple(item.texts[i] for i in places),
            candidates=tuple(item.candidates[i] for i in places) if item.candidates else (),
        )
        for item in items
    ]
    return cut, [columns[i] for i in places]


def _shared_keys(readers: Sequence[Reader], counts: Counter[str]) -> set[str]:
    """Return the keys that all datasets have: a sample is drawn of those, not of each by itself."""
    every = [{item.key for item in reader.records() if isinstance(item, Record)} for reader in readers]
    shared = set.intersection(*every)
    counts["not in all datasets"] = len(set.union(*every)) - len(shared)
    return shared


def _drawn(
    reader: Reader,
    shared: set[str] | None,
    sample: int | None,
    seed: int,
    counts: Counter[str],
    watch: Callable[[int], None],
    unread: Refusals,
) -> dict[str, Record]:
    """Return the records by key, in the order of the data; of a sample those with the smallest seeded numbers."""
    heap: list[tuple[int, int]] = []
    kept: dict[int, Record] = {}
    position = -1
    for item in _records(reader, counts, watch, unread):
        if shared is not None and item.key not in shared:
            continue
        position += 1
        if sample is not None:
            entry = (-seed_from(seed, item.key), position)
            if len(heap) < sample:
                heapq.heappush(heap, entry)
            else:
                _, gone = heapq.heappushpop(heap, entry)
                if gone == position:
                    continue
                del kept[gone]
        kept[position] = item
    if sample is not None:
        counts["not in the sample"] += position + 1 - len(kept)
    records: dict[str, Record] = {}
    for position in sorted(kept):
        if kept[position].key in records:
            counts["key seen before"] += 1
        records.setdefault(kept[position].key, kept[position])
    return records


def _records(
    reader: Reader, counts: Counter[str], watch: Callable[[int], None], unread: Refusals
) -> Iterator[Record]:
    for item in reader.records():
        if isinstance(item, Rejected):
            counts["unreadable"] += 1
            unread.add(item)
            continue
        counts["read"] += 1
        if counts["read"] % 1000 == 0:
            watch(counts["read"])
        yield item


def _item(
    key: str,
    records: Sequence[Record],
    columns: Sequence[Column],
    references: str | None,
    by: Sequence[str],
    found: _Found,
    sources: Counter[str],
) -> Item:
    first = records[0]
    labels = {e.label for e in first.evidence if e.kind == "object"}
    sources.update(e.source for e in first.evidence if e.kind == "object")
    texts = tuple(_texts(records[c.source], c.where, found) for c in columns)
    slices = {name: str(value) for name in by if (value := _value(first, name)) is not None}
    found.names.update(slices)
    return Item(
        key=key,
        record=first,
        texts=texts,
        references=_texts(first, references, found) if references else (),
        candidates=tuple(_candidates(records[c.source], c.where) for c in columns),
        labels=frozenset(labels) if labels else None,
        slices=slices,
    )


def _texts(record: Record, where: str, found: _Found) -> Texts:
    ours = _EXPORTED.get(where) if where not in record.metadata else None
    if ours is not None and (texts := _texts(record, ours, found)):
        found.names.add(where)
        return texts
    kind, _, name = where.partition(":")
    if where == _ORIGINAL:
        texts = tuple(caption.text for caption in record.originals)
    elif where == _CHOSEN:
        texts = (record.best.text,) if record.best else ()
    elif kind in ("aspect", "origin") and name:
        texts = tuple(
            caption.text
            for caption in record.captions
            if caption.kept and getattr(caption, kind) == name and caption.provenance.stage != "source"
        )
    else:
        texts = _originals_of(record, where) or _strings(record.metadata.get(where))
        if where in record.metadata:
            found.names.add(where)
    if texts:
        found.names.add(where)
    return tuple(text for text in texts if text.strip())[:_MOST_TEXTS]


def _originals_of(record: Record, column: str) -> Texts:
    """Return the texts that the reader took from a column as those that came with the data."""
    return tuple(c.text for c in record.originals if c.provenance.details.get("column") == column)


def _value(record: Record, column: str) -> JsonValue:
    """Return what a record has in a column of the data, be it the one that the originals were read from."""
    value = record.metadata.get(column)
    return next(iter(_originals_of(record, column)), None) if value is None else value


def _strings(value: JsonValue) -> Texts:
    if isinstance(value, str):
        return (value,)
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _candidates(record: Record, where: str) -> Texts:
    """Return what a choice was made from, each text as often as it was drawn."""
    if where != _CHOSEN:
        return ()
    drawn: list[str] = []
    for caption in record.captions:
        if caption.origin == "model" and caption.provenance.stage == "caption":
            draws = caption.provenance.details.get("draws")
            drawn += [caption.text] * (len(draws) if isinstance(draws, list) else 1)
    return tuple(drawn)[:_MOST_TEXTS]


def _require_other_references(references: str | None, columns: Sequence[Column], items: Sequence[Item]) -> None:
    """Refuse references that are the originals by another name: by that of the column they were read from."""
    for i, column in enumerate(columns if references else ()):
        if _ORIGINAL in (references, column.where) and all(item.texts[i] == item.references for item in items):
            raise _against_itself(column, references)


def _against_itself(column: Column, references: str | None) -> UserError:
    return UserError(
        f"the references are the texts of {column.name} themselves ({references}): it would be held against itself. "
        "Name another baseline with --old, or other references."
    )


def _require(missing: set[str], records: Iterable[Record]) -> None:
    """Say which column is nowhere, and which there are."""
    for name in sorted(missing):
        columns = {column for record in records for column in record.metadata}
        known = [column for column in (_ORIGINAL, _CHOSEN, *columns) if column != name]
        raise UserError(f"no record has {name!r} to take texts or subsets from.{did_you_mean(name, known)}")
