"""The downstream comparison of a dataset, from names to files: trainings remembered, the outcome as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from recaption.datasets.atomic import make_folder, write_atomic
from recaption.datasets.run_folder import RunFolder
from recaption.datasets.typed_json import to_plain
from recaption.evaluation.downstream.experiment import DownstreamProgress, downstream
from recaption.evaluation.downstream.options import DownstreamOptions
from recaption.evaluation.downstream.outcome import Outcome
from recaption.evaluation.loading import load
from recaption.media.images import BatchImages
from recaption.runs.evaluating import OURS, Request, images_policy
from recaption.runs.run import limits_of

__all__ = ["downstream_into"]


def downstream_into(
    request: Request,
    options: DownstreamOptions,
    out: Path,
    watch: Callable[[DownstreamProgress], None] = lambda progress: None,
) -> Outcome:
    """Train on every column of a request, write `evaluation/downstream.json`, and return what came of it.

    Finished trainings are remembered in `evaluation/trainings`; the same request trains nothing anew.

    Raises:
        UserError: There is nothing to train on, torch is not installed, the folder holds something else.
        BackendError: A training came to nothing.
    """
    loaded = load(
        request.readers,
        request.columns,
        references=request.references,
        sample=options.max_items,
        seed=request.options.seed,
    )
    policy = images_policy(request.folders)
    with RunFolder(out).locked(ours=OURS):
        make_folder(out / "evaluation")
        found = downstream(
            loaded.subject,
            options,
            make_images=lambda: BatchImages(limits_of(policy), policy.max_side_px),
            folder=out / "evaluation" / "trainings",
            watch=watch,
        )
        text = json.dumps(to_plain(found), ensure_ascii=False, allow_nan=False, indent=1)
        write_atomic(out / "evaluation" / "downstream.json", text.encode("utf-8", "backslashreplace"))
    return found
