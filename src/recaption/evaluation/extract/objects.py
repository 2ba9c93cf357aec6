"""Which classes of things are in the images, and which of them the texts name, mention by mention.

What is known of an image: its labels, and what its references name. Found once for all metrics.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import yaml

from recaption.core.errors import UserError
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.media.labels import LabelMatcher, coco_labels, coco_matcher, label_matcher

__all__ = ["ClassWords", "NamedObjects", "class_words", "named_objects", "own_class_words", "plain_label"]

Named: TypeAlias = "tuple[str, ...]"
"""Classes that one text names, in order, each as often as it is mentioned."""

_MOST_CLASSES: Final = 2_000
_MOST_WORDS: Final = 200
"""For one class."""
_MOST_CHARS: Final = 80
"""Of one word."""
_MOST_BYTES: Final = 4_000_000
"""Of a file of words."""


@dataclass(frozen=True, slots=True)
class ClassWords:
    """A matcher of the classes that count, and in words which they are."""

    matcher: LabelMatcher
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedObjects:
    """What is in the images, and what the texts say is."""

    classes: tuple[str, ...]
    """All that count, by name."""
    there: tuple[frozenset[str] | None, ...]
    """By item, those in the image; None where nobody looked."""
    named: Mapping[str, tuple[tuple[Named, ...], ...]]
    """By column and item, one for each text."""
    source: str
    """Who said what is there, and which words were looked for."""


def named_objects(subject: Subject, tools: Tools) -> NamedObjects:
    """Return what is in the images and what the texts name, found once for an evaluation.

    Raises:
        UserError: The file of words is not what it should be.
    """
    return tools.once("named objects", lambda: _found(subject, tools.options.class_words))


def _found(subject: Subject, own: Path | None) -> NamedObjects:
    words = class_words(subject, own)
    matcher = words.matcher
    known = frozenset(matcher.labels)
    there = tuple(_there(item, matcher, known) for item in subject.items)
    with_references = any(i.references for i in subject.items if i.labels is not None)
    return NamedObjects(
        classes=matcher.labels,
        there=there,
        named={
            column: tuple(tuple(matcher.named(text) for text in texts) for texts in subject.texts(column))
            for column in subject.columns
        },
        source=f"{_who(subject.label_source, with_references)}; {words.note}",
    )


def _there(item: Item, matcher: LabelMatcher, known: frozenset[str]) -> frozenset[str] | None:
    if item.labels is None:
        return None
    labels = {plain_label(label) for label in item.labels} & known
    return frozenset(labels.union(*(matcher.labels_in(text) for text in item.references)))


def _who(source: str | None, with_references: bool) -> str:
    """Say whose word the labels are: a source that names a version (`yolox@…`) is a detector, which errs itself."""
    said = (
        "labels of unknown source"
        if source is None
        else f"agreement with the detector {source}"
        if "@" in source
        else f"labels by {source}"
    )
    return said + (" and what the references name" if with_references else "")


def class_words(subject: Subject, own: Path | None = None) -> ClassWords:
    """Return the classes that count and the words for them.

    Those of the file `own` where there is one; all 80 of COCO where every label is one of them; else those that are
    labels of some image. A class nobody could have labelled is no mistake to name.
    """
    if own is not None:
        return ClassWords(LabelMatcher(own_class_words(own)), f"the words of {own.name}")
    seen = Counter(plain_label(label) for item in subject.items for label in item.labels or ())
    if seen.keys() <= set(coco_labels()):
        return ClassWords(coco_matcher(), "our own words for the 80 COCO classes")
    named = [label for label, _ in seen.most_common(_MOST_CLASSES) if _has_words(label)]
    left = len(seen) - len(named)
    return ClassWords(
        label_matcher(sorted(named)),
        f"the names of {len(named):,} labels and their plurals" + (f", {left:,} left out" if left else ""),
    )


def own_class_words(path: Path) -> dict[str, list[str]]:
    """Read a YAML file of classes: `cat: [kitten, tabby]`, a class without other words having an empty list.

    Raises:
        UserError: It cannot be read, is too large, or holds something else.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path}: larger than {_MOST_BYTES // 1_000_000} MB, so hardly a list of words")
        given = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(given, dict) or not 1 <= len(given) <= _MOST_CLASSES:
        raise UserError(
            f"{path}: must map 1 to {_MOST_CLASSES:,} classes to lists of words, as `cat: [kitten]`"
        )
    return {_word(label, path, "a class"): _words(label, words, path) for label, words in given.items()}


def _words(label: object, given: object, path: Path) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > _MOST_WORDS:
        raise UserError(f"{path}: {reprlib.repr(label)} must have a list of at most {_MOST_WORDS} words")
    return [_word(word, path, f"a word for {reprlib.repr(label)}") for word in given]


def _word(given: object, path: Path, what: str) -> str:
    if not isinstance(given, str) or len(given) > _MOST_CHARS or not _has_words(given):
        raise UserError(
            f"{path}: {what} must be a text of Latin letters or digits of at most {_MOST_CHARS} characters, "
            f"not {reprlib.repr(given)} (quote words such as 'yes' or 'no')"
        )
    return plain_label(given)


def plain_label(label: str) -> str:
    """Return a label as it is compared: lower case, one blank between words."""
    return " ".join(label[: _MOST_CHARS * 4].lower().replace("_", " ").split())


def _has_words(label: str) -> bool:
    return any(c.isascii() and c.isalnum() for c in label) and len(label) <= _MOST_CHARS
