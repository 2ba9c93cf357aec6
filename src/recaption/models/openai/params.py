"""Where a server is and how to ask it, as a recipe says it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from recaption.models.openai.body import RESERVED_FIELDS, BodyStyle
from recaption.models.openai.settings import (
    ImageSettings,
    Price,
    Rate,
    ServerSettings,
    checked_headers,
    checked_url,
)
from recaption.recipes.strict import StrictModel

__all__ = ["OpenAIParams"]


class OpenAIParams(StrictModel):
    """Where the model is and how to ask it."""

    model: str = Field(min_length=1, max_length=300)
    url: str | None = None
    """Address of the API, up to and including `/v1`. With `server`, `{port}` stands for the port it gets."""
    endpoints: tuple[str, ...] = ()
    """Several addresses of the same model instead: the least loaded is asked, a lost one is replaced."""
    path: str = Field(default="/chat/completions", pattern="^/")
    api_key_env: str | None = None
    """Name of the environment variable that holds the key. The key itself never stands in a recipe."""
    api_key_header: str = "Authorization"
    """Azure wants `api-key`."""
    headers: dict[str, str] = Field(default_factory=dict)
    in_flight: int = Field(default=64, ge=1, le=4096)
    """Requests under way at once, at each address."""
    timeout_s: float = Field(default=300.0, gt=0)
    """For one attempt, to the last byte of its answer."""
    hang_s: float = Field(default=1.0, gt=0)
    """An attempt that takes five times the slowest of the last answers, and longer than this, is given up."""
    deadline_s: float = Field(default=3600.0, gt=0)
    """For one request, from its first attempt, all waiting included; then it fails, and may be retried."""
    outage_s: float = Field(default=300.0, gt=0)
    """No address has answered for so long: the run stops where it can go on later."""
    max_attempts: int = Field(default=3, ge=1)
    """Attempts before a request goes to the end of the queue. It is never given up before `deadline_s`."""
    same_fault: int = Field(default=8, ge=1)
    """An answer that is of no use in the same way so often (empty, say) is taken for the server's last word."""
    backoff_s: float = Field(default=0.5, gt=0)
    """The first wait before another attempt is drawn from [0, this], each later one from twice as much."""
    probe_s: float = Field(default=1.0, gt=0)
    """How often an address that is down is tried."""
    max_wait_s: float = Field(default=600.0, gt=0)
    """A server that asks for a longer wait is asked again after this."""
    max_body_bytes: int = Field(default=1_000_000, ge=1024)
    """Of an answer; more is not read."""
    proxy_from_env: bool = False
    image: ImageSettings = ImageSettings()
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Fields added to every request; null leaves one out that would be there: `{seed: null}`."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """OpenAI's reasoning models want the second."""
    structured: Literal["off", "json_schema", "json_object"] = "json_schema"
    """How to ask for JSON, where a stage wants it. An answer that ignores it is searched for JSON."""
    logprobs: bool = False
    choices: Literal["auto", "one"] = "auto"
    """`auto` asks for several draws in one call until a server is seen to ignore that; `one` never does."""
    price: Price = Price()
    rate: Rate | None = None
    server: ServerSettings | None = None

    @field_validator("url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        return None if value is None else checked_url(value)

    @field_validator("endpoints")
    @classmethod
    def _endpoints(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        clean = tuple(checked_url(url) for url in value)
        if len(set(clean)) != len(clean):
            raise ValueError("an address stands there twice")
        return clean

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        return checked_headers(value)

    @field_validator("extra_body")
    @classmethod
    def _extra(cls, value: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(RESERVED_FIELDS & value.keys()):
            raise ValueError(f"{', '.join(taken)} cannot be set here")
        return value

    @model_validator(mode="after")
    def _one_address(self) -> OpenAIParams:
        if (self.url is None) == (not self.endpoints):
            raise ValueError("give either `url` or `endpoints`")
        if self.server is not None and self.endpoints:
            raise ValueError("`server` starts one server: give `url`, not `endpoints`")
        if self.server is None and any("{port}" in url for url in self.urls):
            raise ValueError("`{port}` in an address needs a `server` to start")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses."""
        return (self.url,) if self.url is not None else self.endpoints

    @property
    def body_style(self) -> BodyStyle:
        """What all bodies of this server have in common."""
        return BodyStyle(
            self.model,
            self.max_tokens_field,
            self.structured,
            self.image.detail,
            self.logprobs,
            self.extra_body,
        )
