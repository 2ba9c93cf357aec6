"""Rule for texts that are, or contain, file names: camera names vanish, slugs become words."""

import re
from collections.abc import Iterator
from typing import Final

from recaption.media.rules.engine import Rule, State, Trigger, words_of
from recaption.media.rules.options import NormaliseOptions
from recaption.media.rules.wordlists import alternation, words

__all__ = ["file_name_rules", "is_file_name"]

_EXTENSIONS: Final = words("file_names", "extensions")
_END_EXTENSIONS: Final = words("file_names", "extensions_at_end")
_CAMERAS: Final = words("file_names", "cameras")
_UNDERSCORED: Final = words("file_names", "cameras_underscored")
_COMPOUNDS: Final = words("file_names", "compounds")

_EXTENSION: Final = re.compile(
    rf"\.(?<=[\w)\]}}'\"-]\.)(?:(?:{alternation(_EXTENSIONS)})(?![A-Za-z0-9.])"
    rf"|(?:{alternation(_END_EXTENSIONS)})(?=\s*\Z))",
    re.IGNORECASE,
)
_CAMERA: Final = re.compile(
    rf"(?<![A-Za-z0-9])(?:_?(?:{alternation(_CAMERAS)})[_-]?|_?(?:{alternation(_UNDERSCORED)})_|P(?=[0-9]{{7}}(?![0-9])))"
    r"(?=[0-9_-]{0,8}[0-9]{3})[0-9]{1,17}(?:[_-][A-Za-z]{0,3}[0-9]{1,9}){0,3}"
    r"(?:[_-](?:edit(?:ed)?|copy|small|large|web|hdr|crop))?(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_SCREENSHOT: Final = re.compile(
    r"\b(?:screen ?shot|whatsapp image|photo|image|img|scan|scanned image)[ _-]{1,3}(?:on[ _])?"
    r"[12][0-9]{3}[-_.]?[01][0-9][-_.]?[0-3][0-9]"
    r"(?:[ _-]{1,3}(?:at[ _])?[0-9]{1,2}[-_.:]?[0-9]{2}(?:[-_.:]?[0-9]{2})?"
    r"(?:[ _]?[ap]m)?)?",
    re.IGNORECASE,
)
_HASH: Final = re.compile(
    r"(?<![0-9A-Za-z])(?=[a-f]{0,30}[0-9]{1,30}[a-f])(?=[0-9]{0,30}[a-f]{1,30}[0-9])"
    r"(?:[0-9a-f]{10,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9A-Za-z])"
)
# What stood before an extension, and nothing else: "scan77" of "scan77.tif".
_NUMBERED_STEM: Final = re.compile(
    rf"(?:{alternation(_CAMERAS | _UNDERSCORED)})[_-]?[0-9]{{1,17}}", re.IGNORECASE
)
_BUCKET_SUFFIX: Final = re.compile(r"_zps[0-9a-z]{4,12}(?![0-9a-z])", re.IGNORECASE)
_JOINED: Final = re.compile(
    r"(?<=[^\W_])_+(?=[^\W_])|(?<=[^\W_])_+(?=[\s\"')\]]|\Z)|(?:(?<=[\s\"'(\[])|\A)_+(?=[^\W_])"
)
_COUNTER: Final = re.compile(r"(?:\s{1,3}(?:[-–_]\s)?|_)(?!007\Z)(?:0[0-9]{4,5}|(?<=[0-9]{4}\s)0[0-9]{2,3})\Z")
_SEGMENT_EDGES: Final = re.compile(
    r"\A(?!(?:19|20)[0-9]{2}\b)[0-9]{4,}\b\s*"
    r"|(?:\s+(?:(?!(?:19|20)[0-9]{2}\b)[0-9]{4,}(?:\s[0-9]{1,3})?|0)\b)+\Z"
)
_LONGEST_COUNTER: Final = 12
_WIDE_CAMERAS: Final = tuple(
    (ord(c), ord(c)) for c in sorted({camera[-1] for camera in _CAMERAS if not camera.isascii()})
)
_HASH_LIKE: Final = re.compile(r"[0-9]{1,30}[a-f]")
# A number right after a word, or a day of the calendar: the least a camera name or a screenshot must have.
_NUMBERED: Final = re.compile(
    r"[0-9](?:(?<=[A-Za-z_图片-][0-9])[0-9_-]{0,8}[0-9]|[0-9]{3}[-_.]?[01][0-9][-_.]?[0-3][0-9])"
)
_ANNOUNCING: Final = frozenset(
    {"p", "screen", "screenshot", "whatsapp", "photo", "image", "img", "scan", "scanned"}
)
_CAMERA_WORDS: Final = _ANNOUNCING | frozenset(
    word for camera in _CAMERAS | _UNDERSCORED for word in words_of(camera)
)
_LEAST_DIGITS_OF_A_HASH: Final = 5


