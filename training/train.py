"""Train the embedded models on rendered scenes, from random weights.

    python training/train.py --model captioner --seed 1 --steps 12000 --out OUT
    python training/train.py --model dual_encoder --seed 2 --steps 12000 --out OUT

Everything is counted in steps. Scenes are rendered while the model trains: at step 0 the first `--first` shards must
be there, and one more every `--every` steps, so what a step sees does not depend on how fast anything is. Runs with
the same arguments give models of the same quality, not the same bytes (kernels on a GPU add in any order).
Two runs that share `--data` share the rendering: start the shorter with `--workers 0`.
"""

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import DEV_SEED, MODEL_PX, SHARD, SMALL_PX, ShardMaker, fact_ids, render, shard_file
from losses import Batch, CellLoss, FactLoss, by_length, consistent, contrast, ranking, role_table, stated_facts
from models import average, new_captioner, new_dual_encoder, normalised, parameters, save, settle
from negatives import SWAPS
from safetensors.torch import load_file
from text import ASPECT_TOKENS, caption_tokenizer, score_tokenizer
from torch import Tensor, nn
from torch.nn import functional

TOKENIZER_SCENES, TOKENIZER_SEED = 3_000, 1
ASPECT_WEIGHTS = (1.0, 1.2, 1.2, 1.5, 0.5, 2.0)
"""How often the captioner learns from a brief, appearance, texture, context, text, dense caption."""
CAPTIONS_PER_PICTURE = 3
MAX_SCALE = 4.6
LENGTH_GROUPS = 5
SETTLING_BATCHES = 30
DEV_SCENES = 500


class Pool:
    """All scenes rendered so far, on the device."""

    def __init__(self, folder: Path, shards: int, device: torch.device) -> None:
        self._folder, self._shards, self._device = folder, shards, device
        self._there = 0
        self._rows: Batch = {}

    def grow(self, wanted: int) -> None:
        """Wait until the first `wanted` shards are here."""
        while self._there < min(wanted, self._shards):
            file = shard_file(self._folder, self._there)
            while not file.exists():
                time.sleep(0.2)
            with np.load(file) as shard:
                self._put({key: torch.from_numpy(shard[key]) for key in shard.files})

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Return n scenes drawn by lot."""
        at = torch.randint(self._there * SHARD, (n,), device=self._device, generator=generator)
        return {key: rows[at] for key, rows in self._rows.items()}

    def _put(self, shard: Batch) -> None:
        start = self._there * SHARD
        for key, values in shard.items():
            if key not in self._rows:
                shape = (self._shards * SHARD, *values.shape[1:])
                self._rows[key] = torch.empty(shape, dtype=values.dtype, device=self._device)
            self._rows[key][start : start + SHARD].copy_(values)
        self._there += 1


class CaptionerTask(nn.Module):
    """Teaches the captioner: the next word of three captions per picture, and what every cell shows."""

    def __init__(self, model: nn.Module, aspect_ids: list[int]) -> None:
        super().__init__()
        self.model = model
        self.tower = model.encoder
        self.cells = CellLoss(model.config.encoder.hidden_size)
        self.register_buffer("aspects", torch.tensor(aspect_ids))

    def forward(
        self, batch: Batch, cell_weight: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return the loss and what it is made of."""
        size = len(batch["pixels"])
        tokens = self.model.encoder(pixel_values=batch["pixels"]).last_hidden_state
        cells, shape = self.cells(tokens, batch)
        weights = torch.tensor(ASPECT_WEIGHTS, device=tokens.device).expand(size, -1)
        aspect = torch.multinomial(weights, CAPTIONS_PER_PICTURE, generator=generator)
        wording = torch.randint(
            batch["captions"].shape[2], aspect.shape, device=tokens.device, generator=generator
        )
        rows = torch.arange(size, device=tokens.device)[:, None]
        target = batch["captions"][rows, aspect, wording].long().flatten(0, 1)
        start = torch.full((len(target), 1), self.model.config.decoder_start_token_id, device=tokens.device)
        prompt = self.aspects[aspect.flatten()][:, None]
        given = torch.cat([start, prompt, target[:, :-1]], dim=1)
        picture = torch.arange(size, device=tokens.device).repeat_interleave(CAPTIONS_PER_PICTURE)
        words = torch.zeros((), device=tokens.device)
        for group, longest in by_length(target, LENGTH_GROUPS):
            logits = self.model.decoder(
                input_ids=given[group, : longest + 1],
                encoder_hidden_states=tokens[picture[group]],
                use_cache=False,
            ).logits[:, 1:]
            wanted = target[group, :longest].flatten()
            words = words + functional.cross_entropy(
                logits.float().flatten(0, 1), wanted, ignore_index=0, reduction="sum"
            )
        words = words / (target != 0).sum()
        return words + cell_weight * cells, {"words": words, "cells": cells, "shape": shape}


