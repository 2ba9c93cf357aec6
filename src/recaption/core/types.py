"""The nouns: an image and all that is said about it. Frozen values; change one with `dataclasses.replace`.

Coordinates are pixels of the upright image (EXIF orientation applied): x right, y down, origin top left.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from recaption.core.digests import digest_json

__all__ = [
    "Box",
    "Caption",
    "Dropped",
    "Evidence",
    "EvidenceKind",
    "Failed",
    "Image",
    "JsonValue",
    "Kept",
    "Origin",
    "Outcome",
    "Provenance",
    "Record",
    "Rejected",
    "Score",
]

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

Origin = Literal["alt", "composed", "model", "fused", "human"]
"""Who wrote a caption: the web, our renderer, a model, a fusion of several, or a person."""

EvidenceKind = Literal["object", "text", "tag", "pixel"]
"""A thing in the picture, words read in it, a label of the whole, or a fact about its pixels."""

MAX_REASON_CHARS: Final = 500
MAX_RAW_CHARS: Final = 2048


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box in pixels, `right` and `bottom` exclusive; never empty, never NaN."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        finite = all(math.isfinite(v) for v in (self.left, self.top, self.right, self.bottom))
        if not finite or self.right <= self.left or self.bottom <= self.top:
            raise ValueError(f"not a box: {self.left}, {self.top}, {self.right}, {self.bottom}")

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def scaled(self, factor: float) -> "Box":
        """Return the box with every coordinate multiplied by `factor`."""
        return Box(self.left * factor, self.top * factor, self.right * factor, self.bottom * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Encoded image bytes, or the place to read them from. Never pixels: memory is bounded by the batch.

    `data` alone: the bytes. `path` alone: a file. `path` with `offset` and `length`: a member of a tar.
    `path` with `row` and `column`: a cell of a parquet file. `url` alone: known but never fetched by us.
    """

    data: bytes | None = None
    path: str | None = None
    offset: int | None = None
    length: int | None = None
    row: int | None = None
    column: str | None = None
    url: str | None = None
    name: str | None = None
    """File name the source gave the image; only its extension is ever used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing known about the image, and who says so."""

    kind: EvidenceKind
    label: str
    """Object class, the words read, the tag, or the name of the pixel fact."""
    source: str
    """Who says so: `coco`, `column:tags`, `rapidocr@3.10.0`…"""
    box: Box | None = None
    score: float | None = None
    """Confidence in [0, 1], as the source gives it; never compared across sources."""
    attributes: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A finite value, or None with the reason why there is none. NaN is not a value."""

    value: float | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            raise ValueError("a score without a value needs a reason")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a score must be finite, not {self.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Enough to make the caption again."""

    stage: str
    """Stage that wrote it; `source` for texts that came with the data."""
    version: str = "1"
    parents: tuple[str, ...] = ()
    """Ids of the captions it was made from."""
    details: Mapping[str, JsonValue] = field(default_factory=dict)
    """What the stage wants remembered: rules that fired, template, model, prompt digest, seed, tokens lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """One text about the image."""

    text: str
    origin: Origin
    provenance: Provenance
    aspect: str = "default"
    kept: bool = True
    """False once a later stage replaced or ruled it out; it stays in the record as history."""
    scores: Mapping[str, Score] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    """Findings: name to reason."""

    @property
    def id(self) -> str:
        """Stable name within its record: 12 hex digits of what it says and how it came to be."""
        p = self.provenance
        return _caption_id(self.text, self.origin, self.aspect, p.stage, p.version, p.parents)


@lru_cache(maxsize=8192)  # an id is asked for many times while its batch is at work, and never after
def _caption_id(*parts: object) -> str:
    return digest_json(parts)[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One image and everything said about it."""

    key: str
    """Unique in the dataset, stable under re-sharding (a path or an id, never a position)."""
    image: Image | None = None
    size: tuple[int, int] | None = None
    """Width and height in pixels of the upright image, once known."""
    captions: tuple[Caption, ...] = ()
    """In order of birth; those that came with the data are first and never change."""
    evidence: tuple[Evidence, ...] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    """Source columns we have no use for, passed through."""
    chosen: str | None = None
    """Id of the caption that stands for the record, once a stage has chosen."""

    @property
    def has_image(self) -> bool:
        """Whether its image can be read: a URL alone is known, and never fetched."""
        return self.image is not None and (self.image.data is not None or self.image.path is not None)

    @property
    def originals(self) -> tuple[Caption, ...]:
        """The captions that came with the data."""
        return tuple(c for c in self.captions if c.provenance.stage == "source")

    @property
    def original_text(self) -> str | None:
        """The first text that came with the data, untouched; None if none came."""
        return next((c.text for c in self.captions if c.provenance.stage == "source"), None)

    @property
    def best(self) -> Caption | None:
        """The chosen caption; None while nothing has chosen."""
        return next((c for c in self.captions if c.id == self.chosen), None) if self.chosen else None


@dataclass(frozen=True, slots=True)
class Kept:
    """The record goes on, possibly changed."""

    record: Record


@dataclass(frozen=True, slots=True)
class Dropped:
    """Ruled out on purpose; not an error."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong with this record; `retryable` says whether trying again may help."""

    error: str
    retryable: bool = False


Outcome = Kept | Dropped | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A record that did not reach the output: who, at which stage, why. Bounded whatever it is made from."""

    key: str
    stage: str
    kind: Literal["dropped", "failed"]
    reason: str
    """Folded to one line and cut to `MAX_REASON_CHARS`."""
    retryable: bool = False
    raw: str | None = None
    """What the source said, for inspection; cut to `MAX_RAW_CHARS`."""

    def __post_init__(self) -> None:
        # Cut before folding too, so that a text of megabytes costs nothing; folded again, the result stays the same.
        reason = " ".join(self.reason[: MAX_REASON_CHARS * 4].split())[:MAX_REASON_CHARS].rstrip()
        object.__setattr__(self, "reason", reason)
        if self.raw is not None:
            object.__setattr__(self, "raw", self.raw[:MAX_RAW_CHARS])
