"""How a caption came to be: find one record, and put its whole chain into words."""

from collections.abc import Iterator, Mapping

from recaption.core.errors import UserError, did_you_mean
from recaption.core.types import Caption, Evidence, JsonValue, Record, Rejected
from recaption.datasets.run_folder import RunFolder

__all__ = ["explain_lines", "find"]

MAX_EVIDENCE_LINES = 30


def find(folder: RunFolder, key: str) -> Record | Rejected:
    """Return what a run made of a key.

    Raises:
        UserError: No such key; the message suggests close ones.
        RunFolderError: There is no run folder.
    """
    folder.describe()
    keys = []
    for marker in folder.committed():
        for item in folder.results(marker.shard):
            if item.key == key:
                return item
            keys.append(item.key)
    hint = did_you_mean(key, keys) if len(keys) <= 200 else _ending_alike(key, keys)
    raise UserError(f"no record {key!r} in {folder.root}.{hint}")


def _ending_alike(key: str, keys: list[str]) -> str:
    close = [k for k in keys if key in k][:5]
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else f" It holds {len(keys)} keys."


def explain_lines(item: Record | Rejected) -> Iterator[str]:
    """Yield the chain as lines of plain text."""
    if isinstance(item, Rejected):
        again = "may be tried again: recaption retry" if item.retryable else "trying again will not help"
        yield f"{item.key}: {item.kind} at stage {item.stage!r}: {item.reason} ({again})"
        if item.raw is not None:
            yield f"  the source said: {item.raw!r}"
        return
    yield f"{item.key}"
    if item.size:
        yield f"  image {item.size[0]} × {item.size[1]} px"
    yield f"  evidence ({len(item.evidence)})"
    yield from (f"    {_evidence(e)}" for e in item.evidence[:MAX_EVIDENCE_LINES])
    if len(item.evidence) > MAX_EVIDENCE_LINES:
        yield f"    … and {len(item.evidence) - MAX_EVIDENCE_LINES} more"
    yield f"  captions ({len(item.captions)}), in order of birth"
    for caption in item.captions:
        yield from (f"    {line}" for line in _caption(caption, chosen=caption.id == item.chosen))


def _evidence(evidence: Evidence) -> str:
    parts = [f"{evidence.kind} {evidence.label!r}", f"from {evidence.source}"]
    if evidence.score is not None:
        parts.append(f"score {evidence.score:.2f}")
    if evidence.box is not None:
        b = evidence.box
        parts.append(f"at ({b.left:.0f}, {b.top:.0f})–({b.right:.0f}, {b.bottom:.0f})")
    if evidence.attributes:
        parts.append(_pairs(evidence.attributes))
    return ", ".join(parts)


def _caption(caption: Caption, *, chosen: bool) -> Iterator[str]:
    provenance = caption.provenance
    mark = "✔ chosen" if chosen else ("kept" if caption.kept else "replaced")
    came = f"by {provenance.stage}" if provenance.stage != "source" else "came with the data"
    made = f" from {', '.join(provenance.parents)}" if provenance.parents else ""
    yield f"[{caption.id}] {mark} · {caption.origin}, {caption.aspect} · {came}{made}"
    yield f"    {caption.text!r}"
    if provenance.details:
        yield f"    how: {_pairs(provenance.details)}"
    for name, score in caption.scores.items():
        yield f"    {name}: {score.value:g}" if score.value is not None else f"    {name}: none, {score.reason}"
    for name, reason in caption.flags.items():
        yield f"    flag {name}: {reason}"


def _pairs(details: Mapping[str, JsonValue]) -> str:
    return ", ".join(f"{k}={v}" for k, v in details.items() if v not in (None, [], {}))
