"""The pictures of the page: decoded within limits and encoded anew, so that a browser never gets a byte of the data.

The last ones are kept, as bytes, up to a bound; why one cannot be shown is kept too.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO
from threading import Lock
from typing import Final

from PIL import Image as Pillow

from recaption.core.errors import ImageError
from recaption.core.types import Image
from recaption.media.images import Limits, decode, read_bytes

__all__ = ["FIT_SIDE_PX", "Picture", "Pictures"]

FIT_SIDE_PX: Final = 2_048
FULL_SIDE_PX: Final = 16_384
"""Browsers draw no larger ones."""
MAX_KEPT_BYTES: Final = 128 * 1024 * 1024
MAX_KEPT: Final = 2_000
QUALITY: Final = {False: 88, True: 93}
"""Of JPEG, by whether the full size is asked for: who looks at single pixels should see those of the picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture, and the upright size of what it was made from."""

    data: bytes
    size: tuple[int, int]
    kind: str = "image/jpeg"


class Pictures:
    """Pictures by item. Safe in several threads."""

    def __init__(self, limits: Limits, *, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._limits = limits
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[int, bool], Picture | ImageError] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def picture(self, item: int, image: Image, *, full: bool = False) -> Picture:
        """Return an item's picture. Raises ImageError with the reason why there is none."""
        found = self._find((item, full))
        if found is None:
            found = self._made(image, full)
            if not (isinstance(found, ImageError) and found.retryable):
                self._keep((item, full), found)
        if isinstance(found, ImageError):
            raise ImageError(str(found), retryable=found.retryable)
        return found

    def _made(self, image: Image, full: bool) -> Picture | ImageError:
        try:
            data = read_bytes(image, self._limits.max_bytes)
            pixels = decode(data, self._limits, FULL_SIDE_PX if full else FIT_SIDE_PX)
            out = BytesIO()
            # JPEG, since WebP takes seconds for a photograph at full size.
            Pillow.fromarray(pixels.array).save(out, "JPEG", quality=QUALITY[full], subsampling=0)
        except ImageError as error:
            return error
        except (MemoryError, OSError) as error:
            return ImageError(f"cannot be shown: {type(error).__name__}", retryable=True)
        return Picture(out.getvalue(), pixels.size)

    def _find(self, key: tuple[int, bool]) -> Picture | ImageError | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[int, bool], found: Picture | ImageError) -> None:
        with self._lock:
            self._bytes += _weight(found) - _weight(self._kept.pop(key, None))
            self._kept[key] = found
            while len(self._kept) > 1 and (self._bytes > self._max_bytes or len(self._kept) > MAX_KEPT):
                self._bytes -= _weight(self._kept.popitem(last=False)[1])


def _weight(found: Picture | ImageError | None) -> int:
    return len(found.data) if isinstance(found, Picture) else 0
