"""COCO captions JSON, with or without the images, and the boxes as COCO instances."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

from recaption.core.errors import ImageError
from recaption.core.types import Record
from recaption.datasets.atomic import check_new, make_folder, staged_folder, write_atomic_stream
from recaption.datasets.writers.content import chosen_text, copied_image, json_bytes, with_metadata
from recaption.datasets.writers.names import GivenNames, relative_path
from recaption.media.images import read_header
from recaption.recipes.strict import StrictModel

__all__ = ["CocoWriter"]

_MEMORY_BYTES: Final = 16 << 20
_MAX_NUMERIC_KEY: Final = 10**12
_DESCRIPTION: Final = {"description": "captions written by recaption"}


class CocoWriter:
    """Writes `captions.json` and `images/` into a new folder, or, where `target` ends in `.json`, that file alone.

    An annotation holds the text that stands for the image and the original; the image entry holds every original, the
    key and the source's own columns. Image ids are the keys where the first key is a number, else 1, 2, 3….
    """

    class Params(StrictModel):
        """What is written."""

        all_captions: bool = False
        """One annotation for every kept caption, the chosen one first."""
        instances: bool = False
        """Also write `instances.json` (`instances_X.json` for `captions_X.json`) from the objects that have boxes."""
        overwrite: bool = False
        """Replace the file that is there; a folder is never replaced."""

    def __init__(self, params: Params) -> None:
        self.params = params

    def write(self, records: Iterable[Record], target: Path) -> Mapping[str, int]:
        """Write every record that has a text; return counts.

        `written`, `annotations`, `instances`, and what was left out: `no_text`, `duplicate_key`, and in a folder
        `no_image` and `unreadable_image`.
        """
        if target.suffix.lower() == ".json":
            make_folder(target.parent)
            named = target.name.replace("captions", "instances")
            boxes = target.with_name(named if named != target.name else f"instances_{target.name}")
            for path in (target, boxes) if self.params.instances else (target,):
                if not self.params.overwrite:
                    check_new(path)
            return self._write(records, target, boxes, None)
        with staged_folder(target) as stage:
            make_folder(stage / "images")
            return self._write(records, stage / "captions.json", stage / "instances.json", stage / "images")

    def _write(
        self, records: Iterable[Record], captions: Path, boxes: Path, images: Path | None
    ) -> dict[str, int]:
        counts = Counter({"written": 0, "annotations": 0})
        with _Document() as texts, _Document() as instances:
            ids, given = _Ids(), GivenNames()
            folder = captions.parent.absolute()
            for record in records:
                if chosen_text(record) is None:
                    counts["no_text"] += 1
                    continue
                named = _named(record, given, folder) if images is None else _copied(record, given, images)
                if isinstance(named, str):
                    counts[named] += 1
                    continue
                counts["written"] += 1
                entry = _image_entry(record, ids.of(record.key), named)
                texts.add("images", entry)
                for text in self._texts(record):
                    counts["annotations"] += 1
                    annotation = {"id": counts["annotations"], "image_id": entry["id"], "caption": text}
                    texts.add("annotations", {**annotation, "original_caption": record.original_text})
                if self.params.instances:
                    instances.add("images", {k: entry[k] for k in _PLACE if k in entry})
                    counts["instances"] += instances.add_boxes(record, entry["id"], counts["instances"])
            with write_atomic_stream(captions) as file:
                texts.finish(file, {})
            if self.params.instances:
                with write_atomic_stream(boxes) as file:
                    instances.finish(file, {"categories": instances.categories()})
        return dict(counts)

    def _texts(self, record: Record) -> list[str]:
        chosen = chosen_text(record)
        texts = [] if chosen is None else [chosen]
        if self.params.all_captions:
            texts += [caption.text for caption in record.captions if caption.kept]
        return list(dict.fromkeys(texts))


_PLACE: Final = ("id", "file_name", "width", "height")


def _image_entry(record: Record, number: int, named: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"id": number, **named, "key": record.key}
    row["original_captions"] = [caption.text for caption in record.originals]
    if record.image is not None and record.image.url is not None and "coco_url" not in record.metadata:
        row["coco_url"] = record.image.url
    return with_metadata(row, record.metadata)


def _named(record: Record, given: GivenNames, folder: Path) -> dict[str, Any] | str:
    """Return the file name an image goes by where its file stays where it is."""
    if not given.is_new(record.key):
        return "duplicate_key"
    image = record.image
    name = relative_path(record.key).as_posix()
    if image is not None and image.path is not None and image.offset is None and image.row is None:
        full = os.path.abspath(image.path)  # noqa: PTH100 - links stay links
        name = os.path.relpath(full, folder) if Path(full).is_relative_to(folder) else Path(full).name
        name = given.claim(name, full) or full
    return {"file_name": name, **_sides(record.size)}


def _copied(record: Record, given: GivenNames, folder: Path) -> dict[str, Any] | str:
    """Copy the image and return the file name it got, or the count that says why it was left out."""
    copied = copied_image(record, folder, given)
    if isinstance(copied, str):
        return copied
    name, data = copied
    return {"file_name": name, **_sides(record.size or _size(data))}


def _size(data: bytes) -> tuple[int, int] | None:
    try:
        return read_header(data)[1]
    except ImageError:
        return None  # the bytes are copied all the same; only width and height stay out


def _sides(size: tuple[int, int] | None) -> dict[str, int]:
    return {} if size is None else {"width": size[0], "height": size[1]}


class _Ids:
    """Numbers for keys, never the same twice as long as the keys are not."""

    def __init__(self) -> None:
        self._numeric: bool | None = None
        self._others = 0

    def of(self, key: str) -> int:
        number = int(key) if key.isascii() and key.isdigit() and len(key) <= 12 else None
        if number is not None and str(number) != key:
            number = None
        if self._numeric is None:
            self._numeric = number is not None
        if self._numeric and number is not None:
            return number
        self._others += 1
        return self._others + (_MAX_NUMERIC_KEY if self._numeric else 0)


class _Document:
    """A JSON object of lists that grow together, in memory up to a limit and on disk beyond."""

    def __init__(self) -> None:
        self._lists: dict[str, IO[bytes]] = {}
        self._categories: dict[str, int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "_Document":
        for name in ("images", "annotations"):
            self._lists[name] = self._stack.enter_context(tempfile.SpooledTemporaryFile(_MEMORY_BYTES))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, name: str, entry: Mapping[str, Any]) -> None:
        self._lists[name].write(json_bytes(entry))

    def add_boxes(self, record: Record, image_id: int, after: int) -> int:
        """Add an annotation for each thing with a box; return how many."""
        count = 0
        for thing in record.evidence:
            box = thing.box
            if thing.kind != "object" or box is None:
                continue
            count += 1
            category = self._categories.setdefault(thing.label, len(self._categories) + 1)
            place = {"bbox": [box.left, box.top, box.width, box.height], "area": box.area}
            crowd = {"iscrowd": int(thing.attributes.get("iscrowd") is True)}
            ids = {"id": after + count, "image_id": image_id, "category_id": category}
            self.add("annotations", {**ids, **place, **crowd})
        return count

    def categories(self) -> list[dict[str, Any]]:
        return [{"id": number, "name": label} for label, number in self._categories.items()]

    def finish(self, file: IO[bytes], more: Mapping[str, Any]) -> None:
        file.write(b'{"info":' + json_bytes(_DESCRIPTION))
        for name, spool in self._lists.items():
            file.write(b"," + json.dumps(name).encode() + b":[\n")
            spool.seek(0)
            file.writelines(_with_commas(spool))
            file.write(b"]\n")
        for name, value in more.items():
            file.write(b"," + json.dumps(name).encode() + b":" + json_bytes({"_": value})[5:-2] + b"\n")
        file.write(b"}\n")


def _with_commas(lines: Iterable[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield b"," + line if number else line
