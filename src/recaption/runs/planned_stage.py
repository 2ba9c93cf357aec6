"""What one stage of a recipe would do: calls, tokens, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from recaption.core.errors import RecaptionError
from recaption.core.types import Record
from recaption.models.openai.images import grid_for
from recaption.models.openai.settings import ImageSettings, Price
from recaption.prompts.library import prompt
from recaption.recipes.backends import Backend, backend
from recaption.recipes.recipe import StageSpec
from recaption.runs.image_tokens import image_tokens

__all__ = ["Amounts", "PlannedStage", "Prices", "asks_the_ledger", "most_bytes", "planned", "texts_added"]

ASCII_CHARS_A_TOKEN: Final = 4
"""Of plain English, roughly; any other character is counted as a token of its own."""
BYTES_A_TOKEN: Final = 4
BYTES_A_CAPTION: Final = 600
"""Around a text: provenance, scores and flags as JSON, before compression."""
PROMPTS: Final = 20
"""Records whose prompts are written out to be measured."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Per million tokens, in any one currency."""

    prompt: float | None = None
    completion: float | None = None


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much comes to a stage."""

    items: int
    images: int
    """Records with an image that can be looked at."""
    texts: int
    """Captions a record, at most."""
    known: float
    """Share of the images all of whose calls are remembered."""
    records: Sequence[Record]
    """A sample."""
    sizes: Sequence[tuple[int, int]]
    """Width and height of the sample's images in pixels, as decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """What one stage would do."""

    name: str
    model: str = ""
    """Who would be called; empty for a stage that calls nobody."""
    what: str = ""
    """What is counted: `expert calls`, `requests`, `texts to score`."""
    calls: int = 0
    """Calls to be made, at most; what is remembered is not among them."""
    remembered: int = 0
    prompt_tokens: int | None = None
    """In all, roughly; None where it is not known how the model counts pictures."""
    completion_tokens: int | None = None
    """In all, at most."""
    is_paid: bool = False
    """Its calls go to a service that may ask for money, or prices were given."""
    cost: float | None = None
    """At most; None without prices or without token counts."""
    writing_cost: float | None = None
    """That of what is written alone, at most; None without prices."""
    problem: str | None = None
    """Why the stage cannot work here."""
    notes: tuple[str, ...] = ()


def planned(spec: StageSpec, amounts: Amounts, prices: Prices, problem: str | None = None) -> PlannedStage:
    """Return what a stage would do with these amounts."""
    if spec.experts:
        total = amounts.images * len(spec.experts)
        old = round(total * amounts.known)
        return PlannedStage(
            name=spec.name,
            model=", ".join(spec.experts),
            what="expert calls",
            calls=total - old,
            remembered=old,
            problem=problem,
        )
    if spec.captioner is not None:
        return _writing(spec, amounts, prices, problem)
    if spec.scorers:
        total = amounts.items * amounts.texts * len(spec.scorers)
        old = round(total * amounts.known)
        return PlannedStage(
            name=spec.name,
            model=", ".join(_short(value) for value in spec.scorers.values()),
            what="texts to score",
            calls=total - old,
            remembered=old,
            problem=problem,
        )
    return PlannedStage(name=spec.name, problem=problem)


def asks_the_ledger(spec: StageSpec) -> bool:
    """Return whether a stage makes calls that are remembered."""
    return bool(spec.experts or spec.scorers) or spec.captioner is not None


def texts_added(spec: StageSpec) -> int:
    """Return how many captions a stage adds to a record, at most."""
    params: Any = spec.params
    if spec.captioner is not None:
        return int(params.n) * len(set(params.aspects))
    return len(params.aspects) if spec.name == "compose" else 1 if spec.name == "normalise" else 0


def most_bytes(stages: Sequence[StageSpec], items: int, images: int) -> int:
    """Return the bytes of captions and ledger, at most: texts as long as they may be, nothing compressed."""
    total = items * 2 * BYTES_A_CAPTION  # the original and its cleaned form
    for spec in stages:
        params: Any = spec.params
        length = params.max_tokens * BYTES_A_TOKEN if spec.captioner is not None else 0
        # A text stands in the ledger, among the captions, and once more where it was shortened.
        total += items * texts_added(spec) * (3 * length + 2 * BYTES_A_CAPTION)
        total += images * len(spec.experts) * 2 * BYTES_A_CAPTION
    return total


