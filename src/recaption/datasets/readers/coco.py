"""COCO captions, with the boxes of an instances file beside them as given evidence.

Files of any size: both are streamed into a temporary database that SQLite deletes itself.
"""

import io
import json
import os.path
import re
import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from recaption.core.errors import DataError, UserError
from recaption.core.types import Box, Caption, Evidence, Image, JsonValue, Record, Rejected
from recaption.datasets.readers.accounting import Tally, rejected
from recaption.datasets.readers.base import BaseReader
from recaption.datasets.readers.evidence import box_from_corner_and_size
from recaption.datasets.readers.image_refs import ImageRoot
from recaption.datasets.readers.json_stream import JsonScanner, open_text
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.readers.rows import key_text, source_caption, unique
from recaption.datasets.readers.source_text import safe_key
from recaption.datasets.readers.values import json_safe, whole_number

__all__ = ["CocoReader", "captions_file", "is_coco"]

_SCHEMA: Final = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE image (id TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;
    CREATE TABLE place (number INTEGER PRIMARY KEY, id TEXT);
    CREATE TABLE caption (image TEXT, body TEXT);
    CREATE TABLE box (image TEXT, body TEXT);
    CREATE TABLE category (id TEXT PRIMARY KEY, name TEXT);
"""
_INDEXES: Final = """
    CREATE INDEX caption_by_image ON caption (image);
    CREATE INDEX box_by_image ON box (image);
"""
_IN_ORDER: Final = "SELECT image.body FROM place JOIN image ON image.id = place.id ORDER BY place.number"
_SPLIT: Final = re.compile(r"^captions_?(.*)$")
_PEEKED_CHARACTERS: Final = 1 << 20
_LOOKED_FOR: Final = 20
_MAX_SIDE_PX: Final = 1 << 31


class CocoReader(BaseReader):
    """Reads `{"images": …, "annotations": …}`; the key is the image's id."""

    def __init__(self, source: str, options: ReaderOptions) -> None:
        super().__init__(source, options)
        self._captions = captions_file(Path(source))
        self._instances = _instances_file(self._captions)
        self._root = self._find_images()
        boxes = f"boxes from {self._instances.name}" if self._instances else "no instances file"
        images = (
            f"images in {self._root.folder}"
            if self._root
            else "no images found (name their folder with --image-root)"
        )
        self.description = f"COCO captions {self._captions.name}, {boxes}, {images}: key image id"

    def _find_images(self) -> ImageRoot | None:
        """Return the first of the usual places that holds one of the first images."""
        names = _first_names(self._captions)
        for folder in self._image_folders():
            root = ImageRoot.of(folder)
            for name in names:
                try:
                    if os.path.isfile(root.path(name)):  # noqa: PTH113
                        return root
                except DataError:
                    continue
        return None

    def _image_folders(self) -> Iterator[Path]:
        if self.options.image_root is not None:
            yield self.options.image_root
            return
        split = (_SPLIT.match(self._captions.stem) or ["", ""])[1]
        for base in (self._captions.parent, self._captions.absolute().parent.parent):
            yield base / "images"
            if split:
                yield base / split
                yield base / "images" / split
            yield base

    def _items(self, tally: Tally) -> Generator[Record | Rejected, None, None]:
        with closing(sqlite3.connect("", check_same_thread=False, isolation_level=None)) as database:
            database.executescript(_SCHEMA)
            database.execute("BEGIN")
            annotations: dict[str, Keep] = {"annotations": _keep_annotation, "categories": _keep_category}
            yield from _load(database, self._captions, {**annotations, "images": _keep_image}, tally)
            if self._instances is not None:
                yield from _load(database, self._instances, annotations, tally)
            for statement in _INDEXES.split(";"):
                database.execute(statement)
            for (body,) in database.execute(_IN_ORDER):
                yield self._record(database, json.loads(body), tally)
            orphans = "SELECT image, body FROM caption WHERE image NOT IN (SELECT id FROM image) ORDER BY rowid"
            for image, body in database.execute(orphans):
                yield rejected(image, f"a caption names image {image}, which is not among the images", raw=body)

    def _record(
        self, database: sqlite3.Connection, entry: dict[str, JsonValue], tally: Tally
    ) -> Record | Rejected:
        key = key_text(entry.get("id"))
        try:
            image = self._image(entry.get("file_name"), entry)
            captions = _captions_of(database, key, entry)
        except DataError as error:
            return rejected(key, str(error), raw=json.dumps(entry))
        size = _size(entry)
        used = {"id", "file_name", *(("width", "height") if size else ())}
        if _is_exported(entry):
            used |= {"key", "original_captions"}
        return Record(
            key=safe_key(str(entry["key"])) if _is_exported(entry) else key,
            image=image,
            size=size,
            captions=captions,
            evidence=tuple(_boxes_of(database, key, tally)),
            metadata={name: value for name, value in entry.items() if name not in used},
        )

    def _image(self, name: JsonValue, entry: dict[str, JsonValue]) -> Image | None:
        url = entry.get("coco_url") or entry.get("flickr_url")
        if isinstance(name, str) and name and self._root is not None:
            return Image(path=self._root.path(name), name=os.path.basename(name))  # noqa: PTH119
        return Image(url=url) if isinstance(url, str) else None


Keep = Callable[[sqlite3.Connection, dict[str, JsonValue]], str | None]
"""Stores an entry; returns why it cannot."""


def _load(
    database: sqlite3.Connection, path: Path, keepers: Mapping[str, Keep], tally: Tally
) -> Iterator[Rejected]:
    """Read a file into the database; yield the entries that cannot be used."""
    try:
        with open_text(path) as file:
            scanner = JsonScanner(file)
            for member in scanner.members():
                keep = keepers.get(member)
                if keep is None or scanner.peek() != "[":
                    scanner.skip_value()
                    continue
                for number in scanner.elements():
                    entry = json_safe(scanner.value(), lambda kind: tally.add("values dropped", kind))
                    reason = keep(database, entry) if isinstance(entry, dict) else "not an object"
                    if reason is not None:
                        place = f"{path.name} {member}[{number}]"
                        yield rejected(
                            _entry_key(entry) or place, f"{place}: {reason}", raw=json.dumps(entry)[:2000]
                        )
    except (DataError, OSError) as error:
        yield rejected(path.name, f"{path.name} is damaged, nothing after that was read: {error}")


def _entry_key(entry: JsonValue) -> str:
    """Return the id of the image that an entry speaks of."""
    return key_text(entry.get("image_id", entry.get("id"))) if isinstance(entry, dict) else ""


def _keep_image(database: sqlite3.Connection, entry: dict[str, JsonValue]) -> str | None:
    key = key_text(entry.get("id"))
    if not key:
        return "an image without an id"
    added = database.execute("INSERT OR IGNORE INTO image VALUES (?, ?)", (key, json.dumps(entry)))
    if not added.rowcount:
        return f"duplicate image id {key}"
    database.execute("INSERT INTO place (id) VALUES (?)", (key,))
    return None


def _keep_annotation(database: sqlite3.Connection, entry: dict[str, JsonValue]) -> str | None:
    image, text = key_text(entry.get("image_id")), entry.get("caption")
    if not image:
        return "an annotation without an image id"
    if isinstance(text, str):
        database.execute("INSERT INTO caption VALUES (?, ?)", (image, json.dumps(text)))
        return None
    category, box = key_text(entry.get("category_id")), box_from_corner_and_size(entry.get("bbox"))
    if not category or box is None:
        return "an annotation with neither a caption nor a category and a box"
    body = [category, box.left, box.top, box.right, box.bottom, bool(entry.get("iscrowd"))]
    database.execute("INSERT INTO box VALUES (?, ?)", (image, json.dumps(body)))
    return None


def _keep_category(database: sqlite3.Connection, entry: dict[str, JsonValue]) -> str | None:
    key, name = key_text(entry.get("id")), entry.get("name")
    if not key or not isinstance(name, str):
        return "a category without id or name"
    database.execute("INSERT OR REPLACE INTO category VALUES (?, ?)", (key, name))
    return None


def _is_exported(entry: Mapping[str, JsonValue]) -> bool:
    """Return whether Recaption wrote an image entry: then it has the key and every original."""
    return isinstance(entry.get("original_captions"), list) and bool(entry.get("key"))


def _captions_of(database: sqlite3.Connection, key: str, entry: Mapping[str, JsonValue]) -> tuple[Caption, ...]:
    rows = database.execute("SELECT body FROM caption WHERE image = ? ORDER BY rowid", (key,))
    texts = [json.loads(body) for (body,) in rows]
    originals = entry.get("original_captions")
    if _is_exported(entry) and isinstance(originals, list):
        texts = list(dict.fromkeys([text for text in originals if isinstance(text, str)] + texts))
    made = (source_caption(text, damaged=False, origin="human") for text in texts)
    return unique([caption for caption in made if caption is not None])


def _boxes_of(database: sqlite3.Connection, key: str, tally: Tally) -> Iterator[Evidence]:
    for (body,) in database.execute("SELECT body FROM box WHERE image = ? ORDER BY rowid", (key,)):
        category, left, top, right, bottom, crowd = json.loads(body)
        name = database.execute("SELECT name FROM category WHERE id = ?", (category,)).fetchone()
        if name is None:
            tally.add("boxes without a category name, not used")
            continue
        yield Evidence(
            kind="object",
            label=name[0],
            source="coco",
            box=Box(left, top, right, bottom),
            attributes={"iscrowd": True} if crowd else {},
        )


def _size(entry: Mapping[str, JsonValue]) -> tuple[int, int] | None:
    width, height = whole_number(entry.get("width")), whole_number(entry.get("height"))
    if width is None or height is None or not (0 < width < _MAX_SIDE_PX and 0 < height < _MAX_SIDE_PX):
        return None
    return width, height


def is_coco(path: Path) -> bool:
    """Return whether a JSON file begins like COCO: an object whose `images` or `annotations` are objects."""
    try:
        with open_text(path) as file:
            scanner = JsonScanner(io.StringIO(file.read(_PEEKED_CHARACTERS)))
        for member in scanner.members():
            if member not in ("images", "annotations") or scanner.peek() != "[":
                scanner.skip_value()
                continue
            scanner.take("[")
            return scanner.peek() == "{"
    except (DataError, OSError):
        return False
    return False


def captions_file(source: Path) -> Path:
    """Return the captions file that a path means: itself, or the one in a folder or its `annotations`.

    Raises:
        UserError: There is none, or several.
    """
    if not source.is_dir():
        if not source.is_file():
            raise UserError(f"{source}: no such file")
        return source
    found = [
        path
        for folder in (source, source / "annotations")
        for path in sorted(folder.glob("*captions*.json"))
        if is_coco(path)
    ]
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:8]) or "none"
        raise UserError(f"{source}: one COCO captions file is needed, found {names}. Name the file itself.")
    return found[0]


def _instances_file(captions: Path) -> Path | None:
    """Return the boxes that belong to a captions file: of the same split, else the only ones there are."""
    same = captions.with_name(captions.name.replace("captions", "instances"))
    if same != captions and same.is_file():
        return same
    found = [path for path in sorted(captions.parent.glob("instances*.json")) if path != captions]
    return found[0] if len(found) == 1 and "captions" in captions.name else None


def _first_names(path: Path) -> list[str]:
    """Return the file names of the first images. Raises UserError where there is not one image to be read."""
    names: list[str] = []
    try:
        with open_text(path) as file:
            scanner = JsonScanner(file)
            for member in scanner.members():
                if member != "images" or scanner.peek() != "[":
                    scanner.skip_value()
                    continue
                for number in scanner.elements():
                    if number == _LOOKED_FOR:
                        return names
                    entry = scanner.value()
                    if isinstance(entry, dict) and isinstance(entry.get("file_name"), str):
                        names.append(entry["file_name"])
    except (DataError, OSError) as error:
        if not names:
            raise UserError(f"{path} is not a readable COCO file: {error}") from error
    return names
