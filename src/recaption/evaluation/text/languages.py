"""In which language a caption is: by script where that tells, by function words for English among Latin letters.

Captions are a few words long, which is too little for letter statistics. So what cannot be told is called unclear
and counted as such, and which other language in Latin letters a text is in is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from recaption.media.checks.patterns import words as check_words
from recaption.media.rules.language import language_of_script
from recaption.media.rules.wordlists import words as rule_words

__all__ = ["ENGLISH", "LATIN", "NONE", "NO_LANGUAGE", "UNCLEAR", "language_of"]

ENGLISH: Final = "en"
LATIN: Final = "other, in Latin letters"
UNCLEAR: Final = "unclear"
"""Latin letters, and no function word that tells."""
NONE: Final = "no words"
NO_LANGUAGE: Final = frozenset({UNCLEAR, NONE})
"""What is said where no language can be told."""

_ENGLISH_WORDS: Final = rule_words("language", "english") | {
    "a",
    "near",
    "next",
    "behind",
    "standing",
    "sitting",
}
_FOREIGN_WORDS: Final = (
    rule_words("language", "foreign") | check_words("language", "foreign")
) - _ENGLISH_WORDS
_SAMPLE: Final = 200
"""Words that are looked at."""


def language_of(text: str, words: Sequence[str]) -> str:
    """Return an ISO 639-1 code where it can be told, else `LATIN`, `UNCLEAR` or `NONE`.

    Args:
        words: The words of the text, in lower case.
    """
    if not words:
        return NONE
    script = None if text.isascii() else language_of_script(text)
    if script is not None:
        return script
    said = set(words[:_SAMPLE])
    english, foreign = len(said & _ENGLISH_WORDS), len(said & _FOREIGN_WORDS)
    if english > foreign:
        return ENGLISH
    return LATIN if foreign >= 2 and foreign > english else UNCLEAR
