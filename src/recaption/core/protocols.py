"""The seams. Any backend serves any stage that asks through these, and nothing else is promised.

Laws, checked by the conformance tests: one result per item, in order · the batch is the primitive ·
a bad item is a value, an exception means the backend is gone · inputs are never changed ·
the same input gives the same output, whatever batch it came in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from recaption.core.errors import ImageError
from recaption.core.types import Caption, Evidence, JsonValue, Outcome, Record, Rejected, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Answer",
    "Busy",
    "Closing",
    "Context",
    "EmbeddedText",
    "Embedder",
    "EmbeddingSpace",
    "Executor",
    "Expert",
    "FinishReason",
    "Fleeting",
    "Generation",
    "GenerationRequest",
    "Generator",
    "Images",
    "Ledger",
    "Meter",
    "Neighbourly",
    "Picture",
    "Pixels",
    "Reader",
    "Sampling",
    "Scorer",
    "Stage",
    "Usage",
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

    def picture(self, record: Record) -> Picture:
        """Return a handle on the image for whoever may or may not need its pixels. Raises ImageError."""


class Picture(Protocol):
    """One image, decoded when asked and not before: a call that is remembered needs no pixels."""

    @property
    def digest(self) -> str:
        """Sha256 of the encoded bytes."""

    def pixels(self) -> Pixels:
        """Return the decoded image, as large as the recipe says. Raises ImageError."""

    def shrunk(self, max_side_px: int) -> Pixels:
        """Return the image decoded so that no side is longer; kept nowhere. Raises ImageError."""

    def encoded(self) -> bytes:
        """Return the bytes as they came. Raises ImageError."""


@dataclass(frozen=True, slots=True)
class Fleeting:
    """An answer for now: handed on, but not remembered, so that it is asked for again next time."""

    value: JsonValue


Answer: TypeAlias = "tuple[int, JsonValue | Fleeting]"
"""A position, and what was answered there."""


class Ledger(Protocol):
    """Remembers every finished expensive call, so that none is paid twice."""

    def recall(self, keys: Sequence[str], call: Callable[[Sequence[int]], Iterable[Answer]]) -> list[JsonValue]:
        """Return one value per key; `call` gets the positions that are not remembered, and pays for those.

        `call` yields (position, value) in any order, each as soon as it is known: every one is made durable while
        the others are still on their way, and all are before this returns. None is remembered like any other
        value, a `Fleeting` one never.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What calls cost. `cost` is in the currency of the prices given."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost=self.cost + other.cost,
        )


class Meter(Protocol):
    """Counts what calls cost, across restarts, and stops them at the budget."""

    def reserve(self, name: str, most: Usage) -> None:
        """Set aside the most that one call to the generator `name` can cost, durably, before it is made.

        Raises:
            BudgetError: It would not fit the budget; nothing was set aside.
        """

    def settle(self, name: str, most: Usage, used: Usage) -> None:
        """Replace what was set aside by what was used."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a stage may use beside its records."""

    images: Images
    ledger: Ledger
    meter: Meter
    seed: int = 0


class Stage(Protocol):
    """A step over a batch of records. Built from its validated parameters; safe in several threads."""

    name: str
    version: str
    fingerprint: str
    """Digest of what the output depends on beside parameters and input (model files, say); usually empty."""

    def process(self, records: Sequence[Record], context: Context) -> Sequence[Outcome]:
        """Return one outcome per record, in order."""


@runtime_checkable
class Closing(Protocol):
    """A stage or backend that holds something (a server process, connections) until the run is over."""

    def close(self) -> None:
        """Let go of it. Called once, also after a failure."""


@runtime_checkable
class Neighbourly(Protocol):
    """A stage whose outcomes depend on which records share a batch, so that `batch_size` decides what is written."""

    compares_neighbours: bool