class DualEncoderTask(nn.Module):
    """Teaches the dual encoder: its own caption among others, and the truer of two captions of one picture."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.tower = model.vision_model
        size = model.config.vision_config.hidden_size
        self.cells, self.facts = CellLoss(size), FactLoss(size)
        self.claims = nn.Linear(model.config.text_config.hidden_size, len(fact_ids()) + 1)
        self.register_buffer("table", role_table())
        self.roles = nn.Linear(model.config.text_config.hidden_size, self.table.shape[1])
        for head, rare in (
            (self.claims, -6.0),
            (self.roles, -3.0),
            (self.cells.head, 0.0),
            *self.facts.heads(),
        ):
            # From zero, so that a model that goes on is not shaken by them.
            nn.init.zeros_(head.weight)
            nn.init.constant_(head.bias, rare)

    def forward(
        self, batch: Batch, cell_weight: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return the loss and what it is made of."""
        size, groups, group = batch["texts"].shape[:3]
        seen = self.model.vision_model(pixel_values=batch["pixels"])
        cells, shape = self.cells(seen.last_hidden_state, batch)
        facts = self.facts(seen.pooler_output, batch)
        rows = torch.arange(size, device=seen.pooler_output.device)
        pick = torch.randint(groups, (size,), device=rows.device, generator=generator)
        also = (pick + 1) % groups
        ids = torch.cat([batch["texts"][rows, pick].flatten(0, 1), batch["texts"][rows, also, 0]]).long()
        claims = torch.cat([batch["claims"][rows, pick].flatten(0, 1), batch["claims"][rows, also, 0]])
        read = self._read(ids)
        images = functional.normalize(self.model.visual_projection(seen.pooler_output).float(), dim=-1)
        texts = functional.normalize(self.model.text_projection(read).float(), dim=-1)
        scale = self.model.logit_scale.clamp_max(MAX_SCALE).exp()
        by_group = texts[: size * group].view(size, group, -1)
        scores = scale * torch.einsum("bgd,bd->bg", by_group, images)
        rank, order = ranking(scores, batch["right"][rows, pick])
        stated = stated_facts(claims, batch["true"].shape[1])
        own = stated[: size * group : group], stated[size * group :]
        pairs = contrast(scale * by_group[:, 0] @ images.T, consistent(own[0], batch["true"]))
        pairs = pairs + contrast(scale * texts[size * group :] @ images.T, consistent(own[1], batch["true"]))
        said = functional.binary_cross_entropy_with_logits(self.claims(read).float(), stated, reduction="none")
        words = said.sum(1).mean()
        sides = ((stated @ self.table) > 0).float()
        roles = functional.binary_cross_entropy_with_logits(self.roles(read).float(), sides, reduction="none")
        roles = roles.sum(1).mean()
        loss = pairs / 2 + 2 * rank + 0.5 * facts + 0.1 * words + 0.3 * roles + cell_weight * cells
        kinds = batch["kinds"][rows, pick].long()
        told = (scores[:, :1] > scores).float()
        report = {f"swap {kind}": _mean_where(told, kinds == k) for k, kind in enumerate(SWAPS)}
        parts = {"pairs": pairs, "rank": rank, "order": order, "facts": facts, "cells": cells, "shape": shape}
        return loss, {**parts, "claims": words, "roles": roles, "scale": scale, **report}

    def _read(self, ids: Tensor) -> Tensor:
        """Return the pooled output of padded texts, (texts, size)."""
        order, found = [], []
        for group, longest in by_length(ids, LENGTH_GROUPS):
            some = ids[group, :longest]
            found.append(self.model.text_model(input_ids=some, attention_mask=some != 0).pooler_output)
            order.append(group)
        return torch.cat(found)[torch.cat(order).argsort()]


