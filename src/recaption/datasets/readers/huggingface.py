"""Hugging Face data sets that are already on this machine: saved to disk, or in the cache. Never the network."""

import importlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from recaption.core.errors import MissingExtraError, UserError
from recaption.core.types import Record, Rejected
from recaption.datasets.readers.accounting import Seen, Tally, rejected
from recaption.datasets.readers.base import BaseReader
from recaption.datasets.readers.columns import choose_roles
from recaption.datasets.readers.image_refs import ImageRoot
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.readers.rows import Row, RowMaker

__all__ = ["HuggingFaceReader"]

_HUB: Final = "hf:"


class HuggingFaceReader(BaseReader):
    """Reads the splits of a data set one after the other; with several, keys begin with the split's name."""

    def __init__(self, source: str, options: ReaderOptions) -> None:
        super().__init__(source, options)
        self._library = _library()
        self._splits = self._load()
        first_name, first = next(iter(self._splits.items()))
        self._root = ImageRoot.of(Path(source) if Path(source).is_dir() else Path(), options.image_root)
        roles = self._maker(first_name, first).roles
        self._count = sum(len(split) for split in self._splits.values())
        self.description = (
            f"Hugging Face data set {source}, {self._count:,} rows in {', '.join(self._splits)}: "
            f"{roles.describe()}"
        )

    def count_hint(self) -> int | None:
        """Return the number of rows."""
        return self._count

    def _load(self) -> dict[str, Any]:
        """Return the splits by name, images not decoded."""
        name, _, split = self.source.removeprefix(_HUB).partition(":")
        try:
            if self.source.startswith(_HUB):
                with _offline(self._library):
                    found = self._library.load_dataset(name, split=split or None)
            else:
                found = self._library.load_from_disk(self.source)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            hint = " Download it first, with datasets.load_dataset." if self.source.startswith(_HUB) else ""
            raise UserError(f"{self.source} cannot be loaded without the network: {reason}.{hint}") from error
        splits = dict(found) if isinstance(found, Mapping) else {split or str(found.split or "data"): found}
        if not splits:
            raise UserError(f"{self.source} has no splits")
        return {name: self._undecoded(data) for name, data in splits.items()}

    def _undecoded(self, data: Any) -> Any:
        """Return a split whose images come as bytes or paths: our decoder has limits, theirs does not."""
        for name, feature in data.features.items():
            if isinstance(feature, self._library.Image):
                data = data.cast_column(name, self._library.Image(decode=False))
        return data

    def _maker(self, name: str, split: Any) -> RowMaker:
        roles = choose_roles(list(split.column_names), self.options, f"split {name}")
        return RowMaker(name, roles, self._root, dict(_class_names(split.features, ())))

    def _items(self, tally: Tally) -> Generator[Record | Rejected, None, None]:
        seen = Seen()
        several = len(self._splits) > 1
        for number, (name, split) in enumerate(self._splits.items()):
            maker = self._maker(name, split)
            for index in range(len(split)):
                item = self._item(maker, split, index, tally)
                if several:
                    item = _prefixed(item, name)
                if isinstance(item, Record) and seen.first(item.key, number) is not None:
                    item = rejected(item.key, f"duplicate key in split {name}", raw=item.original_text)
                yield item

    def _item(self, maker: RowMaker, split: Any, index: int, tally: Tally) -> Record | Rejected:
        place = f"row {index + 1}"
        try:
            values = split[index]
        except (OSError, ValueError, RuntimeError, TypeError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            return rejected(f"{maker.table} {place}", f"{place} cannot be decoded: {reason}")
        return maker.make(Row(place, values), tally)


def _prefixed(item: Record | Rejected, split: str) -> Record | Rejected:
    return replace(item, key=f"{split}/{item.key}")


def _library() -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise MissingExtraError("reading Hugging Face data sets", "datasets", "hf-data") from error


@contextmanager
def _offline(library: Any) -> Iterator[None]:
    """Keep the library from the network: it would ask the hub even for what it has."""
    before = library.config.HF_HUB_OFFLINE
    library.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        library.config.HF_HUB_OFFLINE = before


def _class_names(feature: Any, path: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Yield the names of classes by column path: `objects.category`."""
    inner = getattr(feature, "feature", feature)
    if isinstance(inner, list) and inner:
        inner = inner[0]
    names = getattr(inner, "names", None)
    if isinstance(names, list):
        yield ".".join(path), [str(name) for name in names]
    elif isinstance(inner, Mapping) and len(path) < 8:
        for name, below in inner.items():
            yield from _class_names(below, (*path, str(name)))
