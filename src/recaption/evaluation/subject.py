"""What is evaluated: the same items, with the texts of two or more columns. The first column is the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from recaption.core.types import Record

__all__ = ["Item", "Subject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One image, and what each column says about it."""

    key: str
    texts: tuple[tuple[str, ...], ...]
    """By column, in the order of `Subject.columns`: one text or several. Empty where the column has none."""
    record: Record | None = None
    """Where its image and evidence are; None for texts alone."""
    references: tuple[str, ...] = ()
    """Texts by people to hold the others against; no column's own."""
    candidates: tuple[tuple[str, ...], ...] = ()
    """By column, as `texts`: everything that was drawn for the choice, the chosen one included. May be left out."""
    labels: frozenset[str] | None = None
    """Classes that are in the image, by people or a detector; None where nobody looked. Empty: nothing was found."""
    slices: Mapping[str, str] = field(default_factory=dict)
    """Subset columns: name to value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Items in a fixed order, and the names of their columns."""

    columns: tuple[str, ...]
    items: tuple[Item, ...]
    label_source: str | None = None
    """Who said which classes are in the images: `coco`, `yolox@…`; named wherever they count."""
    seed: int = 0
    """Decides every random choice of the evaluation."""

    def __len__(self) -> int:
        return len(self.items)

    def texts(self, column: str) -> list[tuple[str, ...]]:
        """Return the texts of a column, item by item."""
        i = self.columns.index(column)
        return [item.texts[i] for item in self.items]

    def flat(self, column: str) -> Iterator[tuple[int, str]]:
        """Yield every text of a column with the number of its item."""
        for number, texts in enumerate(self.texts(column)):
            for text in texts:
                yield number, text

    def candidates(self, column: str) -> list[tuple[str, ...]]:
        """Return the candidates of a column, item by item; empty where none are known."""
        i = self.columns.index(column)
        return [item.candidates[i] if item.candidates else () for item in self.items]

    def records(self) -> Sequence[Record | None]:
        """Return the items' records, in order."""
        return [item.record for item in self.items]
