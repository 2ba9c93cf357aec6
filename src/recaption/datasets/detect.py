"""What an input is: looked at, never guessed from its name alone, and told to the user."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from recaption.core.errors import UserError
from recaption.core.protocols import Reader
from recaption.core.registry import resolve
from recaption.datasets.readers.coco import is_coco
from recaption.datasets.readers.conventions import conventions
from recaption.datasets.readers.folder_files import extension
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.readers.run_folder import is_captions_table, is_run_folder

__all__ = ["detect_format", "open_dataset"]

_HUB: Final = "hf:"
_MAX_LOOKED_AT: Final = 100_000
_KNOWN: Final = (
    "a folder of images, a table (parquet, JSONL, JSON, CSV, TSV), WebDataset tars, COCO captions, "
    "a Hugging Face dataset saved to disk, or a finished run"
)


def open_dataset(source: str, *, options: ReaderOptions) -> Reader:
    """Return the reader of an input.

    Args:
        source: A file, a folder, a brace pattern of tars, or `hf:NAME[:SPLIT]` for a cached data set.

    Raises:
        UserError: There is nothing there, it is not known what it is, or the options do not fit it.
    """
    name = options.format or detect_format(source, options)
    make = cast("Callable[[str, ReaderOptions], Reader]", resolve("readers", name))
    return make(source, options)


def detect_format(source: str, options: ReaderOptions) -> str:
    """Return the registry name of the reader that fits an input. Raises UserError where none does."""
    if source.startswith(_HUB):
        return "huggingface"
    path = Path(source)
    if path.is_dir():
        return "folder" if options.table is not None else _of_folder(path, options)
    if options.table is not None:
        raise UserError(f"{source} is not a folder; a table can only be joined onto a folder of images")
    if "{" in source and not path.exists():
        return "webdataset"
    if not path.exists():
        raise UserError(f"{source}: no such file or folder")
    return _of_file(path)


def _of_file(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(tuple(f".{ending}" for ending in conventions().tar_extensions)):
        return "webdataset"
    kind = extension(name)
    if kind == "parquet":
        return "run" if is_captions_table(path) else "table"
    if kind == "json" and is_coco(path):
        return "coco"
    if kind in conventions().table_extensions:
        return "table"
    raise UserError(f"{path}: a {kind or 'file without extension'} is nothing to read. Known: {_KNOWN}.")


def _of_folder(path: Path, options: ReaderOptions) -> str:
    if is_run_folder(path):
        return "run"
    if (path / "dataset_dict.json").is_file() or (
        (path / "state.json").is_file() and (path / "dataset_info.json").is_file()
    ):
        return "huggingface"
    if any(is_coco(file) for folder in (path, path / "annotations") for file in folder.glob("*captions*.json")):
        return "coco"
    found = _extensions(path, recursive=options.recursive)
    if any(found[ending] for ending in conventions().image_extensions):
        return "folder"
    if found["tar"] or found["tgz"]:
        return "webdataset"
    if any(found[ending] for ending in conventions().table_extensions):
        parquet = next(path.glob("*.parquet"), None)
        return "run" if parquet is not None and is_captions_table(parquet) else "table"
    kinds = ", ".join(f"{n} .{kind}" if kind else f"{n} without extension" for kind, n in found.most_common(5))
    raise UserError(f"{path}: nothing to read among its files ({kinds or 'it is empty'}). Known: {_KNOWN}.")


def _extensions(path: Path, *, recursive: bool) -> Counter[str]:
    """Return how many files of each kind a folder holds, hidden ones aside, looking at a bounded number."""
    found: Counter[str] = Counter()
    for _, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                found["tgz" if name.lower().endswith(".tar.gz") else extension(name)] += 1
        if found.total() > _MAX_LOOKED_AT:
            break
    return found
