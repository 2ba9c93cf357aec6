"""How hard English is to read, by formulas of lengths alone. They measure length of words and sentences, no more."""

from __future__ import annotations

import numpy as np

from recaption.evaluation.measures import Floats

__all__ = ["automated_readability", "lix"]


def automated_readability(sums: Floats) -> Floats:
    """Return the Automated Readability Index (Smith & Senter 1967), about the years of school that a reader needs.

    Args:
        sums: (..., 3): letters and digits, words, sentences. NaN comes back where there is no word or no sentence.
    """
    letters, words, sentences = sums[..., 0], sums[..., 1], sums[..., 2]
    result: Floats = 4.71 * _over(letters, words) + 0.5 * _over(words, sentences) - 21.43
    return result


def lix(sums: Floats) -> Floats:
    """Return LIX (Björnsson 1968): words per sentence, plus the percentage of long words.

    Args:
        sums: (..., 3): long words, words, sentences. NaN comes back where there is no word or no sentence.
    """
    long_words, words, sentences = sums[..., 0], sums[..., 1], sums[..., 2]
    result: Floats = _over(words, sentences) + 100 * _over(long_words, words)
    return result


def _over(top: Floats, bottom: Floats) -> Floats:
    result: Floats = np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom != 0)
    return result