@runtime_checkable
class Busy(Protocol):
    """A stage whose backend works best with many records at once."""

    in_flight: int
    """Records that should be under way for the backend never to wait."""


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
    """Model and revision, for provenance and thresholds: `openai/clip-vit-base-patch32@3d74acf9, cosine`."""
    fingerprint: str
    """Digest of all that decides the value beside text and image: weights, precision, what is stated."""
    higher_is_better: bool
    value_range: tuple[float | None, float | None]
    sees_images: bool
    """False: it judges the text alone, and no image is read for it."""

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> Sequence[Score]:
        """Return one score per pair, in order; a pair that cannot be judged has None and a reason."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedText:
    """A text as an encoder knows it."""

    vector: NDArray[np.float32]
    """Of length 1."""
    tokens: int
    """Tokens of the whole text, special ones not counted."""
    unseen: int
    """How many of them lie beyond what the encoder reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSpace:
    """What the cosine of an image and a text means to an encoder."""

    scale: float
    """A cosine times this, plus `bias`, is the model's logit."""
    bias: float | None
    """None where nothing is added."""
    has_sigmoid: bool
    """Trained on single pairs (SigLIP, arXiv:2303.15343), so that the sigmoid of a logit is the chance of a match."""
    text_limit: int
    """Tokens of a text it reads, special ones included."""


@runtime_checkable
class Embedder(Scorer, Protocol):
    """A scorer whose judgement is the cosine of an image and a text, and who gives what that is made of."""

    encoder: str
    """Model, revision and precision: `openai/clip-vit-base-patch32@3d74acf9, float32`."""
    encoder_fingerprint: str
    """Digest of all that decides an embedding beside image or text; what the scorer states of it is no part."""

    def space(self) -> EmbeddingSpace:
        """Return what a cosine means here. Loads the model."""

    def embed_images(
        self, records: Sequence[Record], images: Images
    ) -> Sequence[NDArray[np.float32] | ImageError]:
        """Return the embedding of each record's image, in order, of length 1; an error where it cannot be had."""

    def embed_texts(self, texts: Sequence[str], prefix: str = "") -> Sequence[EmbeddedText]:
        """Return each text, with the prefix before it, as the encoder knows it, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a generator draws. `temperature` 0 is greedy."""

    n: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    """Divides the logits of tokens already written (Keskar et al. 2019, CTRL); 1 is off."""
    no_repeat_ngram: int = 0
    """No run of so many tokens is written twice; 0 is off."""
    beams: int = 1
    beam_groups: int = 1
    """More than one: diverse beam search (Vijayakumar et al. 2016) with `diversity_penalty`."""
    diversity_penalty: float = 0.0
    guidance: float = 1.0
    """Classifier-free guidance against the same prompt without the image; 1 is off."""
    max_tokens: int = 77
    seed: int = 0
    """Draw i of a request is seeded by this and i alone, never by its batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One prompt, with or without an image."""

    key: str
    """For logs and error messages only."""
    prompt: str
    image: Picture | None = None
    sampling: Sampling = field(default_factory=Sampling)
    schema: Mapping[str, JsonValue] | None = None
    """JSON schema the text should follow. A generator without the capability `json` may ignore it."""


FinishReason: TypeAlias = Literal["stop", "length", "refusal", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One text out of a generator, or the reason why there is none."""

    text: str | None
    finish_reason: FinishReason
    """`stop`: it ended by itself; `length`: it was cut; `refusal`: the service said no; `error`: no answer."""
    error: str | None = None
    """Why there is no text, in one line."""
    retryable: bool = False
    """The failure may pass; such a generation is never remembered."""
    raw: str | None = None
    """What was answered, where that is not the text; bounded."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprobs: tuple[float, ...] | None = None
    """Natural log-probability of each token written, under the model itself: before temperature and penalties."""


class Generator(Protocol):
    """Turns prompts and images into texts. Thread-safe; loads what is heavy at the first call, not before.

    Built from its validated `Params` (a StrictModel).
    """

    name: str
    """Model and revision, for provenance: `Salesforce/blip2-opt-2.7b@51572668`."""
    fingerprint: str
    """Digest of all that decides the answer beside the request: weights, precision, templates, image size."""
    capabilities: frozenset[str]
    """Of: `images`, `logprobs`, `json`, `seed`, `beams`, `guidance`."""
    prompt_style: str
    """Which wording of a prompt it takes: `chat`, `prefix`, `none`, or a family's own (see `recaption.prompts`)."""
    in_flight: int
    """Requests it wants at once to be busy."""

    def generate(
        self, requests: Sequence[GenerationRequest], meter: Meter
    ) -> Iterator[tuple[int, Sequence[Generation]]]:
        """Yield (position, its `sampling.n` generations) for every request, each as soon as it is done.

        Raises:
            BackendError: The model or service is gone. What was yielded stands.
            BudgetError: The budget is spent. What was yielded stands.
        """


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
