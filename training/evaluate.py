"""Measure the embedded models on scenes that no training saw, through the stock classes of transformers.

    python training/evaluate.py --out src/recaption/models/embedded/metrics.json

Every claim of every caption is judged by the scene's facts (`recaption.demo.facts`). Shares are given with their
count and a 95 % interval: Wilson's for single statements, a bootstrap over scenes for precision of whole captions.
"""

import argparse
import hashlib
import json
import platform
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from arguments import Parser, at_least, device
from data import DEV_SEED, PICTURE_PX, TEST_SEED, TRAIN_SEED, scenes_of, stored_picture
from intervals import gain_interval, precision_interval, share, short, wilson
from negatives import SWAPS, swapped
from numpy.typing import NDArray
from subjects import BATCH, Captioner, DualEncoder, load
from transformers import (
    VisionEncoderDecoderModel,
    VisionTextDualEncoderModel,
)

import recaption.models.embedded.architecture  # noqa: F401 - registers the towers
from recaption.core.digests import seed_from
from recaption.demo.captions import ASPECTS, Aspect, describe
from recaption.demo.claims import PICTURE
from recaption.demo.facts import FACT_KINDS, Verdict, judge
from recaption.demo.lexicon import SIGN
from recaption.demo.render import Renderer
from recaption.demo.world import WORLD_VERSION, Scene
from recaption.models.embedded import EMBEDDED, folder

SAMPLES, CHOSEN = 5, 2
TEMPERATURES = (0.7, 1.0, 1.5, 2.0)
GATES = {
    "greedy object precision": 0.92,
    "relations true where both things are right": 0.85,
    "swaps told apart, mean of kinds": 0.92,
    "swaps told apart, worst kind": 0.80,
    "dense caption, picture to text, recall at 1": 0.95,
    "dense caption, text to picture, recall at 1": 0.95,
    "chosen 2 of 5 at temperature 1: gain over the mean": 0.05,
    "chosen 2 of 5 at temperature 1: gain over greedy": 0.0,
}


def retrieval(dual: DualEncoder, scenes: list[Scene]) -> dict[str, Any]:
    """Return recall at 1, 5 and 10 among all scenes, both ways, by aspect."""
    found: dict[str, Any] = {}
    for aspect in ASPECTS:
        texts = [describe(scene, aspect, seed_from("retrieval", i)) for i, scene in enumerate(scenes)]
        similarity = (dual.images @ dual.embed(texts).T).double().cpu().numpy()
        for name, matrix in (("picture to text", similarity), ("text to picture", similarity.T)):
            better = (matrix > matrix.diagonal()[:, None]).sum(1)
            found[f"{aspect}, {name}"] = {f"recall at {k}": share(better < k) for k in (1, 5, 10)}
    return found


def swaps(dual: DualEncoder, scenes: list[Scene]) -> dict[str, Any]:
    """Return how often the true caption beats the same caption with one fact swapped, by kind."""
    told: dict[str, list[bool]] = {kind: [] for kind in SWAPS}
    by_aspect: dict[str, list[bool]] = {aspect: [] for aspect in ASPECTS}
    for aspect in ASPECTS:
        pairs: list[tuple[str, int, str, str]] = []
        for i, scene in enumerate(scenes):
            rng = np.random.default_rng(seed_from("swaps", aspect, i))
            for kind in SWAPS:
                text = swapped(scene, aspect, i, kind, rng)
                if text is not None:
                    pairs.append((kind, i, describe(scene, aspect, i), text))
        if not pairs:
            continue
        at = torch.tensor([i for _, i, _, _ in pairs])
        images = dual.images[at.to(dual.images.device)]
        true, false = (
            (dual.embed(texts) * images).sum(-1) for texts in ([p[2] for p in pairs], [p[3] for p in pairs])
        )
        for (kind, *_), right in zip(pairs, (true > false).tolist(), strict=True):
            told[kind].append(right)
            by_aspect[aspect].append(right)
    return {
        "by kind": {kind: share(values) for kind, values in told.items()},
        "by aspect": {aspect: share(values) for aspect, values in by_aspect.items()},
    }


