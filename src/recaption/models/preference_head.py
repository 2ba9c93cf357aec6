"""The learned part of a preference model: a linear layer on what a frozen encoder says of an image and a text.

What it sees: the cosine, six plain traits of the text, and the product of the two embeddings, place by place, of
which the cosine is the sum. Each is brought to the mean and the deviation that it had in training, and held within
five deviations, so that a text unlike all that was learned from is judged as if it were at the edge of it.

A head is a JSON file of numbers. It names the encoder that it was learned on by fingerprint, and is worth nothing on
another one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from recaption.core.digests import digest_json
from recaption.core.errors import UserError
from recaption.core.protocols import EmbeddedText
from recaption.media.sentences import stripped_sentences
from recaption.models.repetition import Rule, broken_rules, repeated
from recaption.recipes.strict import StrictModel

__all__ = ["TRAITS", "Head", "LearnedOn", "Scope", "Verdict", "features", "read_head", "standardised"]

Floats: TypeAlias = NDArray[np.float64]
Verdict: TypeAlias = Literal["better", "no better", "too few"]
"""What a head is worth beside the best plain score, on judgements that it had not learned from."""

Scope: TypeAlias = Literal["between images", "within images"]
"""Where it is worth that: telling captions of different images apart, as triage and thresholds do, is not choosing
among the captions of one image, as `select` does. Captions that were judged are the pick of their images, among which
an image-text score tells less than among all that were written; a head learned from them alone trusts it too little
to choose by."""

TRAITS: Final = ("cosine", "words", "sentences", "distinct", "repeated", "form", "unseen")
"""Logarithms of 1 + words and of 1 + sentences; the shares of distinct words, of what repeats itself, of broken rules
of form and of tokens that the encoder did not read."""
MAX_FILE_BYTES: Final = 8 << 20
MAX_WIDTH: Final = 16_384
_MAX_VALUES: Final = MAX_WIDTH + len(TRAITS)
_MOST_CHARS: Final = 20_000
"""Of a text whose traits are taken; no caption is longer."""
_EDGE: Final = 5.0
_RULES: Final[tuple[Rule, ...]] = ("begins", "ends", "paired", "one_line", "plain", "case")
# A script written without spaces counts by character, or a whole sentence were one word.
_WORD: Final = re.compile(
    r"[\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff]+"
)


class LearnedOn(StrictModel):
    """The encoder whose embeddings a head was learned on."""

    model: str | dict[str, dict[str, Any] | None]
    """As a recipe names it."""
    name: str = Field(min_length=1, max_length=1000)
    """Model, revision and precision."""
    fingerprint: str = Field(min_length=1, max_length=200)


class Head(StrictModel):
    """A linear layer, with all that is needed to apply it and to know what it is worth."""

    format: Literal["recaption-preference"] = "recaption-preference"
    version: Literal[1] = 1
    encoder: LearnedOn
    mean: tuple[float, ...] = Field(max_length=_MAX_VALUES)
    """Of each feature in training: `TRAITS`, then the places of the embeddings' product."""
    scale: tuple[float, ...] = Field(max_length=_MAX_VALUES)
    """Deviation of each feature in training, above 0."""
    weights: tuple[float, ...] = Field(max_length=_MAX_VALUES)
    bias: float
    verdict: Verdict
    against: str = Field(max_length=200)
    """The plain score that it was held against."""
    scope: Scope
    learned: dict[str, Any] = Field(default_factory=dict)
    """What it was learned from, and the figures behind the verdict."""

    @model_validator(mode="after")
    def _agrees(self) -> Head:
        if not len(self.mean) == len(self.scale) == len(self.weights) > len(TRAITS):
            raise ValueError(
                f"mean, scale and weights have {len(self.mean)}, {len(self.scale)} and {len(self.weights)} numbers; "
                f"they have one for each of {len(TRAITS)} traits and of the embeddings' places"
            )
        if min(self.scale) <= 0:
            raise ValueError("every scale is above 0")
        return self

    @property
    def width(self) -> int:
        """Places of an embedding."""
        return len(self.weights) - len(TRAITS)

    @cached_property
    def digest(self) -> str:
        """Digest of what decides a value, the encoder's answers apart."""
        return digest_json([self.format, self.version, self.mean, self.scale, self.weights, self.bias])

    @property
    def worth(self) -> str:
        """What it is worth, for people: `better than image_text within images`."""
        if self.verdict == "too few":
            return "too few judgements to tell whether it is better"
        return f"{self.verdict} than {self.against} {self.scope}"

    def logits(self, found: Floats) -> Floats:
        """Return the logit of each row of `features`, shape (n,).

        Raises:
            UserError: The embeddings have another width.
        """
        if found.shape[1] != len(self.weights):
            raise UserError(
                f"the preference model is for embeddings of {self.width} numbers, "
                f"not of {found.shape[1] - len(TRAITS)}"
            )
        terms = standardised(found, np.array(self.mean), np.array(self.scale)) * np.array(self.weights)
        # Row by row, so that a value does not hang on how many are asked for at once.
        return np.array([math.fsum(row) + self.bias for row in terms], dtype=np.float64)

    def to_bytes(self) -> bytes:
        """Return the file."""
        text = json.dumps(self.model_dump(mode="json"), allow_nan=False, separators=(",", ":"))
        return (text + "\n").encode("ascii")


def read_head(path: Path) -> Head:
    """Return the head in a file.

    Raises:
        UserError: There is none, it is too large, or it holds something else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"preference model {path}: {error.strerror or error}. Learn one with: recaption audit learn"
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise UserError(
            f"preference model {path}: it is larger than {MAX_FILE_BYTES:,} bytes, so it is none of ours"
        )
    try:
        return Head.model_validate_json(data, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"])) or "the file"
        told = fault["msg"].removeprefix("Value error, ")
        raise UserError(f"preference model {path}: {place}: {told}"[:500]) from error


def features(images: Floats, texts: Sequence[str], read: Sequence[EmbeddedText]) -> Floats:
    """Return what a head sees of images with their texts, shape (n, traits + places).

    Args:
        images: Embeddings of length 1, shape (n, places).
        texts: One for each image.
        read: The texts as the encoder knows them.
    """
    words = np.array([text.vector for text in read], dtype=np.float64).reshape(images.shape)
    product = images.astype(np.float64) * words
    cosine = np.clip(product.sum(axis=1), -1.0, 1.0)
    traits = [_traits(text, told) for text, told in zip(texts, read, strict=True)]
    return np.column_stack([cosine, np.array(traits, dtype=np.float64).reshape(-1, len(TRAITS) - 1), product])


def standardised(found: Floats, mean: Floats, scale: Floats) -> Floats:
    """Return features less their mean over their deviation, held within five deviations."""
    return np.clip((found - mean) / scale, -_EDGE, _EDGE)


def _traits(text: str, read: EmbeddedText) -> tuple[float, ...]:
    head = text[:_MOST_CHARS]
    words = [word.casefold() for word in _WORD.findall(head)]
    return (
        math.log1p(len(words)),
        math.log1p(len(stripped_sentences(head)[0])),
        len(set(words)) / len(words) if words else 1.0,
        repeated(head)[0],
        len(broken_rules(head, _RULES)) / len(_RULES),
        read.unseen / read.tokens if read.tokens else 0.0,
    )
