"""Say of every alt-text how usable it is, and why not."""

from collections.abc import Sequence
from dataclasses import replace

from recaption.core.protocols import Context
from recaption.core.types import Caption, Kept, Outcome, Record, Score
from recaption.media.triage import FLAGS, TriageOptions, triage
from recaption.recipes.strict import StrictModel
from recaption.stages.normalise import EMPTIED

__all__ = ["Triage"]


class Triage:
    """Flags and scores the captions of origin `alt`: those that came with the data and their cleaned forms."""

    name = "triage"
    version = "1"
    fingerprint = ""

    class Params(TriageOptions, StrictModel):
        """What counts as unusable."""

    def __init__(self, params: Params) -> None:
        self._options = params

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record with flags and `scores["triage"]` on its alt captions; nothing is dropped."""
        return [Kept(self._one(record)) for record in records]

    def _one(self, record: Record) -> Record:
        cleaned = {
            parent: caption.text
            for caption in record.captions
            if caption.provenance.stage == "normalise"
            for parent in caption.provenance.parents
        }
        copies = {caption.id: _copies(caption) for caption in record.captions}
        judged = tuple(
            self._judged(caption, cleaned.get(caption.id), copies) if caption.origin == "alt" else caption
            for caption in record.captions
        )
        return record if judged == record.captions else replace(record, captions=judged)

    def _judged(self, caption: Caption, cleaned: str | None, copies: dict[str, float | None]) -> Caption:
        if cleaned is None:
            cleaned = "" if EMPTIED in caption.flags else caption.text
        counted = (copies.get(name) for name in (caption.id, *caption.provenance.parents))
        known = [number for number in counted if number is not None]
        result = triage(caption.text, cleaned, self._options, copies=max(known, default=None))
        others = {name: reason for name, reason in caption.flags.items() if name not in FLAGS}
        return replace(
            caption,
            flags={**others, **result.flags},
            scores={
                **caption.scores,
                self.name: Score(value=0.0 if "bad_encoding" in others else result.score),
            },
        )


def _copies(caption: Caption) -> float | None:
    score = caption.scores.get("copies")
    return None if score is None else score.value
