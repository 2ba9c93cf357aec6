"""Records and shorthands for the tests of composing and selecting."""

from collections.abc import Sequence

from recaption.core.protocols import Context
from recaption.core.types import Box, Caption, Evidence, JsonValue, Kept, Origin, Provenance, Record, Score
from recaption.stages.compose import Compose

CONTEXT = Context(images=None, ledger=None, meter=None, seed=7)  # type: ignore[arg-type]


def thing(label: str, box: Sequence[float] | None = None, **more: JsonValue) -> Evidence:
    """Return an object; further values are its attributes."""
    return Evidence(kind="object", label=label, source="given", box=Box(*box) if box else None, attributes=more)


def words(text: str, box: Sequence[float] | None = None, score: float = 0.9, **more: JsonValue) -> Evidence:
    """Return words read in the picture."""
    place = Box(*box) if box else None
    return Evidence(kind="text", label=text, source="ocr@1", box=place, score=score, attributes=more)


def alt(text: str, triage: float | None = 0.9, stage: str = "normalise", **flags: str) -> Caption:
    """Return a caption of the web."""
    scores = {} if triage is None else {"triage": Score(value=triage)}
    return Caption(text=text, origin="alt", provenance=Provenance(stage=stage), scores=scores, flags=flags)


def caption(text: str, origin: Origin = "composed", aspect: str = "dense", support: float = 1) -> Caption:
    """Return a caption as compose writes it."""
    return Caption(
        text=text,
        origin=origin,
        aspect=aspect,
        provenance=Provenance(stage="compose"),
        scores={"support": Score(value=support)},
    )


def record(*evidence: Evidence, captions: Sequence[Caption] = (), key: str = "k") -> Record:
    """Return a record of 640 × 480 pixels."""
    return Record(key=key, size=(640, 480), evidence=evidence, captions=tuple(captions))


def compose(of: Record, context: Context = CONTEXT, **params: object) -> dict[str, Caption]:
    """Return aspect to composed caption."""
    (outcome,) = Compose(Compose.Params.model_validate(params)).process([of], context)
    assert isinstance(outcome, Kept)
    assert outcome.record.captions[: len(of.captions)] == of.captions
    return {c.aspect: c for c in outcome.record.captions[len(of.captions) :]}


def texts(of: Record, **params: object) -> dict[str, str]:
    """Return aspect to composed text."""
    return {aspect: c.text for aspect, c in compose(of, CONTEXT, **params).items()}
