"""Rendered scenes as arrays: pictures, what is in each cell, captions as tokens, captions with known mistakes.

Scenes come in shards. Shard k depends on k and on the tokenizers alone, so that any number of processes may render,
in any order. Pictures go through the same JPEG and the same resizing as those that the models will meet.
"""

import io
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from negatives import HARD, SWAPS, spoiled, swapped
from numpy.typing import NDArray
from PIL import Image
from text import END
from transformers import PreTrainedTokenizerFast

from recaption.core.digests import seed_from
from recaption.demo.captions import ASPECTS, Aspect, describe
from recaption.demo.claims import PICTURE, Fact, parse
from recaption.demo.facts import holds, judge, scene_facts
from recaption.demo.lexicon import SIGN
from recaption.demo.render import Renderer
from recaption.demo.vocabulary import vocabulary
from recaption.demo.world import Scene, sample_scenes

PICTURE_PX, MODEL_PX, SMALL_PX, CELL_PX = 192, 96, 48, 8
SHARD = 500
THINGS = 4
SIGN_OWNER = 5
MAX_TOKENS = 80
WORDINGS = 2
"""Captions of each aspect that the captioner learns from, per scene."""
GROUPS = 2
"""Groups of captions for the dual encoder, per scene: dense, and another aspect by lot."""
GROUP = 6
"""A group: two true captions, two with one fact swapped, two with mistakes by lot."""
HARD_SHARE = 0.6
"""Groups whose swaps are hard ones, where the caption allows."""
UNSURE = -1.0
"""Stands for the precision of a swapped caption: less than 1, and not measured."""
MAX_CLAIMS = 24
RELATIONS = ("left of", "right of", "above", "below")
_PLACES = ("centre", "top", "bottom", "left", "right", "top left", "top right", "bottom left", "bottom right")
TRAIN_SEED, DEV_SEED, TEST_SEED = "train", "dev", "test"

Shard = dict[str, NDArray[Any]]


def scenes_of(split: str, n: int) -> list[Scene]:
    """Return n scenes of a split (`dev`, `test`, or `train-K`); no split shares scenes with another or a demo."""
    return list(sample_scenes(n, seed_from("embedded models", split)))


def stored_picture(renderer: Renderer, scene: Scene) -> Image.Image:
    """Return the picture as it comes back from the demo's JPEG file."""
    file = io.BytesIO()
    renderer.render(scene).save(file, "JPEG", quality=92, subsampling=0)
    return Image.open(file).convert("RGB")


@lru_cache(maxsize=1)
def fact_ids() -> dict[Fact, int]:
    """Return a number for every fact but counts; relations come last, places in the picture after them."""
    known = vocabulary()
    named = [*known.shapes, SIGN]
    facts = [Fact("object", s) for s in named]
    for shape in known.shapes:
        facts += [Fact("colour", shape, v) for v in known.colours]
        facts += [Fact("material", shape, v) for v in known.materials]
        facts += [Fact("size", shape, v) for v in known.sizes]
    facts += [Fact("background", "", v) for v in known.backgrounds]
    facts += [Fact("word", SIGN, v) for v in known.words]
    facts += [Fact("relation", a, r, b) for a in named for b in named if a != b for r in RELATIONS]
    facts += [Fact("relation", a, p, PICTURE) for a in named for p in _PLACES]
    return {fact: i for i, fact in enumerate(facts)}


def no_text_id() -> int:
    """Return the number of "there is no text", which the fact parser has no word for."""
    return len(fact_ids())


def true_facts(scene: Scene) -> NDArray[np.bool_]:
    """Return what holds of a scene, by number; what the facts cannot tell counts as true."""
    true = np.zeros(len(fact_ids()) + 1, dtype=np.bool_)
    facts = list(scene_facts(scene))
    named = [f.subject for f in facts if f.kind == "object"]
    facts += [Fact("relation", a, r, b) for a in named for b in named if a != b for r in RELATIONS]
    facts += [Fact("relation", a, p, PICTURE) for a in named for p in _PLACES]
    kept = [f for f in facts if f.kind != "relation" or holds(f, scene) is not False]
    true[[fact_ids()[fact] for fact in kept]] = True
    true[no_text_id()] = scene.sign is None
    return true


