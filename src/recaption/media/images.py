"""Encoded bytes to pixels, bounded: an allow-list of formats, limits checked before decoding, no surprises.

Every failure is an ImageError with a reason that fits one line.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from recaption.core.digests import digest_bytes, digest_json
from recaption.core.errors import ImageError, UserError
from recaption.core.protocols import Pixels
from recaption.core.types import Record
from recaption.media.decode_guards import MeteredBytes, check_scans
from recaption.media.image_bytes import one_line, read_bytes
from recaption.media.warning_tap import WarningTap

__all__ = ["BatchImages", "BatchPicture", "Limits", "decode", "read_bytes", "read_header", "sniff"]

_log = logging.getLogger(__name__)
_warnings: Final = WarningTap(r"PIL\.")

_VERSION: Final = "1"
"""Of the decoding: another one may give other pixels."""

_PILLOW_CEILING: Final = 178_956_970
"""Pixels above which Pillow refuses on its own, whatever our limit says (`Image.MAX_IMAGE_PIXELS` times 2)."""

_MAGIC: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WEBP"),
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftyphei", "HEIF"),
    (4, b"ftypmif1", "HEIF"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG2000"),
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"8BPS", "PSD"),
    (0, b"DDS ", "DDS"),
    (0, b"qoif", "QOI"),
    (0, b"icns", "ICNS"),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "EPS"),
    (0, b"\x1f\x8b", "GZIP"),
    (0, b"PK\x03\x04", "ZIP"),
)
_MARKUP: Final = ((b"<svg", "SVG"), (b"<!doctype html", "HTML"), (b"<html", "HTML"))
_TRANSPOSE: Final = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
_ORIENTATION_TAG: Final = 0x0112
_PNG_ORIENTATION_MARKS: Final = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")

_NO_MEMORY: Final = "too little memory at the moment"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be decoded at all. Only the first frame of an animation is ever decoded."""

    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
    """Pillow's names of formats."""
    max_pixels: int = 64_000_000
    """Width times height, read from the header before anything is decoded."""
    max_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if "EPS" in self.formats:
            raise UserError("EPS cannot be allowed: decoding it would start Ghostscript on hostile files")
        if not 0 < self.max_pixels <= _PILLOW_CEILING:
            raise UserError(f"max_pixels must be between 1 and {_PILLOW_CEILING:,}, not {self.max_pixels:,}")


def sniff(data: bytes) -> str | None:
    """Return the format that the first bytes announce, as Pillow names it where Pillow knows it."""
    for offset, magic, name in _MAGIC:
        if data.startswith(magic, offset):
            return name
    head = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<?xml") and b"<svg" in data[:4096].lower():
        return "SVG"
    return next((name for mark, name in _MARKUP if head.startswith(mark)), None)


def read_header(data: bytes, limits: Limits = Limits()) -> tuple[str, tuple[int, int]]:
    """Return the format and the upright (width, height) without decoding. Raises ImageError."""
    with _opened(data, limits) as (image, name):
        turned = _orientation(image, data) >= 5
        width, height = image.size
        return name, (height, width) if turned else (width, height)


def decode(data: bytes, limits: Limits = Limits(), max_side_px: int | None = None) -> Pixels:
    """Return the first frame as upright RGB, transparency over white, shrunk to `max_side_px` if longer.

    Colours are taken as sRGB whatever profile is embedded.

    Raises:
        ImageError: The bytes are not an allowed format, exceed a limit, or are damaged; `retryable` where memory
            ran out.
    """
    with _opened(data, limits) as (image, name):
        orientation = _orientation(image, data)
        full = image.size
        target = _target(full, max_side_px)
        if target != full and name == "JPEG":
            image.draft(None, (target[0] * 2, target[1] * 2))
        plain = _resizable(image)
        if target != plain.size:
            plain = plain.resize(target, Pillow.Resampling.BICUBIC, reducing_gap=2.0)
        if orientation in _TRANSPOSE:
            plain = plain.transpose(_TRANSPOSE[orientation])
        array = np.asarray(_over_white(plain))
    array.setflags(write=False)
    size = (full[1], full[0]) if orientation >= 5 else full
    return Pixels(array, max(size) / max(array.shape[:2]), size)


@contextmanager
def _opened(data: bytes, limits: Limits) -> Iterator[tuple[Pillow.Image, str]]:
    """Open within limits; whatever a decoder raises in the body becomes an ImageError."""
    if len(data) > limits.max_bytes:
        raise ImageError(f"{len(data):,} bytes are more than the limit of {limits.max_bytes:,}")
    if not data:
        raise ImageError("the image has no bytes")
    name = sniff(data)
    allowed = ", ".join(limits.formats)
    if name is not None and name not in limits.formats:
        raise ImageError(f"format {name} is not allowed (allowed: {allowed})")
    with _warnings.listen() as messages:
        try:
            formats = (name,) if name else limits.formats
            with Pillow.open(MeteredBytes(data), formats=formats) as image:
                _check_size(image.size, limits)
                if name == "JPEG" and image.fp is not None:
                    check_scans(data, image.fp.tell(), image.width * image.height)
                yield image, name or image.format or "unknown"
        except ImageError:
            raise
        except MemoryError as error:
            raise ImageError(f"{name or 'image'} cannot be decoded: {_NO_MEMORY}", retryable=True) from error
        except UnidentifiedImageError as error:
            known = f"damaged {name} header" if name else f"not a known image format (allowed: {allowed})"
            raise ImageError(known) from error
        except Exception as error:  # on hostile bytes decoders raise anything
            raise ImageError(f"{name or 'image'} cannot be decoded: {_reason(error)}") from error
    for message in messages:
        _log.info("a decoder warned: %s", one_line(message))


