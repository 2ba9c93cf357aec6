"""The client: a plain iterator for any number of calling threads, one event loop in one background thread.

Callers prepare their requests (pictures are read in their threads) and take answers; all the rest is the loop's.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import itertools
import os
import random
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from recaption.core.errors import ImageError
from recaption.core.protocols import Generation, GenerationRequest, Meter, Picture
from recaption.models.openai.body import RequestBody, refuse_unsupported
from recaption.models.openai.calls import Asked, Call, Pictures, job_for
from recaption.models.openai.choices import Draws
from recaption.models.openai.costs import Costs
from recaption.models.openai.endpoint import Endpoint
from recaption.models.openai.engine import Engine
from recaption.models.openai.images import grid_for, picture_uri
from recaption.models.openai.pacing import Pacing
from recaption.models.openai.patience import Patience
from recaption.models.openai.replies import Replies
from recaption.models.openai.schedule import RetryPolicy, Schedule
from recaption.models.openai.server import ManagedServer
from recaption.models.openai.settings import key_from
from recaption.models.openai.transport import Transport

if TYPE_CHECKING:
    from recaption.models.openai.params import OpenAIParams

__all__ = ["Client"]


class Client:
    """Everything open for one generator. Safe in several threads."""

    def __init__(self, params: OpenAIParams, closed: threading.Event) -> None:
        """Raises BackendError if a server of ours cannot be started, or `closed` is set while it is."""
        self._params = params
        self._key = key_from(params.api_key_env, os.environ)
        self._grid = grid_for(params.model, params.image)
        self._style = params.body_style
        self._numbers = itertools.count(1)
        self._server = ManagedServer(params.server, params.urls[0], closed) if params.server else None
        if self._server is not None:
            self._server.start()
        self._loop = _new_loop()
        self._thread = threading.Thread(target=self._run_loop, name="recaption-openai", daemon=True)
        self._thread.start()
        self._engine = self._made_engine((self._server.url,) if self._server else params.urls)
        if self._server is not None:
            self._server.watch(lambda up, failure: self._engine.soon(self._engine.hold, not up, failure))

    def ask(
        self, requests: Sequence[GenerationRequest], meter: Meter
    ) -> Iterator[tuple[int, Sequence[Generation]]]:
        """Yield (position, draws) as answers come in; see `Generator.generate`."""
        for request in requests:
            refuse_unsupported(request.sampling)
        engine, call = self._engine, Call(meter)
        pictures = Pictures(requests, self._uri)
        todo = deque(enumerate(requests))
        waiting, finished = 0, False
        engine.enter(call)
        try:
            while todo or waiting:
                hungry = False
                if todo and not (hungry := not engine.has_room(call)):
                    position, request = todo.popleft()
                    try:
                        self._submit(call, position, request, pictures)
                        waiting += 1
                    except ImageError as error:
                        yield position, [_image_failure(error)] * request.sampling.n
                for event in call.events(block=hungry or (waiting > 0 and not todo)):
                    if isinstance(event, Exception):
                        raise event
                    waiting -= 1
                    yield event
            finished = True
        finally:
            engine.leave(call, finished=finished)

    def close(self) -> None:
        """Stop the loop, drop the connections, stop the server."""
        if self._server is not None:
            self._server.stop()
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._engine.shut_down(), self._loop).result()
            self._engine.soon(self._loop.stop)
            self._thread.join()

    def _submit(self, call: Call, position: int, request: GenerationRequest, pictures: Pictures) -> None:
        image = pictures.uri(request.image) if request.image is not None else None
        body = RequestBody(self._style, request, image)
        asked = Asked(call, position, next(self._numbers), request, body, Draws(request.sampling))
        self._engine.submit(job_for(asked, asked.draws.wanted()))

    def _uri(self, picture: Picture) -> tuple[bytes, tuple[int, int]]:
        return picture_uri(picture, self._grid, self._params.image)

    def _made_engine(self, urls: Sequence[str]) -> Engine:
        params, rate = self._params, self._params.rate
        endpoints = [
            Endpoint(
                url,
                params.in_flight,
                params.probe_s,
                Pacing.fixed_at(time.monotonic(), rate.rpm, rate.tpm) if rate else None,
            )
            for url in urls
        ]
        policy = RetryPolicy(
            backoff_s=params.backoff_s,
            longest_wait_s=params.max_wait_s,
            attempts_in_line=params.max_attempts,
            same_fault=params.same_fault,
            deadline_s=params.deadline_s,
        )
        schedule: Schedule[Asked] = Schedule(endpoints, policy, random.random)
        engine = Engine(
            self._loop,
            asyncio.run_coroutine_threadsafe(self._open_transport(len(urls)), self._loop).result(),
            schedule,
            Costs(params.price),
            Patience(params.hang_s, params.timeout_s),
            model=params.model,
            path=params.path,
            timeout_s=params.timeout_s,
            sweep_s=params.hang_s / 4,
        )
        engine.replies = Replies(
            schedule,
            model=params.model,
            json_asked=params.structured != "off",
            outage_s=params.outage_s,
            one_each=params.choices == "one",
            redacted=self._redacted,
            silence=engine.silence,
            fail=engine.fail,
        )
        return engine

    async def _open_transport(self, addresses: int) -> Transport:
        params, headers = self._params, dict(self._params.headers)
        if self._key is not None:
            bearer = params.api_key_header.lower() == "authorization"
            headers[params.api_key_header] = f"Bearer {self._key}" if bearer else self._key
        connections = params.in_flight * addresses
        return Transport(connections, headers, params.max_body_bytes, params.proxy_from_env)

    def _redacted(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


def _image_failure(error: ImageError) -> Generation:
    return Generation(text=None, finish_reason="error", error=f"image: {error}", retryable=error.retryable)


def _new_loop() -> asyncio.AbstractEventLoop:
    if importlib.util.find_spec("uvloop") is not None:
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        return loop
    return asyncio.new_event_loop()
