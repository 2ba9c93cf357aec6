"""Bounds on the work that a small hostile file can cause, which limits on bytes and pixels do not catch."""

import io
import re
from typing import Final

from recaption.core.errors import ImageError

__all__ = ["MeteredBytes", "check_scans"]

_MAX_READS: Final = 2_000_000
_MAX_SCANNED_PIXELS: Final = 2_000_000_000
_MAX_SEGMENTS: Final = 100_000

_EOI: Final = 0xD9
_SOS: Final = 0xDA
_SEGMENT: Final = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")
"""Markers that may follow entropy-coded data: all but stuffing (00), fill (FF) and restarts (D0-D7)."""


class MeteredBytes(io.BytesIO):
    """Bytes that may be read only so many times.

    Header parsers and run-length decoders loop over reads, so this ends a file made of millions of empty blocks.
    """

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read like `io.BytesIO`. Raises ImageError once a file was read too often."""
        self._reads += 1
        if self._reads > _MAX_READS:
            raise ImageError(f"the file is in more than {_MAX_READS:,} pieces")
        return super().read(size)


def check_scans(data: bytes, start: int, pixels: int) -> None:
    """Refuse a JPEG with so many scans over so many pixels that decoding would take minutes.

    Args:
        start: Where the entropy-coded data of the first scan begins.

    Raises:
        ImageError: Scans times pixels are more than two thousand million (a usual progressive file has 10 scans).
    """
    allowed = _MAX_SCANNED_PIXELS // pixels
    if data.count(b"\xff\xda", start) < allowed:
        return  # counts what only looks like a scan too, so the exact count is not more
    scans, segments = 1, 0
    while match := _SEGMENT.search(data, start):
        marker, start, segments = match[1][0], match.end(), segments + 1
        if marker == _EOI:
            break
        scans += marker == _SOS
        start += int.from_bytes(data[start : start + 2])
        if scans > allowed or segments > _MAX_SEGMENTS:
            raise ImageError(f"more than {min(scans, allowed):,} scans of {pixels:,} pixels")
