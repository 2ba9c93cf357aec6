"""One pass over the input before any work: how many items there are, and what stands in it more than once.

Costs 16 bytes a record, given back before the run begins; what is kept is only what repeats.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from recaption.core.types import Record, Rejected, Score

__all__ = ["Survey", "survey", "with_survey"]

MIN_COPIES = 3
"""Texts that fewer images share are not worth remembering."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a pass over the input found."""

    items: int
    repeated_keys: frozenset[int]
    copies: Mapping[int, int]
    """Digest of an original text to the number of images that carry it, where at least `MIN_COPIES` do."""


def survey(items: Iterable[Record | Rejected], tick: Callable[[int], None] = lambda n: None) -> Survey:
    """Count the items and find repeated keys and texts. Images are not opened.

    Args:
        tick: Called now and then with the number of items seen so far.
    """
    keys, texts = array("Q"), array("Q")
    count = 0
    for count, item in enumerate(items, start=1):
        if isinstance(item, Record):
            keys.append(_short_digest(item.key))
            texts.extend(_short_digest(caption.text) for caption in item.originals[:1])
        if count % 1000 == 0:
            tick(count)
    tick(count)
    unique_keys, key_counts = np.unique(np.frombuffer(keys, dtype=np.uint64), return_counts=True)
    unique_texts, text_counts = np.unique(np.frombuffer(texts, dtype=np.uint64), return_counts=True)
    often = text_counts >= MIN_COPIES
    return Survey(
        items=count,
        repeated_keys=frozenset(unique_keys[key_counts > 1].tolist()),
        copies=dict(zip(unique_texts[often].tolist(), text_counts[often].tolist(), strict=True)),
    )


def with_survey(items: Iterable[Record | Rejected], found: Survey) -> Iterator[Record | Rejected]:
    """Pass the items on, rejecting repeated keys and noting on each original text how many images share it."""
    seen: set[str] = set()
    for item in items:
        if isinstance(item, Rejected):
            yield item
            continue
        if found.repeated_keys and _short_digest(item.key) in found.repeated_keys:
            if item.key in seen:
                reason = "duplicate key: an earlier item has the same; make the keys unique"
                yield Rejected(key=item.key, stage="read", kind="failed", reason=reason, raw=item.original_text)
                continue
            seen.add(item.key)
        yield _with_copies(item, found) if found.copies else item


def _with_copies(record: Record, found: Survey) -> Record:
    captions = list(record.captions)
    for i, caption in enumerate(captions):
        copies = found.copies.get(_short_digest(caption.text))
        if copies is not None and caption.provenance.stage == "source":
            captions[i] = replace(caption, scores={**caption.scores, "copies": Score(value=float(copies))})
    return replace(record, captions=tuple(captions))


def _short_digest(text: str) -> int:
    """Return 64 bits; at a million records a false alarm has odds of about 1 in 37 million."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
