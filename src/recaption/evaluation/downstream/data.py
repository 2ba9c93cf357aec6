"""Items to arrays: pictures decoded once, and a split that no picture crosses. No model is needed here.

Columns are compared on the same items, so an item counts only if every column has a text for it and its picture can
be decoded. A picture that comes again is left out: on the other side it would be known, on the same side no answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from recaption.core.digests import digest_bytes, digest_json, seed_from
from recaption.core.errors import ImageError, UserError
from recaption.core.protocols import Images
from recaption.core.types import Record
from recaption.evaluation.downstream.encoding import FIRST_WORD, Texts, encoded, vocabulary
from recaption.evaluation.downstream.options import DownstreamOptions
from recaption.evaluation.subject import Subject

__all__ = ["Pairs", "Tests", "prepare", "shuffled"]

Bytes: TypeAlias = NDArray[np.uint8]
Tests: TypeAlias = Mapping[str, Sequence[Sequence[str]]]
"""Name to texts, item by item of a subject; none where an item has none."""

_IMAGES_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """All that trainings need."""

    train_pixels: Bytes
    """Shape (training items, image_px, image_px, 3), RGB."""
    test_pixels: Bytes
    """Of the items held out."""
    columns: Mapping[str, Texts]
    """Training texts; every training item has one or more."""
    tests: Mapping[str, Texts]
    """Test texts of the items held out; some may have none."""
    words: int
    """Numbers of words there are, those of padding and of unknown words included."""
    left_out: Mapping[str, int]
    """Why items take no part, and how many."""

    @property
    def digest(self) -> str:
        """Digest of all but the columns."""
        pixels = [  # a part at a time, as its bytes are a copy
            digest_bytes(some[start : start + _IMAGES_AT_ONCE].tobytes())
            for some in (self.train_pixels, self.test_pixels)
            for start in range(0, len(some), _IMAGES_AT_ONCE)
        ]
        tests = {name: texts.digest for name, texts in self.tests.items()}
        return digest_json([self.train_pixels.shape, pixels, tests, self.words])


def prepare(
    subject: Subject,
    tests: Tests,
    options: DownstreamOptions,
    make_images: Callable[[], Images],
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Pairs:
    """Return the arrays of a subject, every column's own texts among the tests.

    Args:
        tests: Texts that all models are tested with, beside those of the columns.
        make_images: Gives the images of one batch a place to be decoded.
        watch: Told how many pictures are decoded, of how many.

    Raises:
        UserError: Too few items are left, or a test does not fit the subject.
    """
    _check(subject, tests)
    left_out: Counter[str] = Counter()
    usable = _usable(subject, options.max_items, left_out)
    places, pixels = _pictures(subject, usable, options.image_px, make_images, watch, left_out)
    train, held = _split([subject.items[i].key for i in places], subject.seed, options, left_out)
    texts: dict[str, list[tuple[str, ...]]] = {name: subject.texts(name) for name in subject.columns}
    training = {name: [_said(some[places[i]]) for i in train] for name, some in texts.items()}
    asked = {name: [_said(some[places[i]]) for i in held] for name, some in {**tests, **texts}.items()}
    known = vocabulary(list(training.values()), options.vocabulary)
    return Pairs(
        train_pixels=pixels[train],
        test_pixels=pixels[held],
        columns={name: encoded(some, known, options.text_words) for name, some in training.items()},
        tests={name: encoded(some, known, options.text_words) for name, some in asked.items()},
        words=FIRST_WORD + len(known),
        left_out=dict(left_out),
    )


def shuffled(subject: Subject, column: str, name: str = "shuffled") -> Subject:
    """Return the subject with one more column, in which each item has the texts of another: a control at chance."""
    texts = subject.texts(column)
    there = [i for i, some in enumerate(texts) if _said(some)]
    order = [there[int(i)] for i in np.random.default_rng(subject.seed).permutation(len(there))]
    given = {order[i]: texts[order[i - 1]] for i in range(len(order))}  # one circle: nobody keeps his own
    items = (
        replace(item, texts=(*item.texts, given.get(i, ())), candidates=())
        for i, item in enumerate(subject.items)
    )
    return replace(subject, columns=(*subject.columns, name), items=tuple(items))


def _check(subject: Subject, tests: Tests) -> None:
    for name, texts in tests.items():
        if name in subject.columns:
            raise UserError(
                f"the test {name!r} has the name of a column; every column is a test of its own already"
            )
        if len(texts) != len(subject):
            raise UserError(f"the test {name!r} has texts of {len(texts)} items; there are {len(subject)}")


def _said(texts: Sequence[str]) -> list[str]:
    return [text for text in texts if text.strip()]


def _usable(subject: Subject, most: int, left_out: Counter[str]) -> list[int]:
    """Return the items that have a record and texts in every column; of too many a sample by key."""
    usable = []
    for i, item in enumerate(subject.items):
        missing = next(
            (name for name, texts in zip(subject.columns, item.texts, strict=True) if not _said(texts)), None
        )
        if item.record is None or item.record.image is None:
            left_out["no image"] += 1
        elif missing is not None:
            left_out[f"without a text in {missing!r}"] += 1
        else:
            usable.append(i)
    if len(usable) > most:
        left_out["not in the sample"] = len(usable) - most
        drawn = sorted(usable, key=lambda i: seed_from("sample", subject.seed, subject.items[i].key))[:most]
        usable = sorted(drawn)
    return usable


def _pictures(
    subject: Subject,
    usable: Sequence[int],
    side: int,
    make_images: Callable[[], Images],
    watch: Callable[[int, int], None],
    left_out: Counter[str],
) -> tuple[list[int], Bytes]:
    """Return the items whose pictures can be used, and the pictures, shape (items, side, side, 3)."""
    pixels = np.empty((len(usable), side, side, 3), dtype=np.uint8)
    places: list[int] = []
    seen: set[str] = set()
    for start in range(0, len(usable), _IMAGES_AT_ONCE):
        images = make_images()
        for i in usable[start : start + _IMAGES_AT_ONCE]:
            record = subject.items[i].record
            assert record is not None  # noqa: S101 - `_usable` has seen to it
            try:
                digest = images.digest(record)
                if digest in seen:
                    left_out["image seen before"] += 1
                    continue
                pixels[len(places)] = _square(record, images, side)
            except ImageError:
                left_out["image cannot be decoded"] += 1
                continue
            seen.add(digest)
            places.append(i)
        watch(min(start + _IMAGES_AT_ONCE, len(usable)), len(usable))
    return places, pixels[: len(places)]


def _square(record: Record, images: Images, side: int) -> Bytes:
    """Return the picture squeezed into a square, so that nothing of it is lost."""
    picture = Pillow.fromarray(images.pixels(record).array)
    return np.asarray(picture.resize((side, side), Pillow.Resampling.BICUBIC, reducing_gap=3.0))


def _split(
    keys: Sequence[str], seed: int, options: DownstreamOptions, left_out: Mapping[str, int]
) -> tuple[list[int], list[int]]:
    """Return who is trained on and who is held out, by lot; the lots are of the keys, whatever their order."""
    held = max(options.min_held_out, ceil(options.held_out * len(keys)))
    if len(keys) - held < options.batch_size:
        why = "; ".join(f"{reason}: {n}" for reason, n in left_out.items())
        raise UserError(
            f"too few items to train on: {len(keys)} can be used, {held} of them are held out, and a batch needs "
            f"{options.batch_size} others." + (f" Left out: {why}." if why else "")
        )
    order = sorted(range(len(keys)), key=lambda i: seed_from("held out", seed, keys[i]))
    return sorted(order[held:]), sorted(order[:held])
