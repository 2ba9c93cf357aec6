"""Evaluations to try the report with. Every number and text is made up, from a seed, and the page says so itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from recaption.core.digests import digest_bytes
from recaption.evaluation.measures import About, Control, Listing, Value
from recaption.evaluation.report.thumbnails import Thumbnail
from recaption.evaluation.result import Effect, Evaluation, Example, Histogram, Row, Scatter, Skipped, Slice

__all__ = ["FOUR", "TWO", "pictures", "sample"]

Floats = NDArray[np.float64]

TWO = ("original", "new")
FOUR = ("original", "rules", "model", "hybrid")

_ENCODER = "SAMPLE openai/clip-vit-base-patch32@3d74acf9, float32; cut at 77 tokens; a tie counts as half."
_BOXES = "SAMPLE Boxes of the data; 80 classes and their synonyms."

# Mean of the baseline, spread of items, change of each further column in spreads.
_SHAPES: Mapping[str, tuple[float, float, tuple[float, ...]]] = {
    "recall_at_1.t2i": (0.31, 0.3, (0.5, 0.2, 0.45)),
    "recall_at_5.t2i": (0.52, 0.3, (0.4, 0.1, 0.35)),
    "bag_recall@5": (0.44, 0.35, (0.3, 0.02, 0.3)),
    "clip_cosine": (0.271, 0.04, (0.6, 0.15, 0.8)),
    "cosine_least": (0.262, 0.045, (-0.05, 0.01, 0.02)),
    "object_precision": (0.86, 0.3, (-0.12, 0.0, 0.01)),
    "object_recall": (0.41, 0.35, (0.7, 0.3, 0.75)),
    "perplexity": (118.0, 60.0, (-0.9, -0.3, -0.8)),
    "rep_4": (0.021, 0.05, (0.02, 0.0, -0.01)),
    "words": (9.4, 5.0, (2.1, 0.3, 1.8)),
    "over_77": (0.004, 0.05, (0.3, 0.0, 0.1)),
}


def _about(name: str, title: str, group: str, **more: object) -> About:
    return About(name=name, title=title, group=group, **more)  # type: ignore[arg-type]


_ABOUTS = (
    _about(
        "recall_at_1.t2i",
        "Recall@1, text → image",
        "retrieval",
        better="higher",
        unit="share",
        primary=True,
        note=_ENCODER,
    ),
    _about(
        "recall_at_5.t2i", "Recall@5, text → image", "retrieval", better="higher", unit="share", note=_ENCODER
    ),
    _about("bag_recall@5", "Own image among 5 look-alikes", "retrieval", better="higher", unit="share"),
    _about("clip_cosine", "CLIP cosine", "agreement", better="higher", primary=True, plot=True, note=_ENCODER),
    _about(
        "cosine_least", "CLIP cosine, weakest sentence", "agreement", better="higher", plot=True, note=_ENCODER
    ),
    _about(
        "object_precision",
        "Objects named that are there",
        "faithfulness",
        better="higher",
        unit="share",
        primary=True,
        note=_BOXES,
    ),
    _about(
        "object_recall",
        "Objects there that are named",
        "faithfulness",
        better="higher",
        unit="share",
        note=_BOXES,
    ),
    _about(
        "perplexity", "Perplexity of the language model", "fluency", note="SAMPLE gpt2@607a30d7; per token."
    ),
    _about("rep_4", "Share of repeated runs of 4 words", "sameness", better="lower", unit="share"),
    _about("words", "Words", "length", unit="words", primary=True, plot=True),
    _about("over_77", "Longer than 77 CLIP tokens", "length", better="lower", unit="share"),
)

_BEFORE = (
    "IMG_2041.JPG | Free Shipping!!!",
    "red bicycle brick wall",
    "A dog on the beach",
    "Old lighthouse of Dover | Stock photo 00201",
    "Two people riding horses near the lake",
    "kitchen",
)
_AFTER = (
    "A blue van is parked beside a market stall, with crates of oranges stacked in front of it.",
    "A red bicycle leans against a brick wall beside a green door.",
    "A brown dog runs along the beach at low tide, a stick in its mouth.",
    "A white lighthouse stands on a grassy cliff under a cloudy sky.",
    "Two people riding brown horses along the sandy shore near the lake.",
    "A small kitchen with a wooden table, two chairs and a window over the sink.",
)
_CHAIN = (
    "[e07cb0817df7] kept · alt, default · came with the data",
    "    clip: 0.254",
    "[9b16d772f7c4] ✔ chosen · model, detailed · by caption",
    "    how: SAMPLE llava-1.5-7b@8c85e9a4, prompt detailed v2, temperature 0.7, draw 2 of 4",
    "    clip: 0.318",
    "    flag not_selected: none",
)


def sample(columns: Sequence[str] = TWO, *, n: int = 978, seed: int = 7, examples: int = 36) -> Evaluation:
    """Return an evaluation of `n` items that never were."""
    rng = np.random.default_rng(seed)
    items = {about.name: _items(rng, about, columns, n) for about in _ABOUTS}
    rows = [Row(about=a, values=_values(items[a.name]), effects=_effects(a, items[a.name])) for a in _ABOUTS]
    rows.append(_whole(columns, n))
    return Evaluation(
        columns=tuple(columns),
        verdict=" ".join(_sentence(rows[0], c) for c in columns[1:]),
        findings=tuple(f"{c}, better: CLIP cosine. Made-up numbers." for c in columns[1:]),
        counts={"read": n + 34, "rejected": 12, "without an original": 22, "evaluated": n},
        headline=rows[0].about.name,
        rows=tuple(rows),
        slices=tuple(_slices(rng, rows, columns)),
        listings=_listings(),
        controls=(
            _control("shuffled", "CLIP cosine of shuffled texts", 0.162, "below 0.2"),
            _control("itself", "Baseline against itself: largest change", 0.0, "0"),
        ),
        histograms=tuple(_histogram(a, items[a.name]) for a in _ABOUTS if a.plot),
        scatters=tuple(_scatter(items["clip_cosine"], columns[0], c) for c in columns[1:]),
        examples=tuple(_example(rng, columns, i, examples) for i in range(examples)),
        skipped=(
            Skipped(
                metric="judge", reason="no judge; name one with --judge, say http://127.0.0.1:8000/v1#MODEL"
            ),
            Skipped(metric="overlap", reason="none of the items has reference texts"),
        ),
        limits=(
            "SAMPLE: every number and text on this page is made up, to show what a report looks like.",
            "CLIP sees 77 tokens; of 4 % of the new texts it has not seen the end.",
            "The captions were chosen by CLIP cosine; figures by the same encoder favour them.",
        ),
        run={
            "recipe": "hybrid",
            "images": 1012,
            "seconds": 1874.2,
            "requests": 4048,
            "cost": 0.83,
            "models": ["SAMPLE llava-1.5-7b@8c85e9a4 (captions)", "SAMPLE clip-vit-base-patch32 (choice)"],
            "prompts": ["detailed, version 2", "brief, version 2"],
            "dropped": {
                "read: JPEG cannot be decoded": 7,
                "triage: smaller than N pixels": 4,
                "check: refusal": 1,
            },
            "chosen": {"model, detailed": 611, "model, brief": 214, "the original, cleaned": 98},
            "shortened to fit": {"captions": 41, "tokens lost": 512},
        },
        about={
            "input": "SAMPLE (made-up numbers)",
            "seed": 7,
            "sample": "all items",
            "resamples": 10_000,
            "versions": {"recaption": "0.1.0", "numpy": "2.4.6", "torch": "2.9.1"},
        },
    )


def pictures(evaluation: Evaluation) -> tuple[Evaluation, dict[str, Thumbnail]]:
    """Return the evaluation with a drawn picture for each example but every seventh, which has a reason instead."""
    found: dict[str, Thumbnail] = {}
    examples = []
    for i, example in enumerate(evaluation.examples):
        if i % 7 == 6:
            examples.append(replace(example, no_thumbnail="damaged JPEG header"))
            continue
        data = _picture(i)
        name = f"{digest_bytes(data)}.webp"
        found[name] = ("image/webp", data)
        examples.append(replace(example, thumbnail=name, alt=f"Drawn sample picture {i}"))
    return replace(evaluation, examples=tuple(examples)), found


def _items(rng: np.random.Generator, about: About, columns: Sequence[str], n: int) -> dict[str, Floats]:
    mean, spread, changes = _SHAPES[about.name]
    base = rng.normal(mean, spread, n)
    found = {columns[0]: base}
    for i, column in enumerate(columns[1:]):
        found[column] = base + rng.normal(changes[i % len(changes)] * spread, spread * 0.7, n)
    low = 1.0 if about.name in ("words", "perplexity") else 0.0
    high = 1.0 if about.unit == "share" else math.inf
    decimals = 0 if about.unit == "words" else 4
    return {c: np.asarray(np.round(np.clip(v, low, high), decimals), np.float64) for c, v in found.items()}


def _values(items: Mapping[str, Floats]) -> dict[str, Value]:
    found = {}
    for column, values in items.items():
        mean, half = float(values.mean()), 1.96 * float(values.std()) / math.sqrt(len(values))
        found[column] = Value(value=mean, n=len(values), low=mean - half, high=mean + half)
    return found


def _effects(about: About, items: Mapping[str, Floats]) -> dict[str, Effect]:
    first, *others = items
    return {c: _effect(about, items[c] - items[first]) for c in others}


def _effect(about: About, change: Floats) -> Effect:
    mean, half = float(change.mean()), 1.96 * float(change.std()) / math.sqrt(len(change))
    gain = -change if about.better == "lower" else change
    wins, losses = int((gain > 1e-9).sum()), int((gain < -1e-9).sum())
    return Effect(
        delta=mean,
        low=mean - half,
        high=mean + half,
        n=len(change),
        wins=wins,
        ties=len(change) - wins - losses,
        losses=losses,
        p_value=0.0004,
    )


def _whole(columns: Sequence[str], n: int) -> Row:
    about = _about("distinct_2", "Distinct pairs of words", "sameness", better="higher", unit="share")
    return Row(
        about=about,
        values={c: Value(value=0.412 - 0.07 * i, n=n) for i, c in enumerate(columns)},
        effects={c: Effect(delta=-0.07 * i, n=n) for i, c in enumerate(columns) if i},
    )


def _sentence(row: Row, column: str) -> str:
    effect = row.effects[column]
    old, new = (100 * (v.value or 0.0) for v in (next(iter(row.values.values())), row.values[column]))
    delta, low, high = (100 * (v or 0.0) for v in (effect.delta, effect.low, effect.high))
    return (
        f"{column}: better than original. {row.about.title} goes from {old:.1f} % to {new:.1f} % "
        f"({delta:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}; {effect.n:,} items, "
        f"{effect.wins} gain, {effect.ties} tie, {effect.losses} lose)."
    )


_SUBSETS: Mapping[str, tuple[str, ...]] = {
    "length against the baseline": ("less than half", "about the same", "1.25 to 2 times", "4 times or more"),
    "source": ("shop", "news", "stock", "blog"),
}


def _slices(rng: np.random.Generator, rows: Sequence[Row], columns: Sequence[str]) -> list[Slice]:
    """Return effects that are like those of all items, but for the shops, which lose where others gain."""
    found = []
    for row in rows:
        if not row.about.primary or row.about.name == "words":
            continue
        for by, value, n in (
            (b, v, n) for b, vs in _SUBSETS.items() for v, n in zip(vs, (96, 402, 212, 31), strict=True)
        ):
            for column in columns[1:]:
                whole = row.effects[column].delta or 0.0
                delta = whole * (-0.6 if value == "shop" else float(rng.normal(1.0, 0.25)))
                half = abs(whole) * 0.25 + 0.002
                effect = Effect(delta=delta, low=delta - half, high=delta + half, n=n)
                found.append(Slice(by=by, value=value, measure=row.about.name, column=column, effect=effect))
    return found


def _listings() -> tuple[Listing, ...]:
    return (
        Listing(
            name="openings",
            title="How texts begin",
            header=("first four words", "original", "new"),
            rows=(("a close-up of a", "3", "61"), ("a group of people", "8", "44"), ("img", "38", "0")),
        ),
        Listing(
            name="gained",
            title="Words gained",
            header=("word", "original", "new"),
            rows=(("wooden", "4", "121"), ("beside", "2", "98"), ("cloudy", "0", "57")),
            note="By the rise of their share.",
        ),
    )


def _control(name: str, title: str, value: float, expected: str) -> Control:
    return Control(name=name, title=title, value=value, expected=expected, holds=True)


def _histogram(about: About, items: Mapping[str, Floats]) -> Histogram:
    low, high = np.percentile(np.concatenate(list(items.values())), (0.5, 99.5))
    edges = np.linspace(float(low), float(high), 31)
    counts = {c: np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] for c, v in items.items()}
    return Histogram(
        measure=about.name,
        title=about.title,
        edges=tuple(edges.tolist()),
        counts={c: tuple(int(n) for n in found) for c, found in counts.items()},
    )


def _scatter(items: Mapping[str, Floats], baseline: str, column: str) -> Scatter:
    points = tuple(zip(items[baseline][:600].tolist(), items[column][:600].tolist(), strict=True))
    return Scatter(measure="clip_cosine", title="CLIP cosine", column=column, points=points)


def _example(rng: np.random.Generator, columns: Sequence[str], i: int, count: int) -> Example:
    kind, k = ("best", "worst", "random")[i * 3 // count], i % len(_BEFORE)
    after = {c: (_AFTER[(k + j * (kind == "worst")) % len(_AFTER)],) for j, c in enumerate(columns[1:])}
    texts = {columns[0]: (_BEFORE[k],), **after}
    return Example(
        kind=kind,
        measure=None if kind == "random" else "clip_cosine",
        key=f"photos/2019/album-{i:02d}/IMG_{2041 + i}.jpg",
        texts=texts,
        values={
            "clip_cosine": {
                c: round(float(rng.normal(0.27 + 0.02 * j, 0.03)), 4) for j, c in enumerate(columns)
            },
            "object_precision": {c: float(rng.choice([0.5, 1.0])) for c in columns},
            "words": {c: float(len(t[0].split())) for c, t in texts.items()},
        },
        chain=_CHAIN,
    )


def _picture(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    size = (320, 214) if seed % 3 else (200, 300)
    coarse = rng.integers(90, 230, (3, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(4):
        x, y, r = (int(v) for v in rng.integers((0, 0, 20), (size[0], size[1], 60)))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(int(v) for v in rng.integers(40, 255, 3)))
    out = BytesIO()
    picture.save(out, "WEBP", quality=70)
    return out.getvalue()
