"""Composed, human and vague captions of real photos, evaluated as a user would.

    python -m benchmarks.coco_captions DATA_DIR [--scorer MODEL]

DATA_DIR holds `photos/coco` (80 photos, their boxes, five human captions each) and `models/yolox_nano.onnx`. Columns:
`vague` (a text that fits any photo), `human` (the first human caption), `boxes` and `detector` (the dense caption
composed from the boxes, and from what a detector found). References are the other four human captions; labels are the
boxes and what those four name. So `boxes` is judged by what it was made of: its share of invented objects is the
floor, not a merit. COCO's detector was trained on such photos: a smoke test, not a benchmark of the detector.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.object_recall import Photo, composed, detected, photos
from recaption.console.evaluation import show_evaluation
from recaption.core.registry import known_names, resolve
from recaption.core.types import Image
from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.meter import SqliteMeter
from recaption.evaluation.engine import evaluate
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.media.images import BatchImages
from recaption.recipes.backends import backend

COLUMNS = ("vague", "human", "boxes", "detector")
VAGUE = "Nice photo"
MIN_SCORE = 0.35


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scorer")
    arguments = parser.parse_args()
    found = photos(arguments.data / "photos" / "coco")
    by_boxes = composed([photo.record for photo in found], MIN_SCORE)
    by_detector = composed(detected(found, arguments.data / "models" / "yolox_nano.onnx", MIN_SCORE), MIN_SCORE)
    texts = [
        ((VAGUE,), photo.human[:1], (boxes["dense"],), (dense,) if (dense := seen.get("dense")) else ())
        for photo, boxes, seen in zip(found, by_boxes, by_detector, strict=True)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        ledger, meter = (
            SqliteLedger(Path(scratch) / "calls.sqlite"),
            SqliteMeter(Path(scratch) / "spent.sqlite"),
        )
        scorers = {"clip": backend("scorers", arguments.scorer, "--scorer").build()} if arguments.scorer else {}
        tools = Tools(ledger=ledger, meter=meter, make_images=BatchImages, image_text=scorers)
        metrics = [resolve("metrics", name)() for name in known_names("metrics")]  # type: ignore[operator]
        told = evaluate(subject(found, texts), tools, metrics, counts={"photos": len(found)})
        show_evaluation(told.evaluation)
        ledger.close()
        meter.close()


def subject(found: Sequence[Photo], texts: Sequence[Sequence[Sequence[str]]]) -> Subject:
    """Return the photos with their texts by column."""
    items = tuple(
        Item(
            key=photo.record.key,
            record=replace(photo.record, image=Image(path=str(photo.path))),
            texts=tuple(tuple(column) for column in own),
            references=tuple(photo.human[1:]),
            labels=photo.there,
        )
        for photo, own in zip(found, texts, strict=True)
    )
    return Subject(columns=COLUMNS, items=items, label_source="boxes of COCO")


if __name__ == "__main__":
    main()
