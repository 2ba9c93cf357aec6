"""Texts that go round in circles."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from recaption.media.checks.about import About, Finding
from recaption.media.checks.reading import Reading, tokens_of

__all__ = ["loops", "unlooped"]

_LONGEST_UNIT: Final = 60
"""Tokens of the longest phrase that is looked for again."""
_LEAST_LOOP: Final = 6
"""Tokens that three sayings of a phrase must have together: `ha ha ha` is no loop yet."""
_LONG_UNIT: Final = 8
"""Tokens from which a phrase said twice in a row, at the end, is a loop."""
_LEAST_FOR_SHARE: Final = 16
_MOST_REPEATED: Final = 0.3
"""Share of four-word runs that were said before (rep-4); loops of models lie above, prose far below."""
_VARIED: Final = 0.62
"""Share of different words above which four-word runs need not be counted."""
_LONG_WORD: Final = 16
_LETTER_RUN: Final = re.compile(r"([^\W_])\1{7,}")
_INNER: Final = 4
"""Sayings in a row anywhere in the text that are a loop."""
_MOST_TOKENS: Final = 2_000


def loops(reading: Reading, about: About) -> Iterator[Finding]:
    """Yield `loop` once, for the worst there is."""
    tokens = reading.tokens[:_MOST_TOKENS]
    if len(tokens) >= 3:
        loop = _tail_loop(tokens)
        if loop is not None:
            start, unit = loop
            phrase = _shown(tokens[start : start + unit])
            times = (len(tokens) - start) / unit
            yield Finding("loop", f"ends with {phrase!r} {times:.3g} times in a row")
            return
    different = len(set(tokens)) if reading.cjk else len(reading.vocabulary)
    if len(tokens) >= _LEAST_FOR_SHARE and different < _VARIED * len(tokens):
        share = _repeated_share(tokens)
        if share > _MOST_REPEATED:
            yield Finding("loop", f"{share:.0%} of its four-word runs were said before")
            return
        if (inner := _inner_loop(tokens)) is not None:
            yield Finding("loop", f"says {inner} {_INNER} times in a row")
            return
    if (
        reading.words
        and max(map(len, reading.words)) >= _LONG_WORD
        and (run := _LETTER_RUN.search(reading.text))
    ):
        yield Finding("loop", f"{run[1]!r} {len(run[0])} times in a row", run.span())


def unlooped(text: str) -> str | None:
    """Return the text with the loop at its end said once; None if it does not end in one."""
    found = tokens_of(text)[:_MOST_TOKENS]
    tokens = [token for token, _, _ in found]
    loop = _tail_loop(tokens)
    if loop is None:
        return None
    start, unit = loop
    end = found[start + unit - 1][2]
    kept = text[:end].rstrip()
    mark = text[end : end + 1]
    return kept + mark if mark and mark in ".!?。！？" else kept


def _tail_loop(tokens: Sequence[str]) -> tuple[int, int] | None:
    """Return (where it begins, its length) of the phrase that the end of a text says over and over."""
    size = len(tokens)
    if not size:
        return None
    last = tokens[-1]
    for unit in range(1, min(_LONGEST_UNIT, size // 2) + 1):
        if tokens[-1 - unit] != last:
            continue
        place = size - 1
        while place >= unit and tokens[place] == tokens[place - unit]:
            place -= 1
        covered = size - (place + 1 - unit)
        if (covered >= 3 * unit and covered >= _LEAST_LOOP) or (unit >= _LONG_UNIT and covered >= 2 * unit):
            return place + 1 - unit, unit
    return None


def _inner_loop(tokens: Sequence[str]) -> str | None:
    """Return what is said four times in a row somewhere, up to eight tokens long; None if nothing is."""
    for unit in range(1, 9):
        run = 0
        needed = (_INNER - 1) * unit
        for before, token in zip(tokens, tokens[unit:], strict=False):
            run = run + 1 if before == token else 0
            if run >= needed and needed + unit >= _LEAST_LOOP:
                return token if unit == 1 else f"the same {unit} words"
    return None


def _repeated_share(tokens: Sequence[str]) -> float:
    grams = list(zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False))
    return 1 - len(set(grams)) / len(grams)


def _shown(tokens: Sequence[str]) -> str:
    return " ".join(tokens)[:40]
