"""What every writer takes from a record: its text, its original, its image, its other columns."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recaption.core.errors import ImageError
from recaption.core.types import Caption, Image, JsonValue, Record
from recaption.datasets.stored import plain_json
from recaption.datasets.writers.names import GivenNames, image_name
from recaption.media.images import read_bytes, sniff

__all__ = [
    "EncodedImage",
    "caption_json",
    "chosen_text",
    "copied_image",
    "encoded_image",
    "image_of",
    "json_bytes",
    "one_line",
    "utf8_text",
    "with_metadata",
]

_log = logging.getLogger(__name__)

_EXTENSIONS: Final = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tif",
    "AVIF": "avif",
    "HEIF": "heic",
    "JPEG2000": "jp2",
    "ICO": "ico",
}
_SYNONYMS: Final = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tiff": "tif", "dib": "bmp", "heif": "heic"}
_LINE_BREAK: Final = re.compile("[ \t]*[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]+\\s*")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_BREAKS_LINES: Final = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """The bytes as they came, and the extension of what they are, whatever they were called."""

    data: bytes
    extension: str

    def matches(self, extension: str) -> bool:
        """Return whether a file extension, without its dot, says the same."""
        lowered = extension.lower()
        return _SYNONYMS.get(lowered, lowered) == self.extension


def chosen_text(record: Record) -> str | None:
    """Return the text that stands for a record: the chosen one, else the first kept, else the original."""
    if record.best is not None:
        return record.best.text
    kept = next((caption.text for caption in record.captions if caption.kept), None)
    return record.original_text if kept is None else kept


def image_of(record: Record) -> EncodedImage | str:
    """Return a record's encoded image, or the count that says why it has none."""
    if record.image is None:
        return "no_image"
    try:
        return encoded_image(record.image)
    except ImageError as error:
        _log.info("%s: left out: %s", record.key, error)
        return "unreadable_image"


def copied_image(record: Record, folder: Path, given: GivenNames) -> tuple[str, bytes] | str:
    """Copy a record's image into a folder; return its file name and bytes, or the count that says why not."""
    image = image_of(record)
    if isinstance(image, str):
        return image
    fits = image.matches(record.key.rpartition(".")[2])
    name = image_name(record.key, image.extension, fits, given)
    if name is None:
        return "duplicate_key"
    (folder / name).write_bytes(image.data)
    return name, image.data


def encoded_image(image: Image) -> EncodedImage:
    """Read an image and tell its format.

    Raises:
        ImageError: It cannot be read, or is nothing that data sets of images hold.
    """
    data = read_bytes(image)
    name = sniff(data)
    if name not in _EXTENSIONS:
        raise ImageError(f"not an image of a known format ({name or 'unknown bytes'})")
    return EncodedImage(data, _EXTENSIONS[name])


def utf8_text(text: str) -> str:
    """Return a text that UTF-8 can hold: pairs of surrogates joined, lone ones replaced by U+FFFD."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def one_line(text: str) -> str:
    """Return a text on one line that UTF-8 can hold; line breaks and the space around them become one space."""
    return _LINE_BREAK.sub(" ", utf8_text(text)).strip()


def json_bytes(value: Mapping[str, object]) -> bytes:
    """Return an object as one line of JSON in UTF-8, with a newline; never raises on hostile values.

    NaN and foreign objects become the text that names them, lone surrogates U+FFFD.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        text = json.dumps(plain_json(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if not text.isascii():
        # Some line readers break at these too; inside JSON they may be written as escapes.
        text = utf8_text(text).translate(_BREAKS_LINES)
    return text.encode() + b"\n"


def caption_json(caption: Caption) -> dict[str, Any]:
    """Return everything about a caption as plain JSON."""
    p = caption.provenance
    return {
        "id": caption.id,
        "text": caption.text,
        "origin": caption.origin,
        "aspect": caption.aspect,
        "kept": caption.kept,
        "scores": {n: {"value": s.value, "reason": s.reason} for n, s in sorted(caption.scores.items())},
        "flags": dict(sorted(caption.flags.items())),
        "provenance": {
            "stage": p.stage,
            "version": p.version,
            "parents": list(p.parents),
            "details": dict(p.details),
        },
    }


def with_metadata(
    row: Mapping[str, Any],
    metadata: Mapping[str, JsonValue],
    is_taken: Callable[[str], bool] = lambda name: False,
) -> dict[str, Any]:
    """Return a row with the metadata as further columns; a name that is taken gets underscores behind it."""
    full = dict(row)
    for name, value in metadata.items():
        free = name
        while free in full or is_taken(free):
            free += "_"
        full[free] = value
    return full
