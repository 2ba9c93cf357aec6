"""How to evaluate: what decides the figures beside data and models."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from recaption.recipes.strict import StrictModel

__all__ = ["Options"]


class Options(StrictModel):
    """All have defaults that suit a first look."""

    seed: int = Field(default=0, ge=0)
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
    document_frequencies: Path | None = None
    """File of how rare n-grams are in references (`evaluation/text/frequency_file.py`), so that subsets and shards
    have the same CIDEr-D; None: counted in the references at hand."""
    freeze_document_frequencies: Path | None = None
    """Write such a file, of the references at hand."""
    grammar_rules: tuple[str, ...] | None = None
    """Names of the grammar rules in force (`evaluation/text/grammar_rules.py`); None: all but `lower_start`."""
    languagetool: str | None = None
    """Address of a LanguageTool server on this machine, or a folder with `languagetool-server.jar`."""
    languagetool_elsewhere: bool = False
    """Let `languagetool` be another machine: the texts are sent there."""
    judged: int = Field(default=200, ge=1)
    """Items that a judge is asked about, a seeded sample."""
    class_words: Path | None = None
    """YAML file of the classes that hallucination is counted for, each with the other words for it
    (`cat: [kitten, tabby]`); None: those of COCO, or the labels themselves."""
