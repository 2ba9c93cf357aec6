"""One text as several that each fit: whole sentences packed in order, longer ones cut where they may be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from recaption.media.budgets import Budget
from recaption.media.sentences import Span, leads_in, stripped_sentences
from recaption.media.shortening import CutAt, finer, measured, shorten, window

__all__ = ["Parts", "split"]

MOST_PARTS: Final = 200
"""Of one sentence; longer ones are no captions."""
_WORD = re.compile(r"\s*+\S++")


@dataclass(frozen=True, slots=True)
class Parts:
    """The texts, in reading order."""

    texts: tuple[str, ...]
    cut_at: CutAt
    left_out: tuple[str, ...]
    """Words too long for any text, and what came after the last part allowed."""
    note: str | None


def split(text: str, budget: Budget, guard: Sequence[Span]) -> Parts:
    """Return the text in parts that each fit; only words longer than the budget are left out, and absurd lengths."""
    room = budget.limit - budget.specials
    pieces: list[tuple[str, str]] = []
    finest: CutAt = "sentence"
    notes: list[str] = []
    left_out: list[str] = []
    spans, leads = stripped_sentences(text)
    costs = budget.count_many([text[a:b] for a, b in spans])
    for span, lead, cost in zip(spans, leads, costs, strict=True):
        if cost - budget.specials <= room:
            pieces.append((lead, text[slice(*span)]))
            continue
        parts = _in_parts(text, span, room, budget, guard)
        pieces.extend((" " if i else lead, part) for i, part in enumerate(parts.texts))
        finest = finer(finest, parts.cut_at)
        left_out.extend(parts.left_out)
        notes.extend([parts.note] if parts.note else [])
    texts = _packed(pieces, budget)
    return Parts(texts, finest, tuple(left_out), notes[0] if notes else None if texts else "nothing fits")


def _in_parts(text: str, span: Span, room: int, budget: Budget, guard: Sequence[Span]) -> Parts:
    """Cut one sentence into parts that fit."""
    parts: list[str] = []
    left_out: list[str] = []
    finest: CutAt = "clause"
    note: str | None = None
    start, end = span
    measure = measured(budget)
    while start < end:
        if len(parts) + len(left_out) >= MOST_PARTS:
            left_out.append(text[start:end])
            note = f"a sentence makes more than {MOST_PARTS} parts"
            break
        if end - start <= window(room) and measure(text[start:end]) <= room:
            parts.append(_capitalised(text[start:end]))
            break
        short = shorten(text, (start, end), room, measure, guard)
        if short is None:
            resume = _word_end(text, start, end)
            left_out.append(text[start:resume])
            finest, note = "word", "a word is longer than the budget"
        else:
            parts.append(_capitalised(short.text))
            finest, note = finer(finest, short.level), short.note or note
            resume = short.end
        start = leads_in(text, resume, end)
    return Parts(tuple(parts), finest, tuple(left_out), note)


def _word_end(text: str, start: int, end: int) -> int:
    found = _WORD.match(text, start, end)
    return max(found.end() if found else end, start + 1)


def _capitalised(part: str) -> str:
    return part[:1].upper() + part[1:]


def _packed(pieces: Sequence[tuple[str, str]], budget: Budget) -> tuple[str, ...]:
    """Join neighbours while they fit together."""
    texts: list[str] = []
    for lead, piece in pieces:
        joined = texts[-1] + lead + piece if texts else piece
        if texts and budget.fits(joined):
            texts[-1] = joined
        else:
            texts.append(piece)
    return tuple(text for text in texts if text and budget.fits(text))
