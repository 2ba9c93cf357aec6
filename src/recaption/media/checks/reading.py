"""One text, read once: what every check needs of it."""

import re
from typing import Final

__all__ = ["CJK", "Reading", "tokens_of"]

CJK: Final = "\u3400-\u9fff\u3040-\u30ff\uac00-\ud7af"
_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CJK: Final = re.compile(f"[{CJK}]")
_TOKEN: Final = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:['’][^\W_{CJK}]+)*")
_QUOTED: Final = re.compile(
    r"\"[^\"\n]{1,400}+\"|“[^”\n]{1,400}+”|「[^」\n]{1,400}+」|『[^』\n]{1,400}+』|《[^》\n]{1,400}+》|«[^»\n]{1,400}+»"
    r"|(?<!\w)'(?=\w)[^'\n]{1,120}+'(?!\w)|(?<!\w)‘[^’\n]{1,120}+’(?!\w)"
)
_BLANKED: Final = {point: " " for point in range(128) if not chr(point).isalnum()}
_QUOTE_MARKS: Final = re.compile("[\"“「『《«'‘]")


class Reading:
    """A text, and what is cut out of it more than once."""

    __slots__ = ("ascii", "cjk", "plain", "quotes", "text", "tokens", "vocabulary", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        self.ascii = text.isascii()
        self.cjk = not self.ascii and _CJK.search(text) is not None
        """Whether it holds characters of Chinese, Japanese or Korean."""
        self.quotes = [m.span() for m in _QUOTED.finditer(text)] if _QUOTE_MARKS.search(text) else []
        """Spans of what it quotes, marks included; a text that is one quotation quotes nothing."""
        if self.quotes and self.quotes[0][1] - self.quotes[0][0] >= len(text.strip()) - 1:
            self.quotes = []
        self.plain = self._without_quotes()
        """The text with what it quotes blanked, equal in length."""
        self.words = _words(text.lower(), self.ascii)
        """Words in lower case; of Chinese, runs of characters."""
        self.vocabulary = frozenset(self.words)
        self.tokens = _TOKEN.findall(text.lower()) if self.cjk else self.words
        """Words, each character of Chinese and the like alone."""

    def _without_quotes(self) -> str:
        if not self.quotes:
            return self.text
        parts, position = [], 0
        for start, end in self.quotes:
            parts += [self.text[position:start], " " * (end - start)]
            position = end
        return "".join([*parts, self.text[position:]])


def _words(low: str, is_ascii: bool) -> list[str]:
    if is_ascii and "'" not in low:
        return low.translate(_BLANKED).split()
    return _WORD.findall(low)


def tokens_of(text: str) -> list[tuple[str, int, int]]:
    """Return (token in lower case, start, end) of every word, and of every character of Chinese and the like."""
    return [(m[0].lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]
