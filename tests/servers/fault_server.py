"""A chat server on the loopback that goes wrong as its plans say, and writes down every call.

    python -m tests.servers.fault_server --plan '{"rates": {"429": 0.1}, "seed": 1}' --log calls.jsonl

`running.py` starts one in a thread or a process of its own. Plans belong to scenarios, the first
part of the path: `http://…/NAME/v1`; without one, to the scenario "".
"""

import argparse
import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

from aiohttp import web

from tests.servers.plans import Call, Plan, RateLimit, draw
from tests.servers.replies import REPLIES, Question

__all__ = ["FaultServer", "started"]

_PATIENCE_S: Final = 0.2
"""How long a swapped answer waits for another to be swapped with."""
_AT_ONCE: Final = {"429", "429_retry_after", "reset_before_headers", "hang", "endless", "redirect"}
"""Modes that no model computes for."""


@dataclass
class _Bucket:
    """How much of a rate limit is left."""

    limit: float
    window_s: float
    left: float
    filled_s: float

    def take(self, amount: float) -> float:
        """Take `amount` and return 0, or return the seconds until it is there."""
        now = time.monotonic()
        self.left = min(self.limit, self.left + (now - self.filled_s) * self.limit / self.window_s)
        self.filled_s = now
        if self.left < amount:
            return (amount - self.left) * self.window_s / self.limit
        self.left -= amount
        return 0.0

    def headers(self, name: str) -> dict[str, str]:
        full_s = (self.limit - self.left) * self.window_s / self.limit
        return {
            f"x-ratelimit-limit-{name}": f"{self.limit:g}",
            f"x-ratelimit-remaining-{name}": str(int(self.left)),
            f"x-ratelimit-reset-{name}": f"{full_s:.3f}s",
        }


@dataclass
class _Waiting:
    """A call that waits for another to swap answers with."""

    said: tuple[str, str]
    """Picture and id."""
    future: "asyncio.Future[tuple[str, str]]"


@dataclass
class _Scenario:
    plan: Plan
    attempts: dict[str, int] = field(default_factory=dict)
    buckets: dict[str, _Bucket] = field(default_factory=dict)
    engine: asyncio.Semaphore | None = None
    dark_until_s: float = 0.0
    waiting: "_Waiting | None" = None

    def __post_init__(self) -> None:
        limit = self.plan.limit
        if limit is not None:
            for name, most in (("requests", limit.requests), ("tokens", limit.tokens)):
                if most is not None:
                    self.buckets[name] = _Bucket(most, limit.window_s, most, time.monotonic())


