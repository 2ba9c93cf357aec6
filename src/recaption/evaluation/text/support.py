"""How far other texts about the same image bear a text out, word by word, without any model.

What one draw says and the others do not is more often invented than what all say (Manakul et al. 2023, SelfCheckGPT).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence

__all__ = ["others_than", "support", "surprise"]


def others_than(text: str, candidates: Sequence[str]) -> list[str]:
    """Return the candidates without the text itself: one draw that says the same is it, further ones bear it out."""
    others = list(candidates)
    if text in others:
        others.remove(text)
    return others


def support(units: Collection[str], others: Sequence[Collection[str]]) -> float | None:
    """Return how often others say the distinct units of a text, averaged over these, in [0, 1].

    None where the text has no units or there are no others.
    """
    distinct = set(units)
    if not distinct or not others:
        return None
    return sum(unit in other for unit in distinct for other in others) / (len(distinct) * len(others))


def surprise(words: Sequence[str], others: Sequence[Sequence[str]]) -> float | None:
    """Return the mean negative logarithm, in nats, of a text's words in the words of it and all others together.

    SelfCheckGPT's unigram variant without smoothing. None where the text has no words.
    """
    if not words:
        return None
    counts = Counter(words)
    for other in others:
        counts.update(other)
    total = math.log(counts.total())
    return sum(total - math.log(counts[word]) for word in words) / len(words)
