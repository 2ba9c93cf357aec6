"""Facts made by hand, for metrics on embeddings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recaption.core.protocols import EmbeddingSpace
from recaption.evaluation.extract.embeddings import Embeddings, ImageVectors, TextVectors
from recaption.evaluation.extract.pools import Pools, pool
from recaption.evaluation.subject import Item, Subject

Texts = Sequence[tuple[int, Sequence[float]]]
"""Of each text its owner and its vector, not yet of length 1; equal vectors stand for equal texts."""

SPACE = EmbeddingSpace(scale=1.0, bias=None, has_sigmoid=False, text_limit=77)


def only_items(n: int, columns: Sequence[str] = ("a", "b"), seed: int = 0) -> Subject:
    """Items of which nothing but the number matters."""
    return Subject(
        columns=tuple(columns),
        items=tuple(Item(key=str(i), texts=((),) * len(columns)) for i in range(n)),
        seed=seed,
    )


def unit(rows: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Rows of length 1; those of zeros stay."""
    given = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(given, axis=-1, keepdims=True)
    return (given / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def made_texts(
    texts: Texts, tokens: Sequence[int] | None = None, unseen: Sequence[int] | None = None
) -> TextVectors:
    rows = unit([vector for _, vector in texts]) if texts else np.zeros((0, 0), dtype=np.float32)
    ids: dict[bytes, int] = {}
    return TextVectors(
        vectors=rows,
        owners=np.array([owner for owner, _ in texts], dtype=np.int64),
        ids=np.array([ids.setdefault(row.tobytes(), len(ids)) for row in rows], dtype=np.int64),
        tokens=np.array(tokens if tokens is not None else [1] * len(texts), dtype=np.int64),
        unseen=np.array(unseen if unseen is not None else [0] * len(texts), dtype=np.int64),
    )


def made_embeddings(
    images: Any,
    texts: Mapping[str, Texts],
    *,
    known: Sequence[bool] | None = None,
    suffix: str = "",
    space: EmbeddingSpace = SPACE,
    pictures: Sequence[int] | None = None,
) -> Embeddings:
    """`pictures`: equal where two items have the same picture; None: no two have."""
    rows = unit(images)
    mask = np.ones(len(rows), dtype=np.bool_) if known is None else np.array(known, dtype=np.bool_)
    return Embeddings(
        encoder="hand, float32",
        suffix=suffix,
        space=space,
        images=ImageVectors(
            vectors=np.where(mask[:, None], rows, 0).astype(np.float32),
            known=mask,
            ids=np.where(mask, np.arange(len(rows)) if pictures is None else np.array(pictures), -1),
        ),
        texts={column: made_texts(some) for column, some in texts.items()},
    )


def made_pools(images: Any, texts: Mapping[str, Texts], *, seed: int = 0, **more: Any) -> Pools:
    found = made_embeddings(images, texts, **more)
    return Pools(
        embeddings=found, columns={c: pool(found.images, some, seed=seed) for c, some in found.texts.items()}
    )
