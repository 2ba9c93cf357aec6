"""What people decided about captions, as a run heeds it: of each audit one ruling a record, in one file.

The file is an input of the run. It is made from the verdicts of its audits, lies at `audit/rulings.jsonl`, and holds
ASCII lines: a first one that says what it is and how many follow, then a ruling a line, by key. Those on one record
come in the order in which their audits were drawn, and are heeded in it: whoever drew later was shown what the
earlier had come to. The same rulings give the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeAlias, cast, get_args

from recaption.core.digests import digest_json
from recaption.core.errors import RunFolderError
from recaption.core.types import JsonValue
from recaption.datasets.atomic import make_folder, write_atomic_stream

__all__ = ["FORMAT", "RULINGS", "Decision", "Ruling", "read_rulings", "rulings_place", "write_rulings"]

Decision: TypeAlias = Literal["accept", "edit", "reject", "prefer"]

RULINGS: Final = "audit/rulings.jsonl"
FORMAT: Final = 1
MAX_LINE_BYTES: Final = 8 << 20
"""Of one ruling; a verdict's text has two million characters at most, all else is a few thousand."""
_NAME: Final = "recaption rulings"
_AGAIN: Final = (
    "Move it away, and the run heeds nobody; then bring in every audit of it again: `recaption audit apply`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What people, taken together, decided about the caption they were shown of one record."""

    key: str
    """Of the record."""
    shown: str
    """Id of the caption that stood for the record when it was judged."""
    outcome: Decision
    """The caption is right, was put right, is wrong, or another one (or it, of several) is best."""
    text: str | None = None
    """Of an `edit`, what it was changed to; not blank."""
    preferred: str | None = None
    """Of a `prefer`, the id of the best one."""
    rejected: tuple[str, ...] = ()
    """Of a `reject`, the ids of other captions on the same screen that were found wrong with it."""
    reason: str = ""
    version: str = ""
    """Digest of all captions on the screen."""
    auditors: tuple[str, ...] = ()
    """Who decided so, sorted."""
    said: int = 1
    """How many decided so…"""
    of: int = 1
    """…of how many who judged it."""
    guideline: str = ""
    """Version of the instructions they had read."""
    at: float = 0.0
    """When the last of them did: seconds since 1970, by the clock of the audit's store."""
    verdicts: tuple[int, ...] = ()
    """Their rows in the audit's log."""
    audit: int = 0
    """Which audit it is of: when that was drawn, in milliseconds since 1970, by the clock of its store; 0 where that
    is not known."""
    picture: str = ""
    """Sha256 of the encoded picture that was judged; empty where that is not known, or there is none."""

    def __post_init__(self) -> None:
        if self.outcome not in get_args(Decision):
            raise ValueError(f"a ruling is one of {', '.join(get_args(Decision))}, not {self.outcome!r:.60}")
        if (self.text is not None) != (self.outcome == "edit"):
            raise ValueError(f"an edit, and nothing else, has a text; this is {self.outcome!r}")
        if self.text is not None and not self.text.strip():
            raise ValueError("an edit to nothing is no caption")
        if (self.preferred is not None) != (self.outcome == "prefer"):
            raise ValueError(f"a preference, and nothing else, names a caption; this is {self.outcome!r}")
        if self.rejected and self.outcome != "reject":
            raise ValueError(f"{self.outcome!r} rejects no other caption")
        if not 1 <= self.said <= self.of:
            raise ValueError(f"{self.said} of {self.of} cannot have decided")
        if not math.isfinite(self.at):
            raise ValueError(f"not a time: {self.at}")

    @property
    def digest(self) -> str:
        """Digest of all that the ruling says."""
        told = asdict(self)
        # Files written before these two were known must not look as if people had changed their minds.
        return digest_json({n: value for n, value in told.items() if value or n not in ("audit", "picture")})

    def told(self) -> dict[str, JsonValue]:
        """Return what is remembered of it in the provenance of a caption: all but the texts and ids."""
        told: dict[str, JsonValue] = {
            "outcome": self.outcome,
            "auditors": list(self.auditors),
            "said": self.said,
            "of": self.of,
            "at": self.at,
            "verdicts": list(self.verdicts),
        }
        more: dict[str, JsonValue] = {
            "reason": self.reason,
            "guideline": self.guideline,
            "shown": self.version,
            "audit": self.audit,
        }
        return told | {name: value for name, value in more.items() if value}


def rulings_place(run_folder: Path) -> Path:
    """Return where the rulings that a run heeds are kept."""
    return run_folder / RULINGS


def write_rulings(path: Path, rulings: Iterable[Ruling]) -> int:
    """Write rulings, whole or not at all, in the order of their keys and audits; return how many.

    Raises:
        RunFolderError: The file cannot be written, or a ruling is longer than can be read again.
        ValueError: Two rulings of one audit are on one record.
    """
    ordered = sorted(rulings, key=lambda ruling: (ruling.key, ruling.audit))
    make_folder(path.parent)
    with write_atomic_stream(path) as file:
        file.write(_line({"format": FORMAT, "of": _NAME, "rulings": len(ordered)}))
        before: tuple[str, int] | None = None
        for ruling in ordered:
            if (ruling.key, ruling.audit) == before:
                raise ValueError(f"two rulings of one audit on the record {ruling.key[:80]!r}")
            before = (ruling.key, ruling.audit)
            line = _line(_without_defaults(ruling))
            if len(line) > MAX_LINE_BYTES:
                raise RunFolderError(
                    f"the ruling on {ruling.key[:80]!r} takes {len(line):,} bytes; at most {MAX_LINE_BYTES:,} "
                    "can be read again. Shorten its text."
                )
            file.write(line)
    return len(ordered)


def read_rulings(path: Path) -> dict[str, tuple[Ruling, ...]]:
    """Return the rulings in a file by key, those on one record as they are heeded; none where there is no file.

    Raises:
        RunFolderError: The file cannot be read, is torn, is of another version, or something else.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror or error}. {_AGAIN}") from error


def _read(file: IO[bytes], path: Path) -> dict[str, tuple[Ruling, ...]]:
    head = _json(file.readline(MAX_LINE_BYTES + 1), path, 1)
    if head.get("of") != _NAME or head.get("format") != FORMAT:
        raise RunFolderError(
            f"{path} begins with format {head.get('format')!r:.40} of {head.get('of')!r:.40}; this version reads "
            f"format {FORMAT} of {_NAME!r}. {_AGAIN}"
        )
    found: dict[str, tuple[Ruling, ...]] = {}
    count = 0
    for count, line in enumerate(_lines(file), 1):
        ruling = _ruling(_json(line, path, count + 1), path, count + 1)
        before = found.get(ruling.key, ())
        if before and before[-1].audit >= ruling.audit:
            raise _damaged(path, count + 1, f"a second ruling on {ruling.key[:80]!r}")
        found[ruling.key] = (*before, ruling)
    if count != head.get("rulings"):
        raise RunFolderError(f"{path} holds {count} rulings of {head.get('rulings')!r:.40}. {_AGAIN}")
    return found


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE_BYTES + 1):
        yield line


def _json(line: bytes, path: Path, number: int) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise _damaged(path, number, f"it has more than {MAX_LINE_BYTES:,} bytes")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, number, str(error)[:200]) from error
    if not isinstance(value, dict):
        raise _damaged(path, number, "it is not an object")
    return value


def _ruling(told: Mapping[str, Any], path: Path, number: int) -> Ruling:
    problem = next((f"{name}: {value!r:.60}" for name, value in told.items() if not _fits(name, value)), None)
    if problem is not None:
        raise _damaged(path, number, problem)
    try:
        fields: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in told.items()}
        return Ruling(**fields)
    except (TypeError, ValueError, OverflowError) as error:
        raise _damaged(path, number, str(error)[:200]) from error


_TEXTS: Final = frozenset(
    {"key", "shown", "outcome", "text", "preferred", "reason", "version", "guideline", "picture"}
)
_LISTS: Final = {"rejected": str, "auditors": str, "verdicts": int}


def _fits(name: str, value: object) -> bool:
    """Say whether a field is one of a ruling's, and of its type."""
    if name in _TEXTS:
        return isinstance(value, str)
    if name in _LISTS:
        return isinstance(value, list) and all(type(entry) is _LISTS[name] for entry in value)
    if name in ("said", "of", "audit"):
        return type(value) is int
    return name == "at" and type(value) in (int, float)


_DEFAULTS: Final = asdict(Ruling(key="", shown="", outcome="accept"))


def _without_defaults(ruling: Ruling) -> dict[str, JsonValue]:
    told = cast("dict[str, JsonValue]", asdict(ruling))
    kept = {n: v for n, v in told.items() if v != _DEFAULTS[n] or n in ("key", "shown", "outcome")}
    return {n: list(v) if isinstance(v, tuple) else v for n, v in kept.items()}


def _line(value: Mapping[str, JsonValue]) -> bytes:
    # ASCII, because captions and keys hold lone surrogates, which have no bytes.
    return (json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n").encode("ascii")


def _damaged(path: Path, number: int, why: str) -> RunFolderError:
    return RunFolderError(f"{path}, line {number}, is damaged: {why}. {_AGAIN}")
