"""The images of one folder, each with all that is said about it."""

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass

from recaption.core.errors import DataError
from recaption.core.types import Caption, Image, Record, Rejected
from recaption.datasets.readers.accounting import Tally, rejected
from recaption.datasets.readers.columns import side_roles
from recaption.datasets.readers.conventions import MAX_JSON_BYTES, MAX_TEXT_BYTES
from recaption.datasets.readers.folder_files import FolderFiles, extension
from recaption.datasets.readers.join import JoinedTable
from recaption.datasets.readers.rows import Parts, merged_parts, parts_of, source_caption
from recaption.datasets.readers.source_text import decode, safe_key
from recaption.datasets.readers.walk import Folder

__all__ = ["FolderItems", "Metadata", "side_parts", "with_side"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """A metadata file, and the folder that its file names start from."""

    place: str
    """POSIX path from the root, empty for the root."""
    table: JoinedTable

    def local(self, inner: str) -> str:
        """Return a path from the root as this file names it."""
        return inner[len(self.place) + 1 :] if self.place else inner


@dataclass(frozen=True, slots=True)
class FolderItems:
    """One folder on the way through the tree."""

    folder: Folder
    files: FolderFiles
    metadata: Metadata | None
    joined: JoinedTable | None
    is_shared: Callable[[str], bool]
    """Whether images in several folders bear a name, so that the name alone tells nothing."""
    caption_column: str | None
    tally: Tally

    def items(self) -> Generator[Record | Rejected, None, None]:
        """Yield a record for each image, and count what is not read."""
        texts = {base: dict(by_extension) for base, by_extension in self.files.texts.items()}
        jsons = dict(self.files.jsons)
        keys = self.files.keys()
        used: set[str] = set()
        for name in self.files.images:
            bases = [base for base in (name.rpartition(".")[0] or name, name) if base in texts or base in jsons]
            beside = [n for base in bases for n in texts.get(base, {}).values()]
            facts = [jsons[base] for base in bases if base in jsons]
            used.update(beside, facts)
            yield self._item(name, safe_key(self.folder.inner(keys[name])), beside, facts)
        self._count_rest(used)

    def _item(self, name: str, key: str, texts: list[str], facts: list[str]) -> Record | Rejected:
        try:
            parts = self._rows(name, key)
            captions = [c for text in texts if (c := self._text(text)) is not None]
            parts = merged_parts(parts, Parts(captions=tuple(captions)))
            for fact in facts:
                parts = self._with_facts(parts, fact)
        except DataError as error:
            return rejected(key, str(error))
        except OSError as error:
            return rejected(key, f"a file beside the image cannot be read: {error.strerror}", retryable=True)
        image = Image(path=f"{self.folder.path}/{name}", name=name)
        return parts.record(safe_key(parts.key) if parts.key else key, image)

    def _rows(self, name: str, key: str) -> Parts:
        """Return what the joined table and the nearest metadata file say about an image."""
        inner = self.folder.inner(name)
        parts = Parts()
        if self.joined is not None:
            stem = name.rpartition(".")[0] or name
            alone = [n for n in (name, stem) if not self.is_shared(n)]
            if len(alone) < 2:
                self.tally.add(
                    "images matched by full path only, as several folders hold an image of that name"
                )
            parts = self._matched(self.joined, [inner, inner.rpartition(".")[0] or inner, key, *alone], parts)
        if self.metadata is not None:
            parts = self._matched(self.metadata.table, [self.metadata.local(inner)], parts)
        return parts

    def _matched(self, table: JoinedTable, names: list[str], parts: Parts) -> Parts:
        rows = table.find(list(dict.fromkeys(names)))
        if not rows:
            self.tally.add(f"images without a row in {table.name}")
        for row in rows:
            said = parts_of(row, table.roles, self.tally, class_names=table.class_names)
            parts = merged_parts(parts, said)
        return parts

    def _text(self, name: str) -> Caption | None:
        saved = f"{name}.orig"  # an export wrote over this text: the original is the one it saved
        text, damaged = decode(self._bytes(saved if saved in self.files.saved else name, MAX_TEXT_BYTES))
        return source_caption(text.rstrip("\r\n"), damaged=damaged, column=extension(name))

    def _with_facts(self, parts: Parts, name: str) -> Parts:
        said = side_parts(self._bytes(name, MAX_JSON_BYTES), name, self.caption_column, self.tally)
        return with_side(parts, said, caption_asked=self.caption_column is not None)

    def _bytes(self, name: str, limit: int) -> bytes:
        with open(f"{self.folder.path}/{name}", "rb") as file:  # noqa: PTH123 - may hold bytes that are no text
            data = file.read(limit + 1)
        if len(data) > limit:
            raise DataError(f"{safe_key(name)} is over the limit of {limit:,} bytes")
        return data

    def _count_rest(self, used: set[str]) -> None:
        for by_extension in self.files.texts.values():
            for ext, name in by_extension.items():
                if name not in used:
                    self.tally.add("text files without an image", f".{ext}")
        rest = [name for name in self.files.jsons.values() if name not in used]
        joined = self.joined.table.path.absolute() if self.joined else None
        for name in [*rest, *self.files.rest]:
            if joined is None or str(joined) != f"{self.folder.path}/{name}":
                self.tally.add(
                    "files ignored", f".{extension(name)}" if extension(name) else "without extension"
                )
        for count, heading in (
            (self.folder.hidden, "hidden files and folders ignored"),
            (self.folder.links_out, "links ignored, they lead out of the folder or to folders"),
            (self.folder.special, "special files ignored"),
        ):
            if count:
                self.tally.add(heading, times=count)


def with_side(parts: Parts, said: Parts, *, caption_asked: bool) -> Parts:
    """Return what lies beside an image in texts and JSON as one: the texts count, JSON repeats them or adds facts.

    A JSON text that differs from the texts stays as metadata, unless its column was asked for: then it is first.
    """
    if said.exported:
        return said
    if caption_asked:
        return merged_parts(said, parts)
    if not parts.captions:
        return merged_parts(parts, said)
    known = {caption.text.strip() for caption in parts.captions}
    metadata = dict(said.metadata)
    for caption in said.captions:
        if caption.text.strip() not in known:
            metadata[str(caption.provenance.details.get("column", "caption"))] = caption.text
    return merged_parts(parts, Parts(evidence=said.evidence, metadata=metadata))


def side_parts(data: bytes, name: str, caption_column: str | None, tally: Tally) -> Parts:
    """Return what a JSON object that lies beside an image says. Raises DataError where it is no such object."""
    text, damaged = decode(data)
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise DataError(f"{safe_key(name)}: nested too deep") from error
    except ValueError as error:
        raise DataError(f"{safe_key(name)} is not JSON: {str(error)[:100]}") from error
    if not isinstance(values, dict):
        tally.add("JSON files beside images that hold no object, ignored")
        return Parts()
    if damaged:
        tally.add("JSON files with characters that are not UTF-8, replaced")
    return parts_of(values, side_roles(tuple(values), caption_column), tally)
