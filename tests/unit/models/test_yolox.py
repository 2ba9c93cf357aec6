"""The detector: decoding and suppression by hand-made answers, and a real model on real photographs."""

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recaption.core.errors import UserError
from recaption.core.protocols import Pixels
from recaption.core.types import Box, Image
from recaption.media.images import decode, read_bytes
from recaption.models.yolox import YoloxExpert, decode_rows, suppress
from tests.unit.models.onnx_files import constant_model

pytest.importorskip("onnxruntime")

ROWS = 64 + 16 + 4  # a 64 x 64 input in cells of 8, 16 and 32 pixels


def row(
    x: float, y: float, width: float, height: float, stride: int, scores: list[float]
) -> tuple[int, list[float]]:
    """Return the index and the values of the output row that says: a box with this centre and size."""
    first = {8: 0, 16: 64, 32: 80}[stride]
    column, line = int(x // stride), int(y // stride)
    values = [x / stride - column, y / stride - line, math.log(width / stride), math.log(height / stride)]
    return first + line * (64 // stride) + column, values + scores


def output(*rows: tuple[int, list[float]]) -> NDArray[np.float32]:
    found = np.zeros((1, ROWS, 7), np.float32)
    for index, values in rows:
        found[0, index] = values
    return found


def model(
    tmp_path: Path, answer: NDArray[np.float32], labels: str = "cup\nball\n", **shape: Any
) -> dict[str, Path]:
    (tmp_path / "model.onnx").write_bytes(constant_model(answer, **shape))
    (tmp_path / "labels.txt").write_text(labels)
    return {"model": tmp_path / "model.onnx", "labels": tmp_path / "labels.txt"}


def expert(tmp_path: Path, answer: NDArray[np.float32], **params: Any) -> YoloxExpert:
    return YoloxExpert(YoloxExpert.Params(**model(tmp_path, answer), **params))


def pixels(width: int = 64, height: int = 64) -> Pixels:
    return Pixels(np.zeros((height, width, 3), np.uint8), 1.0, (width, height))


class TestDecoding:
    def test_every_stride_gives_the_box_that_was_meant(self, tmp_path: Path) -> None:
        answer = output(
            row(13, 20, 10, 12, 8, [1.0, 0.9, 0.0]),
            row(40, 44, 30, 20, 16, [0.8, 0.0, 1.0]),
            row(33, 34, 60, 58, 32, [0.5, 0.8, 0.1]),
        )
        (found,) = expert(tmp_path, answer).examine([pixels()])
        assert [(e.label, e.score) for e in found] == [("cup", 0.9), ("ball", 0.8), ("cup", 0.4)]
        boxes = [e.box for e in found]
        for box, meant in zip(boxes, [(8, 14, 18, 26), (25, 34, 55, 54), (3, 5, 63, 63)], strict=True):
            assert box is not None
            assert (box.left, box.top, box.right, box.bottom) == pytest.approx(meant, abs=0.02)

    def test_boxes_are_scaled_back_and_clipped(self, tmp_path: Path) -> None:
        answer = output(row(10, 10, 40, 20, 8, [1.0, 1.0, 0.0]))
        (found,) = expert(tmp_path, answer).examine([pixels(128, 32)])
        assert found[0].box == Box(0, 0, 60, 32)

    def test_a_box_outside_the_image_is_nothing(self, tmp_path: Path) -> None:
        answer = output(row(40, 60, 10, 6, 8, [1.0, 1.0, 0.0]))
        assert expert(tmp_path, answer).examine([pixels(64, 32)]) == [[]]

    def test_the_threshold_and_the_most_objects(self, tmp_path: Path) -> None:
        answer = output(row(10, 10, 8, 8, 8, [0.5, 0.5, 0]), row(50, 50, 8, 8, 8, [1, 1, 0]))
        assert len(expert(tmp_path, answer, min_score=0.25).examine([pixels()])[0]) == 2
        assert len(expert(tmp_path, answer, min_score=0.26).examine([pixels()])[0]) == 1
        assert len(expert(tmp_path, answer, min_score=0.1, max_objects=1).examine([pixels()])[0]) == 1

    def test_numbers_that_are_none_are_left_out(self) -> None:
        rows = output(row(10, 10, 8, 8, 8, [1, 1, 0]), row(50, 50, 8, 8, 8, [1, 1, 0]))[0]
        rows[rows[:, 4] > 0, 2] = [np.inf, np.nan]
        rows[5] = np.nan
        boxes, scores, classes = decode_rows(rows, (64, 64), 0.1)
        assert (len(boxes), len(scores), len(classes)) == (0, 0, 0)


class TestSuppression:
    def test_the_surest_of_each_class_stays(self) -> None:
        boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [30, 30, 40, 40]], np.float64)
        scores, classes = np.array([0.5, 0.9, 0.4, 0.3]), np.array([0, 0, 1, 0])
        assert suppress(boxes, scores, classes, 0.45) == [1, 2, 3]

    def test_the_overlap_is_the_limit(self) -> None:
        boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5]], np.float64)
        scores, classes = np.array([0.9, 0.8]), np.array([0, 0])
        assert suppress(boxes, scores, classes, 0.5) == [0, 1]
        assert suppress(boxes, scores, classes, 0.49) == [0]


