"""How rare the n-grams of references are, kept in a file, so that every shard and subset gives the same CIDEr-D.

JSON: `words`, how texts are split; `images`, the number that was counted in; `counts`, n-gram to images, of n-grams
that are in two images or more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final, Literal, TypeAlias

from recaption.core.errors import UserError
from recaption.datasets.atomic import write_atomic
from recaption.evaluation.text.cider import Frequencies, frequencies, frequency_names, named_frequencies
from recaption.evaluation.text.corpus import Splitter, corpora
from recaption.evaluation.text.tokens import coco_words, words

__all__ = ["MAX_BYTES", "SPLITTERS", "Frozen", "Splitting", "load_frequencies", "save_frequencies", "splitting"]

Splitting: TypeAlias = Literal["coco", "any"]

SPLITTERS: Final[Mapping[Splitting, Splitter]] = {"coco": coco_words, "any": words}
"""`coco`: English, as COCO's tools count; `any`: words of any language."""
MAX_BYTES: Final = 512 * 1024 * 1024
"""Of a file that is read; the references of half a million images need less."""
_MOST_IMAGES: Final = 2**40
_FORMAT: Final = "recaption document frequencies 1"
_LOOKED_AT: Final = 1000
_ENGLISH: Final = 0.98
"""Share of letters that COCO's way must keep; it drops those of other alphabets, and accented ones."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """Frequencies, and how the texts they were counted in were split."""

    known: Frequencies
    splitting: Splitting


def splitting(references: Sequence[Sequence[str]]) -> Splitting:
    """Return how to split texts that are compared with these references, looking at the first thousand."""
    some = list(islice(chain.from_iterable(references), _LOOKED_AT))
    kept = sum(len(word) for text in some for word in coco_words(text))
    everything = sum(len(word) for text in some for word in words(text))
    return "coco" if kept >= _ENGLISH * everything else "any"


def save_frequencies(path: Path, references: Sequence[Sequence[str]]) -> int:
    """Count the n-grams of each image's references and write the file, whole or not at all; return the images.

    Raises:
        UserError: Fewer than two images have references.
        RunFolderError: The file cannot be written.
    """
    how = splitting(references)
    texts = ((i, text) for i, some in enumerate(references) for text in some)
    corpus = corpora({"": texts}, SPLITTERS[how])[""]
    known = frequencies(corpus, len(references))
    if known.images < 2:
        raise UserError(f"document frequencies need references of two images at least, not of {known.images}")
    counts = frequency_names(known, corpus)
    content = {"format": _FORMAT, "words": how, "images": known.images, "counts": counts}
    write_atomic(path, json.dumps(content, ensure_ascii=True, sort_keys=True).encode("ascii"))
    return known.images


def load_frequencies(path: Path) -> Frozen:
    """Read a file that `save_frequencies` wrote.

    Raises:
        UserError: It cannot be read, is too large, or is something else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"document frequencies {path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"document frequencies {path}: larger than {MAX_BYTES // 1024**2} MiB")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"document frequencies {path}: not JSON: {str(error)[:200]}") from error
    return _checked(content, path)


def _checked(content: object, path: Path) -> Frozen:
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise UserError(f"document frequencies {path}: not a file of document frequencies; make it anew")
    how, images, counts = content.get("words"), content.get("images"), content.get("counts")
    if how not in tuple(SPLITTERS):
        raise UserError(f"document frequencies {path}: words: must be one of {', '.join(SPLITTERS)}")
    if type(images) is not int or not 2 <= images <= _MOST_IMAGES:
        raise UserError(f"document frequencies {path}: images: must be a whole number, 2 at least")
    if not isinstance(counts, dict):
        raise UserError(f"document frequencies {path}: counts: must be n-grams with their numbers")
    for name, number in counts.items():
        if type(number) is not int or not 1 <= number <= images:
            raise UserError(
                f"document frequencies {path}: counts: {name[:80]!r} must be in 1 to {images} images"
            )
    return Frozen(named_frequencies(images, counts), "coco" if how == "coco" else "any")
