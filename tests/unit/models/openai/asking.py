"""What tests of the client share: pictures, a meter that counts, and a small server that answers as told."""

import asyncio
import io
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from aiohttp import web
from PIL import Image as Pillow

from recaption.core.protocols import Generation, GenerationRequest, Picture, Pixels, Sampling, Usage
from recaption.core.types import Image, Record
from recaption.media.images import BatchImages, decode
from recaption.models.openai.generator import OpenAIGenerator

FAST = {"backoff_s": 0.02, "probe_s": 0.05, "hang_s": 0.2, "timeout_s": 10.0}
"""Settings that make a test wait for hundredths of seconds where a run waits for seconds."""


def jpeg(number: int, size: tuple[int, int] = (24, 16), **options: Any) -> bytes:
    """Return a picture that no other number gives."""
    out = io.BytesIO()
    colour = (number % 256, number // 256 % 256, number // 65536)
    Pillow.new("RGB", size, colour).save(out, "JPEG", comment=str(number).encode(), **options)
    return out.getvalue()


def picture(data: bytes) -> Picture:
    """Return a handle on encoded bytes, as a run makes them."""
    record = Record(key="k", image=Image(data=data))
    return BatchImages().picture(record)


@dataclass
class CountingPicture:
    """Counts how often its bytes and its pixels were asked for."""

    data: bytes
    reads: int = 0
    decodes: int = 0

    @property
    def digest(self) -> str:
        return sha256(self.data).hexdigest()

    def encoded(self) -> bytes:
        self.reads += 1
        return self.data

    def pixels(self) -> Pixels:
        self.decodes += 1
        return decode(self.data)

    def shrunk(self, max_side_px: int) -> Pixels:
        self.decodes += 1
        return decode(self.data, max_side_px=max_side_px)


def request(number: int = 0, **sampling: Any) -> GenerationRequest:
    """Return a request about picture `number`."""
    return GenerationRequest(
        key=str(number),
        prompt="Describe this image.",
        image=picture(jpeg(number)),
        sampling=Sampling(**sampling),
    )


@dataclass
class CountingMeter:
    """Adds up; nothing is ever too much."""

    reserved: int = 0
    open: Usage = field(default_factory=Usage)
    used: Usage = field(default_factory=Usage)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, name: str, most: Usage) -> None:
        with self.lock:
            self.reserved += 1

    def settle(self, name: str, most: Usage, used: Usage) -> None:
        with self.lock:
            self.reserved -= 1
            self.used = self.used + used


@contextmanager
def asking(url: str, **params: Any) -> Iterator[OpenAIGenerator]:
    """Yield a generator that is closed afterwards."""
    generator = OpenAIGenerator(OpenAIGenerator.Params(url=url, model="m", **{**FAST, **params}))
    try:
        yield generator
    finally:
        generator.close()


def answers(
    generator: OpenAIGenerator, requests: Sequence[GenerationRequest], meter: Any = None
) -> dict[int, Sequence[Generation]]:
    """Return what a generator yields, by position; one answer each."""
    found: dict[int, Sequence[Generation]] = {}
    for position, generations in generator.generate(requests, meter or CountingMeter()):
        assert position not in found
        found[position] = generations
    return found


def completion(*texts: str, **changes: Any) -> dict[str, Any]:
    """Return a chat completion."""
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for i, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 10, "completion_tokens": 5 * len(texts)}
    return {"choices": choices, "usage": usage, **changes}


Handler = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


@contextmanager
def answering(handler: Handler) -> Iterator[str]:
    """Run a server whose chat calls go to `handler`, with their body; yield its address up to /v1."""

    async def chat(request: web.Request) -> web.StreamResponse:
        return await handler(request, await request.json())

    loop = asyncio.new_event_loop()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    port = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
