"""A small dual encoder, trained from random weights and tested on what it has not seen. The only module with torch.

Five convolutions see a picture, one transformer layer reads a text; each side is pooled by mean and maximum into one
vector. The loss is the symmetric contrastive one with a learned temperature (Radford et al. 2021, CLIP, section 2.3).
AdamW, a tenth of the steps to warm up, then half a cosine down to zero; pictures are shifted by up to a sixteenth.

First weights and the order of items hang on the seed alone, so that trainings of one seed differ in their texts and
in nothing else. On one number of threads equal input gives equal figures, to the last digit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from recaption.core.errors import BackendError
from recaption.evaluation.downstream.data import Pairs
from recaption.evaluation.downstream.encoding import Texts
from recaption.evaluation.downstream.options import LEARNING_RATE, RECALL_AT, DownstreamOptions
from recaption.evaluation.downstream.outcome import Trained
from recaption.evaluation.ranks import Vectors, rank_own

__all__ = ["LIBRARY", "train"]

LIBRARY: Final = f"torch {torch.__version__}"
"""Another release may add in another order."""

_EMBEDDING: Final = 128
_WORD: Final = 96
_HEADS: Final = 4
_CHANNELS: Final = (16, 32, 48, 96, 128)
_STRIDES: Final = (2, 2, 1, 2, 1)
_FIRST_SCALE: Final = math.log(1 / 0.07)
_MOST_SCALE: Final = math.log(100)
"""As CLIP bounds it."""
_WARM_UP: Final = 0.1
_DECAY: Final = 0.1
_SHIFTS: Final = 16
"""A picture is shifted by up to this part of its side."""
_ROWS_AT_ONCE: Final = 256
_LAST_STEPS: Final = 10

Integers = NDArray[np.int64]


def train(
    pairs: Pairs,
    column: str,
    seed: int,
    options: DownstreamOptions,
    watch: Callable[[int, float], None] = lambda step, loss: None,
) -> Trained:
    """Train on the texts of one column and return how the items held out fare.

    Args:
        watch: Told the steps done and the loss of the last.

    Raises:
        BackendError: The loss is no number any more.
    """
    with _set_apart(options.threads, seed):
        started = time.monotonic()
        model = _Model(pairs.words, options)
        losses = _fit(model, pairs, pairs.columns[column], seed, options, watch)
        model.eval()
        with torch.inference_mode():
            images = _rows(pairs.test_pixels, lambda part: model.images(_floats(part)))
            hits = {name: _hits(model, images, texts) for name, texts in pairs.tests.items()}
        return Trained(
            hits=hits,
            loss=float(np.mean(losses[-_LAST_STEPS:])),
            weights=sum(p.numel() for p in model.parameters()),
            seconds=time.monotonic() - started,
        )


@contextmanager
def _set_apart(threads: int, seed: int) -> Iterator[None]:
    """Leave torch's own lots and threads as they were."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _fit(
    model: _Model,
    pairs: Pairs,
    texts: Texts,
    seed: int,
    options: DownstreamOptions,
    watch: Callable[[int, float], None],
) -> list[float]:
    """Train the model and return the loss of every step."""
    deep = [p for p in model.parameters() if p.ndim > 1]
    flat = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": deep, "weight_decay": _DECAY}, {"params": flat, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, options.steps))
    # Lots of their own for the order, so that it cannot hang on how many the first weights took.
    rng = np.random.default_rng([seed, len(pairs.train_pixels)])
    first, count = texts.places()
    target = torch.arange(options.batch_size)
    losses = []
    for step, at in enumerate(_batches(rng, len(pairs.train_pixels), options)):
        # One of an item's texts, by a lot that is drawn for every column, also where there is no choice.
        chosen = first[at] + (rng.random(len(at)) * count[at]).astype(np.int64)
        images = model.images(_shifted(_floats(pairs.train_pixels[at]), rng))
        logits = model.scale() * images @ model.texts(_numbers(texts, chosen)).T
        loss = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise BackendError(f"training came to nothing: the loss of step {step + 1} is {losses[-1]}")
        watch(step + 1, losses[-1])
    return losses


def _batches(rng: np.random.Generator, items: int, options: DownstreamOptions) -> Iterator[Integers]:
    """Yield the items of every step: all in a new order each time, and none twice in a batch."""
    step = 0
    while True:
        order = rng.permutation(items)
        for start in range(0, items - options.batch_size + 1, options.batch_size):
            if step == options.steps:
                return
            yield order[start : start + options.batch_size]
            step += 1


