"""How a caption came to be: find one record, and put its whole chain into words."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recaption.core.errors import RunFolderError, UserError
from recaption.core.types import Caption, Evidence, JsonValue, Record, Rejected, Score
from recaption.datasets.readers.source_text import safe_key
from recaption.datasets.run_folder import RunFolder
from recaption.datasets.schema import from_row, rejected_from_row
from recaption.datasets.stored import read_text, stored_text

__all__ = ["explain_lines", "find", "lineage_lines"]

MAX_LINES = 30
"""Of one list: evidence, scores, flags."""
MAX_CAPTIONS = 50
MAX_TEXT_CHARS = 2000
MAX_KEY_CHARS = 500
"""Of a key in a message; no reader of ours makes longer ones."""
SHOWN_KEYS = 5
COMPARED_KEYS = 200
"""Keys that a misspelt one is compared with."""
ROWS_AT_A_TIME = 256


def find(folder: RunFolder, key: str) -> Record | Rejected:
    """Return what a run made of a key, also of one that the reader had to mend.

    The beginning or the end of a key will do where no other key begins or ends so; a leading `…` stands for a
    beginning that was cut off. Only the key column is read, until the row is known.

    Raises:
        UserError: No such key, or several; the message names up to five.
        RunFolderError: There is no run folder, or a file in it is damaged.
    """
    folder.describe()
    search = _Search(key)
    wanted = stored_text(key)
    for place, stored in _keys(folder):
        if stored == wanted:
            return _revived(place)
        search.look_at(stored, place)
    return _revived(search.result(folder))


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    row: int
    kept: bool
    """In the captions, not in the rejects."""


@dataclass(slots=True)
class _Search:
    """What is remembered of the keys on the way, in case the very key is not among them."""

    key: str
    count: int = 0
    mended: _Place | None = None
    begin: dict[str, _Place] = field(default_factory=dict)
    end: dict[str, _Place] = field(default_factory=dict)
    around: list[str] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)
    _texts: tuple[str, str, str] = field(init=False)

    def __post_init__(self) -> None:
        texts = (safe_key(self.key), self.key, self.key.removeprefix("…"))
        self._texts = (stored_text(texts[0]), stored_text(texts[1]), stored_text(texts[2]))

    def look_at(self, stored: str, place: _Place) -> None:
        mended, beginning, ending = self._texts
        self.count += 1
        if stored == mended and self.mended is None:
            self.mended = place
        if stored.startswith(beginning):
            _remember(self.begin, stored, place)
        elif stored.endswith(ending):
            _remember(self.end, stored, place)
        elif len(self.around) < SHOWN_KEYS and ending in stored:
            self.around.append(stored)
        if len(self.compared) < COMPARED_KEYS and len(stored) <= MAX_KEY_CHARS:
            self.compared.append(stored)

    def result(self, folder: RunFolder) -> _Place:
        """Return the one place that fits. Raises UserError."""
        if self.mended is not None:
            return self.mended
        missing = f"no record {_quoted_key(self.key)} in {folder.root}"
        for fitting, how in ((self.begin, "begin"), (self.end, "end")):
            if len(fitting) == 1:
                return next(iter(fitting.values()))
            if fitting:
                more = " and more" if len(fitting) > SHOWN_KEYS else ""
                raise UserError(
                    f"{missing}; several keys {how} with it: {_named(fitting)}{more}. Give one of them whole."
                )
        close = self.around or self._alike()
        raise UserError(
            f"{missing}."
            + (
                f" Did you mean {_named(close)}?"
                if close
                else f" It holds {self.count:,} keys{self._example()}."
            )
        )

    def _example(self) -> str:
        return f", {_named(self.compared[:1])} for one" if self.compared else ""

    def _alike(self) -> list[str]:
        if len(self.key) > MAX_KEY_CHARS:
            return []
        return difflib.get_close_matches(stored_text(self.key), self.compared, n=3, cutoff=0.5)


def _remember(places: dict[str, _Place], stored: str, place: _Place) -> None:
    if len(places) <= SHOWN_KEYS:
        places.setdefault(stored, place)


def _named(stored: Mapping[str, object] | Sequence[str]) -> str:
    return " or ".join(_quoted_key(read_text(key)) for key in list(stored)[:SHOWN_KEYS])


def _quoted_key(key: str) -> str:
    return repr(key if len(key) <= MAX_KEY_CHARS else f"{key[: MAX_KEY_CHARS - 1]}…")


def _keys(folder: RunFolder) -> Iterator[tuple[_Place, str]]:
    """Yield every key as it is stored: shard after shard, the records before the rejects."""
    for marker in folder.committed():
        for parent in (folder.captions, folder.rejects):
            path = parent / f"{marker.shard:05d}.parquet"
            if path.exists():
                for row, stored in enumerate(_key_column(path)):
                    if isinstance(stored, str):
                        yield _Place(path, row, kept=parent == folder.captions), stored


def _key_column(path: Path) -> Iterator[object]:
    with _damage_said(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["key"]):
            yield from batch.column("key").to_pylist()


def _revived(place: _Place) -> Record | Rejected:
    row = _row(place)
    return from_row(row) if place.kept else rejected_from_row(row)


def _row(place: _Place) -> dict[str, Any]:
    left = place.row
    with _damage_said(place.path), pq.ParquetFile(place.path) as file:
        for batch in file.iter_batches(batch_size=ROWS_AT_A_TIME):
            if left < batch.num_rows:
                row: dict[str, Any] = batch.slice(left, 1).to_pylist()[0]
                return row
            left -= batch.num_rows
        raise OSError(f"row {place.row} is gone")


@contextmanager
def _damage_said(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise RunFolderError(f"{path} is damaged: {reason}. Check the folder: recaption verify") from error


def explain_lines(item: Record | Rejected) -> Iterator[str]:
    """Yield the chain as lines of plain text, each bounded but the first, which holds the whole key."""
    if isinstance(item, Rejected):
        again = "may be tried again: recaption retry" if item.retryable else "trying again will not help"
        yield f"{item.key}: {item.kind} at stage {item.stage!r}: {item.reason} ({again})"
        if item.raw is not None:
            yield f"  the source said: {_quoted(item.raw)}"
        return
    yield f"{item.key}"
    if item.size:
        yield f"  image {item.size[0]} × {item.size[1]} px"
    yield f"  evidence ({len(item.evidence)})"
    yield from (f"    {line}" for line in _listed([_evidence(e) for e in item.evidence]))
    yield f"  captions ({len(item.captions)}), in order of birth"
    shown = item.captions[:MAX_CAPTIONS]
    best = item.best
    if best is not None and best not in shown:
        shown = (*shown, best)
    for caption in shown:
        yield from (f"    {line}" for line in _caption(caption, chosen=caption.id == item.chosen))
    if len(item.captions) > len(shown):
        yield f"    … and {len(item.captions) - len(shown)} more"


def lineage_lines(record: Record) -> Iterator[str]:
    """Yield the chosen caption, what it was made from back to the source, and then the evidence, as bounded lines."""
    known = {caption.id: caption for caption in record.captions}
    waiting = [record.best] if record.best is not None else list(record.originals)
    told: set[str] = set()
    while waiting:
        caption = waiting.pop(0)
        if caption.id not in told:
            told.add(caption.id)
            yield from _caption(caption, chosen=caption.id == record.chosen)
            waiting += [known[parent] for parent in caption.provenance.parents if parent in known]
    yield from _listed([_evidence(e) for e in record.evidence])


def _listed(lines: Sequence[str]) -> Iterator[str]:
    yield from (_bounded(line) for line in lines[:MAX_LINES])
    if len(lines) > MAX_LINES:
        yield f"… and {len(lines) - MAX_LINES} more"


def _bounded(text: str) -> str:
    return text[:MAX_TEXT_CHARS] + _rest(text)


def _quoted(text: str) -> str:
    return repr(text[:MAX_TEXT_CHARS]) + _rest(text)


def _rest(text: str) -> str:
    more = len(text) - MAX_TEXT_CHARS
    return f" … and {more:,} characters more" if more > 0 else ""


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
    yield _bounded(f"[{caption.id}] {mark} · {caption.origin}, {caption.aspect} · {came}{made}")
    yield f"    {_quoted(caption.text)}"
    if provenance.details:
        yield f"    how: {_bounded(_pairs(provenance.details))}"
    yield from (f"    {line}" for line in _listed([_score(n, s) for n, s in caption.scores.items()]))
    yield from (f"    {line}" for line in _listed([f"flag {n}: {r}" for n, r in caption.flags.items()]))


def _score(name: str, score: Score) -> str:
    return f"{name}: {score.value:g}" if score.value is not None else f"{name}: none, {score.reason}"


def _pairs(details: Mapping[str, JsonValue]) -> str:
    return ", ".join(f"{k}={v}" for k, v in details.items() if v not in (None, [], {}))
