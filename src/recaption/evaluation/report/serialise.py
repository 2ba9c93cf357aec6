"""An evaluation as a JSON file: strict, in a stable order, read back to the same value or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import recaption
from recaption.core.errors import DataError, UserError
from recaption.datasets.atomic import write_atomic
from recaption.datasets.typed_json import from_plain, to_plain
from recaption.evaluation.result import Evaluation

__all__ = ["FORMAT", "MAX_BYTES", "from_json", "read_json", "to_json", "write_json"]

FORMAT: Final = 1
"""Raised when a file of before can no longer be read, or would be read otherwise."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Of a file that is read; what an evaluation writes is far smaller."""


def to_json(evaluation: Evaluation) -> str:
    """Return an evaluation as JSON: keys in the order of the types, equal evaluations equal in every byte.

    Raises:
        DataError: It holds a NaN, an infinity, or an object that JSON has no word for.
    """
    document = {
        "format": FORMAT,
        "tool": f"recaption {recaption.__version__}",
        "evaluation": to_plain(evaluation),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def from_json(text: str, where: str = "report.json") -> Evaluation:
    """Return the evaluation that `to_json` was given.

    Raises:
        UserError: Not such a file; one line that says where it differs and how to make it again.
    """
    try:
        document = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _unreadable(where, _told(error)) from error
    if not isinstance(document, dict) or "evaluation" not in document:
        raise _unreadable(where, "it holds no evaluation")
    if document.get("format") != FORMAT or isinstance(document["format"], bool):
        raise _unreadable(where, f"its format is not {FORMAT}, which is what this version reads")
    try:
        evaluation = from_plain(Evaluation, document["evaluation"])
    except DataError as error:
        raise _unreadable(where, str(error)) from error
    if not evaluation.columns:
        raise _unreadable(where, "columns: there is none")
    return evaluation


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Write an evaluation, whole or not at all.

    Raises:
        DataError: As `to_json`.
        RunFolderError: The file cannot be written.
    """
    write_atomic(path, to_json(evaluation).encode())


def read_json(path: Path) -> Evaluation:
    """Return the evaluation in a file.

    Raises:
        UserError: It cannot be read, or is not such a file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}. Evaluate first: recaption eval OUT"
        ) from error
    if len(data) > MAX_BYTES:
        raise _unreadable(str(path), f"it is larger than {MAX_BYTES:,} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(str(path), f"it is not UTF-8 ({error.reason} at byte {error.start:,})") from error
    return from_json(text, str(path))


def _unreadable(where: str, why: str) -> UserError:
    return UserError(
        f"{where} is no report of this version: {why.rstrip('.')}. Make it again: recaption eval OUT"
    )


def _told(error: ValueError | RecursionError) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)


def _no_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no JSON")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object in it names a key twice")
    return found
