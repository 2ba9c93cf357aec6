"""Rules for what went wrong before anyone read the text: entities, mojibake, invisible characters, tags, widths."""

import re
import unicodedata
from collections.abc import Iterator
from html.entities import html5
from typing import Final

import ftfy

from recaption.media.rules.engine import Rule, State, Trigger
from recaption.media.rules.options import NormaliseOptions
from recaption.media.rules.wordlists import alternation, words

__all__ = ["CJK", "encoding_rules"]

CJK: Final = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
"""Chinese characters, for use inside a character class."""
_KANA_HANGUL: Final = "\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af"

_ENTITY: Final = re.compile(r"&(?:amp;)*(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")

# Mojibake is two characters or more side by side, or one of a few tell-tale ones; the rest never needs the repair.
_WIDE_RUN: Final = re.compile("[\x80-\U0010ffff]+")
_TELLTALE: Final = re.compile("[ÂÃ\x80-\x9f\u0300-\u036f\u3099\u309a\ufb00-\ufb06\ufffd\ud800-\udfff]")
_HARMLESS_RUN: Final = re.compile(
    "[\u2000-\u206f\u2122\u2600-\u27bf\u2e80-\ud7ff\uff00-\uffef\U0001f000-\U0010ffff]+"
)
_FTFY: Final = ftfy.TextFixerConfig(
    unescape_html=False,
    uncurl_quotes=False,
    fix_character_width=False,
    fix_line_breaks=False,
    remove_control_chars=False,
    explain=False,
)

_BASES: Final = (  # what a joiner or a variation selector may follow
    "\u0600-\u1cff\u2600-\u27bf\u2b00-\u2bff\ua8e0-\ua8ff\uaa00-\uabff\ufe0f\U0001f000-\U0001faff"
)
_INVISIBLE: Final = re.compile(
    "\x1b\\[[0-9;]{0,20}[A-Za-z]"  # terminal colours
    "|[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\uffff\ue000-\uf8ff\ud800-\udfff\U000e0000-\U000e00ff\U000e01f0-\U0010ffff]"
    f"|(?<![{_BASES}])[\u200c\u200d]"
    "|(?<![\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff])\u200b"
    f"|(?<![{_BASES}\xa9\xae\u2000-\u2bff\u3000-\u9fff0-9#*])[\ufe00-\ufe0f]"
    f"|(?<![{CJK}])[\U000e0100-\U000e01ef]"
)

_WIDE_LETTERS: Final = re.compile("[\uff04-\uff06\uff0b\uff0f-\uff19\uff1d\uff20-\uff3a\uff3f\uff41-\uff5a]+")
_HALF_KANA: Final = re.compile("[\uff66-\uff9f]+")
_WIDE_MARKS: Final = re.compile("(?<=[A-Za-z0-9])[，！？：；]|[（）]")
_ANY_CJK: Final = re.compile(f"[{CJK}{_KANA_HANGUL}]")
_KANA: Final = re.compile(f"[{_KANA_HANGUL}]")
_NARROW_MARKS: Final = re.compile(f"(?<=[{CJK}])[,!?;:](?=[{CJK}]|$)")
_TO_WIDE: Final = str.maketrans(",!?;:", "，！？；：")
_TO_NARROW: Final = {"，": ", ", "！": "! ", "？": "? ", "：": ": ", "；": "; ", "（": " (", "）": ") "}

_CSV_QUOTED: Final = re.compile(r'"(.*"".*)"', re.DOTALL)
_BACKSLASHED: Final = re.compile(r"(?<!\\)\\+(?=['\"/])")
_BACKTICK: Final = re.compile(r"(?<=[A-Za-z])[`´](?=[A-Za-z])")
_CURLY: Final = str.maketrans("‘’‚‛“”„‟", "''''\"\"\"\"")


