"""Folders of images with texts beside them: sidecars, Hugging Face metadata, or a table that is joined on."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

from recaption.core.errors import DataError, UserError
from recaption.core.types import Record, Rejected
from recaption.datasets.readers.accounting import Tally, rejected
from recaption.datasets.readers.base import BaseReader
from recaption.datasets.readers.columns import join_roles
from recaption.datasets.readers.conventions import conventions
from recaption.datasets.readers.folder_files import FolderFiles, sort_files
from recaption.datasets.readers.folder_items import FolderItems, Metadata
from recaption.datasets.readers.folder_survey import survey_folder
from recaption.datasets.readers.img2dataset import failed_rows
from recaption.datasets.readers.join import JoinedTable
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.readers.table_files import TableFile, open_table
from recaption.datasets.readers.walk import Folder, Problem, walk

__all__ = ["FolderReader"]

_METADATA_KEY: Final = "file_name"


class FolderReader(BaseReader):
    """Reads every image below a folder; its key is its path without extension."""

    def __init__(self, source: str, options: ReaderOptions) -> None:
        super().__init__(source, options)
        self._root = Path(source)
        if not self._root.is_dir():
            raise UserError(f"{source} is not a folder")
        chosen = options.sidecar_extension
        self._sidecars = (chosen.lstrip(".").lower(),) if chosen else conventions().sidecar_extensions
        self._table = _opened(options.table) if options.table else None
        self._survey = survey_folder(
            self._root, recursive=options.recursive, sidecars=self._sidecars, for_join=self._table is not None
        )
        if self._table is None and not self._survey.metadata and (options.key_column or options.caption_column):
            raise UserError(f"{source}: a key or caption column needs a table; name it with --table")
        self.description = self._describe()

    def count_hint(self) -> int | None:
        """Return the number of images, where the folder is not too large to look through."""
        return self._survey.images if self._survey.complete else None

    def _describe(self) -> str:
        found = self._survey
        count = f"{found.images:,}" if found.complete else f"more than {found.images:,}"
        texts = [f"{found.texts:,} text sidecars"] if found.texts else []
        if found.metadata:
            more = f" and {len(found.metadata) - 1} more" if len(found.metadata) > 1 else ""
            texts.append(f"{found.metadata[0]}{more}")
        if self._table is not None:
            roles = join_roles(self._table.columns, self.options, self._table.path.name)
            texts.append(f"joined with {self._table.path.name} ({roles.describe(with_image=False)})")
        warnings = "".join(f"; warning: {text}" for text in found.warnings[:3])
        return f"folder of {count} images, {', '.join(texts) or 'no texts'}{warnings}"

    def _items(self, tally: Tally) -> Generator[Record | Rejected, None, None]:
        joined = None
        open_metadata: list[Metadata | None] = []  # one for each folder on the way down
        try:
            if self._table is not None:
                roles = join_roles(self._table.columns, self.options, self._table.path.name)
                joined = JoinedTable(self._table, roles, tally)
                yield from joined.fill()
            for step in walk(self._root, recursive=self.options.recursive):
                if isinstance(step, Problem):
                    yield rejected(step.path, step.reason, retryable=True)
                elif step is None:
                    done = open_metadata.pop()
                    yield from _closed(done.table if done else None)
                else:
                    yield from self._of_folder(step, joined, open_metadata, tally)
            yield from _closed(joined)
        finally:
            for table in (joined, *(metadata.table for metadata in open_metadata if metadata)):
                if table is not None:
                    table.close()

    def _of_folder(
        self, folder: Folder, joined: JoinedTable | None, above: list[Metadata | None], tally: Tally
    ) -> Generator[Record | Rejected, None, None]:
        files = sort_files(folder.path, folder.files, self._sidecars)
        own = self._metadata(folder, files, tally)
        above.append(own)
        if own is not None:
            yield from own.table.fill()
        yield from FolderItems(
            folder=folder,
            files=files,
            metadata=next((metadata for metadata in reversed(above) if metadata is not None), None),
            joined=joined,
            is_shared=self._survey.is_shared,
            caption_column=self.options.caption_column,
            tally=tally,
        ).items()
        yield from _not_downloaded(folder, files, tally)

    def _metadata(self, folder: Folder, files: FolderFiles, tally: Tally) -> Metadata | None:
        """Return the metadata file of a folder, ready to be filled."""
        for name in files.metadata[1:]:
            tally.add("files ignored", name)
        for name in files.metadata[:1]:
            try:
                table = open_table(Path(folder.path) / name)
            except DataError as error:
                tally.add("metadata files that cannot be read", str(error))
                continue
            if _METADATA_KEY not in table.columns:
                tally.add("metadata files without a column 'file_name', ignored", folder.inner(name))
                continue
            asked = self.options.caption_column if self._table is None else None
            if asked is not None and asked not in table.columns:
                tally.add("metadata files without the caption column asked for", folder.inner(name))
                asked = None
            options = ReaderOptions(key_column=_METADATA_KEY, caption_column=asked)
            roles = join_roles(table.columns, options, folder.inner(name))
            return Metadata(folder.relative, JoinedTable(table, roles, tally))
        return None


def _opened(path: Path) -> TableFile:
    try:
        return open_table(path)
    except DataError as error:
        raise UserError(str(error)) from error


def _closed(table: JoinedTable | None) -> Iterator[Rejected]:
    if table is not None:
        try:
            yield from table.unused()
        finally:
            table.close()


def _not_downloaded(folder: Folder, files: FolderFiles, tally: Tally) -> Iterator[Rejected]:
    """Yield the failed rows of img2dataset's folders: `00000/` with `00000.parquet` and `00000_stats.json` beside."""
    for shard in folder.folders:
        if f"{shard}.parquet" in files.rest and f"{shard}_stats" in files.jsons:
            path = Path(folder.path) / f"{shard}.parquet"
            yield from failed_rows(path, tally, prefix=f"{folder.inner(shard)}/")
