"""The fault server, in a thread or in a process of its own."""

import asyncio
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web

from tests.servers.fault_server import FaultServer, started
from tests.servers.plans import Call, Plan

__all__ = ["ServerProcess", "read_calls", "server_process", "serving"]


@contextmanager
def serving(plan: Plan | None = None) -> Iterator[tuple[FaultServer, str]]:
    """Run a server in a thread; yield it and its address, `http://127.0.0.1:PORT`."""
    server = FaultServer(plan or Plan())
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(server.app, access_log=None, shutdown_timeout=0.1)
    port = loop.run_until_complete(started(runner))
    thread = threading.Thread(target=loop.run_forever, name="fault-server", daemon=True)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=60)
        loop.close()


@dataclass(frozen=True)
class ServerProcess:
    """A server in a process of its own."""

    url: str
    log: Path
    pid: int

    def calls(self) -> list[Call]:
        """Return every call that has ended."""
        self.stats()  # whatever was answered before this is, is written down before it too
        return read_calls(self.log)

    def stats(self) -> dict[str, float]:
        """Return `calls`, `live`, `most_live` and `busy_s`."""
        with urllib.request.urlopen(self.url + "/stats", timeout=10) as answer:
            found: dict[str, float] = json.load(answer)
        return found

    def control(self, **values: object) -> None:
        """Change the `plan` of a `scenario`, or start a blackout of `blackout_s`."""
        body = json.dumps(values, default=asdict).encode()
        with urllib.request.urlopen(self.url + "/control", data=body, timeout=10):
            pass


def read_calls(log: Path) -> list[Call]:
    """Return the calls in a log, in the order they ended."""
    return [Call(**json.loads(line)) for line in log.read_text("utf-8").splitlines()]


@contextmanager
def server_process(plan: Plan, log: Path) -> Iterator[ServerProcess]:
    """Run a server in a process of its own, which ends with the context."""
    module = [sys.executable, "-m", "tests.servers.fault_server"]
    process = subprocess.Popen(
        [*module, "--plan", json.dumps(asdict(plan)), "--log", str(log)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the fault server did not start")
        yield ServerProcess(url, log, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=60)
        if process.stdout is not None:
            process.stdout.close()
