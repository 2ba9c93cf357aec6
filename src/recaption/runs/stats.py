"""Tallies of what happened, per shard; they add up to the summary, also over shards done in an earlier run."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from recaption.core.printable import printable
from recaption.core.types import Caption, Record, Rejected
from recaption.stages.heed import Heed
from recaption.stages.versions import root_of

__all__ = ["merge", "tally"]

MAX_REASON_CHARS = 80
MAX_REASONS = 50
"""Kinds of rejects a shard's tally holds; what is rarer is counted together."""

_PLACE: Final = r"(?:…|\.{0,2}/|~/|[A-Za-z]:\\)"
_EXTENSION: Final = r"\.[A-Za-z][A-Za-z0-9]{1,7}"
_PARTICULARS: Final = (
    (re.compile(r"""(?<!\w)b?(['"])(?:\\.|(?!\1)[^\\])*(?:\1|$)"""), "…"),
    (re.compile(r"\b[a-z][a-z0-9+.-]{0,15}://[^\s'\"<>]*[^\s'\"<>:;,.)]"), "…"),
    # A path may hold spaces; where it starts is clear after a colon, and where it ends before one.
    (re.compile(rf"(?:^|(?<=: )){_PLACE}[^:]*{_EXTENSION}(?=: )"), "…"),
    (re.compile(rf"(?<![\w.]){_PLACE}[^\s'\":;,()]+"), "…"),
    (re.compile(rf"(?<![^\s'\":;,()])[^\s'\":;,()]+{_EXTENSION}\b"), "…"),
    (re.compile(r"(?<=\w)@[0-9a-f]{8}\b"), ""),
    (re.compile(r"(?<![\w-])(?=[a-fA-F-]*\d)[0-9a-fA-F-]{12,}\b"), "…"),
    # Digits that end a name, as in JPEG2000, are part of it.
    (re.compile(r"(?<!\d)(?<![A-Za-z]{2})\d+(?:[.,]\d+)*"), "N"),
)
"""What differs between two reasons of one cause: quotes, addresses, paths, file names, a model's digest, digests,
numbers; in this order, since each may hold those after it."""

Stats = dict[str, dict[str, int]]


def tally(results: Sequence[Record | Rejected]) -> Stats:
    """Count what the results hold: chosen captions by origin, how models' texts fared against the originals, flags,
    rules, evidence, budgets, rejects."""
    groups: dict[str, Counter[str]] = {
        name: Counter() for name in ("chosen", "contest", "flags", "rules", "evidence", "fit", "rejects")
    }
    for item in results:
        if isinstance(item, Rejected):
            groups["rejects"][f"{item.stage}: {_cause(item.reason)}"] += 1
            continue
        best = item.best
        groups["chosen"][_name(best) if best else "none"] += 1
        if item.original_text is None:
            groups["chosen"]["(came without a text)"] += 1
        groups["contest"].update(_contest(item))
        groups["evidence"].update(e.kind for e in item.evidence)
        for caption in item.captions:
            groups["flags"].update(caption.flags.keys())
            _tally_details(caption, groups)
    groups["rejects"] = _bounded(groups["rejects"])
    return {name: _named(counter) for name, counter in groups.items() if counter}


def merge(parts: Iterable[Mapping[str, Mapping[str, int]]]) -> Stats:
    """Add tallies up."""
    total: dict[str, Counter[str]] = {}
    for part in parts:
        for name, counts in part.items():
            total.setdefault(name, Counter()).update(counts)
    return {name: dict(counter.most_common()) for name, counter in total.items()}


def _named(counter: Counter[str]) -> dict[str, int]:
    """Return the counts in order of names, as UTF-8 can hold them: some names came with the data."""
    names: Counter[str] = Counter()
    for name, count in counter.items():
        names[printable(name)] += count
    return dict(sorted(names.items()))


def _cause(reason: str) -> str:
    """Return a reason without its particulars, so that equal causes are counted as one."""
    for pattern, mark in _PARTICULARS:
        reason = pattern.sub(mark, reason)
    return reason if len(reason) <= MAX_REASON_CHARS else f"{reason[: MAX_REASON_CHARS - 1]}…"


def _bounded(reasons: Counter[str]) -> Counter[str]:
    often = Counter(dict(reasons.most_common(MAX_REASONS)))
    rest = reasons.total() - often.total()
    return often + Counter({"other reasons": rest}) if rest else often


def _name(caption: Caption) -> str:
    if caption.provenance.stage == "source":
        return "the original, unchanged"
    if caption.origin == "alt":
        return "the original, cleaned"
    return f"{caption.origin}, {caption.aspect}"


def _contest(record: Record) -> list[str]:
    """Say whether a model wrote for a picture that came with a text, and whether that text stayed."""
    if record.original_text is None or not any(c.origin in ("model", "fused") for c in record.captions):
        return []
    found = ["a model wrote beside an original"]
    if (
        record.best is not None
        and record.best.origin in ("alt", "human")
        and not _by_audit(record, record.best)
    ):
        found.append("the original stays")
    return found


def _by_audit(record: Record, caption: Caption) -> bool:
    """Say whether a person wrote a caption in an audit; what came with the data may be by people too."""
    return root_of(caption, {c.id: c for c in record.captions}).provenance.stage == Heed.name


def _tally_details(caption: Caption, groups: Mapping[str, Counter[str]]) -> None:
    details = caption.provenance.details
    rules = details.get("rules")
    if isinstance(rules, dict):
        groups["rules"].update({name: n for name, n in rules.items() if isinstance(n, int)})
    lost = details.get("tokens_lost")
    if isinstance(lost, int):
        groups["fit"]["captions shortened"] += 1
        groups["fit"]["tokens lost"] += lost
