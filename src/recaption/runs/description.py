"""What `run.json` says of a run, and the digest by which a shard's work is known to be still the same."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from recaption import __version__
from recaption.core.digests import digest_json
from recaption.core.protocols import Neighbourly, Reader, Stage
from recaption.datasets.run_folder import FORMAT
from recaption.recipes.recipe import Recipe

if TYPE_CHECKING:
    from recaption.runs.run import RunOptions

__all__ = ["compares_neighbours", "description", "work_digest"]

PACKAGES: Final = (
    "numpy",
    "pillow",
    "pyarrow",
    "ftfy",
    "instant-clip-tokenizer",
    "onnxruntime",
    "rapidocr",
    "torch",
    "transformers",
    "tokenizers",
)
"""Libraries whose version can change an output."""


def description(
    reader: Reader, recipe: Recipe, stages: Sequence[Stage], options: RunOptions, source: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what `run.json` says. It holds no times and no call counts: those differ between equal runs."""
    return {
        "format": FORMAT,
        "complete": False,
        "recaption": __version__,
        "python": platform.python_version(),
        "packages": _versions(),
        "input": dict(source),
        "detected": reader.description,
        "recipe": {"name": recipe.name, "digest": recipe.digest},
        "seed": options.seed,
        "shard_size": options.shard_size,
        **({"batch_size": options.batch_size} if compares_neighbours(stages) else {}),
    }


def work_digest(recipe: Recipe, stages: Sequence[Stage], options: RunOptions) -> str:
    """Return the digest of all that decides what becomes of a shard's input, people's rulings aside."""
    fingerprints = [stage.fingerprint for stage in stages]
    parts: list[object] = [FORMAT, recipe.digest, options.seed, fingerprints]
    return digest_json([*parts, options.batch_size] if compares_neighbours(stages) else parts)


def compares_neighbours(stages: Sequence[Stage]) -> bool:
    """Say whether what becomes of a record depends on those in its batch."""
    return any(isinstance(stage, Neighbourly) and stage.compares_neighbours for stage in stages)


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
