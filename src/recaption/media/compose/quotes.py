"""Words read in a picture, as harmless quotes in reading order."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recaption.core.types import Box, Evidence
from recaption.media import layout
from recaption.media.compose.data import clean_label, load_data

__all__ = ["Quote", "clean_quote", "quotes_of"]


@dataclass(frozen=True, slots=True)
class Quote:
    """Words read in the picture; `on` is the label of the thing that bears them, if one does."""

    text: str
    indices: tuple[int, ...]
    on: str | None = None


def quotes_of(
    words: Sequence[tuple[int, Evidence]],
    bearers: Sequence[tuple[str, Box]],
    most: int,
    max_characters: int,
) -> Iterator[Quote]:
    """Yield the words in reading order, lines of one block together.

    Args:
        words: Position in the record's evidence and item, for each piece of text.
        bearers: Label and box of the things that may bear words.
        most: Quotes at most.
        max_characters: Length of each at most.
    """
    readable = [
        (index, item, text) for index, item in words if _is_worth_telling(text := clean_quote(item.label))
    ]
    blocks: list[list[tuple[int, Evidence, str]]] = []
    for entry in _in_order(readable):
        if blocks and _continues(blocks[-1][-1][1], entry[1]):
            blocks[-1].append(entry)
        else:
            blocks.append([entry])
    for block in blocks[:most]:
        text = _shortened(" ".join(text for _, _, text in block), max_characters)
        yield Quote(text, tuple(index for index, _, _ in block), _bearer(block[0][1], bearers))


def clean_quote(text: str) -> str:
    """Return words read in a picture as one harmless line: no control characters, inner double quotes made single."""
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[:2000])
    return " ".join(re.sub(r"[\"“”„«»「」『』]", "'", kept).split())


def _is_worth_telling(text: str) -> bool:
    letters = [c for c in text if c.isalnum()]
    return len(letters) >= load_data("facts.yaml")["min_characters"] or any("一" <= c <= "鿿" for c in letters)


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    cut = text[:most]
    end = cut.rfind(" ")
    return (cut[:end] if end > most // 2 else cut).rstrip(" ,;:.-") + "…"


def _in_order(words: list[tuple[int, Evidence, str]]) -> list[tuple[int, Evidence, str]]:
    """Use the reader's own column and line numbers if all words have them, else the boxes."""
    numbers = [(item.attributes.get("column"), item.attributes.get("line")) for _, item, _ in words]
    if words and all(isinstance(line, int) for _, line in numbers):
        order = [(c if isinstance(c, int) else 0, line, n) for n, (c, line) in enumerate(numbers)]
        return [words[n] for _, _, n in sorted(order)]
    if all(item.box for _, item, _ in words):
        return [words[n] for n in layout.reading_order([item.box for _, item, _ in words if item.box])]
    return words


def _continues(above: Evidence, below: Evidence) -> bool:
    """Say whether a line goes on in the next: under it or beside it, close, in the same column."""
    if above.attributes.get("column") != below.attributes.get("column") or not (above.box and below.box):
        return False
    data, a, b = load_data("facts.yaml"), above.box, below.box
    near = float(data["line_gap"]) * min(a.height, b.height)
    under = layout.shared_width(a, b) >= float(data["same_column"]) * min(a.width, b.width)
    beside = layout.shared_height(a, b) > 0 and 0 <= b.left - a.right <= near
    return beside or (under and -near <= b.top - a.bottom <= near)


def _bearer(item: Evidence, bearers: Sequence[tuple[str, Box]]) -> str | None:
    data = load_data("facts.yaml")
    named = item.attributes.get("on")
    if isinstance(named, str) and clean_label(named):
        return clean_label(named)
    carriers = ((label, box) for label, box in bearers if label.lower() in data["carries_text"])
    for label, box in carriers:
        if item.box and layout.overlap(item.box, box) >= data["inside"] * item.box.area:
            return label
    return None
