"""BLEU and CIDEr-D as plain loops over words: slow, obvious, and what the fast ones are held against."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["plain_bleu", "plain_cider", "plain_parts"]

Words = Sequence[str]


def counted(text: Words, n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))


def plain_parts(text: Words, references: Sequence[Words]) -> list[int]:
    """Return matches and totals of four orders, the length, and that of the closest reference."""
    if not references:
        return [0] * 10
    matches, totals = [], []
    for n in (1, 2, 3, 4):
        most: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            most |= counted(reference, n)
        own = counted(text, n)
        matches.append((own & most).total())
        totals.append(own.total())
    closest = min((abs(len(r) - len(text)), len(r)) for r in references)[1]
    return [*matches, *totals, len(text), closest]


def plain_bleu(parts: Sequence[float], n: int) -> float:
    product = math.prod((parts[k] + 1e-15) / (parts[4 + k] + 1e-9) for k in range(n)) ** (1 / n)
    ratio = (parts[8] + 1e-15) / (parts[9] + 1e-9)
    return product * (math.exp(1 - 1 / ratio) if ratio < 1 else 1)


def plain_cider(texts: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """Return CIDEr-D of one text an item, frequencies from the references."""
    seen: Counter[tuple[str, ...]] = Counter()
    for some in references:
        seen.update({gram for r in some for n in (1, 2, 3, 4) for gram in counted(r, n)})
    total = math.log(len(references))

    def weighed(text: Words, n: int) -> dict[tuple[str, ...], float]:
        return {g: c * (total - math.log(max(1, seen[g]))) for g, c in counted(text, n).items()}

    def norm(weights: Iterable[float]) -> float:
        return math.sqrt(sum(w * w for w in weights))

    scores = []
    for text, some in zip(texts, references, strict=True):
        values = []
        for reference in some:
            apart = max(0, len(text) - 1) - max(0, len(reference) - 1)
            for n in (1, 2, 3, 4):
                own, theirs = weighed(text, n), weighed(reference, n)
                product = sum(min(w, theirs[g]) * theirs[g] for g, w in own.items() if g in theirs)
                size = norm(own.values()) * norm(theirs.values())
                values.append((product / size if size else 0.0) * math.exp(-(apart**2) / 72))
        scores.append(10 * sum(values) / len(values))
    return scores
