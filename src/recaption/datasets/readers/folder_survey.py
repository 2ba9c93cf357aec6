"""A first look at a folder of images: what is there, and which names are not unique."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from recaption.core.digests import digest_text
from recaption.datasets.readers.folder_files import FolderFiles, looks_like_metadata, sort_files
from recaption.datasets.readers.walk import Folder, walk

__all__ = ["FolderSurvey", "survey_folder"]

_MAX_FILES: Final = 200_000
_MAX_LISTED: Final = 100


@dataclass(slots=True)
class FolderSurvey:
    """What a first look found; files without a telling extension are not opened."""

    images: int = 0
    texts: int = 0
    metadata: list[str] = field(default_factory=list)
    """POSIX paths of the metadata files that will be read."""
    warnings: list[str] = field(default_factory=list)
    complete: bool = True
    shared_names: set[int] = field(default_factory=set)
    """Digests of image names, with and without extension, that stand in more than one folder."""

    def is_shared(self, name: str) -> bool:
        """Return whether images in several folders bear this name."""
        return _short(name) in self.shared_names


def survey_folder(root: Path, *, recursive: bool, sidecars: tuple[str, ...], for_join: bool) -> FolderSurvey:
    """Return what is in a folder of images.

    Args:
        for_join: Look at every file, however many, and find the names that several folders share.
    """
    look = _Look(FolderSurvey())
    files = 0
    for number, folder in enumerate(walk(root, recursive=recursive)):
        if not isinstance(folder, Folder):
            continue
        files += len(folder.files)
        sorted_files = sort_files(folder.path, folder.files, sidecars, sniffing=False)
        look.count(folder, sorted_files)
        if for_join:
            look.remember_names(sorted_files.images, number)
        elif files > _MAX_FILES:
            look.found.complete = False
            return look.found
    look.warn_of_idle_metadata()
    return look.found


@dataclass(slots=True)
class _Look:
    """A first look under way."""

    found: FolderSurvey
    metadata_has_images: dict[str, bool] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    """Digest of an image name to the number of the folder where it was met first."""

    def count(self, folder: Folder, files: FolderFiles) -> None:
        self.found.images += len(files.images)
        self.found.texts += sum(len(by_extension) for by_extension in files.texts.values())
        if files.metadata and len(self.found.metadata) < _MAX_LISTED:
            self.metadata_has_images.setdefault(folder.relative, False)
            self.found.metadata.append(folder.inner(files.metadata[0]))
        if files.images:
            for place in self.metadata_has_images:
                if not place or folder.relative == place or folder.relative.startswith(f"{place}/"):
                    self.metadata_has_images[place] = True
        if len(self.found.warnings) < _MAX_LISTED:
            _warn(self.found, folder, files.metadata)

    def remember_names(self, images: Sequence[str], number: int) -> None:
        for name in {*images, *(name.rpartition(".")[0] or name for name in images)}:
            short = _short(name)
            if self.places.setdefault(short, number) != number:
                self.found.shared_names.add(short)

    def warn_of_idle_metadata(self) -> None:
        for place, has_images in self.metadata_has_images.items():
            if not has_images:
                self.found.warnings.append(f"the metadata file in {place or '.'} has no images there or below")


def _warn(found: FolderSurvey, folder: Folder, metadata: list[str]) -> None:
    for name in folder.files:
        if looks_like_metadata(name):
            found.warnings.append(
                f"{folder.inner(name)} is ignored, as Hugging Face would ignore it: "
                "rename it to metadata.jsonl, .csv or .parquet, or join it as a table"
            )
    if len(metadata) > 1:
        found.warnings.append(f"of {', '.join(metadata)} in {folder.relative or '.'} only the first is read")


def _short(name: str) -> int:
    return int(digest_text(name)[:16], 16)
