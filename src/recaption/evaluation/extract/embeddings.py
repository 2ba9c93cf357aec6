"""Images and texts to vectors, each paid for once: the first time by the encoder, ever after by the ledger.

Every vector is remembered under the encoder's fingerprint and the image's bytes or the text itself, so that another
column, another metric or another evaluation that meets it again asks nobody. What no metric asks for is not made:
texts with a prefix, sentences and references are each a question of their own.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from recaption.core.digests import digest_json
from recaption.core.errors import BackendError, ImageError
from recaption.core.protocols import Answer, EmbeddedText, Embedder, EmbeddingSpace, Fleeting, Images
from recaption.core.types import JsonValue, Record
from recaption.evaluation.metric import Unavailable
from recaption.evaluation.ranks import Integers, Vectors
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools
from recaption.media.sentences import stripped_sentences

__all__ = [
    "MOST_SENTENCES",
    "Embeddings",
    "ImageVectors",
    "TextVectors",
    "embeddings",
    "reference_vectors",
    "sentence_vectors",
    "text_vectors",
]

_VERSION: Final = "1"
"""Of what is remembered; another one would be asked again."""
_TEXTS_AN_ITEM: Final = 4
"""A text is that much less work than an image, so that many more go together."""
_THREADS: Final = 4
"""Read and decode while another one computes; the images of a batch are shared out among them."""
_MOST_CHARS: Final = 20_000
"""Of a text that is split into sentences."""
MOST_SENTENCES: Final = 64
"""Of a text; more are left out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageVectors:
    """One vector an item, of length 1."""

    vectors: Vectors
    """Shape (items, d); zeros where the image could not be had."""
    known: NDArray[np.bool_]
    """Shape (items,)."""
    ids: Integers
    """Shape (items,): equal for images of the same bytes, -1 where the image could not be had."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TextVectors:
    """One vector a text, of length 1. Empty texts are left out."""

    vectors: Vectors
    """Shape (texts, d)."""
    owners: Integers
    """What each text belongs to, rising: the number of an item, or of a text where these are its sentences."""
    ids: Integers
    """Equal for equal texts, in all columns."""
    tokens: Integers
    """Of the whole text, prefix included."""
    unseen: Integers
    """How many of them the encoder did not read."""

    def __len__(self) -> int:
        return len(self.owners)


@dataclass(frozen=True, kw_only=True, eq=False)
class Embeddings:
    """All items as one encoder knows them."""

    encoder: str
    """Model, revision and precision."""
    suffix: str
    """What the names of its figures end in."""
    space: EmbeddingSpace
    images: ImageVectors
    texts: Mapping[str, TextVectors]
    """By column; owners are items."""

    @property
    def note(self) -> str:
        """What decides a figure made of these: for the footer of a table."""
        missing = int((~self.images.known).sum())
        left_out = f"; {missing} of {len(self.images.known)} images could not be read" if missing else ""
        return f"{self.encoder}; a text is read up to {self.space.text_limit} tokens{left_out}"

    def titled(self, title: str) -> str:
        """Return a figure's title, with the encoder's label where it is not the first."""
        return f"{title} ({self.suffix.removeprefix('@')})" if self.suffix else title


def embeddings(subject: Subject, label: str, tools: Tools) -> Embeddings:
    """Return images and texts as the encoder of that label knows them; made once for all metrics.

    Raises:
        Unavailable: The scorer of that label gives no embeddings.
        UserError: The model cannot be loaded.
        BackendError: The model or the ledger fails. What was paid for is remembered.
    """

    def make() -> Embeddings:
        encoder = _encoder(label, tools)
        return Embeddings(
            encoder=encoder.encoder,
            suffix=tools.suffix(label),
            images=_images(encoder, subject, tools),
            texts=text_vectors(subject, label, tools),
            space=_space(encoder, tools),
        )

    return tools.once(("embeddings", label), make)


def text_vectors(subject: Subject, label: str, tools: Tools, prefix: str = "") -> Mapping[str, TextVectors]:
    """Return the texts of every column, each with the prefix before it; owners are items."""

    def make() -> Mapping[str, TextVectors]:
        given = {column: list(subject.flat(column)) for column in subject.columns}
        return _texts(_encoder(label, tools), given, tools, prefix)

    return tools.once(("texts embedded", label, prefix), make)


def reference_vectors(subject: Subject, label: str, tools: Tools, prefix: str = "") -> TextVectors:
    """Return the texts by people, each with the prefix before it; owners are items."""

    def make() -> TextVectors:
        given = [(number, text) for number, item in enumerate(subject.items) for text in item.references]
        return _texts(_encoder(label, tools), {"": given}, tools, prefix)[""]

    return tools.once(("references embedded", label, prefix), make)


def sentence_vectors(subject: Subject, label: str, tools: Tools) -> Mapping[str, TextVectors]:
    """Return the sentences of every column's texts that have several, at most `MOST_SENTENCES` of each.

    Owners are places in the column's `TextVectors`.
    """

    def make() -> Mapping[str, TextVectors]:
        given = {
            column: [
                (number, sentence)
                for number, text in enumerate(text for _, text in subject.flat(column) if text.strip())
                for sentence in _sentences(text)
            ]
            for column in subject.columns
        }
        return _texts(_encoder(label, tools), given, tools, "")

    return tools.once(("sentences embedded", label), make)


def _encoder(label: str, tools: Tools) -> Embedder:
    scorer = tools.image_text[label]
    if not isinstance(scorer, Embedder):
        raise Unavailable(
            f"{scorer.name} gives scores, but no embeddings of images and texts. Name a dual encoder (CLIP, SigLIP)."
        )
    return scorer


def _space(encoder: Embedder, tools: Tools) -> EmbeddingSpace:
    def call(positions: Sequence[int]) -> Iterable[Answer]:
        space = encoder.space()
        told: dict[str, JsonValue] = {
            "scale": space.scale,
            "bias": space.bias,
            "has_sigmoid": space.has_sigmoid,
            "text_limit": space.text_limit,
        }
        return [(position, told) for position in positions]

    (told,) = tools.ledger.recall([_key(encoder, "space")], call)
    return EmbeddingSpace(**cast(dict[str, Any], told))


def _images(encoder: Embedder, subject: Subject, tools: Tools) -> ImageVectors:
    records = subject.records()
    step = max(1, tools.options.batch_size // _THREADS)
    batches = [records[start : start + step] for start in range(0, len(records), step)]
    pool = ThreadPoolExecutor(_THREADS, "recaption-images")
    try:
        found = [
            one for some in pool.map(lambda batch: _image_batch(encoder, batch, tools), batches) for one in some
        ]
    finally:
        pool.shutdown(cancel_futures=True)  # after a failure only what is under way is waited for
    known = np.array([not isinstance(one, str) for one, _ in found], dtype=np.bool_)
    width = next((len(one) for one, _ in found if not isinstance(one, str)), 0)
    vectors = np.zeros((len(found), width), dtype=np.float32)
    ids = np.full(len(found), -1, dtype=np.int64)
    names: dict[str, int] = {}
    for i, (one, name) in enumerate(found):
        if isinstance(one, str):
            tools.unreadable.add(subject.items[i].key, one, records[i])
        else:
            vectors[i], ids[i] = one, names.setdefault(name, len(names))
    return ImageVectors(vectors=vectors, known=known, ids=ids)


def _image_batch(
    encoder: Embedder, batch: Sequence[Record | None], tools: Tools
) -> list[tuple[Vectors | str, str]]:
    """Return each record's image, or why it cannot be had; and what names its bytes, if they can be had.

    Not decoded if the ledger knows it.
    """
    images = tools.make_images()
    found: list[Vectors | str] = ["there is no image"] * len(batch)
    asked: dict[int, tuple[Record, str]] = {}
    for i, record in enumerate(batch):
        if record is not None:
            try:
                asked[i] = record, _image_key(encoder, record, images)
            except ImageError as error:
                found[i] = str(error)
    records = [record for record, _ in asked.values()]

    def call(positions: Sequence[int]) -> Iterator[Answer]:
        told = encoder.embed_images([records[p] for p in positions], images)
        for position, one in zip(positions, _counted(encoder, told, positions), strict=True):
            yield position, _image_answer(one)

    for i, value in zip(asked, tools.ledger.recall([key for _, key in asked.values()], call), strict=True):
        told = cast(Mapping[str, str], value)
        found[i] = told["error"] if "error" in told else _vector(told["vector"])
    return [(one, asked[i][1] if i in asked else "") for i, one in enumerate(found)]


def _image_answer(found: Vectors | ImageError) -> JsonValue | Fleeting:
    """Return what is to be remembered of an image; a failure that may pass is not."""
    if not isinstance(found, ImageError):
        return {"vector": _written(found)}
    told: JsonValue = {"error": str(found)}
    return Fleeting(told) if found.retryable else told


def _texts(
    encoder: Embedder, given: Mapping[str, Sequence[tuple[int, str]]], tools: Tools, prefix: str
) -> dict[str, TextVectors]:
    """Return the texts of every list with their owners; distinct ones are asked for once, empty ones never."""
    spoken = {name: [(owner, text) for owner, text in some if text.strip()] for name, some in given.items()}
    ids: dict[str, int] = {}
    for some in spoken.values():
        for _, text in some:
            ids.setdefault(text, len(ids))
    distinct = list(ids)
    read: list[EmbeddedText] = []
    step = tools.options.batch_size * _TEXTS_AN_ITEM
    for start in range(0, len(distinct), step):
        read += _text_batch(encoder, distinct[start : start + step], tools, prefix)
    rows = np.stack([one.vector for one in read]) if read else np.zeros((0, 0), dtype=np.float32)
    counts = np.array([(one.tokens, one.unseen) for one in read], dtype=np.int64).reshape(-1, 2)
    made = {}
    for name, some in spoken.items():
        which = np.array([ids[text] for _, text in some], dtype=np.int64)
        made[name] = TextVectors(
            vectors=rows[which],
            owners=np.array([owner for owner, _ in some], dtype=np.int64),
            ids=which,
            tokens=counts[which, 0],
            unseen=counts[which, 1],
        )
    return made


def _text_batch(encoder: Embedder, texts: Sequence[str], tools: Tools, prefix: str) -> list[EmbeddedText]:
    def call(positions: Sequence[int]) -> Iterator[Answer]:
        told = encoder.embed_texts([texts[p] for p in positions], prefix)
        for position, one in zip(positions, _counted(encoder, told, positions), strict=True):
            yield position, {"vector": _written(one.vector), "tokens": one.tokens, "unseen": one.unseen}

    keys = [_key(encoder, "text", prefix + text) for text in texts]
    told = [cast(Mapping[str, Any], value) for value in tools.ledger.recall(keys, call)]
    return [EmbeddedText(_vector(one["vector"]), one["tokens"], one["unseen"]) for one in told]


def _counted(encoder: Embedder, told: Sequence[Any], positions: Sequence[int]) -> Sequence[Any]:
    if len(told) != len(positions):
        raise BackendError(f"encoder {encoder.encoder}: {len(told)} embeddings came back for {len(positions)}")
    return told


def _image_key(encoder: Embedder, record: Record, images: Images) -> str:
    """Return what names an image. Raises ImageError where it cannot be read."""
    return _key(encoder, "image", images.digest(record), images.fingerprint)


def _key(encoder: Embedder, *parts: str) -> str:
    return digest_json(["embedding", _VERSION, encoder.encoder_fingerprint, *parts])


def _written(vector: Vectors) -> str:
    return b64encode(vector.astype("<f4").tobytes()).decode("ascii")


def _vector(written: str) -> Vectors:
    return np.frombuffer(b64decode(written), dtype="<f4").astype(np.float32)


def _sentences(text: str) -> list[str]:
    """Return the sentences of a text that has several; what holds no letter or digit is none."""
    head = text[:_MOST_CHARS]
    parts = [head[start:end] for start, end in stripped_sentences(head)[0]]
    spoken = [part for part in parts if any(c.isalnum() for c in part)][:MOST_SENTENCES]
    return spoken if len(spoken) > 1 else []
