"""Texts in another language than the one that was asked for."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from recaption.media.checks.about import About, Finding
from recaption.media.checks.patterns import words as check_words
from recaption.media.checks.reading import Reading
from recaption.media.rules.language import detector, language_of_script
from recaption.media.rules.wordlists import words

__all__ = ["fine_detector", "languages"]

_ENGLISH: Final = words("language", "english") | {"a", "near", "next", "behind", "standing", "sitting"}
_FOREIGN: Final = (words("language", "foreign") | check_words("language", "foreign")) - _ENGLISH
_BY_SCRIPT: Final = frozenset({"zh", "ja", "ko", "ru", "uk", "ar", "fa", "ur", "he", "hi", "th", "el"})
_LEAST_WORDS: Final = 3


def languages(reading: Reading, about: About) -> Iterator[Finding]:
    """Yield `language`, told by script, and for Latin letters by function words."""
    wanted = about.language
    if wanted is None or not reading.words:
        return
    found = None if reading.ascii else language_of_script(reading.plain)
    if found is not None:
        if found != wanted:
            yield Finding("language", f"reads as {found!r}, wanted {wanted!r}")
        return
    if wanted in _BY_SCRIPT:
        if len(reading.words) >= _LEAST_WORDS:
            yield Finding("language", f"in Latin letters, wanted {wanted!r}")
        return
    said = reading.vocabulary
    english, foreign = len(said & _ENGLISH), len(said & _FOREIGN)
    if wanted == "en":
        if foreign > english and foreign >= 2:
            yield Finding("language", "the words of another language, wanted 'en'")
    elif english > foreign and english >= _LEAST_WORDS:
        yield Finding("language", f"reads as English, wanted {wanted!r}")


@cache
def fine_detector(wanted: str) -> Callable[[str], str | None]:
    """Return a detector that tells Latin languages apart by letter statistics.

    Raises:
        MissingExtraError: `lingua` is not installed.
        ValueError: It does not know the language.
    """
    return detector((wanted,))
