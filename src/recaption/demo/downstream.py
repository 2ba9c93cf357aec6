"""Rendered scenes for the downstream comparison: noisy alt-texts against what a strategy of the demo made of them.

The tests are true texts about the scenes, which no captioner has written. The first is a bare list of facts in words
and an order of its own, so that no column is at home in it. The others are the captions of this world, in the very
style that the embedded captioner was taught, and that the best of the alt-texts have too; read them beside the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from recaption.core.digests import seed_from
from recaption.core.types import Record
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.run_folder import RunFolder
from recaption.demo.captions import Aspect, describe
from recaption.demo.dataset import write_demo
from recaption.demo.run import captioned
from recaption.demo.world import Scene
from recaption.evaluation.subject import Item, Subject

__all__ = ["ORIGINAL", "downstream_subject", "facts_text"]

ORIGINAL: Final = "original"
FACTS: Final = "facts"
_ASPECTS: Final[tuple[Aspect, ...]] = ("dense", "appearance", "brief")


def downstream_subject(
    out: Path, scenes: int, seed: int, strategies: Sequence[str] = ("hybrid",)
) -> tuple[Subject, dict[str, list[tuple[str, ...]]]]:
    """Render scenes under `out/input`, caption them into `out/STRATEGY`, and return columns and tests.

    What is rendered and captioned already is not done again. The first column is the alt-text.

    Args:
        strategies: Of `recaption.demo.run.STRATEGIES`.

    Raises:
        UserError: A folder cannot be written, or holds something else, or the extra `hf` is not installed.
    """
    images = out / "input"
    write_demo(images, scenes, seed, evidence=False)
    chosen = {name: _captioned(name, images, out / name, seed) for name in strategies}
    records = [
        r
        for r in open_dataset(str(images.absolute()), options=ReaderOptions()).records()
        if isinstance(r, Record)
    ]
    items = tuple(_item(record, list(chosen.values())) for record in records)
    drawn = [_scene(record) for record in records]
    tests: dict[str, list[tuple[str, ...]]] = {FACTS: [(facts_text(scene),) for scene in drawn]}
    for aspect in _ASPECTS:  # seeded apart from the alt-texts, which are in these words now and then
        tests[f"true {aspect}"] = [
            (describe(scene, aspect, seed_from("downstream", seed, i)),) for i, scene in enumerate(drawn)
        ]
    return Subject(columns=(ORIGINAL, *chosen), items=items, seed=seed), tests


def facts_text(scene: Scene) -> str:
    """Return what is in a scene as a bare list: things with their looks, the background, the word on the sign."""
    things = [f"{t.shape}: {t.colour}, {t.material}, {t.size}" for t in scene.things]
    sign = [scene.sign.word] if scene.sign is not None else []
    return ". ".join([*things, scene.background, *sign])


def _captioned(name: str, images: Path, target: Path, seed: int) -> dict[str, str]:
    """Return the chosen text of every picture that has one, by key."""
    captioned(name, images, target, seed)
    return {r.key: r.best.text for r in RunFolder(target).records() if r.best is not None}


def _item(record: Record, chosen: Sequence[Mapping[str, str]]) -> Item:
    original = record.original_text
    texts = (
        (original,) if original else (),
        *((some[record.key],) if record.key in some else () for some in chosen),
    )
    return Item(key=record.key, record=record, texts=texts)


def _scene(record: Record) -> Scene:
    facts = record.metadata["facts"]
    return Scene.from_json(json.loads(facts) if isinstance(facts, str) else facts)
