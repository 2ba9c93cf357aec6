"""How sure a mean over test items and trainings is, where every training is tested on the same items."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recaption.statistics.bootstrap import percentile_interval, resampled_sums
from recaption.statistics.intervals import Interval

__all__ = ["FEW_SEEDS", "crossed_intervals"]

FEW_SEEDS: Final = 5
"""Below this many trainings the interval is too narrow more often than it says."""


def crossed_intervals(values: NDArray[np.float64], seed: int) -> list[Interval | None]:
    """Return 95 % bootstrap intervals of the means of several figures; None without items.

    Items and trainings are both drawn with replacement, and all trainings see the same draw of items, as they are
    tested on the same ones (the pigeonhole bootstrap, Owen 2007). Means of S draws out of S have (S - 1) / S of the
    variance they should have, which tells where S is 3: how far a draw of trainings is from all of them is therefore
    stretched by the root of S / (S - 1). One training says nothing of how trainings differ: then the interval is of
    the items alone.

    Three trainings are few all the same. Simulated with normal noise, 600 times each: where items are all the noise,
    the interval covers the truth 98 times of 100 (what both share is counted twice); half and half, 95 times; where
    trainings are nearly all of it, 83 times with three of them and 89 times with five.

    Args:
        values: Shape (items, figures, trainings); all figures see the same resamples.
        seed: Equal seeds give equal resamples.
    """
    items, count, trainings = values.shape
    if not items or not trainings:
        return [None] * count
    sums = resampled_sums(values.reshape(items, -1), seed=seed)
    means = sums.reshape(len(sums), count, trainings) / items
    middle = means.mean(axis=2)
    if trainings > 1:
        drawn = np.random.default_rng([seed, trainings]).integers(trainings, size=(len(means), 1, trainings))
        off = np.take_along_axis(means, np.broadcast_to(drawn, means.shape), axis=2).mean(axis=2) - middle
        middle = middle + off * np.sqrt(trainings / (trainings - 1))
    return [percentile_interval(middle[:, i]) for i in range(count)]
