"""What a scorer without embeddings says of each text about its own image: a learned preference, a matching head.

Such a scorer is asked about pairs, one by one, so that there is no searching among all images by it. Every answer is
remembered under the scorer's fingerprint, the image's bytes and the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from recaption.core.digests import digest_json
from recaption.core.errors import BackendError, ImageError
from recaption.core.protocols import Answer, Fleeting, Images, Scorer
from recaption.core.types import Caption, JsonValue, Provenance, Record
from recaption.evaluation.measures import Floats
from recaption.evaluation.ranks import Integers
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.stages.score import image_error

__all__ = ["PairScores", "pair_scores"]

_VERSION: Final = "1"
"""Of what is remembered; another one would be asked again."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairScores:
    """One value a text, by one scorer. Empty texts are left out."""

    label: str
    scorer: Scorer
    values: Mapping[str, Floats]
    """By column, shape (texts,); NaN where there is none."""
    owners: Mapping[str, Integers]
    """By column, the item of each text, rising."""


@dataclass(frozen=True, slots=True)
class _Pair:
    item: Item
    record: Record
    text: str


def pair_scores(subject: Subject, label: str, tools: Tools) -> PairScores:
    """Return what the scorer of that label says of every text.

    Raises:
        UserError: The model cannot be loaded.
        BackendError: The model or the ledger fails. What was paid for is remembered.
    """
    scorer = tools.pair_scorers[label]
    known: dict[tuple[int, str], float] = {}
    step = tools.options.batch_size
    for start in range(0, len(subject), step):
        known.update(_batch(scorer, start, subject.items[start : start + step], tools))
    spoken = {
        column: [(owner, text) for owner, text in subject.flat(column) if text.strip()]
        for column in subject.columns
    }
    return PairScores(
        label=label,
        scorer=scorer,
        values={
            column: np.array([known.get(pair, np.nan) for pair in some], dtype=np.float64)
            for column, some in spoken.items()
        },
        owners={column: np.array([i for i, _ in some], dtype=np.int64) for column, some in spoken.items()},
    )


def _batch(
    scorer: Scorer, first: int, items: Sequence[Item], tools: Tools
) -> Iterator[tuple[tuple[int, str], float]]:
    """Yield number of the item, text and value, where there is one."""
    images = tools.make_images()
    asked: dict[tuple[int, str], _Pair] = {}
    keys: list[str] = []
    for number, item in enumerate(items, start=first):
        texts = dict.fromkeys(text for some in item.texts for text in some if text.strip())
        if not texts:
            continue
        if item.record is None:
            tools.unreadable.add(item.key, "there is no image")
            continue
        try:
            seen = [images.digest(item.record), images.fingerprint]
        except ImageError as error:
            tools.unreadable.add(item.key, str(error), item.record)
            continue
        for text in texts:
            asked[number, text] = _Pair(item, item.record, text)
            keys.append(digest_json(["pair score", _VERSION, scorer.fingerprint, text, *seen]))
    pairs = list(asked.values())

    def call(positions: Sequence[int]) -> Iterator[Answer]:
        return _asked(scorer, positions, [pairs[p] for p in positions], images)

    values = tools.ledger.recall(keys, call) if keys else []
    for name, pair, value in zip(asked, pairs, values, strict=True):
        told = cast(Mapping[str, Any], value)
        if "error" in told:
            tools.unreadable.add(pair.item.key, told["error"], pair.record)
        elif told["value"] is not None:
            yield name, told["value"]


def _asked(
    scorer: Scorer, positions: Sequence[int], pairs: Sequence[_Pair], images: Images
) -> Iterator[Answer]:
    scores = scorer.score([(pair.record, _caption(pair.text)) for pair in pairs], images)
    if len(scores) != len(pairs):
        raise BackendError(f"scorer {scorer.name!r} gave {len(scores)} scores for {len(pairs)} pairs")
    for position, pair, score in zip(positions, pairs, scores, strict=True):
        error = image_error(pair.record, images) if score.value is None else None
        if error is None:
            yield position, {"value": score.value}
        else:  # a failure that may pass is not remembered
            told: JsonValue = {"error": str(error)}
            yield position, Fleeting(told) if error.retryable else told


def _caption(text: str) -> Caption:
    return Caption(text=text, origin="model", provenance=Provenance(stage="eval"))
