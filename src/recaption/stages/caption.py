"""A model writes: candidates per image and aspect, every call remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import Field, field_validator

from recaption.core.digests import digest_json, digest_text, seed_from
from recaption.core.errors import ImageError, RecipeError, UserError
from recaption.core.protocols import Answer, Closing, Context, Fleeting, Generator, Picture, Sampling
from recaption.core.types import Caption, Failed, JsonValue, Kept, Outcome, Provenance, Record
from recaption.media.blank import blank_pictures
from recaption.media.checks.findings import FINDINGS, About, findings
from recaption.prompts.library import ContextKind, Language, Prompt, prompt
from recaption.recipes.backends import BackendValue, backend
from recaption.recipes.strict import StrictModel
from recaption.stages.asking import Ask, Draw, answer

__all__ = ["CaptionStage"]


class Retry(StrictModel):
    """When to ask again, with other draws."""

    on: tuple[str, ...] = (
        "empty",
        "damaged",
        "symbols",
        "refusal",
        "meta",
        "loop",
        "cut",
        "language",
        "echo",
        "leak",
        "obeyed",
        "role",
    )
    """Findings (see `media/checks/findings.py`) that make a text not worth keeping."""
    attempts: int = Field(default=2, ge=0, le=5)
    temperature: float = Field(default=0.7, gt=0, le=5)
    """For asking again, where the first draws were colder."""

    @field_validator("on")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in FINDINGS:
                raise ValueError(f"unknown finding {name!r}; known: {', '.join(sorted(FINDINGS))}")
        return names


class CaptionStage:
    """Adds what the captioner writes about each image; texts that came before stay.

    Draws are seeded by the image, the prompt and the run's seed, so a caption does not depend on its batch and equal
    images get equal captions. Equal texts of one aspect are one caption, which says which draws agreed. What is
    wrong with a text stands in its flags; the stage `check` decides what becomes of it.
    """

    name = "caption"
    version = "1"

    class Params(StrictModel):
        """Who writes, about what, and how freely."""

        captioner: BackendValue = "embedded"
        aspects: tuple[str, ...] = Field(default=("dense",), min_length=1)
        language: Language = "en"
        prompts: dict[str, str] = Field(default_factory=dict)
        """Aspect to your own wording; such an aspect may have any name."""
        words: int | None = Field(default=None, gt=0)
        """Length to ask for, instead of the aspect's own."""
        context: tuple[ContextKind, ...] = ()
        """What came with the picture and is shown to the model: delimited, as data that it may check."""
        n: int = Field(default=1, ge=1, le=64)
        """Candidates of each aspect."""
        temperature: float = Field(default=0.0, ge=0, le=5)
        top_p: float = Field(default=1.0, gt=0, le=1)
        repetition_penalty: float = Field(default=1.0, gt=0, le=5)
        no_repeat_ngram: int = Field(default=0, ge=0)
        beams: int = Field(default=1, ge=1)
        beam_groups: int = Field(default=1, ge=1)
        diversity_penalty: float = Field(default=0.0, ge=0)
        guidance: float = Field(default=1.0, ge=0)
        max_tokens: int = Field(default=200, gt=0, le=8192)
        retry: Retry = Retry()
        canary: bool = True
        """Stop the run if the captioner writes the same about pictures with nothing on them: it does not see."""
        on_image_error: Literal["fail", "keep"] = "fail"
        on_failure: Literal["fail", "keep"] = "fail"
        """What becomes of a record about which the captioner has no text at all."""

        @field_validator("captioner")
        @classmethod
        def _captioner(cls, value: BackendValue) -> BackendValue:
            backend("generators", value, "caption.captioner")
            return value

    def __init__(self, params: Params) -> None:
        self._params = params
        self._generator: Generator = backend("generators", params.captioner, "caption.captioner").build()
        self._aspects = tuple(dict.fromkeys(params.aspects))
        self._refuse_what_cannot_be()
        self.fingerprint = self._generator.fingerprint
        self.in_flight = -(-self._generator.in_flight // len(self._aspects))

    def _refuse_what_cannot_be(self) -> None:
        """Say wrong settings now, and not at the first image."""
        params, name = self._params, self._generator.name
        for aspect in self._aspects:
            self._prompt(aspect, {})
        for aspect in params.prompts.keys() - set(self._aspects):
            raise RecipeError(
                f"caption.prompts.{aspect}: not among caption.aspects, so it would never be asked."
            )
        if params.context and self._generator.prompt_style != "chat":
            raise RecipeError(
                f"caption.context: {name} takes no instructions and cannot be told anything; set caption.context=[]."
            )
        for capability, wanted in {"beams": params.beams > 1, "guidance": params.guidance != 1}.items():
            if wanted and capability not in self._generator.capabilities:
                raise RecipeError(f"caption.{capability}: {name} has no such thing; leave it out.")

    def close(self) -> None:
        """Let go of the model or the server."""
        if isinstance(self._generator, Closing):
            self._generator.close()

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record with its new captions, or why there are none.

        Raises:
            UserError: The captioner does not look at the pictures, or the budget is spent.
            BackendError: The model or service is gone.
        """
        works = [self._work(record, context) for record in records]
        questions = [question for work in works for question in work.questions]
        answer([q.ask for q in questions], self._generator, context)
        if self._params.canary:
            self._look_for_blindness(questions, context)
        for attempt in range(1, self._params.retry.attempts + 1):
            wrong = [(q, places) for q in questions if (places := self._wrong(q))]
            anew = [q.ask.again(places, attempt, self._params.retry.temperature) for q, places in wrong]
            answer(anew, self._generator, context)
            for (question, places), ask in zip(wrong, anew, strict=True):
                question.ask.take(places, ask, attempt)
        return [self._outcome(work) for work in works]

    def _work(self, record: Record, context: Context) -> _Work:
        if not record.has_image:
            return _Work(record)
        try:
            picture = context.images.picture(record)
        except ImageError as error:
            return _Work(record, error=error)
        data = _told(record, self._params.context)
        asks = [self._question(record, picture, aspect, data, context.seed) for aspect in self._aspects]
        return _Work(record, asks)

    def _question(
        self,
        record: Record,
        picture: Picture,
        aspect: str,
        data: Mapping[ContextKind, Sequence[str]],
        seed: int,
    ) -> _Question:
        params, asked = self._params, self._prompt(aspect, data)
        greedy = params.temperature == 0 or params.beams > 1
        sampling = Sampling(
            n=params.n,
            temperature=params.temperature,
            top_p=params.top_p,
            repetition_penalty=params.repetition_penalty,
            no_repeat_ngram=params.no_repeat_ngram,
            beams=params.beams,
            beam_groups=params.beam_groups,
            diversity_penalty=params.diversity_penalty,
            guidance=params.guidance,
            max_tokens=params.max_tokens,
            # A draw without chance has no seed, so that another seed of the run does not pay for it again.
            seed=0 if greedy else seed_from("caption", seed, picture.digest, asked.text),
        )
        return _Question(aspect, asked, record, Ask(record.key, asked.text, picture, sampling))

    def _prompt(self, aspect: str, data: Mapping[ContextKind, Sequence[str]]) -> Prompt:
        params = self._params
        style, own = self._generator.prompt_style, params.prompts.get(aspect)
        return prompt(aspect, style, params.language, own=own, words=params.words, data=data)

    def _look_for_blindness(self, questions: Sequence[_Question], context: Context) -> None:
        """Ask once per captioner and wording about pictures with nothing on them, as if they were ours."""
        some = {q.ask.digest: q for q in questions if q.aspect == self._aspects[0] and q.texts}
        if len(some) < 2:
            return
        seen = list(some.values())[:2]

        def call(positions: Sequence[int]) -> list[Answer]:
            asks = [_about_another(q.ask, blank) for q, blank in zip(seen, blank_pictures(), strict=True)]
            answer(asks, self._generator, context)
            same = [[d.text for d in ask.draws] == q.texts for q, ask in zip(seen, asks, strict=True)]
            # Without an answer nothing is known, and it is asked again with the next batch.
            silent = any(d.text is None for ask in asks for d in ask.draws)
            return [(position, Fleeting(False) if silent else all(same)) for position in positions]

        wording = self._prompt(self._aspects[0], {}).text
        (blind,) = context.ledger.recall(
            [digest_json(["sees", "1", self._generator.fingerprint, wording])], call
        )
        if blind:
            raise UserError(
                f"{self._generator.name} writes the same about a grey picture, about noise and about "
                f"{seen[0].ask.key} and {seen[1].ask.key}: it does not see the pictures. Does the model take images, "
                "and does the server pass them on? (caption.canary=false skips this test.)"
            )

    def _wrong(self, question: _Question) -> list[int]:
        """Return the places of draws that are worth another try."""
        unwanted = set(self._params.retry.on)
        draws = enumerate(question.ask.draws)
        return [place for place, draw in draws if unwanted & self._findings(question, draw).keys()]

    def _findings(self, question: _Question, draw: Draw) -> dict[str, str]:
        """Return what is wrong with a text, knowing what was asked."""
        if draw.text is None:
            return {}
        record = question.record
        about = About(
            prompt=question.prompt.text,
            context_texts=(*(c.text for c in record.originals), *(e.label for e in record.evidence)),
            seen_texts=tuple(e.label for e in record.evidence if e.kind == "text"),
            language=self._params.language,
            finish_reason=draw.finish,
        )
        return {finding.name: finding.reason for finding in findings(draw.text, about)}

    def _outcome(self, work: _Work) -> Outcome:
        record = work.record
        if work.error is not None:
            if self._params.on_image_error == "keep":
                return Kept(record)
            return Failed(f"image: {work.error}", retryable=work.error.retryable)
        draws = [draw for question in work.questions for draw in question.ask.draws]
        failed = [draw for draw in draws if draw.text is None]
        passing = next((draw for draw in failed if draw.retryable), None)
        if passing is not None:  # the other questions' answers are remembered; asking again pays for this one
            return Failed(f"{self._generator.name}: {passing.error}", retryable=True)
        if draws and len(failed) == len(draws) and self._params.on_failure == "fail":
            return Failed(f"{self._generator.name}: {failed[0].error}")
        new = [caption for question in work.questions for caption in self._captions(question, record)]
        old = [c for c in record.captions if c.id not in {caption.id for caption in new}]
        return Kept(replace(record, captions=(*old, *new)))

    def _captions(self, question: _Question, record: Record) -> list[Caption]:
        """Return one caption per distinct text, in order of the draws; a failure leaves an empty one as a trace."""
        by_text: dict[str | None, list[Draw]] = {}
        for draw in question.ask.draws:
            by_text.setdefault(draw.text, []).append(draw)
        parents = tuple(c.id for c in record.originals) if "alt" in self._params.context else ()
        return [
            Caption(
                text=text or "",
                origin="model",
                aspect=question.aspect,
                kept=text is not None,
                flags=self._findings(question, draws[0])
                if text is not None
                else {"failed": draws[0].error or "no answer"},
                provenance=Provenance(
                    stage=self.name,
                    version=self.version,
                    parents=parents,
                    details=self._details(question, draws),
                ),
            )
            for text, draws in by_text.items()
        ]

    def _details(self, question: _Question, draws: Sequence[Draw]) -> dict[str, JsonValue]:
        first, sampling = draws[0], question.ask.sampling
        told: dict[str, JsonValue] = {
            "generator": self._generator.name,
            "prompt": question.prompt.id,
            "prompt_digest": digest_text(question.prompt.text)[:12],
            "language": self._params.language,
            "draws": [draw.number for draw in draws],
            "finish": first.finish,
            "attempt": first.attempt or None,
            "temperature": sampling.temperature,
            "seed": sampling.seed or None,
            "tokens": first.tokens,
            "mean_logprob": first.mean_logprob,
            "raw": first.raw,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(eq=False, slots=True)
class _Question:
    """What is asked about one aspect of one record."""

    aspect: str
    prompt: Prompt
    record: Record
    ask: Ask

    @property
    def texts(self) -> list[str | None]:
        return [draw.text for draw in self.ask.draws if draw.text is not None]


@dataclass(eq=False, slots=True)
class _Work:
    """One record on its way through the stage."""

    record: Record
    questions: list[_Question] = field(default_factory=list)
    error: ImageError | None = None


def _about_another(ask: Ask, picture: Picture) -> Ask:
    """Return the same question about another picture."""
    return Ask("a blank picture", ask.prompt, picture, ask.sampling)


def _told(record: Record, kinds: Sequence[ContextKind]) -> dict[ContextKind, list[str]]:
    """Return what came with the picture, by kind."""
    evidence = {"text": "text", "objects": "object", "tags": "tag"}
    return {
        kind: [c.text for c in record.originals]
        if kind == "alt"
        else [e.label for e in record.evidence if e.kind == evidence[kind]]
        for kind in kinds
    }