class TestRefusals:
    def refuse(self, params: dict[str, Any]) -> str:
        with pytest.raises(UserError) as caught:
            YoloxExpert(YoloxExpert.Params(**params))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_a_file_that_is_not_there_or_no_model(self, tmp_path: Path) -> None:
        assert "ONNX file" in self.refuse({"model": tmp_path / "no.onnx"})
        (tmp_path / "text.onnx").write_text("hello")
        assert "cannot be loaded" in self.refuse({"model": tmp_path / "text.onnx"})

    def test_a_model_that_is_something_else(self, tmp_path: Path) -> None:
        assert "not [84, 7]" in self.refuse(model(tmp_path, np.zeros((1, 10, 7), np.float32)))
        assert "not one float tensor" in self.refuse(model(tmp_path, output(), input_shape=(1, 64)))
        assert "not one float tensor" in self.refuse(model(tmp_path, output(), kind=7))
        assert "must be fixed" in self.refuse(model(tmp_path, output(), input_shape=(1, 3, "h", "w")))
        assert "multiples of 32" in self.refuse(model(tmp_path, output(), input_shape=(1, 3, 60, 64)))

    def test_labels_that_do_not_fit(self, tmp_path: Path) -> None:
        assert "2 classes but there are 3 labels" in self.refuse(model(tmp_path, output(), labels="a\nb\nc"))
        assert "2 classes but there are 80 labels" in self.refuse({"model": model(tmp_path, output())["model"]})
        assert "empty" in self.refuse(model(tmp_path, output(), labels="\n"))
        assert "cannot be read" in self.refuse({**model(tmp_path, output()), "labels": tmp_path / "none"})


class TestFingerprint:
    def test_it_follows_the_weights_the_labels_and_the_thresholds_alone(self, tmp_path: Path) -> None:
        files = model(tmp_path, output())

        def fingerprint(**params: Any) -> str:
            return YoloxExpert(YoloxExpert.Params(**{**files, **params})).fingerprint

        first = fingerprint()
        assert fingerprint(threads=2) == first
        assert fingerprint(min_score=0.31) != first
        elsewhere = tmp_path / "moved.onnx"
        elsewhere.write_bytes(files["model"].read_bytes())
        assert fingerprint(model=elsewhere) == first
        files["labels"].write_text("mug\nball\n")
        assert fingerprint() != first
        files["model"].write_bytes(constant_model(output(row(9, 9, 9, 9, 8, [1, 1, 0]))))
        files["labels"].write_text("cup\nball\n")
        assert fingerprint() != first


class TestRealModel:
    """Training images, so a smoke test; the published figures on held-out photos are .83/.60 and .92/.43."""

    @pytest.mark.slow
    def test_precision_and_recall_by_presence(self, shared_data: Path) -> None:
        photos = shared_data / "photos" / "coco"
        data = json.loads((photos / "instances.json").read_text("utf-8"))
        names = {c["id"]: c["name"] for c in data["categories"]}
        truth: dict[int, set[str]] = defaultdict(set)
        for annotation in data["annotations"]:
            truth[annotation["image_id"]].add(names[annotation["category_id"]])
        detector = YoloxExpert(
            YoloxExpert.Params(model=shared_data / "models" / "yolox_nano.onnx", min_score=0.25)
        )
        seen: dict[int, dict[str, float]] = {}
        for photo in data["images"]:
            image = decode(read_bytes(Image(path=str(photos / "images" / photo["file_name"]))), max_side_px=832)
            found = detector.examine([image])[0]
            seen[photo["id"]] = {e.label: max(e.score or 0, 0) for e in reversed(found)}
        for threshold, precision, recall in ((0.25, 0.8, 0.55), (0.5, 0.92, 0.4)):
            said = {
                i: {label for label, score in found.items() if score >= threshold} for i, found in seen.items()
            }
            right = sum(len(said[i] & truth[i]) for i in said)
            assert right / sum(map(len, said.values())) >= precision
            assert right / sum(len(truth[i]) for i in said) >= recall
