"""What is sent of a picture: the bytes themselves where that is right, else no more than the model looks at."""

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from recaption.core.errors import ImageError, UserError
from recaption.media.images import decode
from recaption.models.openai.images import Grid, grid_for, picture_uri
from recaption.models.openai.settings import ImageSettings
from tests.unit.models.openai.asking import CountingPicture, jpeg, picture

PLAIN = ImageSettings()


def encoded(size=(64, 48), kind="PNG", mode="RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    Pillow.new(mode, size, 99 if mode in ("L", "P") else None).save(out, kind, **options)
    return out.getvalue()


def sent(data: bytes, grid: Grid = Grid(), settings: ImageSettings = PLAIN) -> tuple[str, bytes]:  # noqa: B008
    uri, size = picture_uri(picture(data), grid, settings)
    match = re.fullmatch(rb"data:(image/[a-z]+);base64,([A-Za-z0-9+/=]+)", uri)
    assert match is not None
    body = base64.b64decode(match[2], validate=True)
    with Pillow.open(io.BytesIO(body)) as image:
        assert image.size == size
    return match[1].decode(), body


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (jpeg(1), "image/jpeg"),
        (encoded(), "image/png"),
        (encoded(mode="L"), "image/png"),
        (encoded(kind="WEBP"), "image/webp"),
        (encoded(kind="JPEG", progressive=True), "image/jpeg"),
    ],
)
def test_a_plain_picture_goes_out_byte_for_byte(data, media):
    assert sent(data) == (media, data)


@pytest.mark.parametrize(
    "data",
    [
        encoded(kind="GIF", mode="P"),
        encoded(kind="BMP"),
        encoded(mode="RGBA"),
        encoded(mode="P"),
        encoded(mode="I;16"),
        encoded(kind="JPEG", mode="CMYK"),
        encoded(kind="WEBP", mode="RGBA", lossless=True),
        encoded(kind="PNG", mode="L", transparency=3),
        encoded(kind="WEBP", save_all=True, append_images=[Pillow.new("RGB", (64, 48), "red")]),
    ],
)
def test_what_servers_may_see_otherwise_is_written_anew(data):
    media, body = sent(data)
    assert media == "image/jpeg"
    ours = decode(data).array.astype(int)
    assert abs(decode(body).array.astype(int) - ours).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_picture_stands_upright(orientation):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30] = 255
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "JPEG", exif=exif, quality=95)
    _, body = sent(out.getvalue())
    assert (body == out.getvalue()) == (orientation == 1)
    with Pillow.open(io.BytesIO(body)) as image:
        assert image.getexif().get(0x0112, 1) == 1
    difference = decode(body).array.astype(int) - decode(out.getvalue()).array.astype(int)
    assert abs(difference).mean() < 3


def test_a_large_picture_is_shrunk_to_what_the_model_looks_at():
    data = jpeg(1, (4000, 3000))
    counting = CountingPicture(data)
    uri, size = picture_uri(counting, grid_for("Qwen/Qwen2.5-VL-7B-Instruct", PLAIN), PLAIN)
    assert counting.decodes == 1
    assert len(uri) < len(data)
    width, height = size
    assert (width % 28, height % 28) == (0, 0)
    assert 0.9 * 1003520 < width * height <= 1003520
    assert width / height == pytest.approx(4 / 3, rel=0.03)


@pytest.mark.parametrize(
    ("model", "family", "full", "expected"),
    [
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen3-vl", (4000, 3000), (1312, 960)),
        ("llava-hf/llava-1.5-7b-hf", "llava-1.5", (1000, 500), (672, 336)),
        ("llava-hf/llava-1.5-7b-hf", "llava-1.5", (5000, 100), (1344, 26)),
        ("HuggingFaceTB/SmolVLM-256M-Instruct", "idefics3", (3072, 1536), (1536, 768)),
        ("HuggingFaceTB/SmolVLM2-2.2B-Instruct", "smolvlm2", (4096, 1024), (2048, 512)),
        ("gpt-4o-mini", "gpt", (4000, 3000), (1024, 768)),
        ("google/gemma-3-4b-it", "gemma3", (2000, 1000), (1792, 896)),
        ("mistralai/Pixtral-12B", "pixtral", (2048, 1024), (1024, 512)),
        ("my-own-model", "other", (2688, 1344), (1344, 672)),
    ],
)
def test_sizes_of_families(model, family, full, expected):
    grid = grid_for(model, PLAIN)
    assert grid == grid_for("anything", ImageSettings(grid=family))
    assert grid.target(*full) == expected


def test_a_picture_is_never_enlarged():
    for model in ("Qwen2.5-VL", "llava-1.5", "gpt-4o", "gemma-3", "other"):
        grid = grid_for(model, PLAIN)
        for size in ((1, 1), (10, 10), (30, 200), (335, 335), (20000, 10), (10, 20000), (1919, 1081)):
            target = grid.target(*size)
            assert 1 <= target[0] <= size[0], (model, size, target)
            assert 1 <= target[1] <= size[1], (model, size, target)


def test_what_the_recipe_says_goes_before_what_the_family_wants():
    grid = grid_for("gpt-4o", ImageSettings(max_side_px=300))
    assert grid.target(3000, 1500) == (300, 150)
    assert grid_for("Qwen2.5-VL", ImageSettings(max_pixels=784 * 4)).target(1000, 1000) == (56, 56)
    assert grid_for("gpt-4o", ImageSettings(grid="none")).target(9000, 9000) == (9000, 9000)
    with pytest.raises(UserError, match="unknown family 'qwen9'"):
        grid_for("x", ImageSettings(grid="qwen9"))


def test_the_format_and_the_file_size_are_kept_to():
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    out = io.BytesIO()
    Pillow.fromarray(noise).save(out, "PNG")
    media, body = sent(out.getvalue(), settings=ImageSettings(max_bytes=50_000, quality=60))
    assert media == "image/jpeg"
    assert len(body) < 50_000
    assert sent(encoded(kind="BMP"), settings=ImageSettings(format="png"))[0] == "image/png"
    assert sent(encoded(kind="BMP"), settings=ImageSettings(format="webp"))[0] == "image/webp"


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xffnothing", b"<svg></svg>", b"%PDF-1.4", jpeg(1)[:60]])
def test_what_is_no_picture_is_said_to_be_none(data):
    with pytest.raises(ImageError):
        picture_uri(picture(data), Grid(), PLAIN)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.6, 0.98])
def test_a_picture_that_was_cut_is_not_passed_on_as_it_is(kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (96, 64, 3), dtype=np.uint8)
    out = io.BytesIO()
    Pillow.fromarray(noise).save(out, kind)
    data = out.getvalue()
    with pytest.raises(ImageError):
        picture_uri(picture(data[: int(len(data) * share)]), Grid(), PLAIN)
    assert sent(data)[1] == data
    assert sent(data + b"\0" * 100)[1] == data + b"\0" * 100
