"""One small text file per image, as trainers read them."""

import itertools
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from recaption.core.digests import digest_text
from recaption.core.errors import RunFolderError
from recaption.core.types import Image, Record
from recaption.datasets.atomic import SYNCS_AT_ONCE, make_folder, remove_stale_parts, sync_folder, write_atomic
from recaption.datasets.readers.conventions import conventions
from recaption.datasets.writers.content import chosen_text, image_of, one_line
from recaption.datasets.writers.names import GivenNames, relative_path
from recaption.recipes.strict import StrictModel

__all__ = ["SidecarWriter"]

_log = logging.getLogger(__name__)
MAX_SIDECAR_BYTES: Final = 4 << 20
CHUNK: Final = 256
CHUNK_WITH_IMAGES: Final = 16
"""Records planned ahead; an image may have 64 MB."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be written for one record."""

    sidecar: Path
    text: str
    image: tuple[Path, bytes] | None


class SidecarWriter:
    """Writes `a/b.txt` for `a/b.jpg`: below `target`, or beside the image itself.

    A text that was there before is saved once, as `b.txt.orig`; append and prepend start from that one, so that
    writing twice says nothing twice. Each file is written whole or not at all.
    """

    class Params(StrictModel):
        """How sidecars are written."""

        beside: bool = False
        """Write next to each image file instead of below the target."""
        mode: Literal["skip", "overwrite", "append", "prepend"] = "skip"
        """What to do where a sidecar is already there."""
        extension: str = Field(default="txt", pattern=r"^\.?[A-Za-z0-9_]{1,16}$")
        prefix: str = ""
        """Put before every text as it stands, such as `myword, `."""
        suffix: str = ""
        separator: str = ", "
        """Between the old text and the new one, in append and prepend."""
        images: bool = False
        """Write the images below the target too."""

        @field_validator("extension")
        @classmethod
        def _never_an_image(cls, value: str) -> str:
            bare = value.lstrip(".")
            if bare.lower() in conventions().image_extensions or bare.lower() == "orig":
                raise ValueError(f"a sidecar cannot end in .{bare}: that is the name of something else")
            return bare

        @model_validator(mode="after")
        def _images_go_below(self) -> Self:
            if self.images and self.beside:
                raise ValueError("images are already beside: use `images` or `beside`, not both")
            return self

    def __init__(self, params: Params) -> None:
        self.params = params

    def write(self, records: Iterable[Record], target: Path) -> Mapping[str, int]:
        """Write every text and return counts.

        Sidecars `written`, `skipped` and `unchanged`, `unreadable_sidecar` for an old text that cannot be read or is
        over 4 MB; records with `no_text`, with no image file to write beside (`no_file`), with a key that came before
        (`duplicate_key`), or, where images are asked for, `no_image`, `unreadable_image`, and `conflicting_image`
        where another image is in the way.
        """
        counts = Counter({"written": 0})
        given = GivenNames()
        folders: set[Path] = set()
        plans = (self._plan(record, target, given, folders) for record in records)
        chunk = CHUNK_WITH_IMAGES if self.params.images else CHUNK
        # Every file is synced, and a sync is nothing but waiting: so many at once, a bounded number ahead.
        with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
            while some := list(itertools.islice(plans, chunk)):
                counts.update(pool.map(self._carry_out, some))
        for folder in sorted(folders):
            sync_folder(folder)
        return dict(counts)

    def _plan(self, record: Record, target: Path, given: GivenNames, folders: set[Path]) -> _Plan | str:
        """Return what to write, or the count that says why nothing."""
        text = chosen_text(record)
        body = "" if text is None else one_line(text)
        if not body:
            return "no_text"
        place = self._beside(record.image, given) if self.params.beside else self._below(record, target, given)
        if isinstance(place, str):
            return place
        if place.parent not in folders:
            make_folder(place.parent)
            remove_stale_parts(place.parent)
            folders.add(place.parent)
        image = _image_file(record, place, given) if self.params.images else None
        if isinstance(image, str):
            return image
        return _Plan(place, one_line(f"{self.params.prefix}{body}{self.params.suffix}"), image)

    def _carry_out(self, plan: _Plan | str) -> str:
        if isinstance(plan, str):
            return plan
        if plan.image is not None and not _write_image(*plan.image):
            return "conflicting_image"
        return self._write_text(plan.sidecar, plan.text)

    def _beside(self, image: Image | None, given: GivenNames) -> Path | str:
        """Return where the text goes, or the count that says why it goes nowhere."""
        if image is None or image.path is None or image.offset is not None or image.row is not None:
            return "no_file"
        path = Path(os.path.abspath(image.path))  # noqa: PTH100 - beside the link, not beside what it links to
        name = self._claimed(str(path), given)
        return "duplicate_key" if name is None else Path(name)

    def _below(self, record: Record, target: Path, given: GivenNames) -> Path | str:
        name = self._claimed(relative_path(record.key).as_posix(), given)
        return "duplicate_key" if name is None else target / name

    def _claimed(self, image: str, given: GivenNames) -> str | None:
        """Return `b.txt`, or `b.png.txt` where `b.jpg` has taken that; None where the image came before."""
        if not given.is_new(image):
            return None
        bare, extension = _without_image_extension(image), self.params.extension
        marked = f"{bare}~{digest_text(image)[:16]}"
        return given.claim(*(f"{name}.{extension}" for name in (bare, image, marked)))

    def _write_text(self, path: Path, text: str) -> str:
        before = _content(path)
        if isinstance(before, RunFolderError):
            _log.info("sidecar left alone: %s", before)
            return "unreadable_sidecar"
        if before is not None and self.params.mode == "skip":
            return "skipped"
        data = text.encode()
        if before == data:
            return "unchanged"
        saved = path.with_name(f"{path.name}.orig")
        oldest = _content(saved)
        if isinstance(oldest, RunFolderError):
            _log.info("sidecar left alone: %s", oldest)
            return "unreadable_sidecar"
        old = before if oldest is None else oldest
        if old is not None and self.params.mode in ("append", "prepend"):
            data = self._joined(old, text)
        if before == data:
            return "unchanged"
        if before is not None and oldest is None:
            write_atomic(saved, before)
        write_atomic(path, data, sync_parent=False)
        return "written"

    def _joined(self, old: bytes, text: str) -> bytes:
        parts = [one_line(old.decode("utf-8-sig", "replace")), text]
        if self.params.mode == "prepend":
            parts.reverse()
        return one_line(self.params.separator.join(part for part in parts if part)).encode()


