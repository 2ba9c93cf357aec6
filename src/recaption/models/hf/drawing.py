"""How the next token is drawn: penalties, guidance, temperature, nucleus, and noise that knows no neighbours.

A row is drawn by the Gumbel-max trick: the token with the highest logit plus Gumbel noise is a sample of the softmax
(Gumbel 1954; Maddison et al. 2014). The noise is a function of the row's seed, the step and the token, so a text does
not depend on what else is in its batch, nor on the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from recaption.core.protocols import Sampling

__all__ = ["Draw", "Limits", "Penalties", "gumbel"]

# Constants of SplitMix64 (Steele et al. 2014), as signed 64-bit integers.
_STEP, _MIX1, _MIX2 = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15


def gumbel(seeds: Tensor, step: int, size: int) -> Tensor:
    """Return Gumbel noise for the tokens of a vocabulary, float32 (rows, size), by int64 seeds (rows,)."""
    row = _mixed(_mixed(seeds) + _wrapped(step * _STEP))
    tokens = torch.arange(1, size + 1, device=seeds.device) * _STEP
    bits = _shifted(_mixed(row[:, None] + tokens), 11)
    uniform = (bits.double() + 0.5) * 2.0**-53
    return (-torch.log(-torch.log(uniform))).float()


def _wrapped(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _shifted(x: Tensor, by: int) -> Tensor:
    return (x >> by) & ((1 << (64 - by)) - 1)


def _mixed(x: Tensor) -> Tensor:
    x = (x ^ _shifted(x, 30)) * _MIX1
    x = (x ^ _shifted(x, 27)) * _MIX2
    return x ^ _shifted(x, 31)


class Penalties(LogitsProcessor):
    """Repetition penalty and banned n-grams, over the tokens written and never over the prompt.

    `start` is how many columns stand before the first token written, once that is known.
    """

    def __init__(self, sampling: Sequence[Sampling], device: torch.device) -> None:
        self.start: int | None = None
        self._penalty = torch.tensor([s.repetition_penalty for s in sampling], device=device)[:, None]
        self._penal = any(s.repetition_penalty != 1 for s in sampling)
        self._ngrams = [s.no_repeat_ngram for s in sampling]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return the scores (rows, vocabulary), lowered."""
        return self._lowered(self._written(input_ids), scores)

    def _written(self, input_ids: Tensor) -> Tensor:
        if self.start is None:
            self.start = input_ids.shape[1]
        return input_ids[:, self.start :]

    def _lowered(self, written: Tensor, scores: Tensor) -> Tensor:
        if self._penal and written.shape[1]:
            old = scores.gather(1, written)
            scores = scores.scatter(1, written, torch.where(old < 0, old * self._penalty, old / self._penalty))
        if any(self._ngrams):
            scores = scores.clone()
            for row, (size, tokens) in enumerate(zip(self._ngrams, written.tolist(), strict=True)):
                banned = _banned(tokens, size)
                if banned:
                    scores[row, banned] = -torch.inf
        return scores


def _banned(tokens: list[int], size: int) -> list[int]:
    """Return the tokens that would complete a run of `size` tokens which has been written before."""
    if not size or len(tokens) < size:
        return []
    tail = tokens[len(tokens) - size + 1 :]
    return [tokens[i + size - 1] for i in range(len(tokens) - size + 1) if tokens[i : i + size - 1] == tail]


