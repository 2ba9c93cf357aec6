"""Who beats whom: net wins, whether a judge minds the order, Bradley–Terry strengths and Elo ratings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recaption.statistics.bootstrap import percentile_interval, resampled_sums
from recaption.statistics.estimates import Estimate
from recaption.statistics.intervals import Interval, sign_test, wilson

__all__ = [
    "Duels",
    "bradley_terry",
    "duels",
    "elo",
    "first_position_wins",
    "order_consistency",
    "strengths",
]

Floats: TypeAlias = NDArray[np.float64]

ELO_K: Final = 4.0
ELO_SCALE: Final = 400.0
ELO_START: Final = 1000.0
_RESAMPLES: Final = 1_000
_ITERATIONS: Final = 200
_LONGEST_STEP: Final = 1.0
_CLOSE: Final = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Duels:
    """Wins and losses of one side, with what follows from them; ties count for the net rate alone."""

    wins: int
    ties: int
    losses: int
    net_rate: float | None
    """(wins - losses) over all, in [-1, 1]; None where there were none."""
    win_rate: float | None
    """Share of wins among what was decided; None where nothing was."""
    interval: Interval
    """Wilson's, of `win_rate`."""
    p_value: float
    """Of the exact sign test; near the margin it and the interval may disagree."""

    @property
    def n(self) -> int:
        return self.wins + self.ties + self.losses


def duels(wins: int, ties: int, losses: int) -> Duels:
    """Return what follows from so many wins, ties and losses."""
    n, decided = wins + ties + losses, wins + losses
    return Duels(
        wins=wins,
        ties=ties,
        losses=losses,
        net_rate=(wins - losses) / n if n else None,
        win_rate=wins / decided if decided else None,
        interval=wilson(wins, decided),
        p_value=sign_test(wins, losses),
    )


def order_consistency(verdicts: Sequence[tuple[int, int]]) -> float | None:
    """Return the share of pairs that were judged alike in both orders; None of none.

    Args:
        verdicts: Of each pair, for the same side, as judged with it first and with it second: 1 it won, 0 a tie,
            -1 it lost.
    """
    return sum(a == b for a, b in verdicts) / len(verdicts) if verdicts else None


def first_position_wins(verdicts: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return how often what stood first won, and how many verdicts named a winner; see `order_consistency`."""
    shown_first = [value for a, b in verdicts for value in (a, -b) if value]
    return sum(value > 0 for value in shown_first), len(shown_first)


def strengths(wins: Floats) -> Floats:
    """Return Bradley–Terry strengths, natural logarithms with the first player's 0, at the maximum of likelihood.

    Args:
        wins: How often the row beat the column, shape (..., players, players); a tie is half a win for both.

    Returns:
        Shape (..., players). NaN where no finite strengths exist: some players never lost to the others, or were
        never compared with them (Ford 1957).
    """
    stack = wins.reshape(-1, *wins.shape[-2:])
    found = np.full(stack.shape[:2], np.nan)
    good = _are_connected(stack)
    found[good] = _maximum(stack[good])
    result: Floats = found.reshape(wins.shape[:-1])
    return result


def _maximum(wins: Floats) -> Floats:
    """Return the strengths of tables that have some, by Newton's method with steps of limited length."""
    strength = np.zeros(wins.shape[:2])
    games, won = wins + wins.swapaxes(1, 2), wins.sum(axis=2)
    free, places = slice(1, wins.shape[1]), np.arange(wins.shape[1])
    for _ in range(_ITERATIONS if wins.size and wins.shape[1] > 1 else 0):
        chance = 1 / (1 + np.exp(strength[:, None, :] - strength[:, :, None]))
        slope = won - (games * chance).sum(axis=2)
        bend = -games * chance * (1 - chance)
        bend[:, places, places] -= bend.sum(axis=2)
        step = np.linalg.solve(bend[:, free, free], slope[:, free, None])[..., 0]
        strength[:, free] += np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if np.abs(step).max() < _CLOSE:
            break
    return strength


def bradley_terry(
    games: Sequence[tuple[int, int, float]], players: int, *, seed: int = 0, resamples: int = _RESAMPLES
) -> list[Estimate]:
    """Return each player's strength against the first (natural logarithm; that one's is 0) with its interval.

    Args:
        games: Of each game the two players and what the first of them got: 1, 0, or a half for a tie.
        players: How many there are.
        resamples: Of games.
    """
    parts = np.zeros((len(games), players * players))
    for row, (one, other, score) in zip(parts, games, strict=True):
        row[one * players + other] += score
        row[other * players + one] += 1 - score
    values = strengths(parts.sum(axis=0).reshape(players, players))
    if np.isnan(values).any():
        reason = "no finite strengths: some never lost, never won, or were never compared"
        return [Estimate(value=None, n=len(games), reason=reason)] * players
    sums = resampled_sums(parts, seed=seed, resamples=resamples)
    drawn = strengths(sums.reshape(-1, players, players))
    found = []
    for player, value in enumerate(values):
        interval = percentile_interval(drawn[:, player])
        found.append(
            Estimate(
                value=float(value),
                n=len(games),
                low=interval.low if interval else None,
                high=interval.high if interval else None,
                reason="" if interval else "undefined on most resamples",
            )
        )
    return found


def elo(
    games: Sequence[tuple[int, int, float]], players: int, *, seed: int = 0, orders: int = 1_000
) -> list[float]:
    """Return each player's Elo rating: K 4, scale 400, from 1000; the median over so many seeded orders of the games.

    Args:
        games: As for `bradley_terry`.
    """
    rng = np.random.default_rng(seed)
    ratings = np.full((orders, players), ELO_START)
    if games:
        table = np.array(games, dtype=np.float64)
        order = rng.permuted(np.tile(np.arange(len(games)), (orders, 1)), axis=1)
        rows = np.arange(orders)
        for step in range(len(games)):
            game = table[order[:, step]]
            one, other = game[:, 0].astype(np.int64), game[:, 1].astype(np.int64)
            gap = ratings[rows, other] - ratings[rows, one]
            gain = ELO_K * (game[:, 2] - 1 / (1 + 10 ** (gap / ELO_SCALE)))
            ratings[rows, one] += gain
            ratings[rows, other] -= gain
    return [float(value) for value in np.median(ratings, axis=0)]


def _are_connected(wins: Floats) -> NDArray[np.bool_]:
    """Say of each table whether everybody lost, by some chain, to everybody else."""
    k = wins.shape[1]
    reach = ((wins > 0) | np.eye(k, dtype=np.bool_)).astype(np.float64)
    for _ in range(math.ceil(math.log2(max(2, k)))):
        reach = (reach @ reach > 0).astype(np.float64)
    return np.asarray(reach.all(axis=(1, 2)), dtype=np.bool_)
