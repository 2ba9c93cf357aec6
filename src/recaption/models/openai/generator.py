"""A model behind an OpenAI-compatible address, as a recipe names it.

`openai: {url: http://localhost:8000/v1, model: Qwen/Qwen3-VL-8B-Instruct}`. Keys stand in the environment only:
`api_key_env` names the variable.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from recaption.core.digests import digest_json
from recaption.core.errors import BackendError, MissingExtraError
from recaption.core.protocols import Generation, GenerationRequest, Meter
from recaption.models.openai.params import OpenAIParams
from recaption.models.openai.settings import refuse_secrets

if TYPE_CHECKING:
    from recaption.models.openai.client import Client

__all__ = ["OpenAIGenerator"]


class OpenAIGenerator:
    """Asks a chat-completions server. Many requests at once, several addresses, faults of all kinds outlived.

    Nothing is opened before the first `generate`. `close` is for good: it stops what was started, and whoever waits
    for an answer, or asks later, gets a BackendError.
    """

    version = "1"
    prompt_style = "chat"

    Params = OpenAIParams

    def __init__(self, params: OpenAIParams) -> None:
        refuse_secrets(params.urls, params.headers, params.api_key_env)
        self._params = params
        self.name = params.model
        deciding = params.model_dump(
            mode="json",
            include={"model", "image", "extra_body", "structured", "max_tokens_field", "logprobs"},
        )
        self.fingerprint = digest_json(["openai", self.version, deciding])
        structured = {"json"} if params.structured != "off" else set()
        counted = {"logprobs"} if params.logprobs else set()
        self.capabilities = frozenset({"images", "seed"} | structured | counted)
        self.in_flight = params.in_flight * len(params.urls)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._client: Client | None = None

    def __repr__(self) -> str:
        return f"OpenAIGenerator({self.name!r})"

    def generate(
        self, requests: Sequence[GenerationRequest], meter: Meter
    ) -> Iterator[tuple[int, Sequence[Generation]]]:
        """Yield (position, its draws) as answers come in.

        Raises:
            BackendError: The service is gone, or refuses everybody. What was yielded stands.
            BudgetError: The budget is spent; raised after what was under way has been yielded.
            MissingExtraError: aiohttp is not installed.
            UserError: The key is not set, or the sampling is not possible over HTTP.
        """
        return self._opened().ask(requests, meter)

    def close(self) -> None:
        """Let go of connections and stop the server, if one was started. More than once does no harm."""
        self._closed.set()  # before the lock, which is held for minutes while a server loads its model
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _opened(self) -> Client:
        with self._lock:
            if self._closed.is_set():
                raise BackendError(f"{self.name}: the generator is closed")
            if self._client is None:
                try:
                    from recaption.models.openai.client import Client
                except ImportError as error:
                    raise MissingExtraError(
                        "asking a model over HTTP", str(error.name or "aiohttp"), "openai"
                    ) from error
                self._client = Client(self._params, self._closed)
            return self._client
