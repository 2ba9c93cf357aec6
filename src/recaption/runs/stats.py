"""Tallies of what happened, per shard; they add up to the summary, also over shards done in an earlier run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from recaption.core.types import Caption, Record, Rejected

__all__ = ["merge", "tally"]

MAX_REASON_CHARS = 80

Stats = dict[str, dict[str, int]]


def tally(results: Sequence[Record | Rejected]) -> Stats:
    """Count what the results hold: chosen captions by origin, flags, rules, evidence, budgets, rejects."""
    groups: dict[str, Counter[str]] = {
        name: Counter() for name in ("chosen", "flags", "rules", "evidence", "fit", "rejects")
    }
    for item in results:
        if isinstance(item, Rejected):
            groups["rejects"][f"{item.stage}: {item.reason[:MAX_REASON_CHARS]}"] += 1
            continue
        best = item.best
        groups["chosen"][_name(best) if best else "none"] += 1
        if item.original_text is None:
            groups["chosen"]["(came without a text)"] += 1
        groups["evidence"].update(e.kind for e in item.evidence)
        for caption in item.captions:
            groups["flags"].update(caption.flags.keys())
            _tally_details(caption, groups)
    return {name: dict(sorted(counter.items())) for name, counter in groups.items() if counter}


def merge(parts: Iterable[Mapping[str, Mapping[str, int]]]) -> Stats:
    """Add tallies up."""
    total: dict[str, Counter[str]] = {}
    for part in parts:
        for name, counts in part.items():
            total.setdefault(name, Counter()).update(counts)
    return {name: dict(counter.most_common()) for name, counter in total.items()}


def _name(caption: Caption) -> str:
    if caption.provenance.stage == "source":
        return "the original, unchanged"
    if caption.origin == "alt":
        return "the original, cleaned"
    return f"{caption.origin}, {caption.aspect}"


def _tally_details(caption: Caption, groups: Mapping[str, Counter[str]]) -> None:
    details = caption.provenance.details
    rules = details.get("rules")
    if isinstance(rules, dict):
        groups["rules"].update({name: n for name, n in rules.items() if isinstance(n, int)})
    lost = details.get("tokens_lost")
    if isinstance(lost, int):
        groups["fit"]["captions shortened"] += 1
        groups["fit"]["tokens lost"] += lost
