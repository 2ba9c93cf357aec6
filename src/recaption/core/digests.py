"""The only place that hashes. Digests are lower-case sha256 hex, identical on every machine."""

import hashlib
import json
from collections.abc import Mapping

from recaption.core.errors import DataError

__all__ = ["canonical_json", "digest_bytes", "digest_json", "digest_text", "seed_from"]


def canonical_json(value: object) -> str:
    """Return one byte-stable JSON text for a value: sorted keys, no spaces, no NaN.

    Raises:
        DataError: The value holds something JSON has no word for (NaN, an object, a set).
    """
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"cannot write {type(value).__name__} as JSON: {error}") from error


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


# One encoder for all: making it costs more than most of the texts it writes.
_encoder = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
)


def digest_bytes(data: bytes) -> str:
    """Return the sha256 of bytes, as hex."""
    return hashlib.sha256(data).hexdigest()


def digest_text(text: str) -> str:
    """Return the sha256 of a text. Lone surrogates, which hostile data holds, are digested as they stand."""
    return digest_bytes(text.encode("utf-8", "surrogatepass"))


def digest_json(value: object) -> str:
    """Return the sha256 of a value's canonical JSON."""
    return digest_text(canonical_json(value))


def seed_from(*parts: object) -> int:
    """Return a 63-bit seed that depends on all parts and on nothing else (Python's `hash` is salted)."""
    return int(digest_json(list(parts))[:16], 16) >> 1
