"""The seams. Any backend serves any stage that asks through these, and nothing else is promised.

Laws, checked by the conformance tests: one result per item, in order · the batch is the primitive ·
a bad item is a value, an exception means the backend is gone · inputs are never changed ·
the same input gives the same output, whatever batch it came in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from recaption.core.types import Caption, Evidence, JsonValue, Outcome, Record, Rejected, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Context",
    "Executor",
    "Expert",
    "Generation",
    "GenerationRequest",
    "Generator",
    "Images",
    "Ledger",
    "Pixels",
    "Reader",
    "Sampling",
    "Scorer",
    "Stage",
    "Writer",
]


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded image.

    `array` is uint8 RGB of shape (height, width, 3), upright. `scale` is how many pixels of the original one
    pixel here stands for (1.0 unless it was shrunk). `size` is the original's upright (width, height).
    """

    array: NDArray[np.uint8]
    scale: float
    size: tuple[int, int]


class Images(Protocol):
    """The images of one batch: read once, decoded once."""

    fingerprint: str
    """Digest of how images are decoded; part of every ledger key, since pixels depend on it."""

    def digest(self, record: Record) -> str:
        """Return the sha256 of the encoded bytes. Raises ImageError."""

    def pixels(self, record: Record) -> Pixels:
        """Return the decoded image. Raises ImageError."""


class Ledger(Protocol):
    """Remembers every finished expensive call, so that none is paid twice."""

    def recall(
        self, keys: Sequence[str], call: Callable[[Sequence[int]], Sequence[JsonValue]]
    ) -> list[JsonValue]:
        """Return one value per key; `call` gets the positions that are not remembered, and pays for those.

        What `call` returns is durable before this returns. A value of None is remembered like any other.
        """


@dataclass(frozen=True, slots=True)
class Context:
    """What a stage may use beside its records."""

    images: Images
    ledger: Ledger
    seed: int = 0


class Stage(Protocol):
    """A step over a batch of records. Built from its validated parameters; safe in several threads."""

    name: str
    version: str
    fingerprint: str
    """Digest of what the output depends on beside parameters and input (model files, say); usually empty."""

    def process(self, records: Sequence[Record], context: Context) -> Sequence[Outcome]:
        """Return one outcome per record, in order."""


class Expert(Protocol):
    """Turns images into evidence."""

    name: str
    fingerprint: str
    """Digest of everything the answer depends on beside the image: version, weights, thresholds."""
    max_side_px: int | None
    """Longest side it looks at: it shrinks larger images by itself. None where it looks at every pixel.

    How large images come is the recipe's to say (`images.max_side_px`), so that adding an expert changes no pixels
    that others were asked about."""

    def examine(self, images: Sequence[Pixels]) -> Sequence[Sequence[Evidence]]:
        """Return the evidence of each image, in order. Boxes are in pixels of the array given."""


@runtime_checkable
class Scorer(Protocol):
    """Judges texts against their record."""

    name: str
    fingerprint: str
    higher_is_better: bool
    value_range: tuple[float | None, float | None]

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> Sequence[Score]:
        """Return one score per pair, in order; a pair that cannot be judged has None and a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a generator draws. `temperature` 0 is greedy."""

    n: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    max_tokens: int = 77
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One prompt, with or without an image."""

    key: str
    prompt: str
    image: Pixels | None = None
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One text out of a generator, or the reason why there is none."""

    text: str | None
    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Generator(Protocol):
    """Turns prompts and images into texts."""

    name: str
    fingerprint: str
    capabilities: frozenset[str]
    """Of: `images`, `logprobs`, `json`, `seed`, `beams`."""

    def generate(self, requests: Sequence[GenerationRequest]) -> Sequence[Sequence[Generation]]:
        """Return `sampling.n` generations per request, in order."""


class Reader(Protocol):
    """Reads one dataset, in an order that never changes while the data does not."""

    description: str
    """One line for the user: what was detected, which columns serve as what."""
    notes: list[str]
    """Once `records()` ended: what was ignored or damaged, counted."""

    def records(self) -> Iterator[Record | Rejected]:
        """Yield every item once; an unreadable one is a Rejected with stage `read`."""


class Writer(Protocol):
    """Writes records in one format. The original caption is always still there."""

    def write(self, records: Iterable[Record], target: Path) -> Mapping[str, int]:
        """Write everything and return counts: `written`, `skipped`…"""


class Executor(Protocol):
    """Where batches run. Knows nothing about captions."""

    def run(
        self,
        batches: Iterable[Sequence[Record | Rejected]],
        work: Callable[[Sequence[Record | Rejected]], list[Record | Rejected]],
    ) -> Iterator[list[Record | Rejected]]:
        """Yield the result of each batch in the order given, several in flight."""
