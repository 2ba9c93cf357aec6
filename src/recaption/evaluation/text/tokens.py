"""Texts to words, for everything that counts words. Two ways: for any language, and as COCO's tools do in English."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_CHARS", "coco_words", "words"]

MAX_CHARS: Final = 20_000
"""Of a longer text only the beginning is read; no caption is that long."""

_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+(?:['’-][^\W_{_CJK}]+)*")
_COCO: Final = re.compile(r"[a-z0-9'-]+")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation; each Chinese or Japanese character is one."""
    return _WORD.findall(text[:MAX_CHARS].lower())


def coco_words(text: str) -> list[str]:
    """Return the words of an English text as COCO's captions are counted: lower case, without punctuation.

    Gives the published BLEU, ROUGE-L and CIDEr of the examples that come with their tools, without the Java program
    that those call; texts with contractions, hyphens or other alphabets may be split otherwise.
    """
    return _COCO.findall(text[:MAX_CHARS].lower())
