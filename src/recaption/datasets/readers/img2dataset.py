"""What img2dataset says about the rows it could not download, in the parquet beside each shard."""

from collections.abc import Generator
from pathlib import Path

from recaption.core.errors import DataError
from recaption.core.types import Rejected
from recaption.datasets.readers.accounting import Seen, Tally, rejected
from recaption.datasets.readers.parquet_stream import ParquetFile
from recaption.datasets.readers.rows import Row, download_failure, key_text

__all__ = ["failed_rows"]

_COLUMNS = ("key", "status", "error_message", "caption", "url")


def failed_rows(
    path: Path, tally: Tally, *, prefix: str = "", seen: Seen | None = None
) -> Generator[Rejected, None, None]:
    """Yield the rows of a shard's parquet that have no image.

    Args:
        prefix: Stands before each key.
        seen: The keys found in the shard; a row that claims success and is not there is lost.
    """
    try:
        table = ParquetFile(path)
        if not {"key", "status"} <= set(table.columns):
            tally.add("parquet files beside shards that are not img2dataset's, ignored", path.name)
            return
        for row in table.rows(tally, only=_COLUMNS):
            if not isinstance(row, Row):
                yield rejected(f"{path.name} {row.place}", f"{path.name}: {row.reason}", raw=row.raw)
                continue
            key = prefix + (key_text(row.values.get("key")) or f"{path.name} {row.place}")
            reason = download_failure({"error_message": None, **row.values})
            if reason is None and seen is not None and key not in seen:
                reason = f"img2dataset: {path.name} lists it as downloaded, but the shard does not hold it"
            if reason is not None:
                yield rejected(key, reason, raw=_caption(row))
    except DataError as error:
        yield rejected(path.name, str(error))


def _caption(row: Row) -> str | None:
    value = row.values.get("caption")
    return value if isinstance(value, str) else None
