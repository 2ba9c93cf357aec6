"""Made-up judgements on made-up embeddings, of which it is known what can be learned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recaption.audit.examples import Examples, Judged, Label, Pair
from recaption.models.preference_head import TRAITS

Floats = NDArray[np.float64]
PLACES = 12


def features(texts: int, seed: int) -> Floats:
    """Features of unrelated images and texts; the cosine is the sum of the places, as in truth."""
    rng = np.random.default_rng(seed)
    product = rng.normal(size=(texts, PLACES)) / PLACES**0.5
    return np.column_stack([product.sum(axis=1), rng.normal(size=(texts, len(TRAITS) - 1)), product])


def judged(n: int, seed: int, taste: Callable[[Floats], Floats]) -> tuple[Examples, Floats]:
    """Return so many captions, accepted by chances whose logits `taste` gives from their features."""
    found = features(n, seed)
    accepted = np.random.default_rng(seed + 1).random(n) < 1 / (1 + np.exp(-taste(found)))
    examples = Examples(
        keys=tuple(f"{i:05d}" for i in range(n)),
        images=(None,) * n,
        texts=tuple(Judged(item=i, text=f"text {i}") for i in range(n)),
        labels=tuple(Label(i, bool(yes), 1.0) for i, yes in enumerate(accepted)),
        pairs=(),
    )
    return examples, found


def preferred(n: int, seed: int, taste: Callable[[Floats], Floats]) -> tuple[Examples, Floats]:
    """Return as many items with two texts, of which one is preferred by chances whose logits are the difference."""
    found = features(2 * n, seed)
    logits = taste(found)
    first = np.random.default_rng(seed + 1).random(n) < 1 / (1 + np.exp(-(logits[::2] - logits[1::2])))
    examples = Examples(
        keys=tuple(f"{i:05d}" for i in range(n)),
        images=(None,) * n,
        texts=tuple(Judged(item=i // 2, text=f"text {i}") for i in range(2 * n)),
        labels=(),
        pairs=tuple(
            Pair(2 * i, 2 * i + 1, "prefer", 1.0) if yes else Pair(2 * i + 1, 2 * i, "prefer", 1.0)
            for i, yes in enumerate(first)
        ),
    )
    return examples, found
