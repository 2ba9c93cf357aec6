"""Captions that Recaption wrote: a finished run, or one of its tables, read back without loss."""

from collections.abc import Generator
from pathlib import Path

from recaption.core.errors import DataError, UserError
from recaption.core.types import Record, Rejected
from recaption.datasets.readers.accounting import Tally, rejected
from recaption.datasets.readers.base import BaseReader
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.readers.parquet_stream import ParquetFile
from recaption.datasets.readers.rows import Row
from recaption.datasets.run_folder import RunFolder
from recaption.datasets.schema import from_row

__all__ = ["RunFolderReader", "is_captions_table", "is_run_folder"]

_PROPERTY = "recaption.schema"


class RunFolderReader(BaseReader):
    """Reads records as they were written, every caption, score and choice included."""

    def __init__(self, source: str, options: ReaderOptions) -> None:
        super().__init__(source, options)
        path = Path(source)
        if is_run_folder(path):
            run = RunFolder(path)
            run.require_complete()
            # Only what a marker vouches for: a file without one is what a killed run left behind.
            self._files = [run.captions / f"{marker.shard:05d}.parquet" for marker in run.committed()]
        else:
            self._files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        try:
            counts = [ParquetFile(file).count for file in self._files]
        except DataError as error:
            raise UserError(f"{source}: {error}. Check it with: recaption verify {source}") from error
        if not counts:
            raise UserError(f"{source}: a run folder without captions; finish the run first")
        self._count = sum(counts)
        kind = "run folder" if path.is_dir() else "table of captions"
        self.description = f"recaption {kind}, {self._count:,} records in {len(counts)} files: key 'key'"

    def count_hint(self) -> int | None:
        """Return the number of records."""
        return self._count

    def _items(self, tally: Tally) -> Generator[Record | Rejected, None, None]:
        for path in self._files:
            try:
                for row in ParquetFile(path).rows(tally):
                    yield (
                        _revived(row, path)
                        if isinstance(row, Row)
                        else rejected(f"{path.name} {row.place}", f"{path.name}: {row.reason}", raw=row.raw)
                    )
            except DataError as error:
                yield rejected(path.name, str(error))


def _revived(row: Row, path: Path) -> Record | Rejected:
    try:
        return from_row(row.values)
    except DataError as error:
        key = row.values.get("key")
        return rejected(key if isinstance(key, str) else f"{path.name} {row.place}", str(error))


def is_run_folder(path: Path) -> bool:
    """Return whether a folder is a run's output."""
    return (path / "run.json").is_file() and (path / "captions").is_dir()


def is_captions_table(path: Path) -> bool:
    """Return whether a parquet file has our own layout."""
    try:
        return ParquetFile(path).property(_PROPERTY) is not None
    except DataError:
        return False
