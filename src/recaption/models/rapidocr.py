"""Words read in the picture, by RapidOCR (PP-OCR models on onnxruntime). Never downloads anything.

The models that come with the library read Chinese, Japanese, English and some fifty languages in Latin script.
Others (Arabic, Cyrillic, Korean, Thai, Indic scripts…) need a recognition model from the RapidOCR project, given
by its path.
"""

from __future__ import annotations

import queue
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recaption.core.digests import digest_json
from recaption.core.errors import BackendError, MissingExtraError, UserError
from recaption.core.protocols import Pixels
from recaption.core.types import Box, Evidence
from recaption.models.onnx import file_digest, open_session
from recaption.models.reading_order import Quad, reading_order
from recaption.recipes.strict import StrictModel

__all__ = ["RapidOcrExpert"]

_SHIPPED: Final = ("PP-OCRv6", "small")
_LEGIBLE_PX: Final = 8
"""An image with a shorter side holds no legible word; the engine fails on slivers."""
_MAX_ASPECT: Final = 4
"""The engine enlarges the shorter side: a strip of 8 x 1600 took it minutes and 14 GB before it was padded."""


class RapidOcrExpert:
    """States the words in the picture as evidence of kind `text`, in reading order.

    Attributes: `column`, and `line` within the column, both from 1; several pieces may share a line.
    """

    name = "ocr"
    version = "1"

    class Params(StrictModel):
        """What to load and what to believe."""

        min_score: float = Field(default=0.85, ge=0, le=1)
        """Confidence of the recogniser. On photographs, shipped models: nearly all below 0.85 is misread."""
        language: str = "en"
        """A language the shipped models know, or the one that `recogniser` reads."""
        recogniser: Path | None = None
        """An ONNX recognition model that holds its own characters."""
        detector: Path | None = None
        max_side_px: int = Field(default=1600, ge=64)
        detection_side_px: int = Field(default=736, ge=32)
        """The shorter side is enlarged to this to find text; 320 is three times as fast and misses small print."""
        engines: int = Field(default=1, ge=1)
        """How many images are read at the same time, each by an engine of its own (about 200 MB)."""
        threads: int = Field(default=1, ge=1)

    def __init__(self, params: Params) -> None:
        self._params = params
        self.max_side_px: int | None = params.max_side_px
        version = _installed_version()
        self._models = _model_files(params)
        files = [file_digest(path) for path in self._models.values()]
        chosen = params.model_dump(exclude={"recogniser", "detector", "engines", "threads"})
        self.fingerprint = digest_json([self.name, self.version, version, files, chosen])
        self._source = f"rapidocr@{version}"
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        self._idle.put(self._engine())
        for _ in range(params.engines - 1):
            self._idle.put(None)

    def examine(self, images: Sequence[Pixels]) -> list[list[Evidence]]:
        """Return the words of each image in reading order. Raises BackendError if the engine fails."""
        with self._borrowed() as engine:
            return [self._read(engine, image.array) for image in images]

    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        engine = self._idle.get()
        try:
            engine = engine or self._engine()
            yield engine
        finally:
            self._idle.put(engine)

    def _engine(self) -> Any:
        from rapidocr import RapidOCR

        params = self._params
        settings = {
            "Global.log_level": "critical",
            "Global.text_score": params.min_score,
            "Global.max_side_len": params.max_side_px,
            "Det.limit_side_len": params.detection_side_px,
            "EngineConfig.onnxruntime.intra_op_num_threads": params.threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
        return RapidOCR(
            params=settings | {f"{task}.model_path": str(path) for task, path in self._models.items()}
        )

    def _read(self, engine: Any, array: NDArray[np.uint8]) -> list[Evidence]:
        if min(array.shape[:2]) < _LEGIBLE_PX:
            return []
        try:
            result = engine(np.ascontiguousarray(_padded(array)[:, :, ::-1]))
        except Exception as error:  # the engine, OpenCV and onnxruntime each raise classes of their own
            detail = " ".join(str(error).split())[:200]
            raise BackendError(f"{self.name}: {type(error).__name__}: {detail}") from error
        quads, words, scores = [], [], []
        for corners, text, score in (
            zip(result.boxes, result.txts, result.scores, strict=True) if len(result) else ()
        ):
            clean = _clean(text)
            if clean and score >= self._params.min_score:
                quads.append(cast(Quad, tuple((float(x), float(y)) for x, y in corners)))
                words.append(clean)
                scores.append(round(float(score), 4))
        height, width = array.shape[:2]
        return [
            Evidence(
                kind="text",
                label=words[place.index],
                source=self._source,
                box=_box(quads[place.index], width, height),
                score=scores[place.index],
                attributes={"column": place.column, "line": place.line},
            )
            for place in reading_order(quads)
        ]


def _installed_version() -> str:
    try:
        import rapidocr  # noqa: F401

        return metadata.version("rapidocr")
    except ImportError as error:
        raise MissingExtraError("reading text in images", "rapidocr", "ocr") from error


def _model_files(params: RapidOcrExpert.Params) -> dict[str, Path]:
    """Return the model file of each task. Raises UserError where one would have to be downloaded."""
    import rapidocr

    folder = Path(rapidocr.__file__).parent / "models"
    chosen = {"Det": params.detector, "Cls": None, "Rec": params.recogniser}
    if params.recogniser is None:
        _check_language(params.language)
    else:
        _check_characters(params.recogniser)
    files = {}
    for task, path in chosen.items():
        shipped = sorted(folder.glob(f"*_{task.lower()}_*.onnx"))
        if path is None and len(shipped) != 1:
            raise UserError(
                f"rapidocr ships {len(shipped)} models for {task} in {folder}, not one. "
                f"Reinstall it, or give `recogniser` and `detector`."
            )
        files[task] = path or shipped[0]
    return files


def _check_language(language: str) -> None:
    from rapidocr import RapidOCR

    known: list[str] = cast(Any, RapidOCR).list_supported_langs("rec", *_SHIPPED)
    if language not in known:
        raise UserError(
            f"language {language!r} is not read by the models that come with rapidocr ({', '.join(known)}). "
            f"Give `recogniser`: the path of an ONNX recognition model for it."
        )


def _check_characters(recogniser: Path) -> None:
    session = open_session(recogniser, 1, "reading text in images", "ocr")
    if "character" not in session.get_modelmeta().custom_metadata_map:
        raise UserError(
            f"model file {recogniser} does not hold its characters: give a RapidOCR recognition model"
        )


def _padded(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a long strip with plain ground below or beside it; places in it stay the same."""
    height, width = array.shape[:2]
    full_height, full_width = max(height, width // _MAX_ASPECT), max(width, height // _MAX_ASPECT)
    if (full_height, full_width) == (height, width):
        return array
    ground = np.median(array.reshape(-1, 3)[:: 1 + array.size // 30_000], axis=0).astype(np.uint8)
    padded = np.full((full_height, full_width, 3), ground, np.uint8)
    padded[:height, :width] = array
    return padded


def _clean(text: str) -> str:
    """Return a text on one line, composed, without control characters, lone surrogates or unassigned ones."""
    kept = (" " if c.isspace() else c for c in unicodedata.normalize("NFC", text))
    return " ".join("".join(c for c in kept if unicodedata.category(c)[0] != "C").split())


def _box(quad: Quad, width: int, height: int) -> Box | None:
    """Return the upright box around four corners, inside the image; None if nothing of it is."""
    left, right = (min(max(f(x for x, _ in quad), 0.0), float(width)) for f in (min, max))
    top, bottom = (min(max(f(y for _, y in quad), 0.0), float(height)) for f in (min, max))
    return Box(left, top, right, bottom) if right > left and bottom > top else None
