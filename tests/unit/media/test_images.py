"""Encoded bytes to pixels: every mode comes out right, every bad file comes out as a reason."""

import io
import os
import re
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from recaption.core.errors import ImageError, UserError
from recaption.core.types import Image, Record
from recaption.media.images import BatchImages, Limits, decode, read_bytes, read_header, sniff
from recaption.media.parquet_cells import CellReader
from recaption.media.warning_tap import WarningTap
from tests.growth import seconds

REASON = re.compile(r"[^\x00-\x1f\x7f]{1,400}")
ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


def encoded(image: Pillow.Image, name: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def quadrants(size: int = 64) -> Pillow.Image:
    """Red, green over blue, white: tells every rotation and mirroring apart."""
    array = np.full((size, size, 3), 255, np.uint8)
    half = size // 2
    array[:half, :half] = (255, 0, 0)
    array[:half, half:] = (0, 255, 0)
    array[half:, :half] = (0, 0, 255)
    return Pillow.fromarray(array)


def pixel(data: bytes, x: int = 0, y: int = 0) -> tuple[int, ...]:
    return tuple(int(v) for v in decode(data).array[y, x])


def failure(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, limits or Limits())
    assert REASON.fullmatch(str(caught.value))
    assert not ADDRESS.search(str(caught.value))
    return str(caught.value)


def outcome(data: bytes, limits: Limits | None = None) -> str | None:
    """Decode; return the reason if that failed. Anything but an ImageError propagates."""
    try:
        found = decode(data, limits or Limits(), 128)
    except ImageError as error:
        reason = str(error)
        return reason if REASON.fullmatch(reason) and not ADDRESS.search(reason) else pytest.fail(reason)
    assert found.array.dtype == np.uint8
    assert found.array.shape[2:] == (3,)
    assert max(found.array.shape[:2]) <= 128
    return None


class TestModes:
    @pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
    def test_every_default_format_gives_its_colours(self, name: str) -> None:
        data = encoded(quadrants(), name, **({"lossless": True} if name == "WEBP" else {}))
        assert sniff(data) == name
        found = decode(data).array.astype(int)
        expected = np.asarray(quadrants()).astype(int)
        assert abs(found[8::48, 8::48] - expected[8::48, 8::48]).max() <= 3

    def test_transparency_is_composited_over_white(self) -> None:
        assert pixel(encoded(Pillow.new("RGBA", (4, 4), (0, 0, 0, 0)))) == (255, 255, 255)
        assert pixel(encoded(Pillow.new("RGBA", (4, 4), (255, 0, 0, 128)))) == (255, 127, 127)
        assert pixel(encoded(Pillow.new("LA", (4, 4), (0, 51)))) == (204, 204, 204)

    def test_palette_with_transparency(self) -> None:
        image = Pillow.new("P", (4, 4), 1)
        image.putpalette([0, 0, 0, 10, 200, 30])
        assert pixel(encoded(image)) == (10, 200, 30)
        assert pixel(encoded(image, transparency=1)) == (255, 255, 255)
        assert pixel(encoded(image, transparency=bytes([255, 51]))) == (206, 244, 210)
        assert pixel(encoded(image, "GIF", transparency=1)) == (255, 255, 255)

    def test_colour_key_transparency(self) -> None:
        assert pixel(encoded(Pillow.new("RGB", (4, 4), (9, 9, 9)), transparency=(9, 9, 9))) == (255, 255, 255)
        assert pixel(encoded(Pillow.new("L", (4, 4), 9), transparency=9)) == (255, 255, 255)

    def test_cmyk_jpeg(self) -> None:
        red, green, blue = pixel(encoded(Pillow.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))
        assert red > 240
        assert green < 15
        assert blue < 15

    def test_one_bit_and_sixteen_bit(self) -> None:
        assert pixel(encoded(Pillow.new("1", (4, 4), 1))) == (255, 255, 255)
        grey = Pillow.fromarray(np.full((4, 4), 0x8080, np.uint16))
        assert pixel(encoded(grey)) == (128, 128, 128)

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (np.array([[0.0, 1.0]], np.float32), [0, 255]),
            (np.array([[0.0, 200.0]], np.float32), [0, 200]),
            (np.array([[-5.0, 5.0]], np.float32), [0, 255]),
            (np.array([[np.nan, 1.0]], np.float32), [0, 255]),
            (np.array([[0, 65535]], np.int32), [0, 255]),
            (np.array([[7, 7]], np.int32), [7, 7]),
        ],
    )
    def test_numbers_of_any_range_become_greys(self, values: Any, expected: list[int]) -> None:
        data = encoded(Pillow.fromarray(values), "TIFF")
        assert decode(data, Limits(formats=("TIFF",))).array[0, :, 1].tolist() == expected

    def test_the_first_frame_of_an_animation(self) -> None:
        frames = [Pillow.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
        for name in ("GIF", "WEBP"):
            red, _, blue = pixel(encoded(frames[0], name, save_all=True, append_images=frames[1:]))
            assert red > 240 > 15 > blue


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
    def test_all_eight_come_out_upright(self, orientation: int, name: str) -> None:
        upright = quadrants(32).resize((64, 32))
        back = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
        turns = {
            2: Pillow.Transpose.FLIP_LEFT_RIGHT,
            3: Pillow.Transpose.ROTATE_180,
            4: Pillow.Transpose.FLIP_TOP_BOTTOM,
            5: Pillow.Transpose.TRANSPOSE,
            6: Pillow.Transpose.ROTATE_270,
            7: Pillow.Transpose.TRANSVERSE,
            8: Pillow.Transpose.ROTATE_90,
        }
        stored = upright.transpose(turns[back]) if back in turns else upright
        exif = Pillow.Exif()
        exif[0x0112] = orientation
        data = encoded(stored, name, exif=exif)
        assert read_header(data) == (name, (64, 32))
        for side in (None, 32):
            found = decode(data, max_side_px=side)
            assert found.size == (64, 32)
            assert found.array.shape == ((32, 64, 3) if side is None else (16, 32, 3))
            small = np.asarray(upright.resize(found.array.shape[1::-1])).astype(int)
            assert abs(found.array.astype(int) - small)[4:-4:4, 4:-4:8].mean() < 20

    def test_damaged_exif_is_ignored(self) -> None:
        assert decode(encoded(quadrants(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")).size == (
            64,
            64,
        )


class TestShrinking:
    def test_the_longest_side_and_the_scale(self) -> None:
        data = encoded(Pillow.new("RGB", (1000, 400)), "JPEG")
        found = decode(data, max_side_px=250)
        assert found.array.shape == (100, 250, 3)
        assert found.scale == 4.0
        assert found.size == (1000, 400)

    def test_never_enlarges(self) -> None:
        found = decode(encoded(quadrants()), max_side_px=4096)
        assert found.array.shape == (64, 64, 3)
        assert found.scale == 1.0

    def test_a_thin_image_keeps_a_pixel(self) -> None:
        assert decode(encoded(Pillow.new("L", (5000, 1))), max_side_px=100).array.shape == (1, 100, 3)

    def test_transparent_pixels_do_not_bleed(self) -> None:
        array = np.zeros((100, 100, 4), np.uint8)
        array[:, ::2] = (255, 255, 255, 255)  # white beside invisible black: white over white is white
        assert decode(encoded(Pillow.fromarray(array)), max_side_px=50).array.min() >= 250

    def test_pixels_cannot_be_changed(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            decode(encoded(quadrants())).array[0, 0] = 0


class TestRefusals:
    def test_a_format_off_the_list_is_named_with_the_list(self) -> None:
        reason = failure(encoded(quadrants(), "TIFF"))
        assert "TIFF" in reason
        assert "JPEG, PNG, WEBP, GIF, BMP" in reason

    @pytest.mark.parametrize(
        ("data", "word"),
        [
            (b"", "no bytes"),
            (b"<!DOCTYPE html><html>404</html>", "HTML"),
            (b"<?xml version='1.0'?><svg/>", "SVG"),
            (b"%PDF-1.4", "PDF"),
            (b"PK\x03\x04", "ZIP"),
            (b"hello", "not a known image format"),
            (b"\x89PNG\r\n\x1a\n", "PNG"),
            (b"\xff\xd8\xff", "JPEG"),
        ],
    )
    def test_what_is_no_image_says_what_it_is(self, data: bytes, word: str) -> None:
        assert word in failure(data)

    def test_pixels_are_counted_before_decoding(self) -> None:
        header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        told = failure(bomb + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
        assert "10000000000 pixels" in told

    def test_limits_hold(self) -> None:
        data = encoded(quadrants())
        assert "4,095" in failure(data, Limits(max_pixels=4095))
        assert decode(data, Limits(max_pixels=4096)).size == (64, 64)
        assert "limit" in failure(data, Limits(max_bytes=len(data) - 1))
        with pytest.raises(ImageError):
            read_header(data, Limits(max_pixels=4095))

    def test_a_limit_above_what_the_decoder_allows_is_an_error(self) -> None:
        with pytest.raises(UserError):
            Limits(max_pixels=10**12)
        with pytest.raises(UserError, match="Ghostscript"):
            Limits(formats=("JPEG", "EPS"))

    def test_truncated(self) -> None:
        noise = Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
        for name in ("JPEG", "PNG", "GIF", "BMP"):
            data = encoded(noise, name)
            failure(data[: len(data) // 2])

    @pytest.mark.parametrize("step", ["resize", "getexif"])
    def test_too_little_memory_is_worth_another_try(self, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def starve(*_: object, **__: object) -> None:
            raise MemoryError

        monkeypatch.setattr(Pillow.Image, step, starve)
        with pytest.raises(ImageError, match="JPEG cannot be decoded: too little memory") as caught:
            decode(encoded(quadrants(), "JPEG"), max_side_px=32)
        assert caught.value.retryable

    def test_a_bomb_of_scans(self) -> None:
        data = encoded(Pillow.new("L", (4000, 4000), 90), "JPEG", progressive=True)
        scan = data[data.rfind(b"\xff\xda") : -2]
        assert decode(data, max_side_px=64).size == (4000, 4000)
        hidden = b"\xff\xfe\x00\x04\xff\xd9"  # a comment that looks like the end of the image
        assert "scans" in failure(data[:-2] + hidden + scan * 300 + b"\xff\xd9")

    def test_noise_behind_the_image_is_not_scans(self) -> None:
        data = encoded(Pillow.new("L", (4000, 4000), 90), "JPEG")
        assert decode(data + b"\xff\xda\x00\x01" * 1000, max_side_px=64).size == (4000, 4000)

    def test_a_bomb_of_empty_blocks(self) -> None:
        data = encoded(quadrants(8), "JPEG")
        assert "pieces" in failure(data[:2] + b"\xff\xfe\x00\x02" * 1_200_000 + data[2:])

    def test_decoder_warnings_do_not_escape(self, caplog: pytest.LogCaptureFixture) -> None:
        data = encoded(Pillow.new("RGB", (32, 32)), "JPEG")
        app2 = b"MPF\x00II*\x00\x08\x00\x00\x00\x00\x00"
        broken = data[:2] + b"\xff\xe2" + struct.pack(">H", len(app2) + 2) + app2 + data[2:]
        with warnings.catch_warnings(record=True) as escaped, caplog.at_level("INFO"):
            warnings.simplefilter("always")
            assert decode(broken).size == (32, 32)
        assert not escaped
        assert "MPO" in caplog.text


class TestHostile:
    def test_every_hostile_file_decodes_or_says_why(self, shared_data: Path) -> None:
        files = [p for p in sorted((shared_data / "bad_inputs" / "images").rglob("*")) if p.is_file()]
        assert len(files) >= 519
        assert sum(outcome(read_bytes(Image(path=str(file)))) is None for file in files) > 250
        honest = encoded(Pillow.effect_noise((2000, 2000), 90).convert("RGB"))
        most = 10 * seconds(lambda: decode(honest))  # a sixteenth of what a picture may hold
        for file in files:
            assert seconds(partial(outcome, read_bytes(Image(path=str(file)))), turns=1) < most, file.name

    @pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS")
    def test_every_format_there_is_within_a_gibibyte(self, shared_data: Path) -> None:
        script = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
            "from pathlib import Path; from PIL import Image; from benchmarks.memory import peak_of\n"
            "from recaption.core.errors import ImageError; from recaption.media.images import Limits, decode\n"
            "Image.init(); limits = Limits(formats=tuple(set(Image.OPEN) - {'EPS'})); decoded = failed = 0\n"
            "for file in Path(sys.argv[1]).rglob('*'):\n"
            "    if not file.is_file(): continue\n"
            "    try: decode(file.read_bytes(), limits, 512); decoded += 1\n"
            "    except ImageError as error: failed += 1; assert '0x' not in str(error).replace('0x…', ''), error\n"
            "print(decoded, failed, int(peak_of()))\n"
        )
        folder = str(shared_data / "bad_inputs" / "images")
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, folder], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr[-2000:]
        decoded, failed, peak_mib = map(int, run.stdout.split())
        assert decoded > 350
        assert decoded + failed >= 519
        assert peak_mib < 1024

    @pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
    def test_mutations_never_crash(self, name: str) -> None:
        random = np.random.default_rng(7)
        noise = Pillow.fromarray(random.integers(0, 256, (40, 56, 3), np.uint8))
        sources = [encoded(noise, name), encoded(quadrants(), name)]
        if name == "JPEG":
            sources.append(
                encoded(noise, name, progressive=True, exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00")
            )
        failed = 0
        for _ in range(400):
            data = bytearray(sources[int(random.integers(len(sources)))])
            for _ in range(int(random.integers(1, 12))):
                at = int(random.integers(0, min(len(data), 400) if random.random() < 0.7 else len(data)))
                data[at] = int(random.integers(256))
            if random.random() < 0.2:
                del data[int(random.integers(1, len(data))) :]
            failed += outcome(bytes(data)) is not None
        assert 0 < failed < 400

    @given(
        st.binary(max_size=400), st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b""])
    )
    @settings(max_examples=300, deadline=None)
    def test_any_bytes(self, data: bytes, magic: bytes) -> None:
        outcome(magic + data, Limits(max_pixels=1_000_000))

    def test_many_threads_with_warnings(self) -> None:
        tap = WarningTap(r"tests?\.|test_|__main__|unit")
        heard: list[list[str]] = [[] for _ in range(8)]

        def shout(index: int) -> None:
            for turn in range(50):
                with tap.listen() as messages:
                    warnings.warn_explicit(f"{index}:{turn}", UserWarning, "f.py", 1, module="test_x")
                heard[index] += messages

        before = warnings.showwarning
        threads = [threading.Thread(target=shout, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert heard == [[f"{i}:{t}" for t in range(50)] for i in range(8)]
        assert warnings.showwarning is before


class TestPlaces:
    def test_memory_file_and_member(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"xxpicturexx")
        path = str(tmp_path / "a")
        assert read_bytes(Image(data=b"picture")) == b"picture"
        assert read_bytes(Image(path=path)) == b"xxpicturexx"
        assert read_bytes(Image(path=path, offset=2, length=7)) == b"picture"

    @pytest.mark.parametrize(
        ("image", "word"),
        [
            (Image(), "no image"),
            (Image(url="http://example.org/a.jpg"), "img2dataset"),
            (Image(path="a\x00b"), "not a usable path"),
            (Image(path="/"), "not a regular file"),
            (Image(path=__file__, offset=-1, length=4), "offset"),
            (Image(path=__file__, offset=0), "offset"),
            (Image(path=__file__, offset=10**12, length=4), "ends after"),
            (Image(path=__file__, offset=0, length=10**12), "limit"),
            (Image(path=__file__, row=0, column="a"), "parquet"),
        ],
    )
    def test_a_bad_place_is_a_reason_for_good(self, image: Image, word: str) -> None:
        with pytest.raises(ImageError, match=word) as caught:
            read_bytes(image)
        assert not caught.value.retryable

    def test_a_missing_file_may_be_tried_again(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match=r"gone\.jpg") as caught:
            read_bytes(Image(path=str(tmp_path / "gone.jpg")))
        assert caught.value.retryable

    def test_a_surrogate_in_a_path_is_printable(self) -> None:
        with pytest.raises(ImageError) as caught:
            read_bytes(Image(path="no\udcff\nfile"))
        str(caught.value).encode("utf-8")
        assert "\n" not in str(caught.value)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ImageError, match="regular file"):
            read_bytes(Image(path=str(tmp_path / "pipe")))

    def test_too_many_bytes(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"12345")
        for image in (Image(data=b"12345"), Image(path=str(tmp_path / "a"))):
            assert read_bytes(image, 5) == b"12345"
            with pytest.raises(ImageError, match="limit of 4"):
                read_bytes(image, 4)

    def test_parquet_cells_in_any_order(self, tmp_path: Path) -> None:
        cells = [f"cell {i}".encode() * 50 for i in range(300)]
        table = pa.table({"image": [{"bytes": c, "path": None} for c in cells], "raw": cells})
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=70)
        path = str(tmp_path / "t.parquet")
        for row in [0, 1, 2, 69, 70, 299, 5, 5, 210, 140, 141, 3]:
            for column in ("image", "raw"):
                assert read_bytes(Image(path=path, row=row, column=column)) == cells[row]

    def test_parquet_in_threads(self, tmp_path: Path) -> None:
        cells = [os.urandom(100_000) for _ in range(120)]
        pq.write_table(pa.table({"raw": cells}), tmp_path / "t.parquet")
        reader, wrong = CellReader(max_cursors=2), []

        def read(first: int) -> None:
            for row in range(first, 120, 4):
                if reader.read(str(tmp_path / "t.parquet"), row, "raw") != cells[row]:
                    wrong.append(row)

        threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong

    def test_a_rewritten_parquet_is_read_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "t.parquet"
        for value in (b"first", b"second one"):
            pq.write_table(pa.table({"raw": [value]}), path)
            assert read_bytes(Image(path=str(path), row=0, column="raw")) == value

    @pytest.mark.parametrize(
        ("row", "column", "word"),
        [
            (9, "raw", "IndexError"),
            (-1, "raw", "IndexError"),
            (0, "no", "KeyError"),
            (1, "raw", "empty"),
            (0, "n", "int"),
        ],
    )
    def test_a_bad_cell_is_a_reason(self, tmp_path: Path, row: int, column: str, word: str) -> None:
        pq.write_table(pa.table({"raw": [b"x", None], "n": [1, 2]}), tmp_path / "t.parquet")
        with pytest.raises(ImageError, match=word):
            read_bytes(Image(path=str(tmp_path / "t.parquet"), row=row, column=column))


class TestBatch:
    def test_read_once_decoded_once(self) -> None:
        images = BatchImages(Limits(), max_side_px=32)
        record = Record(key="a", image=Image(data=encoded(quadrants())))
        digest = images.digest(record)
        assert len(digest) == 64
        assert (images.reads, images.decodes) == (1, 0)
        first = images.pixels(record)
        assert images.pixels(record) is first
        assert images.digest(record) == digest
        assert first.scale == 2.0
        assert (images.reads, images.decodes) == (1, 1)

    def test_failures_are_remembered(self, tmp_path: Path) -> None:
        images = BatchImages()
        for key, image, retryable in [
            ("bad", Image(data=b"no"), False),
            ("gone", Image(path=str(tmp_path / "x")), True),
            ("none", None, False),
        ]:
            reasons = set()
            for _ in range(3):
                with pytest.raises(ImageError) as caught:
                    images.pixels(Record(key=key, image=image))
                assert caught.value.retryable is retryable
                reasons.add(str(caught.value))
            assert len(reasons) == 1
        assert (images.reads, images.decodes) == (3, 1)

    def test_too_little_memory_to_read_is_worth_another_try(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def starve(*_: object) -> None:
            raise MemoryError

        file = tmp_path / "a.png"
        file.touch()
        monkeypatch.setattr(Path, "open", starve)
        with pytest.raises(ImageError, match="too little memory") as caught:
            BatchImages().digest(Record(key="a", image=Image(path=str(file))))
        assert caught.value.retryable

    def test_what_cannot_be_decoded_has_a_digest(self) -> None:
        assert len(BatchImages().digest(Record(key="a", image=Image(data=b"no")))) == 64
