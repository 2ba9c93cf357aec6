"""Says what makes an alt-text unusable, and how usable it is.

The score is 1 times the weight of every flag that is set (`rules/data/triage.yaml`), so it lies in [0, 1]: 1 for a
text nothing speaks against, 0 for an empty one. Flags are findings with a reason, never a verdict.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from recaption.media.rules.filenames import is_file_name
from recaption.media.rules.language import detector, language_of_script, reads_as_english
from recaption.media.rules.wordlists import alternation, load, words

__all__ = ["FLAGS", "Triage", "TriageOptions", "triage"]

_DATA: Final = load("triage")
_WEIGHTS: Final[dict[str, float]] = {name: float(weight) for name, weight in _DATA["weights"].items()}
_THRESHOLDS: Final[dict[str, float]] = {name: float(value) for name, value in _DATA["thresholds"].items()}
FLAGS: Final = tuple(_WEIGHTS)
"""Every flag a text can get, worst first."""

_PLACEHOLDERS: Final = frozenset(line.strip() for line in _DATA["placeholders"].splitlines() if line.strip())
_COMMERCIAL: Final = words("triage", "commercial")
_COMMERCIAL_ZH: Final = re.compile(f"(?:{alternation(words('triage', 'commercial_zh'))})+")
_MONTHS: Final = words("triage", "months")
_FUNCTION: Final = (
    words("repeats", "function_words") | words("casing", "small_words") | words("language", "english")
)
_VISUAL: Final = frozenset(word for section in load("visual_en") for word in words("visual_en", section))
_VISUAL_ZH: Final = re.compile(
    alternation(frozenset(word for section in load("visual_zh") for word in words("visual_zh", section)))
)

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_CJK: Final = re.compile("[\u3400-\u9fff\u3040-\u30ff\uac00-\ud7af]")
_IDEOGRAPH: Final = re.compile("[\u3400-\u9fff]")
_NOT_LETTERS: Final = re.compile(r"[\W\d_]+")
_SEGMENT: Final = re.compile(r"[,，;；|、/]|\s[-–—]\s|\s#")
_DATE_WORDS_ZH: Final = re.compile(r"[年月日号时分秒点周星期一二三四五六七八九十零〇第张页\s\W\d_]+")
_ENDINGS: Final = (
    ("ies", "y"),
    ("es", ""),
    ("s", ""),
    ("ed", ""),
    ("ed", "e"),
    ("ing", ""),
    ("ing", "e"),
    ("y", ""),
)
_LONGEST: Final = 20_000


class TriageOptions(BaseModel):
    """What counts as unusable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    min_words: int = Field(default=2, ge=1, le=50)
    """Texts with fewer words are too short (Chinese and the like: fewer than four characters)."""
    max_copies: int = Field(default=10, ge=1)
    """A text on more images than this is a duplicate."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes that are wanted; none: every language is. Latin ones need the extra `langid`."""


@dataclass(frozen=True, slots=True)
class Triage:
    """Score in [0, 1], and each flag with its reason."""

    score: float
    flags: dict[str, str]


def triage(
    raw: str, cleaned: str, options: TriageOptions | None = None, *, copies: float | None = None
) -> Triage:
    """Judge a text.

    Args:
        raw: As it came.
        cleaned: After the text rules; what a later stage would use.
        copies: On how many images of the dataset the text stands, if that was counted.
    """
    chosen = options or TriageOptions()
    flags = dict(_findings(raw[:_LONGEST], cleaned[:_LONGEST], chosen, copies))
    score = 1.0
    for name in flags:
        score *= _WEIGHTS[name]
    return Triage(round(score, 4), {name: flags[name] for name in FLAGS if name in flags})


def _findings(
    raw: str, cleaned: str, options: TriageOptions, copies: float | None
) -> Iterator[tuple[str, str]]:
    if copies is not None and copies > options.max_copies:
        yield "duplicate", f"stands on {copies:g} images"
    if not any(map(str.isalnum, raw)):
        yield "empty", "no words"
        return
    if (name := _bare(raw)) in _PLACEHOLDERS or (cleaned and (name := _bare(cleaned)) in _PLACEHOLDERS):
        yield "placeholder", f"{name!r} describes nothing"
        return
    if is_file_name(raw):
        yield "file_name", "the text is a file name"
    if _is_date_or_number(raw):
        yield "date_or_number_only", "no words but dates and numbers"
        return
    if _is_commercial(raw, cleaned):
        yield "commercial_only", "only selling words"
        return
    if not cleaned.strip():
        yield "empty", "nothing left after cleaning"
        return
    if reason := _stuffing(cleaned):
        yield "keyword_stuffing", reason
    yield from _substance(cleaned, options)


