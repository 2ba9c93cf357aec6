"""What a run folder says of how its captions came to be, for a report: models, prompts, cost, losses, who chose."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from recaption.core.digests import digest_json
from recaption.core.types import Caption, JsonValue, Record
from recaption.datasets.meter import SqliteMeter
from recaption.datasets.run_folder import RunFolder

__all__ = ["captions_digest", "foundation_of", "model_of", "run_background", "selecting_scorers"]

_MOST_LISTED = 20


def captions_digest(folder: RunFolder) -> str:
    """Return a digest of all captions that a run folder holds now."""
    return digest_json([[marker.shard, dict(marker.files)] for marker in folder.committed()])


def run_background(folder: RunFolder, records: Sequence[Record]) -> dict[str, JsonValue]:
    """Return what a report says of the run.

    Args:
        records: Those evaluated; models and prompts are counted over their chosen captions.
    """
    about = folder.describe()
    markers = folder.committed()
    rejects: Counter[str] = Counter()
    fit: Counter[str] = Counter()
    for marker in markers:
        rejects.update(marker.stats.get("rejects", {}))
        fit.update(marker.stats.get("fit", {}))
    chosen = [record.best for record in records if record.best is not None]
    return {
        "recipe": about["recipe"]["name"],
        "recipe digest": about["recipe"]["digest"],
        "input": str(about["input"].get("path", "")),
        "seed": about["seed"],
        "items": sum(m.items for m in markers),
        "kept": sum(m.kept for m in markers),
        "dropped": sum(m.dropped for m in markers),
        "failed": sum(m.failed for m in markers),
        "drops and failures by reason": _counted(rejects),
        "captions by origin": _counted(Counter(_origin(caption) for caption in chosen)),
        "models that wrote": _counted(Counter(_detail(caption, "generator") for caption in chosen)),
        "prompts": _counted(Counter(_prompt(caption) for caption in chosen)),
        "shortened to the token budget": fit.get("captions shortened", 0),
        "tokens lost to the budget": fit.get("tokens lost", 0),
        "spent": _spent(folder),
        **_times(folder),
    }


def model_of(scorer: str) -> str:
    """Return model and revision of a scorer by its name, whatever is stated of it."""
    return scorer.partition(", ")[0]


def foundation_of(scorer: str) -> str:
    """Return model and revision of the encoder that a scorer rests on: its own, but for learned preferences.

    One of those is named `preference@HEAD, ENCODER, …`.
    """
    model, _, rest = scorer.partition(", ")
    return rest.partition(", ")[0] if model.startswith("preference@") and rest else model


def selecting_scorers(records: Sequence[Record]) -> frozenset[str]:
    """Return the names of the scorers by which captions were chosen."""
    found: set[str] = set()
    for record in records:
        selection = record.best.provenance.details.get("selection") if record.best else None
        scorers = selection.get("scorers") if isinstance(selection, Mapping) else None
        if isinstance(scorers, Mapping):
            found.update(str(name) for name in scorers.values())
    return frozenset(found)


def _origin(caption: Caption) -> str:
    if caption.provenance.stage == "source":
        return "the original, unchanged"
    return "the original, cleaned" if caption.origin == "alt" else f"{caption.origin}, {caption.aspect}"


def _detail(caption: Caption, name: str) -> str:
    value = caption.provenance.details.get(name)
    return value if isinstance(value, str) else ""


def _prompt(caption: Caption) -> str:
    prompt = _detail(caption, "prompt")
    return f"{prompt} (digest {_detail(caption, 'prompt_digest')})" if prompt else ""


def _counted(counter: Counter[str]) -> dict[str, JsonValue]:
    return {name: n for name, n in counter.most_common(_MOST_LISTED) if name}


def _spent(folder: RunFolder) -> JsonValue:
    path = folder.root / "ledger" / "spent.sqlite"
    if not path.is_file():
        return {}
    meter = SqliteMeter(path)
    try:
        return {
            name: {
                "requests": usage.requests,
                "prompt tokens": usage.prompt_tokens,
                "completion tokens": usage.completion_tokens,
                "cost": usage.cost,
            }
            for name, usage in meter.spent().items()
        }
    finally:
        meter.close()


def _times(folder: RunFolder) -> dict[str, JsonValue]:
    """Return what the side log adds up to; a line that a kill tore is left out."""
    path = folder.root / "log.jsonl"
    if not path.is_file():
        return {}
    seconds, paid, recalled = 0.0, 0, 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = cast(Mapping[str, Any], json.loads(line))
            seconds += float(entry["seconds"])
            paid += int(entry["calls_paid"])
            recalled += int(entry["calls_recalled"])
        except (ValueError, TypeError, KeyError):
            continue
    return {"seconds": round(seconds, 1), "calls paid": paid, "calls remembered": recalled}