def _without_image_extension(path: str) -> str:
    bare, dot, extension = path.rpartition(".")
    is_image = dot and extension.lower() in conventions().image_extensions and bare.rpartition("/")[2]
    return bare if is_image else path


def _content(path: Path) -> bytes | RunFolderError | None:
    """Return what a file holds; None where there is none; the error where it cannot be had within the limit."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIDECAR_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return RunFolderError(f"cannot read {path}: {error.strerror}. Mend its permissions or move it away.")
    if len(data) > MAX_SIDECAR_BYTES:
        return RunFolderError(f"{path} is larger than {MAX_SIDECAR_BYTES} bytes. Move it away.")
    return data


def _image_file(record: Record, sidecar: Path, given: GivenNames) -> tuple[Path, bytes] | str:
    """Return where the image goes, named like its sidecar, and its bytes, or the count that says why not."""
    image = image_of(record)
    if isinstance(image, str):
        return image
    extension = relative_path(record.key).name.rpartition(".")[2]
    if not image.matches(extension):
        extension = image.extension
    short = f"{sidecar.stem.removesuffix(f'.{extension}')}.{extension}"
    folder = sidecar.parent
    path = given.claim(str(folder / short), str(folder / f"{sidecar.stem}.{extension}"))
    return "conflicting_image" if path is None else (Path(path), image.data)


def _write_image(path: Path, data: bytes) -> bool:
    """Write an image where there is none; return whether these bytes are there now."""
    if not path.exists():
        write_atomic(path, data, sync_parent=False)
        return True
    same_size = path.is_file() and path.stat().st_size == len(data)
    return same_size and path.read_bytes() == data