def _mean_where(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp_min(1)


def main() -> None:
    """Train one model."""
    options = _options()
    torch.manual_seed(options.seed)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    device = torch.device(options.device)
    captions, scores = (make(TOKENIZER_SCENES, TOKENIZER_SEED) for make in (caption_tokenizer, score_tokenizer))
    renderer = None
    # What is not reached by the last step is not rendered.
    options.shards = min(options.shards, options.first + (options.steps - 1) // options.every)
    if options.workers:
        arguments = (options.data, options.shards, options.workers, captions, scores)
        renderer = multiprocessing.get_context("spawn").Process(target=render, args=arguments)
        renderer.start()
    rows = ShardMaker(captions, scores).make(DEV_SEED, DEV_SCENES)
    dev = _sized({key: torch.from_numpy(values).to(device) for key, values in rows.items()}, options.side)
    if options.model == "captioner":
        tokenizer, model = captions, new_captioner(captions, options.side)
        aspects = captions.convert_tokens_to_ids(list(ASPECT_TOKENS))
        task: nn.Module = CaptionerTask(model, aspects)
    else:
        tokenizer, model = scores, new_dual_encoder(scores)
        task = DualEncoderTask(model)
    if options.start:
        model.load_state_dict({k: v.float() for k, v in load_file(options.start / "model.safetensors").items()})
    _say(options, event="start", weights=parameters(model), torch=torch.__version__, arguments=vars(options))
    task.to(device)
    _train(options, task, tokenizer, dev, device)
    if renderer is not None:
        renderer.join()


def _train(
    options: argparse.Namespace, task: nn.Module, tokenizer: Any, dev: Batch, device: torch.device
) -> None:
    generator = torch.Generator(device).manual_seed(options.seed)
    flat = [p for p in task.parameters() if p.ndim < 2]
    deep = [p for p in task.parameters() if p.ndim >= 2]
    groups = [{"params": deep, "weight_decay": 0.05}, {"params": flat, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.lr, betas=(0.9, 0.98), fused=device.type == "cuda")
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.lr, options.steps, pct_start=min(0.1, 1000 / options.steps), cycle_momentum=False
    )
    mean = average(task)
    pool = Pool(options.data, options.shards, device)
    began = time.monotonic()
    for step in range(options.steps):
        pool.grow(options.first + step // options.every)
        batch = _sized(pool.draw(options.batch, generator), options.side)
        weight = 1.0 if step < options.steps // 3 else 0.3
        report = _step(task, batch, weight, generator, optimizer, device)
        schedule.step()
        mean.update_parameters(task)
        if step % 200 == 0 or step + 1 == options.steps:
            _say(options, step=step, s=time.monotonic() - began, pool=pool._there, **_numbers(report))
        if (step + 1) % options.check == 0 or step + 1 == options.steps:
            drawn = (_sized(pool.draw(options.batch, generator), options.side) for _ in range(SETTLING_BATCHES))
            settle(mean.module.tower, (normalised(some["pixels"]) for some in drawn))
            found = _numbers(_check(mean.module, dev, device))
            _say(options, step=step + 1, s=time.monotonic() - began, dev=found)
            save(options.out / options.model, mean.module.model, tokenizer, options.side)


def _sized(batch: Batch, side: int) -> Batch:
    """Return a batch with the pictures of a size, and the cells that belong to them."""
    if side == MODEL_PX:
        return batch
    return {**batch, "pixels": batch["small"], "cells": batch["cells_small"]}


def _step(
    task: nn.Module,
    batch: Batch,
    cell_weight: float,
    generator: torch.Generator,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> dict[str, Any]:
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
def _check(task: nn.Module, dev: Batch, device: torch.device) -> dict[str, Any]:
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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("captioner", "dual_encoder"), required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder; the model goes into a folder of its name"
    )
    parser.add_argument(
        "--start", type=Path, help="folder of a model to go on from; without it, random weights"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument(
        "--side", type=int, choices=(MODEL_PX, SMALL_PX), default=MODEL_PX, help="of the pictures, px"
    )
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--data", type=Path, default=Path("embedded-scenes"), help="folder of rendered shards")
    parser.add_argument("--shards", type=int, default=600, help=f"of {SHARD} scenes each")
    parser.add_argument("--first", type=int, default=20, help="shards at step 0")
    parser.add_argument("--every", type=int, default=8, help="steps until another shard joins")
    parser.add_argument("--check", type=int, default=2_000, help="steps between saves")
    parser.add_argument("--workers", type=int, default=8, help="rendering processes; 0: another run renders")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
