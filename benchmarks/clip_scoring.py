"""How fast are captions scored by a CLIP of B/32 size, from JPEG bytes to numbers, on one thread?

    OMP_NUM_THREADS=1 python benchmarks/clip_scoring.py [DATA_DIR] [--images 48] [--rounds 3]

DATA_DIR holds `photos/coco`: `images/*.jpg` and `captions.json` with five captions each; without it, scenes of the
demo world are drawn. The weights are random and never downloaded: the work is that of the real model, the scores mean
nothing. The tokenizer is trained on the captions, so that nearly every word is one token, as with CLIP's own.

Contenders take turns, round by round. Rates are per second of processor time, since other work on the machine would
spoil the clock; the median of the rounds is shown.

- loop: what tutorials show, one pair at a time, float32.
- batch: sixteen images and all their texts at a time, as `transformers` does it when told to.
- ours: the scorer; with `stage`, the pipeline's score stage with a ledger on disk.
- limit: the model alone, on pixels and tokens that were prepared before, in the same batches of sixteen images and
  all their texts, padded to the longest. Ours sorts texts by length, pads less, and may therefore pass it.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.utils import logging

from recaption.core.types import Caption, Image, Provenance, Record
from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.meter import SqliteMeter
from recaption.demo.captions import describe
from recaption.demo.render import Renderer
from recaption.demo.world import sample_scenes
from recaption.media.images import BatchImages
from recaption.models.hf.dual_encoder import DualEncoderScorer
from recaption.pipeline import Pipeline
from recaption.stages.score import Score

BATCH = 16
MAX_SIDE_PX = 1024
LOOP_IMAGES = 16
"""The loop is slow and steady; so many images are enough to time it."""

Item = tuple[bytes, list[str]]
"""An encoded photo, and its captions."""
Scores = list[list[float]]
"""Cosines by image and caption."""


@dataclass
class Contender:
    """Someone who scores, what it took, and what came out."""

    name: str
    run: Callable[[Sequence[Item]], Scores]
    encodes: Callable[[], int]
    """Images encoded since it was last asked."""
    images: int
    rates: list[float] = field(default_factory=list)
    scores: Scores = field(default_factory=list)
    encoded: float = 0.0

    def turn(self, items: Sequence[Item]) -> None:
        """Time one round."""
        some = items[: self.images]
        self.encodes()
        start = time.process_time()
        self.scores = self.run(some)
        self.rates.append(len(some) / (time.process_time() - start))
        self.encoded = self.encodes() / len(some)


def real_photos(folder: Path, count: int) -> list[Item]:
    """Return photos with their five human captions."""
    told = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
    names = {image["id"]: image["file_name"] for image in told["images"]}
    captions: dict[str, list[str]] = {}
    for note in told["annotations"]:
        captions.setdefault(names[note["image_id"]], []).append(" ".join(note["caption"].split()))
    paths = [
        path for path in sorted((folder / "images").glob("*.jpg")) if len(captions.get(path.name, ())) >= 5
    ]
    return [(path.read_bytes(), captions[path.name][:5]) for path in paths[:count]]


def drawn_scenes(count: int) -> list[Item]:
    """Return scenes of the demo world as JPEG files of 640 x 640, with five captions."""
    renderer = Renderer(size_px=640)
    items = []
    for i, scene in enumerate(sample_scenes(count, seed=0, size_px=640)):
        buffer = io.BytesIO()
        renderer.render(scene).save(buffer, "JPEG", quality=90)
        aspects = ("brief", "appearance", "texture", "context", "dense")
        items.append((buffer.getvalue(), [describe(scene, aspect, i) for aspect in aspects]))
    return items


def make_checkpoint(folder: Path, texts: Sequence[str]) -> None:
    """Save a CLIP of the size of ViT-B/32 with random weights."""
    raw = Tokenizer(models.BPE(unk_token="<|endoftext|>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    specials = ["<|startoftext|>", "<|endoftext|>"]
    trainer = trainers.BpeTrainer(vocab_size=49408, special_tokens=specials, show_progress=False)
    raw.train_from_iterator([text.lower() for text in texts], trainer)
    raw.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", 0), ("<|endoftext|>", 1)]
    )
    text = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        model_max_length=77,
    )
    config = CLIPConfig(text_config={"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1})
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    text.save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)


class Plain:
    """The model as `transformers` gives it."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.model = CLIPModel.from_pretrained(folder, dtype=dtype).eval()
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        self.images = CLIPImageProcessorPil.from_pretrained(folder)
        self.rows = 0

    def encodes(self) -> int:
        rows, self.rows = self.rows, 0
        return rows

    def loop(self, items: Sequence[Item]) -> Scores:
        """One pair at a time."""
        scores = []
        for data, texts in items:
            row = []
            for text in texts:
                pixels, tokens = self.pixels([data]), self.tokens([text])
                with torch.inference_mode():
                    out = self.model(pixel_values=pixels, **tokens)
                self.rows += 1
                row.append(float((out.image_embeds * out.text_embeds).sum()))
            scores.append(row)
        return scores

    def batches(self, items: Sequence[Item]) -> Scores:
        """Sixteen images and all their texts at a time."""
        scores: Scores = []
        for start in range(0, len(items), BATCH):
            part = items[start : start + BATCH]
            pixels = self.pixels([data for data, _ in part])
            tokens = self.tokens([text for _, texts in part for text in texts])
            scores += self.forward(pixels, tokens, len(part))
        return scores

    def forward(self, pixels: torch.Tensor, tokens: dict[str, torch.Tensor], count: int) -> Scores:
        with torch.inference_mode():
            images = self.model.get_image_features(pixel_values=pixels).pooler_output.float()
            texts = self.model.get_text_features(**tokens).pooler_output.float()
        self.rows += len(pixels)
        images = images / images.norm(dim=-1, keepdim=True)
        texts = texts / texts.norm(dim=-1, keepdim=True)
        return [(row @ image).tolist() for image, row in zip(images, texts.chunk(count), strict=True)]

    def prepared(self, items: Sequence[Item]) -> Callable[[Sequence[Item]], Scores]:
        """Return the model alone, on inputs made beforehand."""
        inputs = []
        for start in range(0, len(items), BATCH):
            part = items[start : start + BATCH]
            tokens = self.tokens([text for _, texts in part for text in texts])
            inputs.append((self.pixels([data for data, _ in part]), tokens, len(part)))
        return lambda _: [row for pixels, tokens, n in inputs for row in self.forward(pixels, tokens, n)]

    def pixels(self, data: Sequence[bytes]) -> torch.Tensor:
        opened = [Pillow.open(io.BytesIO(d)).convert("RGB") for d in data]
        made: torch.Tensor = self.images(opened, return_tensors="pt")["pixel_values"]
        return made.to(self.dtype)

    def tokens(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        made = self.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        return {name: made[name] for name in ("input_ids", "attention_mask")}


class Ours:
    """The scorer of this package, forgetting everything between rounds."""

    def __init__(self, folder: Path, dtype: str, scratch: Path) -> None:
        self.value: dict[str, Any] = {"clip": {"model": str(folder), "dtype": dtype, "batch_size": BATCH}}
        self.scorer = DualEncoderScorer(DualEncoderScorer.Params(**self.value["clip"]))
        self.stage = Score(Score.Params(scorers={"clip": self.value}))
        self.engine = self.scorer._engine
        self.scratch, self.rounds, self.before = scratch, 0, 0

    def encodes(self) -> int:
        rows, self.before = self.engine.image_rows - self.before, self.engine.image_rows
        return rows

    def score(self, items: Sequence[Item]) -> Scores:
        """Through the scorer alone, sixteen records at a time."""
        self.engine.forget()
        scores: Scores = []
        for start in range(0, len(items), BATCH):
            records = _records(items[start : start + BATCH], start)
            given = iter(
                self.scorer.score(
                    [(r, c) for r in records for c in r.captions], BatchImages(max_side_px=MAX_SIDE_PX)
                )
            )
            scores += [[next(given).value or 0.0 for _ in r.captions] for r in records]
        return scores

    def through_the_stage(self, items: Sequence[Item]) -> Scores:
        """As a run does it: batches of 32 records, every answer synced to the ledger."""
        self.engine.forget()
        self.rounds += 1
        ledger = SqliteLedger(self.scratch / f"calls-{id(self)}-{self.rounds}.sqlite")
        meter = SqliteMeter(self.scratch / f"spent-{id(self)}-{self.rounds}.sqlite")
        pipeline = Pipeline([self.stage], lambda: BatchImages(max_side_px=MAX_SIDE_PX), ledger, meter)
        scores: Scores = []
        for start in range(0, len(items), 2 * BATCH):
            for result in pipeline.run_batch(_records(items[start : start + 2 * BATCH], start)):
                assert isinstance(result, Record), result
                scores.append([c.scores["clip"].value or 0.0 for c in result.captions])
        ledger.close()
        meter.close()
        return scores


def _records(items: Sequence[Item], start: int) -> list[Record]:
    source = Provenance(stage="caption")
    return [
        Record(
            key=str(start + i),
            image=Image(data=data),
            captions=tuple(Caption(text=text, origin="model", provenance=source) for text in texts),
        )
        for i, (data, texts) in enumerate(items)
    ]


def contest(items: Sequence[Item], folder: Path, scratch: Path, rounds: int) -> list[Contender]:
    """Let everybody take turns."""
    full, half = Plain(folder, torch.float32), Plain(folder, torch.bfloat16)
    ours_full, ours_half = Ours(folder, "float32", scratch), Ours(folder, "bfloat16", scratch)
    n = len(items)
    contenders = [
        Contender("loop float32", full.loop, full.encodes, min(n, LOOP_IMAGES)),
        Contender("batch float32", full.batches, full.encodes, n),
        Contender("ours float32", ours_full.score, ours_full.encodes, n),
        Contender("limit float32", full.prepared(items), full.encodes, n),
        Contender("batch bfloat16", half.batches, half.encodes, n),
        Contender("ours bfloat16", ours_half.score, ours_half.encodes, n),
        Contender("ours, stage bfloat16", ours_half.through_the_stage, ours_half.encodes, n),
        Contender("limit bfloat16", half.prepared(items), half.encodes, n),
    ]
    for contender in contenders:  # once for nothing, so that nobody pays for what is set up at first use
        contender.run(items[:BATCH])
    for _ in range(rounds):
        for contender in contenders:
            contender.turn(items)
    return contenders


def table(contenders: Sequence[Contender], captions: int) -> None:
    """Print what came out."""
    rate = {c.name: statistics.median(c.rates) for c in contenders}
    exact = next(c for c in contenders if c.name == "batch float32").scores
    spread = float(np.std(exact))
    print(f"\n{captions} captions an image; spread of the cosines {spread:.4f}")
    print("| who | images/s | range | pairs/s | x loop | of the limit | encodes an image | most off float32 |")
    print("|---|---|---|---|---|---|---|---|")
    for c in contenders:
        limit = rate[f"limit {c.name.rpartition(' ')[2]}"]
        off = float(np.abs(np.subtract(c.scores, exact[: len(c.scores)])).max())
        print(
            f"| {c.name} | {rate[c.name]:.1f} | {min(c.rates):.1f}-{max(c.rates):.1f} | "
            f"{rate[c.name] * captions:.1f} | {rate[c.name] / rate['loop float32']:.1f} | "
            f"{rate[c.name] / limit:.2f} | {c.encoded:.2g} | {off:.1e} |",
            flush=True,
        )


def main() -> None:
    """Run the contest with one and with five captions an image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--captions", type=int, nargs="+", default=[1, 5], choices=range(1, 6))
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    items = (
        real_photos(options.data / "photos" / "coco", options.images)
        if options.data
        else drawn_scenes(options.images)
    )
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        make_checkpoint(scratch / "model", [text for _, texts in items for text in texts])
        for captions in options.captions:
            some = [(data, texts[:captions]) for data, texts in items]
            table(contest(some, scratch / "model", scratch, options.rounds), captions)


if __name__ == "__main__":
    main()
