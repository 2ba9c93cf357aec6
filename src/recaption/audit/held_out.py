"""Is what was learned better than what was there? Both are asked about the same pairs, which neither has seen.

Three kinds of pairs. A caption that was accepted against one that was not, of two images: how often the accepted one
scores higher is the area under the ROC curve. The card that was preferred against another card, and an edited text
against what it was made of: both of one image. Intervals are of resampled items, both sides over the same resamples.

Edited texts teach, and are shown, but decide nothing: what a person wrote differs from what a model writes in more
than in being right, and a score that tells the two apart need not tell two captions of a model apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recaption.audit.examples import Examples
from recaption.statistics.bootstrap import percentile_interval, resampled_sums
from recaption.statistics.discrimination import auc
from recaption.statistics.intervals import CONFIDENCE, Interval, wilson

__all__ = ["FEWEST", "Comparison", "Figure", "Kind", "compared", "is_enough"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Kind: TypeAlias = Literal["accepted", "preferred", "edited"]

FEWEST: Final = 50
"""Captions of each sort, accepted and not, or items with a preference, below which nothing is decided."""
_RESAMPLES: Final = 2_000
_DRAWS_AT_ONCE: Final = 2_000_000
_DECIDING: Final[tuple[Kind, ...]] = ("accepted", "preferred")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A share of pairs in which the better text scores higher, equals counting half; or what two shares differ by."""

    value: float
    interval: Interval | None
    """None where too few resamples have such a figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was learned beside the plain scores, on pairs of one kind."""

    kind: Kind
    pairs: int
    items: int
    enough: bool
    """Whether it may decide anything."""
    learned: Figure
    plain: Mapping[str, float]
    """By name, of those scores that all these texts have."""
    against: str
    """The best of them."""
    best: Figure
    gain: Figure
    """`learned` less `best`. Its interval is as wide as deciding by several kinds of pairs at once asks for."""


def is_enough(examples: Examples, kind: Kind) -> bool:
    """Say whether there are pairs enough of a kind, and of a kind that decides."""
    if kind == "edited":
        return False
    if kind == "accepted":
        accepted = sum(label.accepted for label in examples.labels)
        return min(accepted, len(examples.labels) - accepted) >= FEWEST
    preferred = {examples.texts[pair.better].item for pair in examples.pairs if pair.kind == "prefer"}
    return len(preferred) >= FEWEST


def compared(
    examples: Examples, folds: Integers, learned: Floats, plain: Mapping[str, Floats], *, seed: int
) -> list[Comparison]:
    """Return the comparison on each kind of pairs that there is.

    Args:
        folds: Of each item; captions of two images are held against each other within a fold alone, since scores of
            two folds are by two models.
        learned: Of each text, by a model that has not seen its item.
        plain: By name: of each text, higher for better; NaN where it has none.
    """
    deciding = sum(is_enough(examples, kind) for kind in _DECIDING)
    confidence = 1 - (1 - CONFIDENCE) / max(1, deciding)
    found = [_across(examples, folds, learned, plain, seed, confidence)]
    found += [_within(examples, kind, learned, plain, seed, confidence) for kind in ("preferred", "edited")]
    return [comparison for comparison in found if comparison is not None]


def _across(
    examples: Examples,
    folds: Integers,
    learned: Floats,
    plain: Mapping[str, Floats],
    seed: int,
    confidence: float,
) -> Comparison | None:
    texts = np.array([label.text for label in examples.labels], dtype=np.int64)
    accepted = np.array([label.accepted for label in examples.labels], dtype=np.bool_)
    of_text = np.array([text.item for text in examples.texts], dtype=np.int64)
    blocks = list(_blocks(folds[of_text[texts]] if len(texts) else texts, accepted))
    if not blocks:
        return None
    scored = {name: values[texts] for name, values in plain.items()}
    values = {name: _area(blocks, some) for name, some in scored.items() if np.isfinite(some).all()}
    against = max(values, key=values.__getitem__)
    ours, theirs = _resampled_areas(blocks, learned[texts], scored[against], seed)
    value = _area(blocks, learned[texts])
    return Comparison(
        kind="accepted",
        pairs=sum(len(yes) * len(no) for yes, no in blocks),
        items=len(texts),
        enough=is_enough(examples, "accepted"),
        learned=Figure(value=value, interval=_area_interval(value, ours, accepted)),
        plain=values,
        against=against,
        best=Figure(value=values[against], interval=_area_interval(values[against], theirs, accepted)),
        gain=Figure(value=value - values[against], interval=percentile_interval(ours - theirs, confidence)),
    )


