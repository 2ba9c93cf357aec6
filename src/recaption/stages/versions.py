"""Which captions of a record say the same thing in other words: cleaned, mended and shortened forms of one text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from recaption.core.types import Caption

__all__ = ["depth_of", "folded", "is_original", "line_of", "root_of"]

_REWORKED: Final = frozenset({"normalise", "check", "fit"})
"""Stages whose captions are another form of the one they were made from."""


def root_of(caption: Caption, known: Mapping[str, Caption]) -> Caption:
    """Return the text a caption is a form of; itself where it is none."""
    return list(_upwards(caption, known))[-1]


def depth_of(caption: Caption, known: Mapping[str, Caption]) -> int:
    """Return how many times a caption was reworked."""
    return len(list(_upwards(caption, known))) - 1


def is_original(caption: Caption, known: Mapping[str, Caption]) -> bool:
    """Say whether a text came with the data, in whatever form."""
    return root_of(caption, known).provenance.stage == "source"


def line_of(caption: Caption, captions: Sequence[Caption]) -> frozenset[str]:
    """Return the ids of a caption, of what it is a form of, and of all forms of it.

    Other forms of what it comes from are not in it: of a text that was split, one part being wrong says nothing of
    the others.
    """
    known = {c.id: c for c in captions}
    above = {c.id for c in _upwards(caption, known)}
    below = {c.id for c in captions if any(form.id == caption.id for form in _upwards(c, known))}
    return frozenset(above | below)


def folded(text: str) -> str:
    """Return a text without what nobody reads as a difference: case and white space."""
    return " ".join(text.split()).casefold()


def _upwards(caption: Caption, known: Mapping[str, Caption]) -> Iterator[Caption]:
    """Yield a caption and what it is a form of, up to the first text."""
    seen: set[str] = set()
    while caption.id not in seen:
        seen.add(caption.id)
        yield caption
        parents = caption.provenance.parents
        if caption.provenance.stage not in _REWORKED or len(parents) != 1 or parents[0] not in known:
            return
        caption = known[parents[0]]