def _substance(text: str, options: TriageOptions) -> Iterator[tuple[str, str]]:
    found = _WORD.findall(text)
    characters = len(_CJK.findall(text))
    if characters:
        least = int(_THRESHOLDS["least_cjk_characters"])
        if characters < least and len(found) < options.min_words:
            yield "too_short", f"{characters} characters"
    elif len(found) < options.min_words:
        yield "too_short", f"{len(found)} word{'s' if len(found) != 1 else ''}"
    if options.languages:
        language = _detector(options.languages)(text)
        if language is not None and language not in options.languages:
            yield "wrong_language", f"reads as {language!r}, wanted {', '.join(options.languages)}"
    yield from _visibility(text, found)


def _visibility(text: str, found: list[str]) -> Iterator[tuple[str, str]]:
    """Flag texts without a word for something visible; only where we know the words of the language."""
    if _IDEOGRAPH.search(text):
        if language_of_script(text) != "zh" or _VISUAL_ZH.search(text):
            return
        if not any(_is_visual(word) for word in found):
            yield "no_visual_word", "no word for anything visible"
        return
    if language_of_script(text) is not None or not reads_as_english(text, doubt=True):
        return
    sample = found[: int(_THRESHOLDS["visual_sample_words"])]
    if any(map(_is_visual, sample)):
        return
    names = [word for word in sample[1:] if word[0].isupper() and word.lower() not in _FUNCTION]
    if names or (len(sample) == 1 and sample[0][0].isupper()):
        yield "names_only", f"names, but no word for anything visible: {(names or sample)[0]!r}"
    else:
        yield "no_visual_word", "no word for anything visible"


@cache
def _detector(languages: tuple[str, ...]) -> Callable[[str], str | None]:
    return detector(languages)


@lru_cache(maxsize=64)  # one text is asked about several times in a row
def _bare(text: str) -> str:
    return _NOT_LETTERS.sub(" ", text.lower()).strip()


def _is_date_or_number(text: str) -> bool:
    left = [word for word in _bare(text).split() if word not in _MONTHS]
    return not left or (not text.isascii() and _DATE_WORDS_ZH.fullmatch(text) is not None)


def _is_commercial(raw: str, cleaned: str) -> bool:
    """Return whether nothing remains beside selling words."""
    bare = _bare(cleaned or raw)
    left = [word for word in bare.split() if word not in _COMMERCIAL and not _COMMERCIAL_ZH.fullmatch(word)]
    return not left and bool(bare)


def _stuffing(text: str) -> str | None:
    """Return why a text is a pile of keywords, None if it is not."""
    segments = [segment for segment in map(str.strip, _SEGMENT.split(text)) if segment]
    found = [word.lower() for word in _WORD.findall(text)]
    if not found:
        return None
    function_share = sum(word in _FUNCTION for word in found) / len(found)
    if (
        len(segments) >= _THRESHOLDS["stuffing_segments"]
        and len(found) / len(segments) <= _THRESHOLDS["stuffing_words_per_segment"]
        and function_share <= _THRESHOLDS["stuffing_function_share"]
    ):
        return f"{len(segments)} short pieces without sentences"
    content = Counter(_stem(word) for word in found if word not in _FUNCTION and len(word) > 2)
    if content:
        word, number = content.most_common(1)[0]
        if (
            number >= _THRESHOLDS["stuffing_repeats"]
            and number / content.total() >= _THRESHOLDS["stuffing_repeat_share"]
            and function_share <= _THRESHOLDS["stuffing_function_share"]
        ):
            return f"{word!r} {number} times"
    return None


def _stem(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


@lru_cache(maxsize=20_000)  # bounded: the words of hostile data never end
def _is_visual_word(word: str) -> bool:
    if word in _VISUAL:
        return True
    return any(
        word.endswith(ending) and (word[: -len(ending)] + instead in _VISUAL) for ending, instead in _ENDINGS
    )


def _is_visual(word: str) -> bool:
    bare = word.lower().removesuffix("'s").removesuffix("’s")
    return len(bare) <= 24 and _is_visual_word(bare)
