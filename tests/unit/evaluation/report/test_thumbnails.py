"""Thumbnails: small, made anew, without metadata, and trusted only as far as their name is their digest."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from recaption.core.errors import RunFolderError
from recaption.core.protocols import Pixels
from recaption.core.types import Image, Record
from recaption.evaluation.report.thumbnails import MAX_BYTES, encoded, read_thumbnails, with_thumbnails
from recaption.evaluation.result import Example
from recaption.media.images import BatchImages


def example(key: str, kind: str = "best") -> Example:
    return Example(kind=kind, measure=None, key=key, texts={}, values={})


def photo(size: tuple[int, int] = (800, 600), comment: bytes = b"") -> bytes:
    coarse = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    out = BytesIO()
    exif = Pillow.Exif()
    exif[0x010E] = "SECRET place"
    Pillow.fromarray(coarse).resize(size).save(out, "JPEG", exif=exif, comment=comment)
    return out.getvalue()


def made(folder: Path, images: dict[str, bytes | None], keys: Sequence[str] = ()) -> Sequence[Example]:
    records = {
        key: Record(key=key, image=None if data is None else Image(data=data)) for key, data in images.items()
    }
    return with_thumbnails([example(key) for key in keys or images], records, BatchImages, folder)


def test_a_picture_is_made_small_and_anew(tmp_path):
    (found,) = made(tmp_path / "a" / "b", {"k": photo(comment=b"<script>")})
    assert found.thumbnail is not None
    data = (tmp_path / "a" / "b" / found.thumbnail).read_bytes()
    with Pillow.open(BytesIO(data)) as picture:
        assert picture.size == (320, 240)
        assert picture.format == "WEBP"
        assert not picture.getexif()
        assert set(picture.info) <= {"background", "loop", "timestamp", "duration"}
    assert b"SECRET" not in data
    assert b"script" not in data
    assert len(data) <= MAX_BYTES


def test_a_small_picture_is_not_blown_up(tmp_path):
    (found,) = made(tmp_path, {"k": photo((40, 30))})
    with Pillow.open(tmp_path / str(found.thumbnail)) as picture:
        assert picture.size == (40, 30)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no bytes"),
        (b"\xff\xd8\xff" + b"x" * 100, "JPEG"),
        (b"<svg onload=alert(1)>", "SVG is not allowed"),
        (photo()[:200], "JPEG"),
    ],
)
def test_a_picture_that_cannot_be_read_has_a_reason(tmp_path, data, reason):
    (found,) = made(tmp_path, {"k": data})
    assert found.thumbnail is None
    assert reason in found.no_thumbnail
    assert "\n" not in found.no_thumbnail


def test_an_item_without_an_image_has_neither(tmp_path):
    found = made(tmp_path, {"k": None}, ["k", "unknown"])
    assert [(e.thumbnail, e.no_thumbnail) for e in found] == [(None, ""), (None, "")]


def test_an_item_shown_twice_is_decoded_once(tmp_path):
    batches = []

    def images() -> BatchImages:
        batches.append(BatchImages())
        return batches[-1]

    records = {"k": Record(key="k", image=Image(data=photo()))}
    found = with_thumbnails([example("k"), example("k", "random")], records, images, tmp_path)
    assert len(batches) == 1
    assert found[0].thumbnail == found[1].thumbnail
    assert [e.kind for e in found] == ["best", "random"]


def test_what_needs_many_bytes_is_made_coarser():
    noise = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    first = Pillow.fromarray(noise)
    out = BytesIO()
    first.save(out, "WEBP", quality=70, method=4)
    data = encoded(Pixels(noise, 1.0, (320, 320)), "webp")
    assert len(data) < len(out.getvalue()) / 4
    with Pillow.open(BytesIO(data)) as picture:
        assert max(picture.size) < 320


def test_without_webp_there_is_jpeg(tmp_path, monkeypatch):
    monkeypatch.setattr("recaption.evaluation.report.thumbnails.features.check", lambda name: False)
    (found,) = made(tmp_path, {"k": photo()})
    assert str(found.thumbnail).endswith(".jpg")
    media_type, data = read_thumbnails([found], tmp_path)[str(found.thumbnail)]
    assert media_type == "image/jpeg"
    with Pillow.open(BytesIO(data)) as picture:
        assert picture.format == "JPEG"


def test_thumbnails_of_before_go_and_nothing_else(tmp_path):
    (old,) = made(tmp_path, {"k": photo()})
    (tmp_path / "notes.txt").write_text("mine")
    (new,) = made(tmp_path, {"k": photo((400, 100))})
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["notes.txt", str(new.thumbnail)])
    assert read_thumbnails([old], tmp_path) == {}


def test_only_what_is_what_its_name_says_is_read(tmp_path):
    (found,) = made(tmp_path, {"k": photo()})
    name = str(found.thumbnail)
    assert set(read_thumbnails([found], tmp_path)) == {name}
    (tmp_path / name).write_bytes(b"<script>")
    assert read_thumbnails([found], tmp_path) == {}
    (tmp_path / name).unlink()
    assert read_thumbnails([found], tmp_path) == {}


@pytest.mark.parametrize(
    "name", ["../secret.webp", "/etc/passwd", "a" * 64 + ".svg", "A" * 64 + ".webp", ".", "\x00"]
)
def test_no_other_name_is_opened(tmp_path, name):
    folder = tmp_path / "thumbnails"
    folder.mkdir()
    (tmp_path / "secret.webp").write_bytes(photo())
    other = Example(kind="best", measure=None, key="k", texts={}, values={}, thumbnail=name)
    assert read_thumbnails([other], folder) == {}


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(RunFolderError, match="taken"):
        made(tmp_path / "taken", {"k": photo()})