class ShardMaker:
    """Makes shards; keeps one renderer for pictures and one for masks."""

    def __init__(self, captions: PreTrainedTokenizerFast, scores: PreTrainedTokenizerFast) -> None:
        self._captions, self._scores = captions, scores
        self._renderer, self._masks = Renderer(PICTURE_PX), Renderer(MODEL_PX)

    def make(self, split: str, n: int = SHARD) -> Shard:
        """Return the arrays of n scenes of a split; the first axis of each is the scene."""
        rows = [self._row(scene, i, split) for i, scene in enumerate(scenes_of(split, n))]
        return {key: np.stack([row[key] for row in rows]) for key in rows[0]}

    def _row(self, scene: Scene, i: int, split: str) -> Shard:
        rng = np.random.default_rng(seed_from("captions", split, i))
        picture = stored_picture(self._renderer, scene)
        large, small = (picture.resize((n, n), Image.Resampling.BILINEAR) for n in (MODEL_PX, SMALL_PX))
        return {
            "pixels": np.asarray(large, dtype=np.uint8),
            "small": np.asarray(small, dtype=np.uint8),
            **self._facts(scene),
            "captions": self._caption_rows(scene, rng),
            **self._group_rows(scene, rng),
        }

    def _facts(self, scene: Scene) -> Shard:
        known = vocabulary()
        names = [list(o) for o in (known.shapes, known.colours, known.materials, known.sizes)]
        looks = np.full((THINGS, 4), -1, dtype=np.int8)
        centres = np.zeros((THINGS + 1, 2), dtype=np.float32)
        for k, thing in enumerate(scene.things):
            values = (thing.shape, thing.colour, thing.material, thing.size)
            looks[k] = [options.index(v) for options, v in zip(names, values, strict=True)]
            centres[k] = [v / scene.size_px * 2 - 1 for v in thing.box.centre]
        if scene.sign is not None:
            centres[THINGS] = [v / scene.size_px * 2 - 1 for v in scene.sign.box.centre]
        masks = self._masks.instances(scene)
        return {
            "cells": _owners(masks, MODEL_PX // CELL_PX),
            "cells_small": _owners(masks, SMALL_PX // CELL_PX),
            "looks": looks,
            "centres": centres,
            "background": np.array(list(known.backgrounds).index(scene.background), dtype=np.int8),
            "word": np.array(known.words.index(scene.sign.word) if scene.sign else -1, dtype=np.int8),
            "true": true_facts(scene),
        }

    def _caption_rows(self, scene: Scene, rng: np.random.Generator) -> NDArray[np.int16]:
        rows = np.zeros((len(ASPECTS), WORDINGS, MAX_TOKENS), dtype=np.int16)
        for a, aspect in enumerate(ASPECTS):
            texts = [describe(scene, aspect, int(rng.integers(2**62))) + END for _ in range(WORDINGS)]
            _fill(rows[a], texts, self._captions)
        return rows

    def _group_rows(self, scene: Scene, rng: np.random.Generator) -> Shard:
        aspects: list[Aspect] = ["dense", ASPECTS[int(rng.integers(len(ASPECTS) - 1))]]
        texts = np.zeros((GROUPS, GROUP, MAX_TOKENS), dtype=np.int16)
        right = np.zeros((GROUPS, GROUP), dtype=np.float32)
        kinds = np.full((GROUPS, GROUP), -1, dtype=np.int8)
        claims = np.full((GROUPS, GROUP, MAX_CLAIMS), -1, dtype=np.int16)
        for g, aspect in enumerate(aspects):
            said, right[g], kinds[g] = _group(scene, aspect, rng)
            _fill(texts[g], said, self._scores)
            for row, text in zip(claims[g], said, strict=True):
                found = _claimed(text)[:MAX_CLAIMS]
                row[: len(found)] = found
        return {"texts": texts, "right": right, "kinds": kinds, "claims": claims}


def _fill(rows: NDArray[np.int16], texts: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> None:
    """Write the tokens of each text into its row; the rest of the row stays 0, the padding."""
    for row, found in zip(rows, tokenizer.backend_tokenizer.encode_batch_fast(texts), strict=True):
        ids = found.ids[:MAX_TOKENS]
        row[: len(ids)] = ids


def _owners(instances: NDArray[np.uint8], cells: int) -> NDArray[np.uint8]:
    """Return what most of each cell shows, (cells²,): 0 background, 1…4 a thing, 5 the sign."""
    step = instances.shape[0] // cells
    blocks = instances.reshape(cells, step, cells, step).transpose(0, 2, 1, 3).reshape(cells**2, -1)
    shares = np.stack([(blocks == v).mean(1) for v in (1, 2, 3, 4, 255)])
    best = shares.argmax(0)
    return np.where(shares.max(0) >= 0.25, best + 1, 0).astype(np.uint8)


def _claimed(text: str) -> list[int]:
    found = {fact_ids()[f] for f in parse(text).facts if f in fact_ids()}
    return sorted(found) if found else [no_text_id()]


def _group(scene: Scene, aspect: Aspect, rng: np.random.Generator) -> tuple[list[str], list[float], list[int]]:
    seeds = [int(s) for s in rng.integers(2**62, size=4)]
    texts = [describe(scene, aspect, seeds[0]), describe(scene, aspect, seeds[1])]
    right, kinds = [1.0, 1.0], [-1, -1]
    order = [int(k) for k in rng.permutation(len(SWAPS))]
    if rng.random() < HARD_SHARE:
        order = [*rng.permutation(HARD), *order]
    for kind in dict.fromkeys(order):
        text = swapped(scene, aspect, seeds[0], SWAPS[int(kind)], rng)
        if text is not None and len(texts) < 4:
            texts.append(text)
            right.append(UNSURE)
            kinds.append(int(kind))
    while len(texts) < GROUP:
        text = (
            _sign_mistake(scene, seeds[2], rng) if aspect == "text" else spoiled(scene, aspect, seeds[2], rng)
        )
        texts.append(text)
        right.append(_precision(text, scene))
        kinds.append(-1)
        seeds[2] = seeds[3] + len(texts)
    return texts, right, kinds


def _sign_mistake(scene: Scene, seed: int, rng: np.random.Generator) -> str:
    """Return what a sign of another scene says, or that there is none."""
    return describe(next(sample_scenes(1, int(rng.integers(2**31)))), "text", seed)


def _precision(text: str, scene: Scene) -> float:
    precision = judge(text, scene).precision
    if precision is None:
        return 0.0 if scene.sign is not None and "text" in text else 1.0
    return precision


_MAKER: list[ShardMaker] = []


def _begin(captions: PreTrainedTokenizerFast, scores: PreTrainedTokenizerFast) -> None:
    _MAKER.append(ShardMaker(captions, scores))


def _write(folder: Path, k: int) -> int:
    write_shard(_MAKER[0], folder, k)
    return k


def write_shard(maker: ShardMaker, folder: Path, k: int, n: int = SHARD) -> None:
    """Write shard k, whole or not at all."""
    arrays: dict[str, Any] = dict(maker.make(f"{TRAIN_SEED}-{k}", n))
    part = folder / f"{k:05d}.part.npz"
    np.savez(part, **arrays)
    part.rename(shard_file(folder, k))


def shard_file(folder: Path, k: int) -> Path:
    """Return where shard k is once it is whole."""
    return folder / f"{k:05d}.npz"


def render(
    folder: Path,
    shards: int,
    workers: int,
    captions: PreTrainedTokenizerFast,
    scores: PreTrainedTokenizerFast,
) -> None:
    """Write shards 0 to `shards` − 1, those that are there already excepted."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [k for k in range(shards) if not shard_file(folder, k).exists()]
    with ProcessPoolExecutor(workers, initializer=_begin, initargs=(captions, scores)) as pool:
        for done in as_completed([pool.submit(_write, folder, k) for k in wanted]):
            done.result()