def file_name_rules(_options: NormaliseOptions) -> Iterator[Rule]:
    """Yield the rule of this module."""
    letters = frozenset(filter(_plain, _EXTENSIONS | _END_EXTENSIONS | _CAMERAS))
    yield Rule(
        "file_names",
        Trigger(characters="_", words=letters, one_token=True, digits=5, ranges=_WIDE_CAMERAS),
        _file_names,
    )


def _plain(name: str) -> bool:
    return name.isascii() and name.isalpha()


def is_file_name(text: str) -> bool:
    """Return whether the whole text is a file name, a camera name or a slug."""
    bare = text.strip().strip("\"'")
    if not bare or " " in bare.rstrip():
        stem = _EXTENSION.sub("", bare)
        return stem != bare or bool(_CAMERA.fullmatch(bare) or _SCREENSHOT.fullmatch(bare))
    return (
        _EXTENSION.search(bare) is not None
        or bool(_CAMERA.fullmatch(bare) or _HASH.fullmatch(bare))
        or _is_slug(bare)
    )


def _is_slug(token: str) -> bool:
    """Return whether one token without spaces is words glued by underscores or hyphens."""
    if "_" in token.strip("_"):
        return True
    hyphens = token.count("-")
    if hyphens < 2 or "--" in token or not token.isascii() or token.lower() in _COMPOUNDS or "/" in token:
        return False
    parts = token.split("-")
    if not all(part.isalnum() for part in parts) or sum(len(part) > 1 and part.isalpha() for part in parts) < 2:
        return False
    return token == token.lower() or hyphens >= 4 or (hyphens >= 3 and any(part.isdigit() for part in parts))


def _file_names(text: str, state: State) -> tuple[str, int]:
    body, edits = text.strip(), 0
    if "." in body:
        body, edits = _EXTENSION.subn("", body)
        if edits and _NUMBERED_STEM.fullmatch(body):
            return "", edits
    if "_zps" in body:
        body, more = _BUCKET_SUFFIX.subn("", body)
        edits += more
    if _NUMBERED.search(body) and (not body.isascii() or not _CAMERA_WORDS.isdisjoint(words_of(body))):
        for pattern in (_SCREENSHOT, _CAMERA):
            body, more = pattern.subn(" ", body)
            edits += more
    if _HASH_LIKE.search(body):
        body, more = _drop_hashes(body)
        edits += more
    token = body.strip()
    if token and " " not in token and (_is_slug(token) or (edits and "-" in token)):
        words_only = (
            token.replace("-", " ").replace("_", " ") if token.lower() not in state.protected else token
        )
        if words_only != token:
            body = _SEGMENT_EDGES.sub("", words_only)
            edits += 1
    elif "_" in body:
        body, more = _unjoin(body, state)
        edits += more
    if body[-1:].isdigit() and (counter := _COUNTER.search(body, max(0, len(body) - _LONGEST_COUNTER))):
        body = body[: counter.start()]
        edits += 1
    return (body.strip(), edits) if edits else (text, 0)


def _drop_hashes(text: str) -> tuple[str, int]:
    edits = 0

    def drop(match: re.Match[str]) -> str:
        nonlocal edits
        if sum(character.isdigit() for character in match[0]) < _LEAST_DIGITS_OF_A_HASH:
            return match[0]
        edits += 1
        return " "

    return _HASH.sub(drop, text), edits


def _unjoin(text: str, state: State) -> tuple[str, int]:
    if not state.protected:
        return _JOINED.subn(" ", text)
    edits, tokens = 0, []
    for token in text.split(" "):
        if token.lower() not in state.protected:
            token, more = _JOINED.subn(" ", token)
            edits += more
        tokens.append(token)
    return " ".join(tokens), edits
