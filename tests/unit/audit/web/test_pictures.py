"""Pictures as the page gets them."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image as Pillow

from recaption.audit.web.pictures import FIT_SIDE_PX, Pictures
from recaption.audit.web.showing import picture_id, picture_place
from recaption.core.errors import ImageError
from recaption.core.types import Image
from recaption.media.images import Limits
from tests.unit.audit.web.pages import Client, audit, photo, served, sheet, sheet_item

EXIF_TURNED = 6


def opened(data: bytes) -> Pillow.Image:
    return Pillow.open(BytesIO(data))


def turned_photo() -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = EXIF_TURNED
    exif[0x010E] = "a secret place"
    return photo((400, 200), exif=exif)


def test_upright_without_metadata():
    picture = Pictures(Limits()).picture(0, Image(data=turned_photo()))
    assert picture.size == (200, 400)
    shown = opened(picture.data)
    assert (shown.format, shown.size) == ("JPEG", (200, 400))
    assert not shown.getexif()
    assert b"secret" not in picture.data


def test_fitted_and_full():
    pictures = Pictures(Limits())
    image = Image(data=photo((3000, 1500)))
    fit, full = pictures.picture(0, image), pictures.picture(0, image, full=True)
    assert opened(fit.data).size == (FIT_SIDE_PX, FIT_SIDE_PX // 2)
    assert opened(full.data).size == fit.size == full.size == (3000, 1500)


def test_what_was_made_is_kept_within_bounds():
    pictures = Pictures(Limits(), max_bytes=30_000)
    found = [pictures.picture(i, Image(data=photo(number=i))) for i in range(40)]
    assert pictures.picture(39, Image()).data is found[39].data  # kept: the place is not looked at
    with pytest.raises(ImageError):
        pictures.picture(0, Image())  # gone, and there is nothing to make it from
    assert sum(len(p.data) for p in found[-2:]) < 30_000
    assert pictures._bytes <= 30_000


def test_reasons_are_kept_unless_they_may_pass(tmp_path):
    pictures = Pictures(Limits())
    with pytest.raises(ImageError, match="not a known image format"):
        pictures.picture(0, Image(data=b"no picture at all"))
    with pytest.raises(ImageError, match="not a known image format"):
        pictures.picture(0, Image(data=photo()))
    place = tmp_path / "late.jpg"
    with pytest.raises(ImageError) as gone:
        pictures.picture(1, Image(path=str(place)))
    assert gone.value.retryable
    place.write_bytes(photo())
    assert pictures.picture(1, Image(path=str(place))).size == (320, 200)


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 422, "SVG"),
        (b"<html><script>alert(1)</script></html>", 422, "HTML"),
        (photo()[:700], 422, "cannot be decoded"),
        (photo((2000, 2000)), 422, "more than the limit"),
        (b"", 422, "no bytes"),
    ],
)
def test_a_bad_picture_says_why(tmp_path, data, status, says):
    item = sheet_item(0, sheet(0, image=Image(data=data)))
    limits = Limits(max_pixels=1_000_000)
    with audit(tmp_path, [item]) as made, served(made, limits=limits) as origin:
        ann = Client(origin, made.token("Ann"))
        answer = ann.get(ann.next()["image"])
        assert answer.status == status
        assert answer.headers["content-type"] == "application/json"
        assert answer.json["error"] == "image"
        assert says in answer.json["message"]


def test_a_good_one_over_the_wire(ann):
    image = ann.next()["image"]
    for address, size in ((image, "320x200"), (f"{image}/full", "320x200")):
        answer = ann.get(address)
        assert answer.status == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["recaption-size"] == size
        assert answer.content.startswith(b"\xff\xd8\xff")


def test_an_item_without_a_picture(tmp_path):
    with audit(tmp_path, [sheet_item(0, sheet(0, image=None))]) as made, served(made) as origin:
        ann = Client(origin, made.token("Ann"))
        assert ann.next()["image"] is None


def test_names_of_pictures_hold_for_one_session():
    name = picture_id("token", 7, 12)
    assert picture_place("token", name) == 12
    assert picture_place("other", name) is None
    assert picture_id("token", 8, 12) != name
    forged = [
        *(name[:i] + ("A" if name[i] != "A" else "B") + name[i + 1 :] for i in range(42)),
        "",
        "A",
        "é",
        name[:-4],
    ]
    assert [picture_place("token", wrong) for wrong in forged] == [None] * len(forged)
