"""Let scorers judge the captions of every record, each question paid for once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from pydantic import Field, field_validator

from recaption.core.digests import digest_json
from recaption.core.errors import BackendError, ImageError
from recaption.core.protocols import Answer, Closing, Context, Fleeting, Images, Scorer
from recaption.core.types import Caption, Failed, JsonValue, Kept, Origin, Outcome, Record
from recaption.core.types import Score as Value
from recaption.recipes.backends import BackendValue, backend
from recaption.recipes.strict import StrictModel
from recaption.stages.amending import with_details

__all__ = ["Score", "image_error"]

_VERSION = "1"
"""Of what is remembered of an answer; another one would be asked again."""


class Score:
    """Adds `scores[label]` to captions. A text about an image once judged is remembered in the ledger.

    An image all of whose texts are remembered is not decoded. A record whose image is unknown or is only a URL gets
    scores without a value from scorers that look at images.
    """

    name = "score"
    version = "1"

    class Params(StrictModel):
        """Who judges what."""

        scorers: dict[str, BackendValue] = Field(default={"image_text": "embedded"}, min_length=1)
        """Label of the score to the model that gives it, as in `image_text: openai/clip-vit-base-patch32`."""
        origins: tuple[Origin, ...] | None = Field(default=None, min_length=1)
        """Judge captions of these origins only; None for all."""
        kept_only: bool = True
        """Judge what still stands. The texts that came with the data are judged in any case: they compete."""
        on_image_error: Literal["fail", "keep"] = "fail"
        """What becomes of a record whose image cannot be decoded; kept, it has scores without a value."""

        @field_validator("scorers")
        @classmethod
        def _scorers(cls, value: dict[str, BackendValue]) -> dict[str, BackendValue]:
            for label, named in value.items():
                backend("scorers", named, f"score.scorers.{label}")
            return value

    def __init__(self, params: Params) -> None:
        self._params = params
        self._scorers: dict[str, Scorer] = {
            label: backend("scorers", named, f"score.scorers.{label}").build()
            for label, named in params.scorers.items()
        }
        self.fingerprint = digest_json([[label, s.fingerprint] for label, s in self._scorers.items()])

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record with its scores, or why its image cannot be used.

        Raises:
            UserError: A model cannot be loaded.
            BackendError: A model fails.
        """
        asked = [
            _Question(record, number)
            for record in records
            for number, caption in enumerate(record.captions)
            if self._is_judged(caption)
        ]
        for label, scorer in self._scorers.items():
            _ask(scorer, label, asked, context)
        by = {label: scorer.name for label, scorer in self._scorers.items()}
        of: dict[int, list[_Question]] = {}
        for question in asked:
            of.setdefault(id(question.record), []).append(question)
        return [self._outcome(record, of.get(id(record), []), by) for record in records]

    def close(self) -> None:
        """Let go of the models."""
        for scorer in self._scorers.values():
            if isinstance(scorer, Closing):
                scorer.close()

    def _is_judged(self, caption: Caption) -> bool:
        if self._params.origins is not None and caption.origin not in self._params.origins:
            return False
        return caption.kept or not self._params.kept_only or caption.provenance.stage == "source"

    def _outcome(self, record: Record, asked: Sequence[_Question], by: Mapping[str, str]) -> Outcome:
        error = next((question.error for question in asked if question.error), None)
        if error is not None and self._params.on_image_error == "fail":
            return Failed(f"image: {error}", retryable=error.retryable)
        if not asked:
            return Kept(record)
        captions = list(record.captions)
        for question in asked:
            captions[question.number] = _scored(question.caption, question.scores, by)
        return Kept(replace(record, captions=tuple(captions)))


@dataclass(eq=False, slots=True)
class _Question:
    """One caption of one record, and what was said about it."""

    record: Record
    number: int
    scores: dict[str, Value] = field(default_factory=dict)
    error: ImageError | None = None
    """Why the record's image, which is there, cannot be decoded."""

    @property
    def caption(self) -> Caption:
        return self.record.captions[self.number]


def _ask(scorer: Scorer, label: str, asked: Sequence[_Question], context: Context) -> None:
    """Give every question its score by one scorer, from the ledger or freshly paid for."""
    keys: list[str] = []
    open_questions: list[_Question] = []
    for question in asked:
        try:
            keys.append(_ledger_key(scorer, question, context))
        except ImageError as error:
            question.scores[label] = Value(value=None, reason=f"image: {error}")
            question.error = error if question.record.has_image else None
        else:
            open_questions.append(question)

    def call(positions: Sequence[int]) -> Iterable[Answer]:
        questions = [open_questions[i] for i in positions]
        scores = scorer.score([(q.record, q.caption) for q in questions], context.images)
        if len(scores) != len(questions):
            raise BackendError(f"scorer {scorer.name!r} gave {len(scores)} scores for {len(questions)} pairs")
        for position, question, score in zip(positions, questions, scores, strict=True):
            value: dict[str, JsonValue] = {"value": score.value, "reason": score.reason}
            error = (
                image_error(question.record, context.images)
                if scorer.sees_images and score.value is None
                else None
            )
            if error is not None:
                value |= {"image_error": str(error), "retryable": error.retryable}
            yield position, Fleeting(value) if error is not None and error.retryable else value

    values = context.ledger.recall(keys, call) if keys else []
    for question, told in zip(open_questions, values, strict=True):
        value = cast(Mapping[str, Any], told)
        question.scores[label] = Value(value=value["value"], reason=value["reason"])
        if "image_error" in value:
            question.error = ImageError(value["image_error"], retryable=value["retryable"])


def _ledger_key(scorer: Scorer, question: _Question, context: Context) -> str:
    """Return what names a question. Raises ImageError where the scorer needs an image and there is none."""
    key = ["score", _VERSION, scorer.fingerprint, question.caption.text]
    if scorer.sees_images:
        key += [context.images.digest(question.record), context.images.fingerprint]
    return digest_json(key)


def image_error(record: Record, images: Images) -> ImageError | None:
    """Return why an image cannot be decoded; None where it can, and a missing score has another reason."""
    try:
        images.pixels(record)
    except ImageError as error:
        return error
    return None


def _scored(caption: Caption, scores: Mapping[str, Value], by: Mapping[str, str]) -> Caption:
    """Return the caption with its scores, and in its provenance who gave them."""
    before = caption.provenance.details.get("scored_by")
    names: dict[str, JsonValue] = {**(before if isinstance(before, Mapping) else {}), **by}
    return replace(with_details(caption, scored_by=names), scores={**caption.scores, **scores})