class Draw(Penalties):
    """Draws one token per row, and keeps its log-probability under the model itself.

    With more than one of `beam_groups`, so many rows that follow one another belong to one request, and each keeps
    away from the tokens of those before it: diverse beam search with one beam per group (Vijayakumar et al. 2016).

    With `guidance` other than None the rows come twice, first with the picture and then without, and both halves are
    given the token drawn from the guided scores (Sanchez et al. 2023).
    """

    def __init__(
        self,
        sampling: Sequence[Sampling],
        seeds: Sequence[int],
        guidance: float | None,
        device: torch.device,
        ends: Sequence[int] = (),
    ) -> None:
        """Take one sampling and one seed per row; `ends` are the tokens of which any ends a text."""
        super().__init__(sampling, device)
        self._ends = torch.tensor(list(ends), dtype=torch.int64, device=device)
        self._groups, self._diversity = sampling[0].beam_groups, sampling[0].diversity_penalty
        self._guidance = guidance
        self._heat = torch.tensor([s.temperature for s in sampling], device=device)[:, None]
        self._nucleus = torch.tensor([s.top_p for s in sampling], device=device)[:, None]
        self._seeds = torch.tensor(list(seeds), dtype=torch.int64, device=device)
        self._drawn = any(s.temperature > 0 for s in sampling)
        self._cut = any(s.top_p < 1 for s in sampling)
        self._raw: Tensor | None = None
        self._logprobs: list[Tensor] = []
        self._broken = torch.zeros(len(sampling), dtype=torch.bool, device=device)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return scores whose highest is the token drawn."""
        rows = len(self._seeds)
        written = self._written(input_ids)[:rows]
        self._note(written)
        self._raw = scores[:rows].float()
        scores = self._guided(scores.float())
        scores = self._lowered(written, scores)
        if self._groups > 1:
            going = ~torch.isin(written, self._ends).any(dim=1)
            scores = _diverse(scores, self._groups, self._diversity, going)
        if self._drawn:
            scores = self._noisy(scores, written.shape[1])
        return scores if self._guidance is None else torch.cat([scores, scores])

    def finished(self, written: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities (rows, tokens), and which rows saw a logit that was no number."""
        self._note(written)
        self._raw = None
        return torch.stack(self._logprobs, dim=1), self._broken

    def _note(self, written: Tensor) -> None:
        """Keep the log-probability of the token that was drawn last: known only now that it was drawn."""
        if self._raw is None:
            return
        total = self._raw.logsumexp(dim=1)
        self._broken |= ~torch.isfinite(total)
        last = written[:, len(self._logprobs)]
        self._logprobs.append(self._raw.gather(1, last[:, None])[:, 0] - total)

    def _guided(self, scores: Tensor) -> Tensor:
        if self._guidance is None:
            return scores
        seeing, blind = scores.log_softmax(dim=1).chunk(2)
        return blind + self._guidance * (seeing - blind)

    def _noisy(self, scores: Tensor, step: int) -> Tensor:
        hot = self._heat > 0
        warm = scores / torch.where(hot, self._heat, torch.ones_like(self._heat))
        if self._cut:
            warm = _nucleus(warm, self._nucleus)
        noisy = warm + gumbel(self._seeds, step, scores.shape[1])
        return torch.where(hot, noisy, scores)


def _diverse(scores: Tensor, groups: int, penalty: float, going: Tensor) -> Tensor:
    """Lower, for each group that follows others, the tokens that those before it, if still going, take now."""
    apart = scores.view(-1, groups, scores.shape[1]).clone()
    taken = torch.zeros_like(apart[:, 0])
    for group in range(groups):
        apart[:, group] -= penalty * taken
        chosen = apart[:, group].argmax(dim=1, keepdim=True)
        taken.scatter_add_(1, chosen, going.view(-1, groups)[:, group, None].to(taken.dtype))
    return apart.view_as(scores)


def _nucleus(scores: Tensor, share: Tensor) -> Tensor:
    """Keep the fewest most probable tokens that together reach a share (Holtzman et al. 2020)."""
    ordered, order = scores.sort(dim=1, descending=True, stable=True)
    chances = ordered.softmax(dim=1)
    beyond = (chances.cumsum(dim=1) - chances >= share) & (share < 1)
    return scores.masked_fill(torch.zeros_like(beyond).scatter(1, order, beyond), -torch.inf)


class Limits(StoppingCriteria):
    """Ends each row at its own number of tokens."""

    def __init__(self, most: Sequence[int], draw: Penalties, device: torch.device) -> None:
        self._most = torch.tensor(list(most), device=device)
        self._draw = draw

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: object) -> Tensor:
        """Return which rows are done."""
        ended: Tensor = input_ids.shape[1] - (self._draw.start or 0) >= self._most
        return ended