def greedy(captioner: Captioner, scenes: list[Scene]) -> tuple[dict[str, Any], dict[Aspect, list[Verdict]]]:
    """Return precision and recall of the likeliest captions by aspect and kind, and the verdicts."""
    verdicts = {
        aspect: [judge(row[0], s) for row, s in zip(captioner.write(aspect), scenes, strict=True)]
        for aspect in ASPECTS
    }
    everything = [v for rows in verdicts.values() for v in rows]
    report: dict[str, Any] = {"by kind": _by_kind(everything), "by aspect": {}}
    for aspect, rows in verdicts.items():
        report["by aspect"][aspect] = {
            "precision": precision_interval([_counts([v]) for v in rows]),
            "fully correct": share(v.fully_correct for v in rows if v.precision is not None),
            "silent": share(v.precision is None for v in rows),
            "by kind": _by_kind(rows),
        }
    relations = [r for rows, s in zip(_transposed(verdicts), scenes, strict=True) for r in _relations(rows, s)]
    report["relations true where both things are right"] = share(relations)
    return report, verdicts


def chosen(
    captioner: Captioner, dual: DualEncoder, scenes: list[Scene], likeliest: dict[Aspect, list[Verdict]]
) -> dict[str, Any]:
    """Return the precision of samples, of those the dual encoder chooses, and of the best there are."""
    report: dict[str, Any] = {}
    for temperature in TEMPERATURES:
        cells: dict[str, Any] = {}
        total: dict[str, list[NDArray[np.int64]]] = {}
        for aspect in ASPECTS:
            texts = captioner.write(aspect, SAMPLES, temperature)
            rows = [[judge(t, s) for t in row] for row, s in zip(texts, scenes, strict=True)]
            by_score = np.argsort(-dual.score(texts), axis=1, kind="stable")[:, :CHOSEN]
            truth = np.array([[_or_zero(v.precision) for v in row] for row in rows])
            by_truth = np.argsort(-truth, axis=1, kind="stable")[:, :CHOSEN]
            sets = {
                "all five": [_counts(row) for row in rows],
                "chosen two": [_counts([row[k] for k in ks]) for row, ks in zip(rows, by_score, strict=True)],
                "best two there are": [
                    _counts([row[k] for k in ks]) for row, ks in zip(rows, by_truth, strict=True)
                ],
                "greedy": [_counts([v]) for v in likeliest[aspect][: len(rows)]],
            }
            cells[aspect] = _choice(sets)
            cells[aspect]["different texts of five"] = float(np.mean([len(set(row)) for row in texts]))
            cells[aspect]["truer of two ranked first"] = _ranked(dual.score(texts), truth)
            for name, values in sets.items():
                total.setdefault(name, []).extend(values)
        cells["all aspects"] = _choice(total)
        report[f"temperature {temperature:g}"] = cells
    return report


def _choice(sets: dict[str, list[NDArray[np.int64]]]) -> dict[str, Any]:
    report: dict[str, Any] = {f"precision, {name}": precision_interval(rows) for name, rows in sets.items()}
    for other in ("all five", "greedy"):
        report[f"gain over {other}"] = gain_interval(sets["chosen two"], sets[other])
    return report


def _ranked(scores: NDArray[np.float64], truth: NDArray[np.float64]) -> dict[str, float]:
    gap = scores[:, :, None] - scores[:, None, :]
    return share((gap > 0)[truth[:, :, None] > truth[:, None, :] + 1e-9])


def _counts(verdicts: Iterable[Verdict]) -> NDArray[np.int64]:
    """Return how many claims hold and how many are decided."""
    rows = list(verdicts)
    right = sum(len(v.supported) for v in rows)
    return np.array([right, right + sum(len(v.contradicted) for v in rows)])


