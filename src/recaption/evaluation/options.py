"""How to evaluate: what decides the figures beside data and models."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from recaption.recipes.strict import StrictModel

__all__ = ["Options"]


class Options(StrictModel):
    """All have defaults that suit a first look."""

    seed: int = 0
    """Decides the sample, resamples, bags and every other random choice."""
    batch_size: int = Field(default=64, ge=1)
    """Items whose images are decoded together."""
    budget_tokens: int = Field(default=50_000, ge=100)
    """Tokens drawn for figures that fall with the size of the text (distinct-n)."""
    bag_sizes: tuple[int, ...] = (3, 5, 7)
    """Images of a bag of look-alikes."""
    distractors: int = Field(default=99, ge=1)
    """Other images that a caption must tell its own from, in self-retrieval."""
    ngram_corpus: Path | None = None
    """Text file, one text a line, that the built-in language model learns from; None: from the references or the
    baseline, each text judged by a model that has not seen it."""
    languagetool: str | None = None
    """Address of a LanguageTool server on this machine, or a folder with `languagetool-commandline.jar`."""
    judged: int = Field(default=200, ge=1)
    """Items that a judge is asked about, a seeded sample."""