class FaultServer:
    """The server itself. Made anywhere, used within one event loop; `calls` may be read from any thread."""

    def __init__(self, plan: Plan, log: TextIO | None = None) -> None:
        self.calls: list[Call] = []
        self.live = self.most_live = 0
        self.busy_s = 0.0
        """Seconds that all slots of the engine were computing, added up."""
        self._log = log
        self._scenarios = {"": _Scenario(plan)}
        self.app = web.Application(client_max_size=64 << 20, handler_args={"handler_cancellation": True})
        for prefix in ("", "/{scenario}"):
            self.app.router.add_post(prefix + "/v1/chat/completions", self._chat)
            self.app.router.add_get(prefix + "/v1/models", self._models)
        self.app.router.add_get("/health", self._health)
        self.app.router.add_post("/control", self._control)
        self.app.router.add_get("/stats", self._stats)

    def plan(self, plan: Plan, scenario: str = "") -> None:
        """Answer a scenario's calls by this plan from now on, every attempt counted from 1 again."""
        self._scenarios[scenario] = _Scenario(plan)

    def blackout(self, seconds: float, scenario: str = "") -> None:
        """Answer 503 and nothing else for so long."""
        self._scenarios[scenario].dark_until_s = time.monotonic() + seconds

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        scenario = self._scenarios.get(request.match_info.get("scenario", ""))
        if scenario is None:
            return web.json_response({"error": {"message": "no such scenario"}}, status=404)
        raw = await request.read()
        key, image, body = _taken_apart(raw)
        redirected = "redirected" in request.query
        attempt = scenario.attempts[key] = scenario.attempts.get(key, 0) + (not redirected)
        call = Call(
            key=key,
            image=image,
            attempt=attempt,
            mode="redirect" if redirected else draw(scenario.plan, key, attempt),
            started_s=time.monotonic(),
            bytes=len(raw),
        )
        self.calls.append(call)
        self.live += 1
        self.most_live = max(self.most_live, self.live)
        try:
            return await self._answered(request, scenario, call, body)
        finally:
            self.live -= 1
            call.ended_s = time.monotonic()
            if self._log is not None:
                self._log.write(json.dumps(asdict(call)) + "\n")
                self._log.flush()

    async def _answered(
        self, request: web.Request, scenario: _Scenario, call: Call, body: Mapping[str, Any]
    ) -> web.StreamResponse:
        headers = {"X-Request-Id": request.headers["X-Request-Id"]} if "X-Request-Id" in request.headers else {}
        wait_s = max((bucket.take(_cost(name, body)) for name, bucket in scenario.buckets.items()), default=0.0)
        for name, bucket in scenario.buckets.items():
            headers.update(bucket.headers(name))
        if wait_s:
            call.mode = "limited"
            headers["Retry-After"] = f"{wait_s:.3f}"
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers=headers)
        if time.monotonic() < scenario.dark_until_s:
            call.mode = "blackout"
            return web.json_response({"error": {"message": "down"}}, status=503, headers=headers)
        if call.mode not in _AT_ONCE:
            await self._compute(scenario)
        image = call.image
        if call.mode == "swapped":
            image, said = await self._swapped(scenario, call, headers.get("X-Request-Id", ""))
            if said:
                headers["X-Request-Id"] = said
        question = Question(
            image=image,
            n=int(body.get("n") or 1),
            seed=int(body.get("seed") or 0),
            max_tokens=int(body.get("max_tokens") or 4096),
            logprobs=bool(body.get("logprobs")),
            model=str(body.get("model")),
            number=len(self.calls),
            plan=scenario.plan,
            headers=headers,
        )
        try:
            response = await REPLIES[call.mode](request, question)
        except ConnectionError:  # the client had enough
            return web.Response()
        call.answered = True
        return response

    async def _compute(self, scenario: _Scenario) -> None:
        """Take as long as a model would."""
        async with AsyncExitStack() as held:
            took_s = scenario.plan.latency_s
            if scenario.plan.engine is not None:
                rate, slots = scenario.plan.engine
                scenario.engine = scenario.engine or asyncio.Semaphore(slots)
                await held.enter_async_context(scenario.engine)
                took_s = slots / rate
                self.busy_s += took_s
            if took_s:
                await asyncio.sleep(took_s)

    async def _swapped(self, scenario: _Scenario, call: Call, request_id: str) -> tuple[str, str]:
        """Return picture and id of the next call to be swapped; if none comes, it was an ordinary call."""
        mine = (call.image, request_id)
        if scenario.waiting is not None:
            other, scenario.waiting = scenario.waiting, None
            other.future.set_result(mine)
            return other.said
        waiting = scenario.waiting = _Waiting(mine, asyncio.get_running_loop().create_future())
        done, _ = await asyncio.wait([waiting.future], timeout=_PATIENCE_S)
        if done:
            return waiting.future.result()
        scenario.waiting = None
        call.mode = "ok"
        return mine

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({})

    async def _control(self, request: web.Request) -> web.Response:
        body = await request.json()
        if "plan" in body:
            self.plan(_plan(body["plan"]), body.get("scenario", ""))
        if "blackout_s" in body:
            self.blackout(body["blackout_s"], body.get("scenario", ""))
        return web.json_response({})

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"calls": len(self.calls), "most_live": self.most_live, "live": self.live, "busy_s": self.busy_s}
        )


def _taken_apart(raw: bytes) -> tuple[str, str, Mapping[str, Any]]:
    """Return a request's key, its image's digest, and its body."""
    body: dict[str, Any] = json.loads(raw)
    texts: list[str] = []
    image = ""
    for message in body["messages"]:
        content = message["content"]
        parts: list[dict[str, Any]] = (
            [{"type": "text", "text": content}] if isinstance(content, str) else content
        )
        for part in parts:
            if part["type"] == "text":
                texts.append(part["text"])
            else:
                encoded = part["image_url"]["url"].partition("base64,")[2]
                image = hashlib.sha256(base64.b64decode(encoded)).hexdigest()
    said = hashlib.sha256("\0".join([*texts, str(body.get("seed"))]).encode("utf-8", "replace")).hexdigest()
    return f"{image[:16]}:{said[:8]}", image, body


def _cost(name: str, body: Mapping[str, Any]) -> float:
    return 1.0 if name == "requests" else 100.0 + 16.0 * int(body.get("n") or 1)


def _plan(values: Mapping[str, Any]) -> Plan:
    limit = values.get("limit")
    engine = values.get("engine")
    return Plan(
        **{
            **values,
            "limit": RateLimit(**limit) if limit else None,
            "engine": (float(engine[0]), int(engine[1])) if engine else None,
        }
    )


async def started(runner: web.AppRunner, port: int = 0) -> int:
    """Start to serve on the loopback; return the port, a free one for 0."""
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    return int(runner.addresses[0][1])


async def _serve(plan: Plan, log: Path | None, port: int) -> None:
    with (log or Path("/dev/null")).open("a", encoding="utf-8") as file:
        runner = web.AppRunner(FaultServer(plan, file).app, access_log=None, keepalive_timeout=600)
        found = await started(runner, port)
        print(f"http://127.0.0.1:{found}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", default="{}", help="JSON: the fields of Plan.")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(_serve(_plan(json.loads(options.plan)), options.log, options.port))


if __name__ == "__main__":
    main()
