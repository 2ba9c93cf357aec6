"""An encoder without a model, for tests: a picture is its mean colour, a text the letters r, g and b in it."""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from recaption.core.errors import ImageError
from recaption.core.protocols import EmbeddedText, EmbeddingSpace, Images, Ledger, Scorer
from recaption.core.types import Caption, Image, Record, Score
from recaption.datasets.meter import SqliteMeter
from recaption.evaluation.options import Options
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.media.images import BatchImages

WORDS_READ = 8


class SmallEncoder:
    """Counts what it is asked. `before` is called with every batch, and may fail."""

    higher_is_better = True
    value_range: tuple[float | None, float | None] = (-1.0, 1.0)
    sees_images = True

    def __init__(self, name: str = "small", *, sigmoid: bool = False) -> None:
        self.name = f"{name}, cosine, float32"
        self.encoder = f"{name}, float32"
        self.fingerprint = self.encoder_fingerprint = name
        self.sigmoid = sigmoid
        self.images_asked: list[str] = []
        self.texts_asked: list[str] = []
        self.spaces_asked = 0
        self.before: Callable[[], None] = lambda: None

    @property
    def calls(self) -> int:
        """Images and texts paid for, and whether the space was asked for."""
        return len(self.images_asked) + len(self.texts_asked) + self.spaces_asked

    def space(self) -> EmbeddingSpace:
        self.spaces_asked += 1
        bias = -1.0 if self.sigmoid else None
        return EmbeddingSpace(scale=2.0, bias=bias, has_sigmoid=self.sigmoid, text_limit=WORDS_READ)

    def embed_images(self, records: Sequence[Record], images: Images) -> list[NDArray[np.float32] | ImageError]:
        self.before()
        found: list[NDArray[np.float32] | ImageError] = []
        for record in records:
            self.images_asked.append(record.key)
            try:
                found.append(_unit(images.pixels(record).array.mean(axis=(0, 1))))
            except ImageError as error:
                found.append(ImageError(str(error), retryable=error.retryable))
        return found

    def embed_texts(self, texts: Sequence[str], prefix: str = "") -> list[EmbeddedText]:
        self.before()
        self.texts_asked += [prefix + text for text in texts]
        return [_read(prefix + text) for text in texts]

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> list[Score]:
        raise NotImplementedError


def _unit(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return (values / np.linalg.norm(values)).astype(np.float32)


def _read(text: str) -> EmbeddedText:
    words = text.lower().split()
    seen = " ".join(words[:WORDS_READ])
    vector = _unit(np.array([1e-3 + seen.count(letter) for letter in "rgb"]))
    return EmbeddedText(vector, len(words), max(0, len(words) - WORDS_READ))


def picture(colour: tuple[int, int, int]) -> bytes:
    """A PNG of one colour."""
    buffer = BytesIO()
    Pillow.new("RGB", (4, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


def record(key: str, colour: tuple[int, int, int]) -> Record:
    return Record(key=key, image=Image(data=picture(colour)))


def subject(
    rows: Sequence[tuple[Record | None, Sequence[Sequence[str]]]],
    columns: Sequence[str] = ("original", "new"),
    references: Sequence[Sequence[str]] = (),
    seed: int = 0,
) -> Subject:
    """Items by their record and their texts in every column."""
    items = [
        Item(
            key=str(i),
            record=record,
            texts=tuple(tuple(some) for some in texts),
            references=tuple(references[i]) if references else (),
        )
        for i, (record, texts) in enumerate(rows)
    ]
    return Subject(columns=tuple(columns), items=tuple(items), seed=seed)


def tools(
    folder: Path,
    ledger: Ledger,
    encoders: Sequence[SmallEncoder] = (),
    made: list[BatchImages] | None = None,
    *,
    image_text: Mapping[str, Scorer] | None = None,
    **options: object,
) -> Tools:
    """Tools with these encoders, by their names, or with others; `made` gets the images of every batch."""

    def images() -> BatchImages:
        batch = BatchImages()
        if made is not None:
            made.append(batch)
        return batch

    return Tools(
        ledger=ledger,
        meter=SqliteMeter(folder / "spent.sqlite"),
        make_images=images,
        image_text=image_text or {encoder.fingerprint: encoder for encoder in encoders},
        options=Options.model_validate(options),
    )
