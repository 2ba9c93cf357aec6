"""How large a report is and how long it takes, whatever the number of items: made-up figures through the real engine.

    python benchmarks/report_size.py [--items N …] [--figures F] [--columns K]

Prints a row for each number of items: seconds for the figures with their intervals and subsets, for `report.json`,
for thumbnails and for the page; bytes of `report.json`, of the page without pictures and of the page with them.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image as Pillow

from recaption.core.types import Image, Record
from recaption.evaluation.comparison import compared
from recaption.evaluation.measures import About, Additive
from recaption.evaluation.pictures import histograms, scatters
from recaption.evaluation.report.page import render
from recaption.evaluation.report.serialise import from_json, to_json
from recaption.evaluation.report.thumbnails import read_thumbnails, with_thumbnails
from recaption.evaluation.result import Evaluation
from recaption.evaluation.samples import examples
from recaption.evaluation.slices import slices
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.verdict import findings, headline, verdict
from recaption.media.images import BatchImages

Made = TypeVar("Made")
WORDS = [
    "a",
    "the",
    "red",
    "blue",
    "small",
    "dog",
    "bicycle",
    "wall",
    "beach",
    "table",
    "with",
    "beside",
    "under",
    "of",
    "in",
    "and",
    "old",
    "wooden",
    "cloudy",
]
GROUPS = ("retrieval", "agreement", "faithfulness", "fluency", "sameness", "length")


def main() -> None:
    """Print one row for each number of items."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, nargs="+", default=[1_000, 100_000])
    options.add_argument("--figures", type=int, default=40)
    options.add_argument("--columns", type=int, default=2)
    chosen = options.parse_args()
    print(
        "items    figures  figures_s  json_s  thumbnails_s  page_s  json_bytes  page_bytes  with_pictures_bytes"
    )
    for n in chosen.items:
        print(row(n, chosen.figures, chosen.columns))


def row(n: int, figures: int, columns: int) -> str:
    """Return the row for n items."""
    subject = made_up(n, columns)
    evaluation, figures_s = timed(lambda: evaluated(subject, made_up_figures(subject, figures)))
    with tempfile.TemporaryDirectory() as folder:
        records = {item.key: item.record for item in subject.items}
        pictured, thumbnails_s = timed(
            lambda: with_thumbnails(evaluation.examples, records, BatchImages, Path(folder))
        )
        evaluation = replace(evaluation, examples=tuple(pictured))
        json, json_s = timed(lambda: to_json(evaluation))
        assert to_json(from_json(json)) == json
        pictures = read_thumbnails(evaluation.examples, Path(folder))
        bare = len(
            render(replace(evaluation, examples=[replace(e, thumbnail=None) for e in pictured])).encode()
        )
        page, page_s = timed(lambda: render(evaluation, pictures))
    return (
        f"{n:<8,} {figures:<8} {figures_s:<10.2f} {json_s:<7.2f} {thumbnails_s:<13.2f} {page_s:<7.2f} "
        f"{len(json.encode()):<11,} {bare:<11,} {len(page.encode()):,}"
    )


def made_up(n: int, columns: int) -> Subject:
    """Return items with texts of random words, one of 40 noisy photographs each, and a subset column."""
    rng = np.random.default_rng(0)
    photos = [photo(i) for i in range(40)]
    lengths = rng.integers(3, 40, (n, columns))
    drawn = rng.integers(len(WORDS), size=int(lengths.sum()))
    items, place = [], 0
    for i in range(n):
        texts = []
        for length in lengths[i]:
            texts.append((" ".join(WORDS[w] for w in drawn[place : place + length]),))
            place += length
        key = f"photos/{i:06d}.jpg"
        record = Record(key=key, image=Image(data=photos[i % 40]))
        items.append(Item(key=key, texts=tuple(texts), record=record, slices={"source": f"site {i % 5}"}))
    names = ("original", *(f"new {i}" for i in range(1, columns)))
    return Subject(columns=names, items=tuple(items))


def made_up_figures(subject: Subject, count: int) -> list[Additive]:
    """Return figures of random values; one of ten is primary, one of eight is drawn."""
    rng = np.random.default_rng(1)
    n, found = len(subject), []
    for i in range(count):
        about = About(
            name=f"figure_{i}",
            title=f"Made-up figure number {i}",
            group=GROUPS[i % len(GROUPS)],  # type: ignore[arg-type]
            better="higher" if i % 3 else "lower",
            primary=i % 10 == 0,
            plot=i % 8 == 0,
            note=f"Drawn at random, number {i}, to see how large a report becomes.",
        )
        parts = {
            c: np.stack([rng.normal(0.3 + 0.01 * j, 0.1, n), np.ones(n)], axis=1)
            for j, c in enumerate(subject.columns)
        }
        found.append(Additive(about=about, parts=parts))
    return found


def evaluated(subject: Subject, figures: list[Additive]) -> Evaluation:
    """Return what the engine says of the figures."""
    rows = compared(figures, subject)
    parts = slices(figures, subject)
    first = headline(rows)
    return Evaluation(
        columns=subject.columns,
        headline=first.about.name if first else None,
        verdict=verdict(rows, subject.columns),
        findings=findings(rows, parts, subject.columns),
        counts={"read": len(subject), "evaluated": len(subject)},
        rows=rows,
        slices=parts,
        histograms=histograms(figures, subject),
        scatters=scatters(figures, subject),
        examples=examples(figures, subject),
        limits=["Every number is made up."],
    )


def photo(seed: int) -> bytes:
    """Return a JPEG with as much detail as a photograph has."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    smooth = np.asarray(Pillow.fromarray(coarse).resize((640, 480), Pillow.Resampling.BICUBIC), np.float64)
    noisy = np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)
    out = BytesIO()
    Pillow.fromarray(noisy).save(out, "JPEG", quality=85)
    return out.getvalue()


def timed(make: Callable[[], Made]) -> tuple[Made, float]:
    """Return what is made, and the seconds that took."""
    start = time.perf_counter()
    made = make()
    return made, time.perf_counter() - start


if __name__ == "__main__":
    main()
