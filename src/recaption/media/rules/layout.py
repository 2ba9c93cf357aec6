"""Rules for what lies between words: spaces and punctuation."""

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from recaption.media.rules.engine import Rule, State, Trigger
from recaption.media.rules.options import NormaliseOptions

__all__ = ["layout_rules", "spacing_rule"]

_SPACES: Final = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f"
_WIDE_SPACES: Final = (
    (0x85, 0x85),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x202F),
    (0x205F, 0x205F),
)
_IDEOGRAPHIC_SPACE: Final = (0x3000, 0x3000)

# Patterns begin with the mark itself and look back from there: the search then skips everything else at full speed.
_EMPTY: Final = re.compile(r"\( ?\)|\[ ?\]|\{ ?\}|【 ?】|（ ?）|《 ?》|“ ?”")
_RULER: Final = re.compile(r"([-–—_=*+|~^])\1{2,200}|-(?<=\s-)-(?=\s)")
_MIXED: Final = re.compile(r"[!?]{3,200}")
_SAME: Final = re.compile(r"([!?,;:！？，。、；：~～])(?: ?\1){1,200}")
_DOTS: Final = re.compile(r"\.(?:\.{3,200}|(?: \.){2,100})|…(?:\s?…){1,100}")
_SEPARATORS: Final = re.compile(r"( ?[|•·»] ?| [-–—~] ?)(?:[|•·» ]|[-–—~](?=[ |•·»-])){1,50}")
_COMMAS: Final = re.compile(r"[,;:](?:(?P<more>(?: ?[,;]){1,100}) ?| ?(?=[.!?](?:\s|\Z)))")
_BEFORE_MARK: Final = re.compile(
    r" (?<=[\w)\]\"'”’%] )(?=[,，。、；](?!\d)|\.(?:\s|\Z)|[)\]}”](?![A-Za-z0-9]))"
)
_AFTER_OPENER: Final = re.compile(r" (?<=[(\[{“] )(?=\S)")
_GLUED_COMMA: Final = re.compile(r"([,;])(?<=[A-Za-z][,;])(?=[A-Za-z]{2})(?![A-Za-z]{0,20}://)")
_LEADING: Final = re.compile(
    r"\A(?:[\s,;:|/\\•·»~_=^，。、；：！]|[-–—*+.](?=[\s,;:|•·»-])|\.{2,3}(?=\w)|[!?]{1,3}(?=[\s'\"\w])|[)\]}](?=\s|\w))+"
)
_TRAILING: Final = re.compile(
    r"(?:[\s,;:|/\\•·«»~_=^，、；：([{]|(?<=\s)[-–—*+&@#]|(?<=[\w)])[-–—](?=\s*\Z)|(?<=[.!?])-)+\Z"
)
_TRIGGERS: Final = ",.;:!?()[]{}|*=~_^/\\•·»«–—…“”，。、；：！？（）【】《》～"
_EDGES: Final = "-–—+"


def spacing_rule() -> Rule:
    """Return the rule that makes every run of white space one space; it runs first and last."""
    trigger = Trigger(
        characters=_SPACES, ranges=(*_WIDE_SPACES, _IDEOGRAPHIC_SPACE), double_space=True, starts=" ", ends=" "
    )
    return Rule("spacing", trigger, _spacing)


def layout_rules(_options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the punctuation rule."""
    trigger = Trigger(characters=_TRIGGERS, twice="-+", starts=_EDGES, ends=_EDGES + "&@#")
    yield Rule("punctuation", trigger, _punctuation)


def _spacing(text: str, _state: State) -> tuple[str, int]:
    tidy = " ".join(text.split())
    return tidy, int(tidy != text)


# A cheap sign that a text may need care: a mark after a space, before another mark, or inside a word.
_SIGN: Final = re.compile(
    r"[,.;:!?()\[\]{}|*=~^+_•·»“”，。、；：！？（）【】《》～…–—-]"
    r"(?:(?<= [,.;)\]}|，。、；•·»”])|(?<=[(\[{“])[ )\]}”]|(?<=[【（《])[ 】）》]"
    r"|(?<=[,;])[A-Za-z]| ?[,.;:!?)\]}|*=~^+_•·»”，。、；：！？～…]|(?<=[–—|•·»-]) ?[|•·»–—-])"
)
_EDGE_STARTS: Final = frozenset(" ,;:|/\\•·»~_=^，。、；：！-–—*+.!?)]}")
_EDGE_ENDS: Final = frozenset(" ,;:|/\\•·«»~_=^，、；：([{-–—*+&@#")


def _needs_care(text: str) -> bool:
    return text[:1] in _EDGE_STARTS or text[-1:] in _EDGE_ENDS or _SIGN.search(text) is not None


def _punctuation(text: str, _state: State) -> tuple[str, int]:
    if not _needs_care(text):
        return text, 0
    before, edits = text, 0
    for signs, pattern, replacement in _STEPS:
        if any(map(text.__contains__, signs)):
            text, more = pattern.subn(replacement, text)
            edits += more
    if text[-1:] in _EDGE_ENDS:
        text, more = _TRAILING.subn("", text)
        edits += more
    if text[:1] in _EDGE_STARTS:
        text, more = _LEADING.subn("", text)
        edits += more
    return (text, edits) if text != before else (before, 0)


def _calm(match: re.Match[str]) -> str:
    """Return what three or more of "!" and "?" mean: a question, an exclamation or both."""
    return ("?" if "?" in match[0] else "") + ("!" if "!" in match[0] else "")


def _first_comma(match: re.Match[str]) -> str:
    return f"{match[0][0]} " if match["more"] else ""


_Step: TypeAlias = "tuple[tuple[str, ...], re.Pattern[str], str | Callable[[re.Match[str]], str]]"
_STEPS: Final[tuple[_Step, ...]] = (  # what a text must have at least, what is replaced, by what
    (tuple(")]}】）》”"), _EMPTY, " "),
    (tuple(mark * 2 for mark in "-–—_=*+|~^"), _RULER, " - "),
    (("!", "?"), _MIXED, _calm),
    (("",), _SAME, r"\1"),
    (("...", ". .", "…"), _DOTS, "..."),
    (("|", "•", "·", "»", " -", " –", " —", " ~"), _SEPARATORS, r"\1 "),
    (tuple(",;:"), _COMMAS, _first_comma),
    (("",), _BEFORE_MARK, ""),
    (tuple("([{“"), _AFTER_OPENER, ""),
    ((",", ";"), _GLUED_COMMA, r"\1 "),
)