def _writing(spec: StageSpec, amounts: Amounts, prices: Prices, problem: str | None) -> PlannedStage:
    params: Any = spec.params
    model = _short(params.captioner)
    named = backend("generators", params.captioner, "caption.captioner")
    total = amounts.images * len(set(params.aspects))
    old = round(total * amounts.known)
    calls = total - old
    words, pictures = _words(params, named, amounts.records), _pictures(model, named, amounts.sizes)
    completion = calls * params.n * params.max_tokens
    prompts = None
    if not calls:
        prompts = 0
    elif words is not None and pictures is not None:
        prompts = round(calls * (words + pictures))
    notes = []
    if prompts is None:
        said = "prompts of unknown length" if words is None else f"about {words:.0f} tokens of words a prompt"
        notes.append(f"{said}; how {model} counts images is not known" if pictures is None else said)
    if params.n > 1 and params.temperature > 0 and named.name == "openai":
        notes.append(f"{params.n} texts a request, or a request each where the server gives one at a time")
    if params.retry.attempts:
        notes.append(f"not counted: up to {params.retry.attempts} more tries for texts that come out wrong")
    return PlannedStage(
        name=spec.name,
        model=model,
        what="requests",
        calls=calls,
        remembered=old,
        prompt_tokens=prompts,
        completion_tokens=completion,
        is_paid=hasattr(named.params, "price") or prices != Prices(),
        cost=None if prompts is None else _cost(prompts, completion, prices, named),
        writing_cost=_cost(0, completion, prices, named),
        problem=problem,
        notes=tuple(notes),
    )


def _cost(prompts: int, completion: int, prices: Prices, named: Backend) -> float | None:
    """Return the cost at the prices given, or else at those in the recipe; None without either."""
    price_in, price_out = prices.prompt, prices.completion
    said = getattr(named.params, "price", None)
    if isinstance(said, Price) and (said.input_per_million or said.output_per_million):
        price_in = said.input_per_million if price_in is None else price_in
        price_out = said.output_per_million if price_out is None else price_out
    if price_in is None or price_out is None:
        return None
    return (prompts * price_in + completion * price_out) / 1e6


def _pictures(model: str, named: Backend, sizes: Sequence[tuple[int, int]]) -> float | None:
    """Return the tokens of a picture, on average over a sample; None where it is not known how the model counts."""
    counted = image_tokens(model)
    if counted is None or not sizes:
        return None
    image = getattr(named.params, "image", None)
    if isinstance(image, ImageSettings):  # what goes over the network is shrunk first
        sizes = [grid_for(model, image).target(*size) for size in sizes]
    return fmean(counted.of(size) for size in sizes)


def _words(params: Any, named: Backend, records: Sequence[Record]) -> float | None:
    """Return the tokens of a prompt's words, on average over aspects and records; None where it cannot be told."""
    try:
        style = named.build().prompt_style
    except RecaptionError:
        style = "chat"  # the longest wordings
    lengths = []
    for record in records[:PROMPTS]:
        data: Any = {"alt": [c.text for c in record.originals]} if "alt" in params.context else {}
        for aspect in dict.fromkeys(params.aspects):
            try:
                own = params.prompts.get(aspect)
                asked = prompt(aspect, style, params.language, own=own, words=params.words, data=data).text
            except RecaptionError:
                return None
            lengths.append(sum(1 / ASCII_CHARS_A_TOKEN if c.isascii() else 1.0 for c in asked))
    return fmean(lengths) if lengths else None


def _short(value: object) -> str:
    """Return a model's name as a person would say it."""
    if isinstance(value, Mapping):
        ((name, params),) = value.items()
        model = params.get("model") if isinstance(params, Mapping) else None
        return str(model or name)
    text = str(value)
    return text.partition("#")[2] or text.partition("=")[2] or text
