"""The digest of a shard's input: whether it is still what it was, found out without opening an image."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from recaption.core.digests import digest_bytes
from recaption.core.types import Record, Rejected

__all__ = ["InputDigest"]

MAX_STAMPS = 10_000


class InputDigest:
    """Digests of all that is known of items: texts, places, file stamps; those of many files are remembered."""

    def __init__(self) -> None:
        self._stamps: dict[str, str] = {}

    def of(self, items: Iterable[Record | Rejected]) -> str:
        """Return the digest of items in their order."""
        sha = hashlib.sha256()
        for item in items:
            image = item.image if isinstance(item, Record) else None
            if image is not None and image.data is not None:
                sha.update(digest_bytes(image.data).encode())
                item = replace(item, image=replace(image, data=None))  # type: ignore[arg-type]
            elif image is not None and image.path is not None:
                sha.update(self._stamp(image.path).encode())
            sha.update(repr(item).encode("utf-8", "backslashreplace"))
        return sha.hexdigest()

    def _stamp(self, path: str) -> str:
        if path not in self._stamps:
            if len(self._stamps) > MAX_STAMPS:
                self._stamps.clear()
            try:
                stat = Path(path).stat()
                self._stamps[path] = f"{stat.st_size}:{stat.st_mtime_ns}"
            except (OSError, ValueError) as error:  # ValueError: a path no file can have
                self._stamps[path] = type(error).__name__
        return self._stamps[path]