def _rate(step: int, steps: int) -> float:
    """Return what the learning rate of a step is multiplied by."""
    return min(1.0, (step + 1) / (_WARM_UP * steps)) * (1 + math.cos(math.pi * step / steps)) / 2


def _floats(pixels: NDArray[np.uint8]) -> Tensor:
    """Return pictures as (B, 3, S, S), about -2 to 2."""
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25


def _shifted(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Return a batch moved by the same few pixels, its edge drawn out."""
    side = pictures.shape[-1]
    most = side // _SHIFTS
    down, right = (int(v) for v in rng.integers(2 * most + 1, size=2))
    padded = functional.pad(pictures, (most,) * 4, mode="replicate")
    return padded[:, :, down : down + side, right : right + side].contiguous(memory_format=torch.channels_last)


def _numbers(texts: Texts, rows: Integers) -> Tensor:
    """Return texts as (B, L), L the longest of them."""
    ids = texts.ids[rows]
    longest = int(np.count_nonzero(ids, axis=1).max())
    return torch.from_numpy(ids[:, :longest].astype(np.int64))


def _rows(things: NDArray[np.uint8] | Integers, embed: Callable[..., Tensor]) -> Vectors:
    parts = [embed(things[start : start + _ROWS_AT_ONCE]) for start in range(0, len(things), _ROWS_AT_ONCE)]
    return np.concatenate([part.numpy() for part in parts])


def _hits(model: _Model, images: Vectors, texts: Texts) -> dict[str, list[float]]:
    """Return for every measure one figure an item: the chance to be among the first K, ties broken by lot.

    The pool are the items that have a text in this test, `np.unique(texts.owners)` of them.
    """
    vectors = _rows(np.arange(len(texts.owners)), lambda rows: model.texts(_numbers(texts, rows)))
    items = np.unique(texts.owners)
    to_image = rank_own(vectors, texts.owners, images[items], items)
    to_text = rank_own(images[items], items, vectors, texts.owners)
    first, count = texts.places()
    found: dict[str, list[float]] = {}
    for k in RECALL_AT:
        found[f"recall_at_{k}.t2i"] = (np.add.reduceat(to_image.hits(k), first) / count).tolist()
        found[f"recall_at_{k}.i2t"] = to_text.hits(k).tolist()
    return found


class _Model(nn.Module):
    """Pictures and texts to vectors of length 1."""

    def __init__(self, words: int, options: DownstreamOptions) -> None:
        super().__init__()
        sizes = zip((3, *_CHANNELS), _CHANNELS, _STRIDES, strict=False)
        self.trunk = nn.Sequential(*(_convolution(*size) for size in sizes))
        self.from_picture = nn.Linear(2 * _CHANNELS[-1], _EMBEDDING)
        self.embed = nn.Embedding(words, _WORD, padding_idx=0)
        self.position = nn.Parameter(torch.randn(options.text_words, _WORD) * 0.02)
        self.layer = _Layer(_WORD)
        self.norm = nn.LayerNorm(_WORD)
        self.from_text = nn.Linear(2 * _WORD, _EMBEDDING)
        self.log_scale = nn.Parameter(torch.tensor(_FIRST_SCALE))
        nn.init.normal_(self.embed.weight, std=0.3)

    def scale(self) -> Tensor:
        """Return what cosines are multiplied by, the inverse of the temperature."""
        return self.log_scale.clamp(max=_MOST_SCALE).exp()

    def images(self, pictures: Tensor) -> Tensor:
        """Return (B, 128) of pictures (B, 3, S, S)."""
        seen = self.trunk(pictures)
        return functional.normalize(
            self.from_picture(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], dim=1)), dim=-1
        )

    def texts(self, ids: Tensor) -> Tensor:
        """Return (B, 128) of texts (B, L), 0 behind their ends."""
        there = ids != 0
        tokens = self.embed(ids) + self.position[: ids.shape[1]]
        tokens = self.norm(self.layer(tokens, there[:, None, None, :]))
        seen = there[..., None]
        mean = (tokens * seen).sum(1) / seen.sum(1)
        most = tokens.masked_fill(~seen, -1e4).amax(1)
        return functional.normalize(self.from_text(torch.cat([mean, most], dim=1)), dim=-1)


def _convolution(size_in: int, size_out: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(size_in, size_out, 3, stride, 1, bias=False), nn.BatchNorm2d(size_out), nn.ReLU()
    )


class _Layer(nn.Module):
    """One pre-norm transformer layer over (B, L, size)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.qkv, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, size = x.shape
        heads = self.qkv(self.norm1(x)).view(batch, length, 3, _HEADS, size // _HEADS)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, size))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]
