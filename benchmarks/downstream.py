"""Do models learn more from the new captions? The same dual encoder, trained on the old and on the new.

    python benchmarks/downstream.py [OUT] [--scenes 2000] [--strategies hybrid rules model] [--controls]

Renders scenes of the demo's world with noisy alt-texts, captions them, trains a small dual encoder on each column
from each seed, and tests all of them on held-out scenes with true texts that no captioner has written. With
`--controls` it adds the captions of the last strategy, shuffled, which must end at chance, and trains on the
alt-texts twice, which must make no difference at all. What is finished under OUT is not done again.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from recaption.console import out, show_table
from recaption.demo.downstream import ORIGINAL, downstream_subject
from recaption.demo.run import STRATEGIES
from recaption.evaluation.downstream.data import Tests, shuffled
from recaption.evaluation.downstream.experiment import DownstreamProgress, downstream
from recaption.evaluation.downstream.options import DownstreamOptions
from recaption.evaluation.downstream.outcome import Outcome
from recaption.evaluation.subject import Subject
from recaption.media.images import BatchImages


def main() -> None:
    """Render, caption, train, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--strategies", nargs="+", default=["hybrid"], choices=sorted(STRATEGIES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--image-px", type=int, default=48)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--controls", action="store_true")
    given = parser.parse_args()
    options = DownstreamOptions(
        seeds=given.seeds,
        steps=given.steps,
        batch_size=given.batch_size,
        image_px=given.image_px,
        threads=given.threads,
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.out or Path(scratch)
        subject, tests = downstream_subject(folder, given.scenes, given.seed, given.strategies)
        if given.controls:
            _no_difference(subject, tests, options)
            subject = shuffled(subject, given.strategies[-1])
        began = time.monotonic()
        outcome = downstream(
            subject, options, make_images=_images, folder=folder / "trainings", tests=tests, watch=_Watch()
        )
        _tell(outcome, time.monotonic() - began)


def _images() -> BatchImages:
    return BatchImages(max_side_px=1024)


class _Watch:
    """Prints what begins."""

    def __init__(self) -> None:
        self._what, self._loss = "", 0.0

    def __call__(self, progress: DownstreamProgress) -> None:
        if progress.what != self._what:
            self._what = progress.what
            print(f"{progress.what}…", flush=True)


def _no_difference(subject: Subject, tests: Tests, options: DownstreamOptions) -> None:
    """Train on the alt-texts twice, remembering nothing in between."""
    items = tuple(replace(item, texts=(item.texts[0], item.texts[0])) for item in subject.items)
    twice = replace(subject, columns=(ORIGINAL, "original again"), items=items)
    found = downstream(twice, options.model_copy(update={"seeds": 1}), make_images=_images, tests=tests)
    most = max(abs(d) for figure in found.figures for some in figure.seed_deltas.values() for d in some)
    print(f"the same captions twice: largest difference of any figure {most:g}")


def _tell(outcome: Outcome, wall_s: float) -> None:
    show_table(outcome.header(), outcome.rows([outcome.headline]))
    others = [test for test in outcome.unknown if test != outcome.headline]
    show_table(outcome.header(), outcome.rows(others, at=[1]))
    for line in outcome.lines():
        out.print(line, markup=False)
    losses = {name: ", ".join(f"{loss:.2f}" for loss in some) for name, some in outcome.losses.items()}
    print(f"loss at the end: {losses}; left out: {dict(outcome.left_out)}; about: {dict(outcome.about)}")
    print(f"{wall_s:.0f} s in all, captioning not counted")


if __name__ == "__main__":
    main()
