"""Reading words: on pictures made here, on photographs, and where it must refuse."""

import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from recaption.core.errors import UserError
from recaption.core.protocols import Pixels
from recaption.core.types import Evidence, Image
from recaption.media.images import decode, read_bytes
from recaption.models.rapidocr import RapidOcrExpert, _clean
from tests.growth import seconds
from tests.unit.models.onnx_files import constant_model

pytest.importorskip("rapidocr")


@pytest.fixture(scope="module")
def reader() -> RapidOcrExpert:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was used"))
        return RapidOcrExpert(RapidOcrExpert.Params(engines=2, detection_side_px=320))


def sign(*lines: str, size: tuple[int, int] = (400, 160)) -> Pixels:
    image = Pillow.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for i, line in enumerate(lines):
        draw.text((40, 30 + 60 * i), line, fill="black", font=ImageFont.load_default(40))
    return Pixels(np.asarray(image), 1.0, size)


def words(found: list[Evidence]) -> list[str]:
    return [e.label for e in found]


def test_words_with_places_and_lines(reader: RapidOcrExpert) -> None:
    (found,) = reader.examine([sign("OPEN DAILY", "Fresh Bread")])
    assert words(found) == ["OPEN DAILY", "Fresh Bread"]
    assert [e.attributes for e in found] == [{"column": 1, "line": 1}, {"column": 1, "line": 2}]
    for evidence, top in zip(found, (30, 90), strict=True):
        assert evidence.kind == "text"
        assert evidence.source.startswith("rapidocr@")
        assert evidence.score is not None
        assert 0.85 <= evidence.score <= 1
        assert evidence.box is not None
        assert abs(evidence.box.left - 40) < 12
        assert abs(evidence.box.top - top) < 15


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (7, 90), (64, 64)])
def test_nothing_to_read(reader: RapidOcrExpert, shape: tuple[int, int]) -> None:
    image = Pixels(np.full((*shape, 3), 200, np.uint8), 1.0, (shape[1], shape[0]))
    assert reader.examine([image]) == [[]]


@pytest.mark.parametrize("shape", [(1600, 9), (9, 1600)])
def test_a_strip_is_not_blown_up(reader: RapidOcrExpert, shape: tuple[int, int]) -> None:
    def noise(high: int, wide: int) -> Pixels:
        pixels = np.random.default_rng(0).integers(0, 256, (high, wide, 3), np.uint8)
        return Pixels(pixels, 1.0, (wide, high))

    strip, page = noise(*shape), noise(540, 540)
    assert seconds(lambda: reader.examine([strip])) < 10 * seconds(lambda: reader.examine([page]))


def test_words_on_a_strip(reader: RapidOcrExpert) -> None:
    long = sign("STATION", size=(1500, 100))
    (found,) = reader.examine([long])
    assert words(found) == ["STATION"]
    assert found[0].box is not None
    assert found[0].box.bottom <= 100


def test_threads_read_the_same(reader: RapidOcrExpert) -> None:
    texts = ["STATION", "LIBRARY", "MUSEUM"]
    results: dict[str, list[str]] = {}

    def read(text: str) -> None:
        results[text] = words(reader.examine([sign(text)])[0])

    threads = [threading.Thread(target=read, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {text: [text] for text in texts}


def test_it_is_silent(reader: RapidOcrExpert, capfd: pytest.CaptureFixture[str]) -> None:
    reader.examine([sign(), sign("WORD")])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("chinese.jpg", ["西", "愚园路", "东", "315", "309", "W", "Yuyuan Rd.", "E"]),
        (
            "french.jpg",
            ["Palais du LOUVRE", "LES ARTS DÉCORATIFS", "Musée du LOUVRE", "Théâtre", "du PALAIS-ROYAL"],
        ),
    ],
)
def test_photographs_in_reading_order(
    reader: RapidOcrExpert, shared_data: Path, file: str, expected: list[str]
) -> None:
    image = decode(read_bytes(Image(path=str(shared_data / "ocr" / file))))
    found = words(reader.examine([image])[0])
    assert [w for w in found if w in expected] == expected
    assert len(found) <= len(expected) + 8


class TestSettings:
    def refuse(self, **params: Any) -> str:
        with pytest.raises(UserError) as caught:
            RapidOcrExpert(RapidOcrExpert.Params(**params))
        return str(caught.value)

    def test_a_language_without_a_model_says_what_to_give(self) -> None:
        message = self.refuse(language="ar")
        assert "recogniser" in message
        assert "fr" in message

    def test_a_recogniser_must_be_one(self, tmp_path: Path) -> None:
        assert "cannot be loaded" in self.refuse(recogniser=tmp_path / "none.onnx")
        (tmp_path / "m.onnx").write_bytes(constant_model(np.zeros((1, 2), np.float32)))
        assert "characters" in self.refuse(recogniser=tmp_path / "m.onnx", language="ar")

    def test_the_fingerprint_follows_what_is_read_and_not_how_fast(self, reader: RapidOcrExpert) -> None:
        def fingerprint(**params: Any) -> str:
            return RapidOcrExpert(RapidOcrExpert.Params(**params)).fingerprint

        assert fingerprint(detection_side_px=320) == reader.fingerprint
        assert fingerprint(detection_side_px=321) != reader.fingerprint


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  two\n words\x00 ", "two words"),
        ("e\u0301te\u0301", "été"),
        ("a\u202eb\ud800\u200bc", "abc"),
        ("\x07\u200b", ""),
    ],
)
def test_text_is_made_plain(raw: str, clean: str) -> None:
    assert _clean(raw) == clean
