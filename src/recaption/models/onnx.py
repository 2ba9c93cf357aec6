"""Opening ONNX files: one thread each, on the processor, with errors that say what to do."""

import hashlib
from pathlib import Path
from typing import Any

from recaption.core.errors import MissingExtraError, UserError

__all__ = ["file_digest", "open_session"]


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes. Raises UserError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"model file {path}: {error.strerror or error}. Give the path of an ONNX file."
        ) from error


def open_session(path: Path, threads: int, feature: str, extra: str) -> Any:
    """Return an onnxruntime InferenceSession.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        UserError: The file cannot be read or is no ONNX model.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(feature, "onnxruntime", extra) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes derive from nothing narrower
        detail = " ".join(str(error).split())[:200]
        raise UserError(f"model file {path} cannot be loaded as ONNX: {detail}") from error
