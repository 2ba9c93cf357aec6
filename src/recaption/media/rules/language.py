"""Which language a text is in: by script where the script tells, by an optional library where it does not."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from recaption.core.errors import MissingExtraError
from recaption.media.rules.engine import Rule, State, Trigger
from recaption.media.rules.options import NormaliseOptions
from recaption.media.rules.wordlists import words

__all__ = ["detector", "language_of_script", "language_rules", "reads_as_english"]

_SCRIPTS: Final = (  # first and last code point, language most often written with it
    (0x0370, 0x03FF, "el"),
    (0x0400, 0x052F, "ru"),
    (0x0530, 0x058F, "hy"),
    (0x0590, 0x05FF, "he"),
    (0x0600, 0x077F, "ar"),
    (0x0900, 0x097F, "hi"),
    (0x0980, 0x09FF, "bn"),
    (0x0A00, 0x0A7F, "pa"),
    (0x0A80, 0x0AFF, "gu"),
    (0x0B80, 0x0BFF, "ta"),
    (0x0C00, 0x0C7F, "te"),
    (0x0C80, 0x0CFF, "kn"),
    (0x0D00, 0x0D7F, "ml"),
    (0x0D80, 0x0DFF, "si"),
    (0x0E00, 0x0E7F, "th"),
    (0x0E80, 0x0EFF, "lo"),
    (0x1000, 0x109F, "my"),
    (0x10A0, 0x10FF, "ka"),
    (0x1200, 0x139F, "am"),
    (0x1780, 0x17FF, "km"),
    (0x3040, 0x30FF, "ja"),
    (0x3400, 0x4DBF, "zh"),
    (0x4E00, 0x9FFF, "zh"),
    (0xAC00, 0xD7AF, "ko"),
    (0x20000, 0x323AF, "zh"),
)
_TELLTALE: Final = (  # letters only one language of a script has
    ("ru", "uk", frozenset("іїєґІЇЄҐ")),
    ("ar", "fa", frozenset("پچژگ")),
    ("ar", "ur", frozenset("ٹڈڑےں")),
)
_SAMPLE: Final = 400
_ENGLISH: Final = words("language", "english")
_FOREIGN: Final = words("language", "foreign")
_WORDS: Final = re.compile(r"[^\W\d_]+")
_LONGER_WORDS: Final = re.compile(r"[^\W\d_]{2,}")


@lru_cache(maxsize=20_000)
def _script_of(character: str) -> str | None:
    point = ord(character)
    return next((language for first, last, language in _SCRIPTS if first <= point <= last), None)


def language_of_script(text: str) -> str | None:
    """Return an ISO 639-1 code if the script of the text tells its language; None for Latin and for no letters.

    Chinese characters with kana are Japanese. A Latin word inside a Chinese text does not count: one ideograph
    says as much as several letters.
    """
    if text.isascii():
        return None
    counts: dict[str, int] = {}
    latin = 0
    for character in text[:_SAMPLE]:
        if character.isalpha():
            language = None if character.isascii() else _script_of(character)
            if language is None:
                latin += 1
            else:
                counts[language] = counts.get(language, 0) + 1
    if not counts:
        return None
    if "ja" in counts and "zh" in counts:
        counts["ja"] += counts.pop("zh")
    found, number = max(counts.items(), key=lambda item: item[1])
    if number * (4 if found in ("zh", "ja", "ko") else 1) < latin:
        return None
    letters = set(text)
    for script, language, telltale in _TELLTALE:
        if found == script and not telltale.isdisjoint(letters):
            return language
    return found


def reads_as_english(text: str, *, doubt: bool) -> bool:
    """Return whether the function words of a text are English ones; `doubt` is the answer if there are none."""
    found = _LONGER_WORDS.findall(text.lower()[:_SAMPLE])
    english = sum(word in _ENGLISH for word in found)
    foreign = sum(word in _FOREIGN for word in found)
    if english == foreign == 0:
        return doubt
    return english > foreign


def detector(wanted: tuple[str, ...]) -> Callable[[str], str | None]:
    """Return a function from text to ISO 639-1 code, None where it cannot tell.

    Raises:
        MissingExtraError: A wanted language is written in Latin letters and `lingua` is not installed.
        ValueError: A wanted code is not one the detector knows.
    """
    by_script = {language for *_, language in _SCRIPTS} | {language for _, language, _ in _TELLTALE}
    if all(code in by_script for code in wanted):
        return lambda text: language_of_script(text) or ("latin" if _has_latin_words(text) else None)
    try:
        from lingua import Language, LanguageDetectorBuilder
    except ImportError as error:
        raise MissingExtraError(
            "telling Latin languages apart", "lingua-language-detector", "langid"
        ) from error
    known = {language.iso_code_639_1.name.lower() for language in Language.all()}
    for code in wanted:
        if code not in known and code not in by_script:
            raise ValueError(f"unknown language {code!r}; give ISO 639-1 codes such as 'en' or 'zh'")
    lingua = LanguageDetectorBuilder.from_all_spoken_languages().with_low_accuracy_mode().build()

    def detect(text: str) -> str | None:
        if (found := language_of_script(text)) is not None:
            return found
        language = lingua.detect_language_of(text) if len(_WORDS.findall(text)) >= _LEAST_WORDS else None
        return None if language is None else language.iso_code_639_1.name.lower()

    return detect


_LEAST_WORDS: Final = 4


def _has_latin_words(text: str) -> bool:
    latin = (c for c in text[:_SAMPLE] if c.isalpha() and "LATIN" in unicodedata.name(c, ""))
    return sum(1 for _ in latin) >= 2 * _LEAST_WORDS


def language_rules(options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the rule that flags texts in a language nobody asked for."""
    if not options.languages:
        return
    detect, wanted = detector(options.languages), frozenset(options.languages)

    def flag(text: str, state: State) -> tuple[str, int]:
        found = detect(text)
        if found is not None and found not in wanted:
            state.flags["language"] = found
        return text, 0

    yield Rule("language", Trigger(always=True), flag)
