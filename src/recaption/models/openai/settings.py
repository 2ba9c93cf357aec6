"""What a recipe may say about an OpenAI-compatible server, beside its address and its model."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from recaption.core.errors import RecipeError, UserError
from recaption.recipes.strict import StrictModel

__all__ = [
    "BatchLimits",
    "ImageSettings",
    "Price",
    "Rate",
    "ServerSettings",
    "checked_headers",
    "checked_url",
    "key_from",
    "place_of",
    "refuse_secrets",
]

_SECRET_HEADERS: Final = re.compile(r"(?i)(authorization|cookie|key|token|secret)")
_SECRET_QUERY: Final = re.compile(r"(?i)(^|&)[^=]*(key|token|secret|sig)[^=]*=")


class ImageSettings(StrictModel):
    """How pictures are sent. What is not said here follows from the model's name (`grids.yaml`)."""

    max_side_px: int | None = Field(default=None, ge=16, le=16384)
    """Longest side sent. A smaller picture is sent as it is: enlarging is the server's business."""
    max_pixels: int | None = Field(default=None, ge=256)
    """Width times height."""
    multiple_of: int | None = Field(default=None, ge=1, le=1024)
    """Sides of a picture that is shrunk are rounded to this, as the model's own processor would."""
    grid: str | None = None
    """Take the sizes of this family (`qwen3-vl`) whatever the model's name is; `none` takes no family's."""
    format: Literal["jpeg", "png", "webp"] = "jpeg"
    """Of pictures that are written anew; others go out byte for byte."""
    quality: int = Field(default=92, ge=1, le=100)
    max_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    """A file larger than this is written anew even if its sides are small enough."""
    detail: Literal["auto", "low", "high"] | None = None


class Price(StrictModel):
    """What tokens cost, in any currency."""

    input_per_million: float = Field(default=0.0, ge=0)
    output_per_million: float = Field(default=0.0, ge=0)

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what so many tokens cost."""
        return (
            prompt_tokens * self.input_per_million + completion_tokens * self.output_per_million
        ) / 1_000_000


class Rate(StrictModel):
    """The speed agreed with the service, at each address; without it, what the reply headers say is kept to."""

    rpm: float | None = Field(default=None, gt=0)
    """Requests per minute."""
    tpm: float | None = Field(default=None, gt=0)
    """Tokens per minute, prompt and answer."""


class ServerSettings(StrictModel):
    """A server to start when it is first needed, and to stop when the run is over."""

    command: tuple[str, ...] = Field(min_length=1)
    """A line or a list of words, started without a shell; `{port}` becomes a free port, in `url` too."""
    health: str = "/health"
    """Path, at the same host and port, that answers 200 once the model is loaded."""
    startup_timeout_s: float = Field(default=900.0, gt=0)
    env: dict[str, str] = Field(default_factory=dict)
    """Added to the environment of the server. Not for secrets: the recipe is written beside the output."""
    log_file: Path | None = None
    """Where its output goes; without it, the end is kept for error messages."""
    restarts: int = Field(default=3, ge=0)
    """How often in a row it may die within a minute of being ready; then the run stops."""

    @field_validator("command", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @field_validator("health")
    @classmethod
    def _path(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError("health is a path and begins with /")
        return value


class BatchLimits(StrictModel):
    """Limits of one batch file, as OpenAI sets them."""

    max_lines: int = Field(default=50_000, ge=1)
    max_bytes: int = Field(default=200_000_000, ge=1)


def checked_url(url: str) -> str:
    """Return the address of the API without a slash at its end. Raises ValueError with what is wrong with it."""
    clean = url.strip().rstrip("/")
    try:
        parts = urlsplit(clean.replace("{port}", "1"))
        port = parts.port
    except ValueError as error:
        raise ValueError(f"not an address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("not an address; write it like http://localhost:8000/v1")
    if parts.fragment:
        raise ValueError("an address has no #; give the model as `model`")
    return clean


def refuse_secrets(urls: Iterable[str], headers: Iterable[str], key_env: str | None) -> None:
    """Refuse a key that stands where a recipe would carry it along. Not a validator: their messages show the value.

    Raises:
        RecipeError: An address or a header holds a secret, or a key stands in place of its variable's name; or an
            address holds any other query, which may not be shown either.
    """
    advice = "Recipes are written beside the output: put the key into an environment variable and name that as"
    for url in urls:
        parts = urlsplit(url.replace("{port}", "1"))
        if parts.username or parts.password or _SECRET_QUERY.search(parts.query):
            raise RecipeError(
                f"the address of {parts.hostname} holds a password or key. {advice} `api_key_env`."
            )
        if parts.query:
            raise RecipeError(
                f"the address of {parts.hostname} holds a query. What is behind the ? belongs to the `path`: "
                "/chat/completions?…"
            )
    for name in headers:
        if _SECRET_HEADERS.search(name):
            raise RecipeError(
                f"header {name!r} looks like a secret. {advice} `api_key_env` "
                "(and the header, where the service wants its own, as `api_key_header`)."
            )
    if key_env is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", key_env):
        raise RecipeError(f"`api_key_env` is the name of a variable, like OPENAI_API_KEY. {advice} that.")


def checked_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return headers that break no request. Raises ValueError."""
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or re.search(r"[\r\n\x00]", value):
            raise ValueError(f"header {name!r} is not a header")
    return headers


def place_of(url: str) -> str:
    """Return an address as messages show it: no query, nobody's name."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def key_from(env: str | None, environment: Mapping[str, str]) -> str | None:
    """Return the key that stands in an environment variable; None where no variable is named.

    Raises:
        UserError: The variable is not set, or holds what cannot be sent.
    """
    if env is None:
        return None
    key = environment.get(env, "").strip()
    if not key:
        raise UserError(f"the environment variable {env} is not set; it must hold the key for the service.")
    if not key.isascii() or not key.isprintable():
        raise UserError(f"the environment variable {env} holds characters that no key has.")
    return key
