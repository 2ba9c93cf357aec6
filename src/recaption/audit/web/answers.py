"""JSON in and out: strict about what comes, ASCII in what goes, one shape for every error."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from recaption.audit.errors import LeaseError
from recaption.core.errors import BackendError, ImageError, UserError

__all__ = ["Json", "Refused", "answer_errors", "read_object"]

_log = logging.getLogger(__name__)

MAX_WHOLE: Final = 2**53
MAX_LIST: Final = 5_000
RETRY_AFTER_S: Final = 2


class Refused(Exception):
    """A request that is answered with an error and nothing else."""

    def __init__(self, status: int, error: str, message: str) -> None:
        self.status, self.error, self.message = status, error, message
        super().__init__(message)


class Json(Response):
    """ASCII, because captions hold lone surrogates, which have no UTF-8."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def read_object(body: bytes, known: Mapping[str, type], needed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return a JSON object whose values are of the types given; null is as good as absent.

    Args:
        known: The type of every key that may be there: str, bool, int (0 or more) or list.

    Raises:
        Refused: It is something else.
    """
    try:
        said = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "refused", "the body is not JSON") from error
    if not isinstance(said, dict):
        raise Refused(400, "refused", "the body is not a JSON object")
    said = {key: value for key, value in said.items() if value is not None}
    if unknown := said.keys() - known.keys():
        raise Refused(422, "invalid", f"unknown key {min(unknown)[:40]!r}")
    if missing := needed - said.keys():
        raise Refused(422, "invalid", f"{min(missing)!r} is missing")
    for key, value in said.items():
        if not _fits(value, known[key]):
            raise Refused(422, "invalid", f"{key!r} is not what it must be ({known[key].__name__})")
    return said


def answer_errors(app: FastAPI) -> None:
    """Turn whatever can go wrong into an answer."""

    @app.exception_handler(Refused)
    def refused(_: Request, error: Refused) -> Response:
        return _failure(error.status, error.error, error.message)

    @app.exception_handler(HTTPException)
    def not_there(_: Request, error: HTTPException) -> Response:
        return _failure(error.status_code, "missing" if error.status_code == 404 else "refused", error.detail)

    @app.exception_handler(LeaseError)
    def ended(_: Request, error: LeaseError) -> Response:
        return _failure(410, "lease", str(error))

    @app.exception_handler(UserError)
    def invalid(_: Request, error: UserError) -> Response:
        return _failure(422, "invalid", str(error))

    @app.exception_handler(ImageError)
    def no_picture(_: Request, error: ImageError) -> Response:
        return _failure(503 if error.retryable else 422, "image", str(error))

    @app.exception_handler(BackendError)
    def gone(_: Request, error: BackendError) -> Response:
        _log.warning("the store did not answer: %s", error)
        return _failure(503, "store", str(error))

    @app.exception_handler(ClientDisconnect)
    def cut_off(_: Request, error: ClientDisconnect) -> Response:
        return _failure(413, "refused", "the body is too long, or was cut off")

    @app.exception_handler(Exception)
    def broken(_: Request, error: Exception) -> Response:
        return _failure(500, "internal", f"{type(error).__name__}; the server's log says more")


def _failure(status: int, error: str, message: str) -> Json:
    headers = {"retry-after": str(RETRY_AFTER_S)} if status == 503 else None
    return Json({"error": error, "message": message}, status, headers)


def _fits(value: object, kind: type) -> bool:
    if kind is int:
        return type(value) is int and 0 <= value <= MAX_WHOLE
    if kind is list:
        return isinstance(value, list) and len(value) <= MAX_LIST
    return isinstance(value, kind)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
