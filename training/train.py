"""Train the embedded models on rendered scenes, from random weights.

    python training/train.py --model captioner --seed 1 --steps 12000 --out OUT
    python training/train.py --model dual_encoder --seed 2 --steps 12000 --out OUT

Everything is counted in steps. Scenes are rendered while the model trains: at step 0 the first `--first` shards must
be there, and one more every `--every` steps, so what a step sees does not depend on how fast anything is. Runs with
the same arguments give models of the same quality; the same bytes on a CPU with the same number of threads, but not
on a GPU, whose kernels add in any order.
Two runs that share `--data` share the rendering: start the shorter with `--workers 0`.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from arguments import Parser, above_zero, at_least, device
from data import DEV_SEED, MODEL_PX, SHARD, SMALL_PX, ShardMaker, render, shard_file
from losses import Batch
from models import average, new_captioner, new_dual_encoder, normalised, parameters, save, settle
from safetensors import SafetensorError
from safetensors.torch import load_file
from tasks import CaptionerTask, DualEncoderTask, Task
from text import ASPECT_TOKENS, caption_tokenizer, score_tokenizer
from torch import nn
from transformers import PreTrainedTokenizerFast

TOKENIZER_SCENES, TOKENIZER_SEED = 3_000, 1
SETTLING_BATCHES = 30


class Pool:
    """All scenes rendered so far, on the device."""

    def __init__(
        self, folder: Path, shards: int, device: torch.device, renderer: BaseProcess | None = None
    ) -> None:
        self._folder, self._shards, self._device, self._renderer = folder, shards, device, renderer
        self.shards_here = 0
        self._rows: Batch = {}

    def grow(self, wanted: int) -> None:
        """Wait until the first `wanted` shards are here.

        Raises:
            SystemExit: The process that renders them has failed, or a shard is not of this script's making.
        """
        while self.shards_here < min(wanted, self._shards):
            file = shard_file(self._folder, self.shards_here)
            while not file.exists():
                if self._renderer is not None and self._renderer.exitcode:
                    raise SystemExit(f"train.py: rendering failed before {file} was there; see the error above")
                time.sleep(0.2)
            with np.load(file) as shard:
                rows = {key: torch.from_numpy(shard[key]) for key in shard.files}
            if any(len(values) != SHARD for values in rows.values()):
                raise SystemExit(f"train.py: {file} does not hold {SHARD} scenes; give another --data")
            self._put(rows)

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Return n scenes drawn by lot."""
        at = torch.randint(self.shards_here * SHARD, (n,), device=self._device, generator=generator)
        return {key: rows[at] for key, rows in self._rows.items()}

    def _put(self, shard: Batch) -> None:
        start = self.shards_here * SHARD
        for key, values in shard.items():
            if key not in self._rows:
                shape = (self._shards * SHARD, *values.shape[1:])
                self._rows[key] = torch.empty(shape, dtype=values.dtype, device=self._device)
            self._rows[key][start : start + SHARD].copy_(values)
        self.shards_here += 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Train one model."""
    options = _options(arguments)
    torch.manual_seed(options.seed)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    captions, scores = (make(TOKENIZER_SCENES, TOKENIZER_SEED) for make in (caption_tokenizer, score_tokenizer))
    task, tokenizer = _new_task(options, captions, scores)
    if options.start:
        _go_on(task, options)
    renderer = None
    # What is not reached by the last step is not rendered.
    options.shards = min(options.shards, options.first + (options.steps - 1) // options.every)
    if options.workers:
        work = (options.data, options.shards, options.workers, captions, scores)
        renderer = multiprocessing.get_context("spawn").Process(target=render, args=work)
        renderer.start()
    rows = ShardMaker(captions, scores).make(DEV_SEED, options.dev)
    dev = {key: torch.from_numpy(values).to(options.device) for key, values in rows.items()}
    _say(
        options, event="start", weights=parameters(task.model), torch=torch.__version__, arguments=vars(options)
    )
    task.to(options.device)
    pool = Pool(options.data, options.shards, options.device, renderer)
    _train(options, task, tokenizer, _sized(dev, options.side), pool)
    if renderer is not None:
        renderer.join()


def _new_task(
    options: argparse.Namespace, captions: PreTrainedTokenizerFast, scores: PreTrainedTokenizerFast
) -> tuple[Task, PreTrainedTokenizerFast]:
    """Return the model with what it is taught, and its tokenizer."""
    if options.model == "captioner":
        aspects = [cast(int, captions.convert_tokens_to_ids(token)) for token in ASPECT_TOKENS]
        return CaptionerTask(new_captioner(captions, options.side), aspects), captions
    return DualEncoderTask(new_dual_encoder(scores)), scores


def _go_on(task: Task, options: argparse.Namespace) -> None:
    """Load the weights to go on from."""
    try:
        weights = load_file(options.start / "model.safetensors")
        task.model.load_state_dict({name: value.float() for name, value in weights.items()})
    except (OSError, SafetensorError) as error:
        raise SystemExit(f"train.py: cannot read the model of --start {options.start}: {error}") from error
    except RuntimeError as error:
        wanted = f"a {options.model} for pictures of {options.side} px"
        raise SystemExit(
            f"train.py: the weights in --start {options.start} are not those of {wanted}"
        ) from error


def _train(
    options: argparse.Namespace, task: Task, tokenizer: PreTrainedTokenizerFast, dev: Batch, pool: Pool
) -> None:
    device: torch.device = options.device
    generator = torch.Generator(device).manual_seed(options.seed)
    flat = [p for p in task.parameters() if p.ndim < 2]
    deep = [p for p in task.parameters() if p.ndim >= 2]
    groups = [{"params": deep, "weight_decay": 0.05}, {"params": flat, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.lr, betas=(0.9, 0.98), fused=device.type == "cuda")
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.lr, options.steps, pct_start=min(0.1, 1000 / options.steps), cycle_momentum=False
    )
    mean = average(task)
    shadow = cast(Task, mean.module)
    began = time.monotonic()
    for step in range(options.steps):
        pool.grow(options.first + step // options.every)
        batch = _sized(pool.draw(options.batch, generator), options.side)
        weight = 1.0 if step < options.steps // 3 else 0.3
        report = _step(task, batch, weight, generator, optimizer, device)
        schedule.step()
        mean.update_parameters(task)
        if step % 200 == 0 or step + 1 == options.steps:
            _say(options, step=step, s=time.monotonic() - began, pool=pool.shards_here, **_numbers(report))
        if (step + 1) % options.check == 0 or step + 1 == options.steps:
            drawn = (_sized(pool.draw(options.batch, generator), options.side) for _ in range(SETTLING_BATCHES))
            settle(shadow.tower, (normalised(some["pixels"]) for some in drawn))
            found = _numbers(_check(shadow, dev, device))
            _say(options, step=step + 1, s=time.monotonic() - began, dev=found)
            save(options.out / options.model, shadow.model, tokenizer, options.side)


def _sized(batch: Batch, side: int) -> Batch:
    """Return a batch with the pictures of a size, and the cells that belong to them."""
    if side == MODEL_PX:
        return batch
    return {**batch, "pixels": batch["small"], "cells": batch["cells_small"]}


def _step(
    task: Task,
    batch: Batch,
    cell_weight: float,
    generator: torch.Generator,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> dict[str, Any]:
    report: dict[str, Any]
    task.train()
    batch["pixels"] = normalised(batch["pixels"]).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        loss, report = task(batch, cell_weight, generator)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(task.parameters(), 1.0)
    optimizer.step()
    return report


@torch.no_grad()
def _check(task: Task, dev: Batch, device: torch.device) -> dict[str, Any]:
    """Return the report of the mean model on the development scenes."""
    task.eval()
    generator = torch.Generator(device).manual_seed(0)
    batch = {**dev, "pixels": normalised(dev["pixels"])}
    with torch.autocast(device.type, dtype=torch.bfloat16):
        report: dict[str, Any] = task(batch, 1.0, generator)[1]
    return report


def _numbers(report: dict[str, Any]) -> dict[str, float]:
    return {key: round(float(value.detach()), 4) for key, value in report.items()}


def _say(options: argparse.Namespace, **values: object) -> None:
    line = json.dumps({"model": options.model, **values}, default=str)
    print(line, flush=True)  # noqa: T201
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / f"{options.model}.log").open("a") as log:
        log.write(line + "\n")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("captioner", "dual_encoder"), required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder; the model goes into a folder of its name"
    )
    parser.add_argument(
        "--start", type=Path, help="folder of a model to go on from; without it, random weights"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=at_least(1), default=12_000)
    parser.add_argument("--batch", type=at_least(2), default=512)
    parser.add_argument(
        "--side", type=int, choices=(MODEL_PX, SMALL_PX), default=MODEL_PX, help="of the pictures, px"
    )
    parser.add_argument("--lr", type=above_zero, default=2e-3)
    parser.add_argument("--data", type=Path, default=Path("embedded-scenes"), help="folder of rendered shards")
    parser.add_argument("--shards", type=at_least(1), default=600, help=f"of {SHARD} scenes each")
    parser.add_argument("--first", type=at_least(1), default=20, help="shards at step 0")
    parser.add_argument("--every", type=at_least(1), default=8, help="steps until another shard joins")
    parser.add_argument("--check", type=at_least(1), default=2_000, help="steps between saves")
    parser.add_argument("--dev", type=at_least(2), default=500, help="scenes, never trained on, of each check")
    parser.add_argument(
        "--workers", type=at_least(0), default=8, help="rendering processes; 0: another run renders"
    )
    parser.add_argument("--device", type=device, default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    if options.model == "dual_encoder" and options.side != MODEL_PX:
        parser.error(
            f"argument --side: the dual encoder is made for pictures of {MODEL_PX} px, not {options.side}"
        )
    for name in ("out", "data"):
        if (place := getattr(options, name)).exists() and not place.is_dir():
            parser.error(f"argument --{name}: {place} is a file; name a folder")
    return options


if __name__ == "__main__":
    main()
