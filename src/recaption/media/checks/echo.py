"""Answers that say the prompt again."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from recaption.media.checks.about import About, Finding
from recaption.media.checks.reading import Reading, tokens_of

__all__ = ["echo"]

_RUN: Final = 7
"""Words in a row that an answer shares with its prompt by no accident."""
_RUN_CJK: Final = 9
_LONGEST_PROMPT: Final = 20_000


@lru_cache(maxsize=512)
def _runs(text: str, length: int) -> frozenset[tuple[str, ...]]:
    tokens = [token for token, _, _ in tokens_of(text[:_LONGEST_PROMPT])]
    return frozenset(zip(*(tokens[i:] for i in range(length)), strict=False))


def echo(reading: Reading, about: About) -> Iterator[Finding]:
    """Yield `echo`. What came with the picture is left out: a caption may say its alt-text again."""
    if about.prompt is None:
        return
    length = _RUN_CJK if reading.cjk else _RUN
    tokens = reading.tokens
    if not tokens or len(tokens) < length:
        return
    asked = _runs(about.prompt, length)
    if not asked:
        return
    for position in range(len(tokens) - length + 1):
        run = tuple(tokens[position : position + length])
        if run in asked and not any(run in _runs(text, length) for text in about.context_texts):
            yield Finding("echo", f"says the prompt again: {' '.join(run)[:60]!r}")
            return
