"""Which of the things in a photo do the captions name? Object precision and recall of composed captions.

    python benchmarks/object_recall.py DATA_DIR [--show N]

DATA_DIR holds `photos/coco` (80 photos, their boxes and five human captions each) and `models/yolox_nano.onnx`.
Counted over image × class presence, 80 classes, by the boxes: precision is the share of the classes a caption
names that are there, recall the share of those there that it names. Human captions are the yardstick.
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from recaption.core.protocols import Context
from recaption.core.types import Box, Evidence, Kept, Record
from recaption.media.images import decode
from recaption.media.labels import coco_matcher
from recaption.stages.compose import Compose

ASPECTS = ("brief", "context", "dense")


class Tally(NamedTuple):
    """Hits, false alarms and misses."""

    hits: int = 0
    alarms: int = 0
    misses: int = 0
    words: int = 0
    captions: int = 0

    def plus(self, said: frozenset[str], there: frozenset[str], words: int) -> "Tally":
        """Return the tally with one more caption counted."""
        return Tally(
            self.hits + len(said & there),
            self.alarms + len(said - there),
            self.misses + len(there - said),
            self.words + words,
            self.captions + 1,
        )

    def row(self, name: str) -> str:
        """Return one line of the table."""
        named, there = self.hits + self.alarms, self.hits + self.misses
        precision = self.hits / named if named else 0.0
        recall = self.hits / there if there else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        words = self.words / self.captions if self.captions else 0.0
        return f"| {name:<36} | {precision:9.3f} | {recall:6.3f} | {f1:5.3f} | {words:5.1f} |"


class Photo(NamedTuple):
    """A photo, what is in it by the boxes, and what people wrote."""

    path: Path
    record: Record
    there: frozenset[str]
    human: Sequence[str]


def photos(folder: Path) -> list[Photo]:
    """Return every photo of the COCO folder with its boxes as evidence."""
    instances = json.loads((folder / "instances.json").read_text(encoding="utf-8"))
    captions = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in instances["categories"]}
    evidence: dict[int, list[Evidence]] = {}
    for box in instances["annotations"]:
        x, y, width, height = box["bbox"]
        item = Evidence(
            kind="object",
            label=names[box["category_id"]],
            source="coco",
            box=Box(x, y, x + width, y + height),
            attributes={"iscrowd": True} if box["iscrowd"] else {},
        )
        evidence.setdefault(box["image_id"], []).append(item)
    human: dict[int, list[str]] = {}
    for caption in captions["annotations"]:
        human.setdefault(caption["image_id"], []).append(caption["caption"])
    found = []
    for image in instances["images"]:
        items = tuple(evidence.get(image["id"], ()))
        record = Record(key=image["file_name"], size=(image["width"], image["height"]), evidence=items)
        there = frozenset(item.label for item in items)
        found.append(Photo(folder / "images" / image["file_name"], record, there, human.get(image["id"], ())))
    return found


def detected(found: Sequence[Photo], model: Path, min_score: float) -> list[Record]:
    """Return the records with a detector's evidence in place of the boxes."""
    from recaption.models.yolox import YoloxExpert

    expert = YoloxExpert(YoloxExpert.Params(model=str(model), min_score=min_score))
    records = []
    for photo in found:
        pixels = decode(photo.path.read_bytes(), max_side_px=expert.max_side_px)
        evidence = tuple(
            replace(item, box=item.box.scaled(pixels.scale) if item.box else None)
            for item in expert.examine([pixels])[0]
        )
        records.append(replace(photo.record, evidence=evidence))
    return records


def composed(records: Sequence[Record], min_score: float) -> list[Mapping[str, str]]:
    """Return aspect to caption for each record."""
    stage = Compose(Compose.Params(default_min_score=min_score))
    outcomes = stage.process(records, _context())
    return [
        {caption.aspect: caption.text for caption in outcome.record.captions}
        for outcome in outcomes
        if isinstance(outcome, Kept)
    ]


def _context() -> Context:
    class Nothing:
        """Composing needs neither images nor a ledger."""

    return Context(images=Nothing(), ledger=Nothing(), meter=Nothing())  # type: ignore[arg-type]


def rows(title: str, found: Sequence[Photo], captions: Sequence[Mapping[str, str]]) -> Iterable[str]:
    """Yield one line per aspect; a photo without the caption counts as one that names nothing."""
    matcher = coco_matcher()
    for aspect in ASPECTS:
        tally = Tally()
        for photo, texts in zip(found, captions, strict=True):
            text = texts.get(aspect, "")
            tally = tally.plus(matcher.labels_in(text), photo.there, len(text.split()))
        yield tally.row(f"{title}, {aspect}")


def yardstick(found: Sequence[Photo]) -> Iterable[str]:
    """Yield the lines of the human captions."""
    matcher = coco_matcher()
    alone, union = Tally(), Tally()
    for photo in found:
        said = [matcher.labels_in(text) for text in photo.human]
        for labels, text in zip(said, photo.human, strict=True):
            alone = alone.plus(labels, photo.there, len(text.split()))
        words = sum(len(text.split()) for text in photo.human)
        union = union.plus(frozenset().union(*said), photo.there, words)
    yield alone.row("human, each of five alone")
    yield union.row("human, all five together")


def main() -> None:
    """Print one table, and with --show some captions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="also print the captions of N photos")
    arguments = parser.parse_args()
    found = photos(arguments.data_dir / "photos" / "coco")
    model = arguments.data_dir / "models" / "yolox_nano.onnx"
    from_boxes = composed([photo.record for photo in found], 0.5)
    print(f"{len(found)} photos, {sum(len(photo.there) for photo in found)} classes present\n")
    print(f"| {'captions':<36} | precision | recall |    F1 | words |")
    print(f"|{'-' * 38}|-----------|--------|-------|-------|")
    print("\n".join(rows("boxes given", found, from_boxes)))
    for min_score in (0.25, 0.5):
        seen = composed(detected(found, model, min_score), min_score)
        print("\n".join(rows(f"yolox_nano from {min_score}", found, seen)))
    print("\n".join(yardstick(found)))
    for photo, texts in list(zip(found, from_boxes, strict=True))[: arguments.show]:
        print(f"\n{photo.path.name}")
        for aspect, text in texts.items():
            print(f"  {aspect:<10} {text}")
        print(f"  {'human':<10} {photo.human[0].strip() if photo.human else ''}")


if __name__ == "__main__":
    main()
