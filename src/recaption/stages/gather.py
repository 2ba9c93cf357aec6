"""Ask experts what is in the picture, and add it to the evidence that came with the data."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Literal, cast

import yaml
from pydantic import Field

from recaption.core.digests import digest_json
from recaption.core.errors import ImageError, RecipeError
from recaption.core.protocols import Answer, Context, Expert, Pixels
from recaption.core.registry import resolve
from recaption.core.types import Box, Evidence, Failed, JsonValue, Kept, Outcome, Record
from recaption.media.colours import object_colours
from recaption.media.evidence_json import evidence_from_json, evidence_to_json
from recaption.recipes.strict import StrictModel, validated

__all__ = ["Gather", "merged"]

_log = logging.getLogger(__name__)

_SAME_PLACE = 0.7
"""Intersection over union above which two boxes are about one thing."""


class Gather:
    """Adds evidence from experts, and the image's size. An answer once paid for is remembered in the ledger.

    An image all of whose answers are remembered is not decoded. Records whose image is unknown or is only a URL
    are kept as they are.
    """

    name = "gather"
    version = "1"

    class Params(StrictModel):
        """Whom to ask."""

        experts: dict[str, dict[str, Any]] = Field(default={"pixels": {}})
        """Name to parameters, in order: of two experts that found one thing, the earlier speaks."""
        colour_objects: bool = True
        """Name the colour of objects that have a box and no colour yet; see `gather.yaml` for those left out."""
        min_colour_share: float = Field(default=0.6, gt=0, le=1)
        min_neutral_share: float = Field(default=0.9, gt=0, le=1)
        """The same for black, white, brown and beige, which shadow and glare give to anything."""
        min_colour_area: float = Field(default=0.005, ge=0, le=1)
        """Share of the image below which an object's colour is not looked at."""
        min_object_area: float = Field(default=0.0, ge=0, le=1)
        """Share of the image below which an expert's object is left out."""
        on_image_error: Literal["fail", "keep"] = "fail"
        without_image: Literal["keep"] = "keep"

    def __init__(self, params: Params) -> None:
        self._params = params
        self._experts = [_build(name, values) for name, values in params.experts.items()]
        self.fingerprint = digest_json([expert.fingerprint for expert in self._experts])

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record with what is known about its image, or why its image could not be used."""
        works = [_Work(record) for record in records]
        seen = [work for work in works if work.record.has_image]
        if len(seen) < len(works):
            _log.info("%d of %d records have no image to look at", len(works) - len(seen), len(works))
        if self._experts or self._params.colour_objects:
            for work in seen:
                work.read(context)
        for expert in self._experts:
            self._ask(expert, [work for work in seen if work.error is None], context)
        for work in seen:
            # What these same experts said in an earlier run is said afresh.
            fresh = {e.source for e in work.found}
            work.evidence = merged([e for e in work.record.evidence if e.source not in fresh], work.found)
        if self._params.colour_objects:
            self._colour([work for work in seen if work.error is None], context)
        return [work.outcome(self._params.on_image_error) for work in works]

    def _ask(self, expert: Expert, works: Sequence["_Work"], context: Context) -> None:
        def examine(images: Sequence[Pixels], _: Sequence["_Work"]) -> list[JsonValue]:
            answers = zip(images, expert.examine(images), strict=True)
            return [[evidence_to_json(_original(e, image)) for e in found] for image, found in answers]

        for work, answer in _recalled([expert.name, expert.fingerprint], works, context, examine):
            found = [evidence_from_json(item) for item in cast(list[JsonValue], answer)]
            work.found += [e for e in found if self._is_large_enough(e, work.size)]

    def _is_large_enough(self, evidence: Evidence, size: tuple[int, int] | None) -> bool:
        if evidence.kind != "object" or evidence.box is None or size is None:
            return True
        return evidence.box.area >= self._params.min_object_area * size[0] * size[1]

    def _colour(self, works: Sequence["_Work"], context: Context) -> None:
        def look(images: Sequence[Pixels], missing: Sequence["_Work"]) -> list[JsonValue]:
            return [self._colours(image, work.colourable) for image, work in zip(images, missing, strict=True)]

        for work in works:
            work.colourable = [(i, e.box) for i, e in enumerate(work.evidence) if e.box and _may_have_colour(e)]
        some = [work for work in works if work.colourable]
        params = self._params
        shares = [params.min_colour_share, params.min_neutral_share, params.min_colour_area]
        for work, answer in _recalled(["object-colour", "1", *shares], some, context, look):
            for (index, _), colour in zip(work.colourable, cast(list[str | None], answer), strict=True):
                if colour is not None:
                    told = work.evidence[index]
                    work.evidence[index] = replace(told, attributes={**told.attributes, "colour": colour})

    def _colours(self, image: Pixels, places: Sequence[tuple[int, Box]]) -> list[JsonValue]:
        least = self._params.min_colour_area * image.size[0] * image.size[1]
        found = object_colours(
            image.array,
            [box.scaled(1 / image.scale) for _, box in places],
            self._params.min_colour_share,
            self._params.min_neutral_share,
        )
        large = [box.area >= least for _, box in places]
        return [colour[0] if colour and enough else None for colour, enough in zip(found, large, strict=True)]


@dataclass(eq=False)
class _Work:
    """One record on its way through the stage."""

    record: Record
    digest: str = ""
    size: tuple[int, int] | None = None
    found: list[Evidence] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    colourable: list[tuple[int, Box]] = field(default_factory=list)
    error: ImageError | None = None

    def read(self, context: Context) -> None:
        try:
            self.digest = context.images.digest(self.record)
        except ImageError as error:
            self.error = error

    def outcome(self, on_image_error: str) -> Outcome:
        if self.error is not None:
            if on_image_error == "keep":
                return Kept(self.record)
            return Failed(f"image: {self.error}", retryable=self.error.retryable)
        if self.size is None and not self.evidence:
            return Kept(self.record)
        size = self.size or self.record.size
        return Kept(replace(self.record, evidence=tuple(self.evidence), size=size))


class _NotNowError(Exception):
    """Some images cannot be decoded at the moment: by ledger key, why. Raised so that none of it is remembered."""

    def __init__(self, errors: Mapping[str, ImageError]) -> None:
        self.errors = errors
        super().__init__(f"{len(errors)} images cannot be decoded at the moment")


def _recalled(
    question: Sequence[JsonValue],
    works: Sequence[_Work],
    context: Context,
    answer: Callable[[Sequence[Pixels], Sequence[_Work]], Sequence[JsonValue]],
) -> list[tuple[_Work, JsonValue]]:
    """Return the answer to a question about each image, from the ledger or freshly paid for.

    A remembered value holds the upright size beside the answer, or the reason why the image can never be decoded,
    so that a known image needs no decoding at all. Images that fail get their error, and no answer.
    """
    asked = [(work, _ledger_key(question, work, context)) for work in works]

    def call(positions: Sequence[int]) -> Iterable[Answer]:
        return zip(positions, _paid_for([asked[i] for i in positions], context, answer), strict=True)

    try:
        values = context.ledger.recall([key for _, key in asked], call) if asked else []
    except _NotNowError as failure:  # raised here, or where another thread is asking about one of our images
        for work, key in asked:
            work.error = failure.errors.get(key)
        return _recalled(question, [work for work in works if work.error is None], context, answer)
    told = []
    for work, value in zip(works, values, strict=True):
        entry = cast(Mapping[str, Any], value)
        if "error" in entry:
            work.error = ImageError(entry["error"])
        else:
            work.size = (int(entry["size"][0]), int(entry["size"][1]))
            told.append((work, cast(JsonValue, entry["answer"])))
    return told


def _ledger_key(question: Sequence[JsonValue], work: _Work, context: Context) -> str:
    boxes = [_corners(box) for _, box in work.colourable]
    return digest_json([*question, work.digest, context.images.fingerprint, boxes])


def _paid_for(
    asked: Sequence[tuple[_Work, str]],
    context: Context,
    answer: Callable[[Sequence[Pixels], Sequence[_Work]], Sequence[JsonValue]],
) -> list[JsonValue]:
    """Return what is to be remembered of each image. Raises _NotNowError before anything is paid."""
    works = {key: work for work, key in asked}
    failures: dict[str, ImageError] = {}
    images: dict[str, Pixels] = {}
    for key, work in works.items():
        try:
            images[key] = context.images.pixels(work.record)
        except ImageError as error:
            failures[key] = error
    passing = {key: error for key, error in failures.items() if error.retryable}
    if passing:
        raise _NotNowError(passing)
    answers = answer(list(images.values()), [works[key] for key in images]) if images else []
    values: dict[str, JsonValue] = {key: {"error": str(error)} for key, error in failures.items()}
    for (key, image), value in zip(images.items(), answers, strict=True):
        values[key] = {"size": list(image.size), "answer": value}
    return [values[key] for _, key in asked]


def _corners(box: Box) -> list[float]:
    return [box.left, box.top, box.right, box.bottom]


def _build(name: str, values: Mapping[str, object]) -> Expert:
    kind = cast(Any, resolve("experts", name))
    params = getattr(kind, "Params", None)
    if params is None:
        raise RecipeError(f"expert {name!r} has no Params class: see the documentation on writing an expert")
    return cast(Expert, kind(validated(params, values, f"gather.experts.{name}")))


def _original(evidence: Evidence, image: Pixels) -> Evidence:
    """Return evidence with its box in pixels of the upright original instead of the array."""
    if evidence.box is None:
        return evidence
    box, (width, height) = evidence.box.scaled(image.scale), image.size
    left, right = (round(min(max(v, 0.0), float(width)), 2) for v in (box.left, box.right))
    top, bottom = (round(min(max(v, 0.0), float(height)), 2) for v in (box.top, box.bottom))
    inside = right > left and bottom > top
    return replace(evidence, box=Box(left, top, right, bottom) if inside else None)


@cache
def _colourless() -> frozenset[str]:
    text = resources.files("recaption.stages").joinpath("gather.yaml").read_text("utf-8")
    groups: dict[str, list[str]] = yaml.safe_load(text)["colourless"]
    return frozenset(label for labels in groups.values() for label in labels)


def _may_have_colour(evidence: Evidence) -> bool:
    if evidence.kind != "object" or {"colour", "color"} & evidence.attributes.keys():
        return False
    words = evidence.label.casefold().split()
    return bool(words) and not {" ".join(words), words[-1]} & _colourless()


def merged(given: Sequence[Evidence], found: Sequence[Evidence]) -> list[Evidence]:
    """Return given evidence, then found, telling each thing once.

    Two sources that say the same of the same place are one piece of evidence: the earlier, with the later's source
    in its attribute `also`. What one source says is never merged.
    """
    kept = list(given)
    for new in found:
        for index, old in enumerate(kept):
            if _same(old, new):
                also = [*cast(list[JsonValue], old.attributes.get("also", [])), new.source]
                kept[index] = replace(old, attributes={**old.attributes, "also": also})
                break
        else:
            kept.append(new)
    return kept


def _same(old: Evidence, new: Evidence) -> bool:
    if old.kind != new.kind or old.kind == "pixel" or old.source == new.source:
        return False
    told = old.attributes.get("also", [])
    if not isinstance(told, list) or new.source in told or old.label.casefold() != new.label.casefold():
        return False
    if old.box is None or new.box is None:
        return old.box is new.box
    return _overlap(old.box, new.box) > _SAME_PLACE


def _overlap(one: Box, other: Box) -> float:
    """Return intersection over union."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.area + other.area - shared)