def _by_kind(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    count: Counter[tuple[str, str]] = Counter()
    for v in verdicts:
        for name, facts in (
            ("right", v.supported),
            ("wrong", v.contradicted),
            ("all", v.facts),
            ("said", v.covered),
        ):
            count.update((name, f.kind) for f in facts)
    report: dict[str, Any] = {}
    for kind in FACT_KINDS:
        right, wrong = count["right", kind], count["wrong", kind]
        if right + wrong:
            report[kind] = {"precision": wilson(right, right + wrong)}
        if right + wrong and count["all", kind]:
            report[kind]["recall"] = wilson(count["said", kind], count["all", kind])
    return report


def _relations(verdicts: Iterable[Verdict], scene: Scene) -> Iterable[bool]:
    here = {t.shape for t in scene.things} | ({SIGN} if scene.sign else set())
    for v in verdicts:
        for right, facts in ((True, v.supported), (False, v.contradicted)):
            for f in facts:
                if f.kind == "relation" and f.subject in here and f.target in here | {PICTURE}:
                    yield right


def _transposed(verdicts: dict[Aspect, list[Verdict]]) -> Iterable[tuple[Verdict, ...]]:
    return zip(*verdicts.values(), strict=True)


def _or_zero(value: float | None) -> float:
    return 1.0 if value is None else value


def gates(report: dict[str, Any]) -> dict[str, Any]:
    """Return every gate with what was reached."""
    by_kind = [cell["share"] for cell in report["swaps"]["by kind"].values()]
    first = report["chosen by the dual encoder"]["temperature 1"]["all aspects"]
    reached = [
        report["greedy"]["by kind"]["object"]["precision"]["share"],
        report["greedy"]["relations true where both things are right"]["share"],
        sum(by_kind) / len(by_kind),
        min(by_kind),
        *(
            report["retrieval"][f"dense, {way}"]["recall at 1"]["share"]
            for way in ("picture to text", "text to picture")
        ),
        first["gain over all five"]["gain"],
        first["gain over greedy"]["gain"],
    ]
    return {
        name: {"wanted": wanted, "reached": short(value), "met": bool(value >= wanted)}
        for (name, wanted), value in zip(GATES.items(), reached, strict=True)
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write or print the report."""
    options = _options(arguments)
    torch.manual_seed(0)
    began = time.monotonic()
    scenes = scenes_of(options.split, options.scenes)
    renderer = Renderer(PICTURE_PX)
    pictures = [stored_picture(renderer, scene) for scene in scenes]
    with torch.inference_mode():
        model, tokenizer, pixels = load(
            options.dual_encoder, VisionTextDualEncoderModel, pictures, options.device
        )
        seen = torch.cat([model.get_image_features(pixel_values=b).pooler_output for b in pixels.split(BATCH)])
        dual = DualEncoder(model, tokenizer, torch.nn.functional.normalize(seen, dim=-1))
        some = min(options.captioned, len(scenes))
        few = min(options.sampled, some)
        captioner = Captioner(
            *load(options.captioner, VisionEncoderDecoderModel, pictures[:some], options.device)
        )
        likeliest, verdicts = greedy(captioner, scenes[:some])
        report = {
            "about": {
                "split": options.split,
                "scenes": len(scenes),
                "scenes captioned": some,
                "scenes sampled": few,
                "world": WORLD_VERSION,
                "torch": torch.__version__,
                "transformers": transformers.__version__,
                "device": str(options.device),
                "machine": platform.machine(),
                "sha256": {name: _digest(getattr(options, name)) for name in EMBEDDED},
            },
            "retrieval": retrieval(dual, scenes),
            "swaps": swaps(dual, scenes[:some]),
            "greedy": likeliest,
            "chosen by the dual encoder": chosen(
                Captioner(captioner.model, captioner.tokenizer, captioner.pixels[:few]),
                DualEncoder(dual.model, dual.tokenizer, dual.images[:few]),
                scenes[:few],
                verdicts,
            ),
        }
    report["gates"] = gates(report)
    text = json.dumps(report, indent=1) + "\n"
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(json.dumps(report["gates"], indent=1))  # noqa: T201
    print(f"{time.monotonic() - began:.0f} s")  # noqa: T201


def _digest(path: Path) -> str:
    return hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest()


def _split(text: str) -> str:
    """Return a split whose scenes belong to it alone."""
    if text not in (DEV_SEED, TEST_SEED) and not re.fullmatch(TRAIN_SEED + "-[0-9]+", text):
        raise argparse.ArgumentTypeError(f"must be dev, test or train-NUMBER, not {text!r}")
    return text


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in EMBEDDED:
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, help="default: the one in the package")
    parser.add_argument("--split", type=_split, default=TEST_SEED, help="`dev` for choices, `test` for reports")
    parser.add_argument("--scenes", type=at_least(1), default=1_000)
    parser.add_argument("--captioned", type=at_least(1), default=500, help="of them, those that are captioned")
    parser.add_argument(
        "--sampled", type=at_least(1), default=200, help="of those, those whose captions are sampled"
    )
    parser.add_argument("--device", type=device, default="cpu")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    for name in EMBEDDED:
        if getattr(options, name) is None:
            setattr(options, name, folder(name))
        file = getattr(options, name) / "model.safetensors"
        if not file.is_file():
            parser.error(f"argument --{name.replace('_', '-')}: there is no {file}")
    return options


if __name__ == "__main__":
    main()
