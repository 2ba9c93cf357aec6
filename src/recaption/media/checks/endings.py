"""Texts that stop in the middle."""

import re
from collections.abc import Iterator
from typing import Final

from recaption.media.checks.about import About, Finding
from recaption.media.checks.patterns import words
from recaption.media.checks.reading import CJK, Reading
from recaption.media.sentences import is_dangling, stripped_sentences

__all__ = ["endings", "whole_sentences"]

_ENDS: Final = re.compile(r"[.!?…。！？｡~～][\"'”’»)\]」』）】》*_`]*\s*\Z")
_EARLIER_END: Final = re.compile(rf"[.!?][\"'”’)\]]*\s+(?=[A-Z\"“'])|[。！？](?=[{CJK}\"“「\s])")
_OPEN_END: Final = re.compile(r"[,;:，、；：—–(（\[{\"“‘「『-]\s*\Z")
_OPEN_QUOTE: Final = re.compile(r"“[^”]*\Z|「[^」]*\Z|\([^()]*\Z|（[^（）]*\Z")
_MAY_END: Final = words("wording", "may_end")
"""Words that sentences seldom end with, but do where the model says that it was done."""


def endings(reading: Reading, about: About) -> Iterator[Finding]:
    """Yield `cut`."""
    text = reading.text.rstrip()
    ends = _ENDS.search(text[-12:]) is not None
    if about.finish_reason == "length" and not ends:
        yield Finding("cut", "the model was stopped at its limit of tokens", _last_word(text))
        return
    if ends or not reading.words:
        return
    if _OPEN_END.search(text[-4:]) and not _closes(text):
        yield Finding("cut", f"ends with {text[-1]!r}", _last_word(text))
    elif (length := is_dangling(text, 0, len(text))) and not (
        about.finish_reason == "stop" and text[-length:].lower() in _MAY_END
    ):
        yield Finding("cut", f"ends with {text[-length:]!r}", (len(text) - length, len(text)))
    elif _EARLIER_END.search(reading.plain) and len(stripped_sentences(text)[0]) > 1:
        yield Finding("cut", "the last sentence has no end", _last_word(text))
    elif not text.isalnum() and _OPEN_QUOTE.search(text):
        yield Finding("cut", "what it opens is never closed", _last_word(text))


def _closes(text: str) -> bool:
    """Return whether the mark at the end closes a quotation."""
    return text[-1] == '"' and text.count('"') % 2 == 0


def _last_word(text: str) -> tuple[int, int]:
    return max(text.rfind(" ") + 1, len(text) - 40, 0), len(text)


def whole_sentences(text: str) -> str | None:
    """Return the text up to the end of its last whole sentence; None if there is none."""
    spans, _ = stripped_sentences(text)
    while spans and not _ENDS.search(text[max(0, spans[-1][1] - 12) : spans[-1][1]]):
        spans.pop()
    return text[: spans[-1][1]] if spans else None
