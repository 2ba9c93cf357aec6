"""What the files of one folder are to each other: images, texts beside them, tables, and the rest."""

import os.path
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from recaption.datasets.readers.conventions import conventions
from recaption.media.images import sniff

__all__ = ["FolderFiles", "extension", "looks_like_metadata", "sort_files"]

_SNIFFED_BYTES: Final = 4096
_NOT_IMAGES: Final = frozenset({None, "PDF", "EPS", "GZIP", "ZIP", "HTML"})


@dataclass(slots=True)
class FolderFiles:
    """File names by what they are; every name is in exactly one place."""

    images: list[str] = field(default_factory=list)
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    saved: set[str] = field(default_factory=set)
    """Texts as they were before an export of ours wrote over them."""
    """Name without extension, to extension, to name."""
    jsons: dict[str, str] = field(default_factory=dict)
    """Name without extension to name."""
    metadata: list[str] = field(default_factory=list)
    """Files named as Hugging Face wants its metadata, the one it reads first."""
    rest: list[str] = field(default_factory=list)

    def keys(self) -> dict[str, str]:
        """Return image names to names without extension, except where those would not be unique."""
        stems: dict[str, int] = {}
        for name in self.images:
            stem = os.path.splitext(name)[0]  # noqa: PTH122
            stems[stem] = stems.get(stem, 0) + 1
        full = set(self.images)
        found = {}
        for name in self.images:
            stem = os.path.splitext(name)[0]  # noqa: PTH122
            found[name] = stem if stems[stem] == 1 and stem not in full else name
        return found


def extension(name: str) -> str:
    """Return a file name's extension, lower case, without its dot."""
    return os.path.splitext(name)[1][1:].lower()  # noqa: PTH122


def sort_files(
    path: str, names: Sequence[str], sidecars: Sequence[str], *, sniffing: bool = True
) -> FolderFiles:
    """Sort the files of a folder.

    Args:
        sidecars: Extensions of texts beside images.
        sniffing: Look into files with strange extensions for the first bytes of an image.
    """
    found = FolderFiles()
    known = conventions()
    for name in names:
        ext = extension(name)
        base = os.path.splitext(name)[0]  # noqa: PTH122
        if name in known.metadata_names:
            found.metadata.append(name)
        elif ext in known.image_extensions:
            found.images.append(name)
        elif ext in sidecars:
            found.texts.setdefault(base, {})[ext] = name
        elif ext == "orig" and extension(base) in sidecars:
            found.saved.add(name)
        elif ext == "json":
            found.jsons[base] = name
        elif ext not in known.table_extensions and sniffing and _is_image(f"{path}/{name}"):
            found.images.append(name)
        else:
            found.rest.append(name)
    for base, by_extension in found.texts.items():
        found.texts[base] = {ext: by_extension[ext] for ext in sidecars if ext in by_extension}
    found.metadata.sort(key=known.metadata_names.index)
    return found


def _is_image(path: str) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - the name may hold bytes that are no text
            head = file.read(_SNIFFED_BYTES)
    except OSError:
        return False
    found = sniff(head)
    if found == "BMP" and head[6:10] != bytes(4):  # two letters are a weak sign; these four bytes are reserved
        return False
    return found not in _NOT_IMAGES


def looks_like_metadata(name: str) -> bool:
    """Return whether a file is probably meant as metadata but is not named so that Hugging Face reads it."""
    lower = name.lower()
    tabular = extension(name) in conventions().table_extensions
    return (
        tabular
        and lower.startswith(("metadata", "meta.", "_metadata"))
        and name not in conventions().metadata_names
    )