def _blocks(folds: Integers, accepted: NDArray[np.bool_]) -> Iterator[tuple[Integers, Integers]]:
    """Yield the accepted and the other labels of each fold that has both."""
    for fold in np.unique(folds):
        yes, no = np.flatnonzero((folds == fold) & accepted), np.flatnonzero((folds == fold) & ~accepted)
        if len(yes) and len(no):
            yield yes, no


def _wins(scores: Floats, yes: Integers, no: Integers) -> Floats:
    one, other = scores[yes][:, None], scores[no][None, :]
    return np.asarray((one > other) + 0.5 * (one == other), dtype=np.float64)


def _area(blocks: Sequence[tuple[Integers, Integers]], scores: Floats) -> float:
    won = sum(float(_wins(scores, yes, no).sum()) for yes, no in blocks)
    return won / sum(len(yes) * len(no) for yes, no in blocks)


def _resampled_areas(
    blocks: Sequence[tuple[Integers, Integers]], ours: Floats, theirs: Floats, seed: int
) -> tuple[Floats, Floats]:
    """Return both areas over resampled labels; NaN where a resample has no pair."""
    rng = np.random.default_rng(seed)
    n = len(ours)
    tables = [(yes, no, _wins(ours, yes, no), _wins(theirs, yes, no)) for yes, no in blocks]
    found = np.zeros((_RESAMPLES, 3))
    step = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, _RESAMPLES, step):
        rows = min(step, _RESAMPLES - start)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=rows).astype(np.float64)
        part = found[start : start + rows]
        for yes, no, one, other in tables:
            up, down = counts[:, yes], counts[:, no]
            part[:, 0] += ((up @ one) * down).sum(axis=1)
            part[:, 1] += ((up @ other) * down).sum(axis=1)
            part[:, 2] += up.sum(axis=1) * down.sum(axis=1)
    of = np.where(found[:, 2] > 0, found[:, 2], np.nan)
    return found[:, 0] / of, found[:, 1] / of


def _area_interval(value: float, resampled: Floats, accepted: NDArray[np.bool_]) -> Interval | None:
    if 0 < value < 1:
        return percentile_interval(resampled)
    # Wholly apart, no resample ever differs; a score interval has width all the same.
    area = auc(np.where(accepted, value, 1 - value), accepted)
    return None if area.low is None or area.high is None else Interval(area.low, area.high)


def _within(
    examples: Examples,
    kind: Kind,
    learned: Floats,
    plain: Mapping[str, Floats],
    seed: int,
    confidence: float,
) -> Comparison | None:
    wanted = "prefer" if kind == "preferred" else "edit"
    pairs = [pair for pair in examples.pairs if pair.kind == wanted]
    if not pairs:
        return None
    better, worse = (
        np.array(some, dtype=np.int64) for some in zip(*((p.better, p.worse) for p in pairs), strict=True)
    )
    weights = np.array([pair.weight for pair in pairs])
    _, items = np.unique([examples.texts[i].item for i in better], return_inverse=True)
    won = {name: _won(values, better, worse) for name, values in plain.items()}
    known = {name: values for name, values in won.items() if np.isfinite(values).all()}
    rates = {name: float((values * weights).sum() / weights.sum()) for name, values in known.items()}
    against = max(rates, key=rates.__getitem__)
    ours, theirs = _won(learned, better, worse), known[against]
    n = int(items.max()) + 1
    parts: Floats = np.column_stack(
        [
            np.bincount(items, weights=weights * some, minlength=n)
            for some in (ours, theirs, np.ones(len(pairs)))
        ]
    )
    sums = resampled_sums(parts, seed=seed, resamples=_RESAMPLES)
    value = float((ours * weights).sum() / weights.sum())
    return Comparison(
        kind=kind,
        pairs=len(pairs),
        items=n,
        enough=is_enough(examples, kind),
        # Pairs of one item are no independent trials; items are.
        learned=Figure(value=value, interval=wilson(value * n, n)),
        plain=rates,
        against=against,
        best=Figure(value=rates[against], interval=wilson(rates[against] * n, n)),
        gain=Figure(
            value=value - rates[against],
            interval=percentile_interval((sums[:, 0] - sums[:, 1]) / sums[:, 2], confidence),
        ),
    )


def _won(scores: Floats, better: Integers, worse: Integers) -> Floats:
    """Return 1 where the better text scores higher, a half where equal, 0 where lower; NaN where one has no score."""
    one, other = scores[better], scores[worse]
    won = (one > other) + 0.5 * (one == other)
    return np.where(np.isfinite(one) & np.isfinite(other), won, np.nan)
