"""The scores that a run has already, of each text that people spoke of: what a preference model must surpass."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recaption.audit.examples import Examples
from recaption.core.errors import UserError
from recaption.core.types import Caption, Kept, Provenance, Record
from recaption.evaluation.tools import Tools
from recaption.recipes.backends import BackendValue
from recaption.recipes.recipe import Recipe
from recaption.stages.score import Score

__all__ = ["COSINE", "plain_scores"]

Floats: TypeAlias = NDArray[np.float64]

COSINE: Final = "cosine"
"""Name of the score that all texts have: the agreement of image and text by the encoder itself."""
_SAME: Final = 1e-4


def plain_scores(
    examples: Examples, cosine: Floats, recipe: Recipe | None, tools: Tools
) -> tuple[dict[str, Floats], list[str]]:
    """Return the run's scores and the encoder's cosine by label, of each text, NaN where there is none; and notes.

    The recipe's scorers are asked about what people wrote, through the ledger. One that is not on this machine is
    noted: then such texts go without.
    """
    labels = sorted({label for judged in examples.texts for label in judged.scores})
    known, found, notes = recipe.scorers if recipe else {}, {}, []
    for label in labels:
        values = np.array([judged.scores.get(label, np.nan) for judged in examples.texts], dtype=np.float64)
        if label in known and np.isnan(values).any():
            try:
                _fill(values, label, known[label], examples, tools)
            except UserError as error:
                notes.append(f"what people wrote was not scored as {label}: {error}")
        found[label] = values
    if not any(_is_same(values, cosine) for values in found.values()):
        found[COSINE] = cosine
    return found, notes


def _fill(values: Floats, label: str, named: BackendValue, examples: Examples, tools: Tools) -> None:
    """Score the texts that lack a value."""
    stage = Score(Score.Params(scorers={label: named}, on_image_error="keep"))
    try:
        for i in np.flatnonzero(np.isnan(values)):
            judged = examples.texts[i]
            caption = Caption(text=judged.text, origin="human", provenance=Provenance(stage="audit"))
            image = examples.images[judged.item]
            record = Record(key=examples.keys[judged.item], image=image, captions=(caption,))
            (outcome,) = stage.process([record], tools.context())
            score = outcome.record.captions[0].scores[label] if isinstance(outcome, Kept) else None
            if score is not None and score.value is not None:
                values[i] = score.value
    finally:
        stage.close()


def _is_same(values: Floats, cosine: Floats) -> bool:
    """Say whether a score is the encoder's cosine, under a name that the run knows it by."""
    return not bool(np.isnan(values).any()) and bool(np.allclose(values, cosine, atol=_SAME))