def encoding_rules(options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the rules of this module."""
    yield Rule("entities", Trigger(characters="&"), _entities)
    yield Rule("mojibake", Trigger(ranges=((0x80, 0x2DFF), (0x3099, 0x309A), (0xD800, 0xFFFD))), _mojibake)
    yield Rule("invisible", _INVISIBLE_TRIGGER, _invisible)
    yield Rule("html", Trigger(characters="<[" if options.is_on("html") else ""), _html)
    yield Rule("width", Trigger(ranges=((0x3400, 0x9FFF), (0xFF01, 0xFFEF))), _width)
    curly = "‘’‚‛“”„‟" if options.straight_quotes else ""
    yield Rule("quotes", Trigger(characters='"\\`´' + curly), _straight if curly else _quotes)


_INVISIBLE_TRIGGER: Final = Trigger(
    characters="".join(map(chr, (*range(0x00, 0x09), *range(0x0E, 0x1C), 0x7F))),
    ranges=(
        (0x80, 0xAD),
        (0x34F, 0x34F),
        (0x61C, 0x61C),
        (0x200B, 0x200F),
        (0x202A, 0x206F),
        (0x3164, 0x3164),
        (0xD800, 0xF8FF),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFFF),
        (0xE0000, 0x10FFFF),
    ),
)


def _entities(text: str, _state: State) -> tuple[str, int]:
    edits = 0

    def decode(match: re.Match[str]) -> str:
        nonlocal edits
        name = match[1]
        known = _numeric(name) if name[0] == "#" else html5.get(name + ";")
        if known is None:
            return match[0]
        edits += 1
        return known

    return _ENTITY.sub(decode, text), edits


def _numeric(name: str) -> str | None:
    """Return the character of `#233` or `#xe9`; numbers 128 to 159 mean Windows-1252, as in every browser."""
    point = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        return None
    if 0x80 <= point <= 0x9F:
        return bytes([point]).decode("cp1252", "replace")
    return chr(point)


def _mojibake(text: str, _state: State) -> tuple[str, int]:
    if not any(map(_is_suspect, _WIDE_RUN.findall(text))):
        return text, 0
    fixed = ftfy.fix_text(text, _FTFY)
    return fixed, int(fixed != text)


def _is_suspect(run: str) -> bool:
    if _TELLTALE.search(run):
        return True
    return len(run) > 1 and not _HARMLESS_RUN.fullmatch(run)


def _invisible(text: str, _state: State) -> tuple[str, int]:
    return _INVISIBLE.subn("", text)


_BLOCK: Final = alternation(words("html_tags", "block"))
_INLINE: Final = alternation(words("html_tags", "inline"))
_BULLETIN_BOARD: Final = alternation(words("html_tags", "bulletin_board"))
_ATTRIBUTES: Final = r"\s[^<>=]{0,500}=[^<>]{0,2000}"
_TAG: Final = re.compile(
    r"<(script|style)\b[^<>]{0,500}>[^<]{0,5000}</\1\s*>"
    r"|<!--(?:[^-]|-(?!->)){0,500}-->"
    rf"|</?(?:{_BLOCK})(?:{_ATTRIBUTES})?\s?/?>"
    rf"|(?P<inline></?(?:{_INLINE})(?:{_ATTRIBUTES})?\s?/?>)"
    rf"|<(?:{_INLINE}|{_BLOCK}){_ATTRIBUTES}\Z"  # cut off in the middle
    rf"|\[/?(?:{_BULLETIN_BOARD})(?:=[^\[\]]{{0,500}})?\]",
    re.IGNORECASE,
)


def _html(text: str, _state: State) -> tuple[str, int]:
    return _TAG.subn(lambda match: "" if match["inline"] else " ", text)


def _width(text: str, _state: State) -> tuple[str, int]:
    text, edits = _WIDE_LETTERS.subn(lambda m: m[0].translate(_FULL_TO_ASCII), text)
    text, more = _HALF_KANA.subn(lambda m: unicodedata.normalize("NFKC", m[0]), text)
    edits += more
    if _ANY_CJK.search(text):
        if not _KANA.search(text):
            text, more = _NARROW_MARKS.subn(lambda m: m[0].translate(_TO_WIDE), text)
            edits += more
    else:
        text, more = _WIDE_MARKS.subn(lambda m: _TO_NARROW[m[0]], text)
        edits += more
    return text, edits


_FULL_TO_ASCII: Final = {point: point - 0xFEE0 for point in range(0xFF01, 0xFF5F)}


def _quotes(text: str, _state: State) -> tuple[str, int]:
    edits = 0
    if '""' in text and (quoted := _CSV_QUOTED.fullmatch(text.strip())):
        text, edits = quoted[1].replace('""', '"'), 1
    if "\\" in text:
        text, more = _BACKSLASHED.subn("", text)
        edits += more
    if "`" in text or "´" in text:
        text, more = _BACKTICK.subn("'", text)
        edits += more
    return text, edits


def _straight(text: str, state: State) -> tuple[str, int]:
    straight = text.translate(_CURLY)
    tidy, edits = _quotes(straight, state)
    return tidy, edits + (straight != text)
