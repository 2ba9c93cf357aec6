"""The run folder: shards committed whole or not at all, and what has been done so far.

A shard is up to `shard_size` input items in order. Its marker is written last, synced, and holds digests of the
input, the recipe and the files; so an unfinished shard has no marker, and a changed input or recipe does not match.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recaption.core.digests import digest_bytes
from recaption.core.errors import RunFolderError
from recaption.core.types import Record, Rejected
from recaption.datasets.atomic import make_folder, remove_stale_parts, sync_folder, write_atomic
from recaption.datasets.schema import (
    CAPTIONS,
    REJECTS,
    from_row,
    rejected_from_row,
    rejected_to_row,
    table_bytes,
    to_row,
)

__all__ = ["Marker", "RunFolder", "stored_rows"]

FORMAT = 1
ROWS_AT_A_TIME = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What a committed shard holds. Counts obey: items = kept + dropped + failed."""

    shard: int
    input_digest: str
    work_digest: str
    """Digest of the recipe, the seed and the output format."""
    items: int
    kept: int
    dropped: int
    failed: int
    retryable: int
    files: Mapping[str, str]
    """File name, relative to the run folder, to sha256."""
    stats: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Tallies for the summary: group to name to count."""
    rulings: Mapping[str, str] = field(default_factory=dict)
    """What people decided about its records, as it was heeded: digest of the key to digest of the ruling."""

    def to_json(self) -> bytes:
        """Return the marker as it is written; where nobody decided anything, nothing is said of that."""
        told = asdict(self)
        if not self.rulings:
            del told["rulings"]
        return json.dumps(told, sort_keys=True).encode()


class RunFolder:
    """One run's output. Opening creates it; `locked()` keeps a second run out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.captions = root / "captions"
        self.rejects = root / "rejects"
        self.markers = root / "shards"

    @contextmanager
    def locked(self, ours: Sequence[str] = ("run.json",)) -> Iterator[None]:
        """Hold the folder for this process; the system lets go when the process dies, however it dies.

        Args:
            ours: Names of files and folders any of which says that the folder may be written to.

        Raises:
            RunFolderError: Another run holds it, it holds something else, or it cannot be written.
        """
        make_folder(self.root)
        try:
            foreign = sorted(p.name for p in self.root.iterdir() if p.name != ".lock")
            if foreign and not any((self.root / name).exists() for name in ours):
                raise RunFolderError(
                    f"{self.root} is not a run folder (found {foreign[0]!r}). Name an empty or new folder."
                )
            descriptor = os.open(self.root / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise RunFolderError(
                f"cannot write to {self.root}: {error.strerror}. Mend that, or name another folder."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise RunFolderError(
                f"another run is writing to {self.root}. Wait for it to end, or name another folder."
            ) from error
        finally:
            os.close(descriptor)

    def begin(self, description: Mapping[str, Any]) -> None:
        """Make the folder one of this run: `run.json` first, then the places for its files.

        Raises:
            RunFolderError: It holds captions of another input.
        """
        if (self.root / "run.json").is_file():
            before = self.describe()
            was, now = before["input"].get("path"), description["input"].get("path")
            if was != now:
                raise RunFolderError(
                    f"{self.root} holds captions of {was}, not of {now}. Name another folder; if it is the same "
                    f"data at a new place, change the path in {self.root / 'run.json'}."
                )
            if before["shard_size"] != description["shard_size"]:
                for marker in self.committed():
                    self.discard(marker.shard)
        self.write_description(description)
        for folder in (self.captions, self.rejects, self.markers):
            make_folder(folder)
            remove_stale_parts(folder)
        remove_stale_parts(self.root)

    def write_description(self, description: Mapping[str, Any]) -> None:
        """Write `run.json`."""
        self.write_text("run.json", json.dumps(description, indent=2) + "\n")

    def commit(
        self,
        shard: int,
        results: Sequence[Record | Rejected],
        *,
        input_digest: str,
        work_digest: str,
        stats: Mapping[str, Mapping[str, int]],
        rulings: Mapping[str, str] | None = None,
    ) -> Marker:
        """Write a shard's files, then its marker; a kill at any moment leaves the shard whole or undone."""
        self.discard(shard)
        kept = [item for item in results if isinstance(item, Record)]
        rejects = [item for item in results if isinstance(item, Rejected)]
        files = {f"captions/{shard:05d}.parquet": table_bytes([to_row(r) for r in kept], CAPTIONS)}
        if rejects:
            rows = [rejected_to_row(r) for r in rejects]
            files[f"rejects/{shard:05d}.parquet"] = table_bytes(rows, REJECTS)
        for name, data in files.items():
            write_atomic(self.root / name, data)
        marker = Marker(
            shard=shard,
            input_digest=input_digest,
            work_digest=work_digest,
            items=len(results),
            kept=len(kept),
            dropped=sum(r.kind == "dropped" for r in rejects),
            failed=sum(r.kind == "failed" for r in rejects),
            retryable=sum(r.retryable for r in rejects),
            files={name: digest_bytes(data) for name, data in files.items()},
            stats=stats,
            rulings=rulings or {},
        )
        write_atomic(self._marker_path(shard), marker.to_json())
        return marker

    def discard(self, shard: int) -> None:
        """Undo a shard: marker first, so that no marker ever speaks of files that are not there."""
        files = (self.captions / f"{shard:05d}.parquet", self.rejects / f"{shard:05d}.parquet")
        marker = self._marker_path(shard)
        if marker.exists():
            marker.unlink()
            sync_folder(self.markers)
        for path in files:
            path.unlink(missing_ok=True)

    def marker(self, shard: int) -> Marker | None:
        """Return a shard's marker, None where the shard is not committed.

        Raises:
            RunFolderError: The marker is there but cannot be understood.
        """
        path = self._marker_path(shard)
        try:
            data: dict[str, Any] = json.loads(path.read_bytes())
            return Marker(**data)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise RunFolderError(
                f"{path} is damaged ({error}). Delete it to have this shard made again; no paid call is lost."
            ) from error

    def committed(self) -> list[Marker]:
        """Return every marker, in order of shards."""
        numbers = sorted(int(p.stem) for p in self.markers.glob("*.json") if p.stem.isdigit())
        return [marker for n in numbers if (marker := self.marker(n)) is not None]

    def results(self, shard: int) -> Iterator[Record | Rejected]:
        """Yield what a committed shard holds: the records, then the rejects."""
        for path, revive in (
            (self.captions / f"{shard:05d}.parquet", from_row),
            (self.rejects / f"{shard:05d}.parquet", rejected_from_row),
        ):
            if path.exists():
                for row in stored_rows(path):
                    yield revive(row)

    def records(self) -> Iterator[Record]:
        """Yield every record that reached the output, in order."""
        for marker in self.committed():
            for item in self.results(marker.shard):
                if isinstance(item, Record):
                    yield item

    def write_text(self, name: str, text: str) -> None:
        """Write a file at the top of the run folder, whole or not at all."""
        write_atomic(self.root / name, text.encode("utf-8", "backslashreplace"))

    def describe(self) -> dict[str, Any]:
        """Return what `run.json` says.

        Raises:
            RunFolderError: This is not a run folder, or one of another format.
        """
        path = self.root / "run.json"
        try:
            data = json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise RunFolderError(
                f"{self.root} is not a run folder: it has no run.json. Make one: recaption run INPUT {self.root}"
            ) from error
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{path} cannot be read: {error}") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, dict) else type(data).__name__
            raise RunFolderError(f"{path} has format {found!r}; this version reads format {FORMAT}.")
        missing = [name for name in ("input", "seed", "shard_size", "complete") if name not in data]
        if missing or not isinstance(data["input"], dict):
            raise RunFolderError(f"{path} is damaged: it lacks {', '.join(missing) or 'an input'}.")
        return data

    def require_complete(self) -> None:
        """Refuse a folder whose run has not ended.

        Raises:
            RunFolderError: There is no run folder, or its run was interrupted.
        """
        if not self.describe()["complete"]:
            raise RunFolderError(f"{self.root}: the run has not ended. Run the same command again to end it.")

    def _marker_path(self, shard: int) -> Path:
        return self.markers / f"{shard:05d}.json"


def stored_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of one of a run's parquet files, a part at a time.

    Args:
        columns: Read these alone, named as parquet does: `captions.list.element.id`.

    Raises:
        RunFolderError: The file is damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=ROWS_AT_A_TIME, columns=columns):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise RunFolderError(f"{path} is damaged: {error}. Check the folder: recaption verify") from error
