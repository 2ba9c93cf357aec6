"""Write captions from evidence and from the knowledge in the alt-text, without a model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field

from recaption.core.digests import seed_from
from recaption.core.protocols import Context
from recaption.core.types import Caption, Kept, Outcome, Provenance, Record, Score
from recaption.media.compose import ASPECTS, Aspect, Draft, Language, Limits, gather_facts, render
from recaption.media.compose.script import language_by_script
from recaption.recipes.strict import StrictModel

__all__ = ["Compose"]


class Compose:
    """Adds one candidate per aspect that has something to say, stating only what evidence supports."""

    name = "compose"
    version = "1"
    fingerprint = ""

    class Params(StrictModel):
        """What to write."""

        aspects: tuple[Aspect, ...] = ASPECTS
        language: Literal["auto", "en", "zh"] = "auto"
        """`auto` writes in the language of the alt-text, and nothing where that is neither English nor Chinese."""
        min_triage: float = Field(default=0.5, ge=0, le=1)
        """The alt-text is used from this triage score on."""
        min_score: dict[str, float] = Field(default_factory=dict)
        """Source prefix to the lowest score believed (`yolox: 0.35`): a threshold belongs to a model."""
        default_min_score: float = Field(default=0.5, gt=0, le=1)
        max_groups: int = Field(default=4, ge=1, le=20)
        """Kinds of things named by `brief` and `appearance`."""
        max_groups_dense: int = Field(default=10, ge=1, le=50)
        max_relations: int = Field(default=3, ge=0, le=20)
        max_quotes: int = Field(default=4, ge=1, le=50)
        max_quote_characters: int = Field(default=80, ge=10, le=1000)
        flat: bool = False
        """True for drawn scenes, where higher in the picture means above."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._limits = Limits(
            min_score=params.min_score,
            default_min_score=params.default_min_score,
            max_groups=params.max_groups,
            max_groups_dense=params.max_groups_dense,
            max_relations=params.max_relations,
            max_quotes=params.max_quotes,
            max_quote_characters=params.max_quote_characters,
            flat=params.flat,
        )

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record, with its composed candidates appended."""
        return [Kept(self._composed(record, context.seed)) for record in records]

    def _composed(self, record: Record, seed: int) -> Record:
        alt = self._alt(record)
        language = self._language(record, alt)
        if language is None:
            return record
        facts = gather_facts(record.evidence, record.size, self._limits)
        drafts = render(
            facts,
            self._params.aspects,
            alt=alt.text.strip() if alt else None,
            language=language,
            limits=self._limits,
            seed_of=lambda aspect: seed_from(seed, record.key, aspect),
        )
        alt_id = alt.id if alt and any(draft.uses_alt for draft in drafts) else None
        new = [self._caption(draft, record, alt_id) for draft in drafts]
        if any(caption.provenance.stage == self.name for caption in record.captions):
            known = {caption.id for caption in record.captions}
            new = [caption for caption in new if caption.id not in known]
        return replace(record, captions=(*record.captions, *new)) if new else record

    def _alt(self, record: Record) -> Caption | None:
        """Return the latest alt-text that triage found usable."""
        for caption in reversed(record.captions):
            score = caption.scores.get("triage")
            value = score.value if score else None
            usable = value is not None and value >= self._params.min_triage
            if caption.origin == "alt" and caption.kept and usable and caption.text.strip():
                return caption
        return None

    def _language(self, record: Record, alt: Caption | None) -> Language | None:
        if self._params.language != "auto":
            return self._params.language
        flagged = alt.flags.get("language") if alt else None
        if flagged and flagged not in ("en", "zh", "latin"):
            return None
        text = alt.text if alt else record.original_text
        return language_by_script(text) if text else "en"

    def _caption(self, draft: Draft, record: Record, alt_id: str | None) -> Caption:
        return Caption(
            text=draft.text,
            origin="composed",
            aspect=draft.aspect,
            provenance=Provenance(
                stage=self.name,
                version=self.version,
                parents=(alt_id,) if alt_id and draft.uses_alt else (),
                details={
                    "language": draft.language,
                    "templates": list(draft.templates),
                    "evidence": list(draft.indices),
                    "labels": list(dict.fromkeys(record.evidence[i].label[:60] for i in draft.indices)),
                    "pixels": list(draft.pixels),
                    "seed": draft.seed,
                },
            ),
            scores={"support": Score(value=float(len(draft.indices)))},
        )
