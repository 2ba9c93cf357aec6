"""Make captions fit the token budget of the encoder that will read them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, cast

from recaption.core.protocols import Context
from recaption.core.registry import resolve
from recaption.core.types import Caption, JsonValue, Kept, Origin, Outcome, Provenance, Record, Score
from recaption.media.budgets import Budget
from recaption.media.fitting import Fitted, Mode, Support, fit
from recaption.media.salience import content_words
from recaption.recipes.strict import StrictModel
from recaption.stages.amending import as_history

__all__ = ["Fit"]

_DROPPED_TEXTS = 10
_DROPPED_CHARACTERS = 200
"""How much of what was let go is remembered; all of it stands in the parent."""


class _BudgetFactory(Protocol):
    def __call__(self, limit: int | None = None, tokenizer: str | None = None) -> Budget: ...


class Fit:
    """Adds a shorter version of every caption that is over the budget, and counts the tokens of all.

    The long version stays as history; a text that came with the data stays as it is and is only flagged.
    """

    name = "fit"
    version = "1"
    fingerprint = ""

    class Params(StrictModel):
        """What to fit, and to what."""

        budget: str
        """Name of the budget: clip77, longclip248, siglip64, t5_512, words, characters, or one from a plugin."""
        limit: int | None = None
        """A tighter limit than the encoder's, special tokens included; words and characters need one."""
        tokenizer: str | None = None
        """A tokenizer.json, a folder with one, or a repository in the local Hugging Face cache."""
        mode: Mode = "trim"
        """`trim` lets go of what tells least; `split` makes several captions that say all."""
        origins: tuple[Origin, ...] | None = None
        """Fit captions of these origins only; none means all."""

    def __init__(self, params: Params) -> None:
        """Load the tokenizer. Raises UserError if the budget is unknown or its tokenizer cannot be had."""
        self._params = params
        factory = cast("_BudgetFactory", resolve("budgets", params.budget))
        self._budget = factory(limit=params.limit, tokenizer=params.tokenizer)

    def process(self, records: Sequence[Record], context: Context) -> list[Outcome]:
        """Return every record, its over-long captions replaced by ones that fit."""
        return [Kept(self._fitted(record)) for record in records]

    def _fitted(self, record: Record) -> Record:
        kept = [caption.text for caption in record.captions if caption.kept]
        # Of a source text that was cleaned, the cleaned one is fitted; one short form of it is enough.
        cleaned = {
            p for c in record.captions if c.provenance.stage == "normalise" for p in c.provenance.parents
        }
        counts = iter(self._budget.count_many(kept))
        captions: list[Caption] = []
        children: list[Caption] = []
        for caption in record.captions:
            if not caption.kept:
                captions.append(caption)
                continue
            tokens = next(counts)
            counted = replace(caption, scores={**caption.scores, "tokens": Score(value=tokens)})
            if tokens > self._budget.limit and self._concerns(caption) and caption.id not in cleaned:
                counted, shorter = self._shortened(counted, tokens, record)
                children.extend(shorter)
            captions.append(counted)
        known = {caption.id for caption in captions}
        for child in children:
            # A second run of the stage, or two equal parts of a text, must not say the same twice.
            if child.id not in known:
                known.add(child.id)
                captions.append(child)
        return replace(record, captions=tuple(captions))

    def _concerns(self, caption: Caption) -> bool:
        return self._params.origins is None or caption.origin in self._params.origins

    def _shortened(self, caption: Caption, tokens: int, record: Record) -> tuple[Caption, list[Caption]]:
        """Return the over-long caption as history, and the captions in its place."""
        fitted = fit(caption.text, self._budget, support=_support(caption, record), mode=self._params.mode)
        reason = f"{tokens} tokens where {self._budget.name} takes {self._budget.limit}"
        if not fitted.texts:
            reason += f", and it cannot be cut: {fitted.note}"
        children = [self._child(caption, fitted, part) for part in range(len(fitted.texts))]
        return as_history(caption, "over_budget", reason), children

    def _child(self, parent: Caption, fitted: Fitted, part: int) -> Caption:
        text = fitted.texts[part]
        details: dict[str, JsonValue] = {
            "budget": self._budget.name,
            "tokenizer": self._budget.source,
            "limit": self._budget.limit,
            "tokens_before": fitted.tokens_before,
            "tokens_after": fitted.tokens_after,
            "tokens_lost": fitted.tokens_lost,
            "cut_at": fitted.cut_at,
            "dropped": [lost[:_DROPPED_CHARACTERS] for lost in fitted.dropped[:_DROPPED_TEXTS]],
        }
        if len(fitted.texts) > 1:
            details |= {"part": part + 1, "of": len(fitted.texts)}
        flags = dict(parent.flags)
        if fitted.note:
            flags["hard_cut"] = fitted.note
        return replace(
            parent,
            text=text,
            provenance=Provenance(stage=self.name, version=self.version, parents=(parent.id,), details=details),
            scores={**parent.scores, "tokens": Score(value=self._budget.count(text))},
            flags=flags,
        )


def _support(caption: Caption, record: Record) -> Support | None:
    """Return what judges a sentence by the words that evidence and the alt-text back; None if there are none."""
    backed: set[str] = set()
    for evidence in record.evidence:
        if evidence.kind != "pixel":
            backed |= content_words(evidence.label)
    if caption.origin != "alt":
        backed |= content_words(record.original_text or "")
    if not backed:
        return None

    def share(sentence: str) -> float:
        words = content_words(sentence)
        return len(words & backed) / len(words) if words else 0.0

    return share
