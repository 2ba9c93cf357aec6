"""Keys as file names: safe on disk and in tars, and no two alike.

A key that is fit stands as it is. Any other is shown with what is unfit replaced, a tilde and 16 digits of its
digest; a fit key that looks like that gets the same treatment, so that the two kinds never meet.
"""

import re
from pathlib import PurePosixPath
from typing import Final

from recaption.core.digests import digest_text

__all__ = ["MAX_STEM", "GivenNames", "image_name", "relative_path", "stem"]

MAX_STEM: Final = 90
"""Characters. With the longest extension a member name stays within the 100 bytes of a plain tar header."""
_MAX_SEGMENT_BYTES: Final = 200
_STEM: Final = re.compile(r"[A-Za-z0-9_-]+")
_NOT_STEM: Final = re.compile(r"[^A-Za-z0-9_-]+")
_FILE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_NOT_SEGMENT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029/\\\\]+")
_LIKE_OURS: Final = re.compile(r".*~[0-9a-f]{16}(\.[^.]*)?", re.DOTALL)


class GivenNames:
    """The names given out so far, 64 bits of each."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def is_new(self, key: str) -> bool:
        """Return whether a key comes for the first time, and remember it."""
        return self.claim(f"\0{key}") is not None  # no file name holds a NUL, so keys and names do not meet

    def claim(self, *wishes: str) -> str | None:
        """Return the first wish that nobody has, and remember it; None where all are taken."""
        for wish in wishes:
            short = int(digest_text(wish)[:16], 16)
            if short not in self._given:
                self._given.add(short)
                return wish
        return None


def stem(key: str) -> str:
    """Return a key as a name of letters, digits, `_`, `-` and at most one `~`: no dots, at most `MAX_STEM` long."""
    if len(key) <= MAX_STEM and _STEM.fullmatch(key):
        return key
    return _marked(key)


def image_name(key: str, extension: str, keeps_extension: bool, given: GivenNames) -> str | None:
    """Return a file name for an image, unlike all before; None where the key came before.

    Args:
        extension: Of what the bytes are, without a dot.
        keeps_extension: Whether the extension that the key ends in says so too.
    """
    if not given.is_new(key):
        return None
    plain = f"{stem(key)}.{extension}"
    if keeps_extension and len(key) <= MAX_STEM and _FILE.fullmatch(key):
        plain = key
    return given.claim(plain, f"{_marked(key)}.{extension}")


def relative_path(key: str) -> PurePosixPath:
    """Return a key as a path that stays below its folder, in any case: no `..`, no root, no endless names."""
    return PurePosixPath(*(_segment(part) for part in key.split("/")))


def _marked(key: str) -> str:
    shown = _NOT_STEM.sub("-", key).strip("-")[: MAX_STEM - 17]
    return f"{shown}~{digest_text(key)[:16]}"


def _segment(text: str) -> str:
    fit = text not in ("", ".", "..") and not _NOT_SEGMENT.search(text) and not _LIKE_OURS.fullmatch(text)
    if fit and len(text.encode()) <= _MAX_SEGMENT_BYTES:
        return text
    shown = _NOT_SEGMENT.sub("_", text).encode()[:_MAX_SEGMENT_BYTES].decode(errors="ignore")
    return f"{'_' if shown in ('', '.', '..') else shown}~{digest_text(text)[:16]}"
