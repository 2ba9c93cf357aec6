"""What a caption was made from, and which captions of a record say the same thing in other words: cleaned, mended
and shortened forms of one text."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Final

from recaption.core.types import Caption

__all__ = ["depth_of", "folded", "is_original", "line_of", "lineage", "root_of"]

_REWORKED: Final = frozenset({"normalise", "check", "fit"})
"""Stages whose captions are another form of the one they were made from."""


def root_of(caption: Caption, known: Mapping[str, Caption]) -> Caption:
    """Return the text a caption is a form of; itself where it is none."""
    return list(lineage(caption, known, _REWORKED))[-1]


def depth_of(caption: Caption, known: Mapping[str, Caption]) -> int:
    """Return how many times a caption was reworked."""
    return len(list(lineage(caption, known, _REWORKED))) - 1


def is_original(caption: Caption, known: Mapping[str, Caption]) -> bool:
    """Say whether a text came with the data, in whatever form."""
    return root_of(caption, known).provenance.stage == "source"


def line_of(caption: Caption, captions: Sequence[Caption]) -> frozenset[str]:
    """Return the ids of a caption, of what it is a form of, and of all forms of it.

    Other forms of what it comes from are not in it: of a text that was split, one part being wrong says nothing of
    the others.
    """
    known = {c.id: c for c in captions}
    above = {c.id for c in lineage(caption, known, _REWORKED)}
    below = {c.id for c in captions if any(form.id == caption.id for form in lineage(c, known, _REWORKED))}
    return frozenset(above | below)


def folded(text: str) -> str:
    """Return a text without what nobody reads as a difference: case and white space."""
    return " ".join(text.split()).casefold()


def lineage(
    caption: Caption, known: Mapping[str, Caption], through: Container[str] | None = None
) -> Iterator[Caption]:
    """Yield a caption, what it was made from first of all, and so on, as far as that is known.

    Args:
        known: The captions of the record by id.
        through: Only behind what these stages made; None for all. A caption of another stage is the last.
    """
    seen: set[str] = set()
    while caption.id not in seen:
        seen.add(caption.id)
        yield caption
        parents = caption.provenance.parents
        ends = through is not None and caption.provenance.stage not in through
        if ends or not parents or parents[0] not in known:
            return
        caption = known[parents[0]]