def _reason(error: Exception) -> str:
    detail = one_line(str(error))
    return f"{type(error).__name__}: {detail}" if detail else type(error).__name__


def _check_size(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"the image is {width} x {height} pixels")
    if width * height > limits.max_pixels:
        raise ImageError(f"{width} x {height} pixels are more than the limit of {limits.max_pixels:,}")


def _orientation(image: Pillow.Image, data: bytes) -> int:
    """Return the EXIF orientation 1-8; 1 where there is none or the metadata is damaged."""
    if image.format == "PNG" and not any(mark in data for mark in _PNG_ORIENTATION_MARKS):
        return 1  # asking Pillow would decode the whole picture first
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except MemoryError:
        raise
    except Exception as error:  # damaged metadata says nothing about the pixels
        _log.info("EXIF data ignored: %s", _reason(error))
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _target(size: tuple[int, int], max_side_px: int | None) -> tuple[int, int]:
    longest = max(size)
    if max_side_px is None or longest <= max_side_px:
        return size
    return (
        max(1, round(size[0] * max_side_px / longest)),
        max(1, round(size[1] * max_side_px / longest)),
    )


def _resizable(image: Pillow.Image) -> Pillow.Image:
    """Return the image in mode L, RGB or RGBA, where resampling is meaningful."""
    if image.mode.startswith("I") or image.mode == "F":
        return Pillow.fromarray(_eight_bits(np.asarray(image)))
    image.load()
    if image.mode in ("RGBa", "La"):
        return image.convert({"RGBa": "RGBA", "La": "LA"}[image.mode]).convert("RGBA")
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return 16-bit, 32-bit or float greys as 0-255; what lies outside a known range is stretched."""
    grey: NDArray[np.float64] = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(grey.min()), float(grey.max())
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        grey = grey * 255
    elif values.dtype.itemsize == 2 or (low >= 0 and 255 < high <= 65535):
        grey = grey / 257
    elif low < 0 or high > 255:
        grey = (grey - low) * (255 / (high - low))
    rounded: NDArray[np.uint8] = np.rint(grey.clip(0, 255)).astype(np.uint8)
    return rounded


def _over_white(image: Pillow.Image) -> Pillow.Image:
    if image.mode != "RGBA":
        return image if image.mode == "RGB" else image.convert("RGB")
    white = Pillow.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


class BatchImages:
    """The images of one batch: each read at most once and decoded at most once; failures are remembered too.

    Belongs to the one thread that works on the batch. `reads` and `decodes` count attempts. `fingerprint` is a
    digest of all that `pixels` depends on beside the bytes.
    """

    def __init__(self, limits: Limits = Limits(), max_side_px: int | None = None) -> None:
        self._limits = limits
        self._max_side_px = max_side_px
        self.fingerprint = digest_json([_VERSION, asdict(limits), max_side_px])
        self._bytes: dict[str, bytes | ImageError] = {}
        self._digests: dict[str, str] = {}
        self._pixels: dict[str, Pixels | ImageError] = {}
        self.reads = 0
        self.decodes = 0

    def digest(self, record: Record) -> str:
        """Return the sha256 of the encoded bytes. Raises ImageError."""
        if record.key not in self._digests:
            self._digests[record.key] = digest_bytes(self._data(record))
        return self._digests[record.key]

    def pixels(self, record: Record) -> Pixels:
        """Return the decoded image. Raises ImageError."""
        if record.key not in self._pixels:
            self._pixels[record.key] = self._decoded(record)
        return _value(self._pixels[record.key])

    def picture(self, record: Record) -> BatchPicture:
        """Return a handle on the image, decoded by whoever needs its pixels. Raises ImageError."""
        return BatchPicture(self, record, self.digest(record))

    def encoded(self, record: Record) -> bytes:
        """Return the bytes as they came. Raises ImageError."""
        return self._data(record)

    def shrunk(self, record: Record, max_side_px: int) -> Pixels:
        """Return the image with no side longer than that, and keep nothing of it. Raises ImageError."""
        least = min(max_side_px, self._max_side_px or max_side_px)
        return decode(self._data(record), self._limits, least)

    def _decoded(self, record: Record) -> Pixels | ImageError:
        try:
            data = self._data(record)
            self.decodes += 1
            return decode(data, self._limits, self._max_side_px)
        except ImageError as error:
            return error

    def _data(self, record: Record) -> bytes:
        if record.key not in self._bytes:
            self.reads += 1
            try:
                if record.image is None:
                    raise ImageError("the record has no image")
                self._bytes[record.key] = read_bytes(record.image, self._limits.max_bytes)
            except ImageError as error:
                self._bytes[record.key] = error
            except MemoryError:
                self._bytes[record.key] = ImageError(f"cannot be read: {_NO_MEMORY}", retryable=True)
        return _value(self._bytes[record.key])


@dataclass(frozen=True, slots=True)
class BatchPicture:
    """One image of a batch. Belongs to the thread of its batch."""

    images: BatchImages
    record: Record
    digest: str

    def pixels(self) -> Pixels:
        """Return the decoded image. Raises ImageError."""
        return self.images.pixels(self.record)

    def shrunk(self, max_side_px: int) -> Pixels:
        """Return the image with no side longer than that. Raises ImageError."""
        return self.images.shrunk(self.record, max_side_px)

    def encoded(self) -> bytes:
        """Return the bytes as they came. Raises ImageError."""
        return self.images.encoded(self.record)


def _value(outcome: Result | ImageError) -> Result:
    """Return a remembered value, or raise a copy of a remembered error: raised ones keep frames alive."""
    if isinstance(outcome, ImageError):
        raise ImageError(str(outcome), retryable=outcome.retryable)
    return outcome
