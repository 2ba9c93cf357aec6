"""Tables: JSONL, JSON, CSV, TSV, parquet, or a folder of such files as shards of one table."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from recaption.core.errors import DataError, UserError
from recaption.core.types import Record, Rejected
from recaption.datasets.readers.accounting import Seen, Tally, rejected
from recaption.datasets.readers.base import BaseReader
from recaption.datasets.readers.columns import choose_roles
from recaption.datasets.readers.conventions import conventions
from recaption.datasets.readers.image_refs import ImageRoot
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.readers.rows import Parts, RowMaker, merged_parts
from recaption.datasets.readers.table_files import TableFile, open_table

__all__ = ["TableReader", "table_shards"]


class TableReader(BaseReader):
    """Reads rows; neighbouring rows with one key and one image become one record with several captions."""

    def __init__(self, source: str, options: ReaderOptions) -> None:
        super().__init__(source, options)
        self._files = table_shards(Path(source), recursive=options.recursive)
        first = self._open_first()
        home = Path(source) if Path(source).is_dir() else first.path.parent
        self._root = ImageRoot.of(home, options.image_root)
        maker = self._maker(first)
        shards = f", {len(self._files)} files" if len(self._files) > 1 else ""
        self._count = first.count if len(self._files) == 1 else None
        rows = "" if self._count is None else f", {self._count:,} rows"
        self.description = f"{first.format} table {Path(source).name}{shards}{rows}: {maker.roles.describe()}"

    def count_hint(self) -> int | None:
        """Return the number of rows of a single parquet file."""
        return self._count

    def _open_first(self) -> TableFile:
        reasons = []
        for path in self._files[:100]:
            try:
                return open_table(path)
            except DataError as error:
                reasons.append(str(error))
        raise UserError(f"{self.source}: {reasons[0] if reasons else 'no tables in this folder'}")

    def _maker(self, table: TableFile) -> RowMaker:
        roles = choose_roles(table.columns, self.options, table.path.name)
        return RowMaker(table.path.name, roles, self._root, table.class_names())

    def _items(self, tally: Tally) -> Generator[Record | Rejected, None, None]:
        seen = Seen()
        for number, path in enumerate(self._files):
            for item in self._of_file(path, tally):
                if isinstance(item, Record):
                    before = seen.first(item.key, number)
                    if before is not None:
                        yield _duplicate(item, self._files[before].name, path.name)
                        continue
                yield item

    def _of_file(self, path: Path, tally: Tally) -> Generator[Record | Rejected, None, None]:
        waiting: Record | None = None
        try:
            table = open_table(path)
            maker = self._maker(table)
            roles = maker.roles
            rows = table.rows(tally, image=roles.image, with_bytes=roles.key is None)
            for row in rows:
                item = maker.make(row, tally)
                if roles.key and waiting and isinstance(item, Record) and same_thing(waiting, item):
                    waiting = merged(waiting, item)
                    continue
                if waiting is not None:
                    yield waiting
                waiting = item if isinstance(item, Record) else None
                if isinstance(item, Rejected):
                    yield item
        except (DataError, UserError, OSError) as error:
            if waiting is not None:
                yield waiting
                waiting = None
            yield rejected(
                path.name, f"{path.name} cannot be read: {error}", retryable=isinstance(error, OSError)
            )
        if waiting is not None:
            yield waiting


def same_thing(first: Record, second: Record) -> bool:
    """Return whether two rows speak of one image: one key, and the image is named alike."""
    if first.key != second.key or first.chosen or second.chosen:
        return False
    a, b = first.image, second.image
    if a is None or b is None or a.row is not None or b.row is not None:
        return a is None or b is None or (a.path, a.column) == (b.path, b.column)
    return (a.path, a.url, a.data) == (b.path, b.url, b.data)


def merged(first: Record, second: Record) -> Record:
    """Return one record for two rows that speak of one image."""
    one = Parts(first.captions, first.evidence, first.metadata)
    both = merged_parts(one, Parts(second.captions, second.evidence, second.metadata))
    return replace(
        first,
        image=first.image or second.image,
        captions=both.captions,
        evidence=both.evidence,
        metadata=both.metadata,
    )


def _duplicate(item: Record, before: str, now: str) -> Rejected:
    where = "the same file" if before == now else before
    return rejected(
        item.key,
        f"duplicate key in {now}, first seen in {where}; name a column that is unique as key column",
        raw=item.original_text,
    )


def table_shards(source: Path, *, recursive: bool) -> list[Path]:
    """Return the table at a path, or the tables in a folder in order of their names.

    JSON files count only where there is nothing else: beside tables they are mostly statistics.
    """
    if not source.is_dir():
        return [source]
    extensions = conventions().table_extensions
    found = [
        path
        for path in source.glob("**/*" if recursive else "*")
        if path.suffix.lower().lstrip(".") in extensions
        and path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
    ]
    rows: Sequence[Path] = [path for path in found if path.suffix.lower() != ".json"] or found
    return sorted(rows, key=lambda path: path.relative_to(source).as_posix())
