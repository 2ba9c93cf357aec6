"""Servers that belong to a run: started when needed, started again when they die, never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recaption.core.errors import BackendError
from recaption.models.openai.generator import OpenAIGenerator
from recaption.models.openai.server import ManagedServer
from recaption.models.openai.settings import ServerSettings
from tests.unit.models.openai.asking import FAST, answers, request

ROOT = Path(__file__).resolve().parents[4]
SERVE = """
import json, os, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
print("loading the model", flush=True)
pids = open(sys.argv[2], "a"); pids.write(f"{os.getpid()}\\n"); pids.close()
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def reply(self, body):
        data = json.dumps(body).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(data))); self.end_headers()
        self.wfile.write(data)
    def do_GET(self): self.reply({})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.01)
        self.reply({"choices": [{"message": {"content": f"from {os.getpid()}"}, "finish_reason": "stop"}]})
ThreadingHTTPServer.request_queue_size = 64
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "serve.py"
    path.write_text(SERVE)
    return path


def command(script):
    return (sys.executable, "-I", str(script), "{port}", str(script.with_name("pids")))


def pids(script):
    return [int(line) for line in script.with_name("pids").read_text().split()]


def gone(pid, within_s=20.0):
    """Return whether a process ends within some time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def generator_of(script, **server):
    settings = ServerSettings(command=command(script), **server)
    return OpenAIGenerator(
        OpenAIGenerator.Params(url="http://127.0.0.1:{port}/v1", model="m", server=settings, **FAST)
    )


def test_a_server_is_started_with_the_first_call_and_stopped_with_the_generator(script):
    generator = generator_of(script)
    assert not script.with_name("pids").exists()
    found = answers(generator, [request(i) for i in range(10)])
    (pid,) = pids(script)
    assert {g[0].text for g in found.values()} == {f"from {pid}"}
    generator.close()
    assert gone(pid)


def test_a_server_that_is_killed_comes_back_and_nothing_is_lost(script):
    generator = generator_of(script)
    found: dict[int, str | None] = {}
    for position, generations in generator.generate([request(i) for i in range(300)], _Meter()):
        found[position] = generations[0].text
        if len(found) == 100:
            os.kill(pids(script)[0], signal.SIGKILL)
    generator.close()
    assert len(found) == 300
    assert set(found.values()) == {f"from {pid}" for pid in pids(script)}
    assert len(pids(script)) == 2  # one death, one start
    assert all(gone(pid) for pid in pids(script))


class _Meter:
    def reserve(self, name, most):
        pass

    def settle(self, name, most, used):
        pass


def test_a_server_that_cannot_start_says_why():
    settings = ServerSettings(command=(sys.executable, "-c", "print('no such model'); raise SystemExit(3)"))
    server = ManagedServer(settings, "http://127.0.0.1:{port}/v1")
    with pytest.raises(BackendError, match=r"exit code 3\). It said: …no such model"):
        server.start()
    server.stop()
    missing = ManagedServer(ServerSettings(command="/no/such/program --x"), "http://127.0.0.1:{port}/v1")
    with pytest.raises(BackendError, match="cannot start /no/such/program"):
        missing.start()
    missing.stop()


def test_a_server_that_is_never_ready_is_stopped(tmp_path):
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    settings = ServerSettings(command=(sys.executable, "-c", code), startup_timeout_s=1.5)
    server = ManagedServer(settings, "http://127.0.0.1:{port}/v1")
    with pytest.raises(BackendError, match=r"did not answer /health within 1.5 s"):
        server.start()
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_server_that_keeps_dying_ends_the_run(script):
    server = ManagedServer(
        ServerSettings(command=command(script), restarts=1), "http://127.0.0.1:{port}/v1", first_restart_s=0.01
    )
    server.start()
    told: list[tuple[bool, str | None]] = []
    over = threading.Event()

    def tell(up, failure):
        told.append((up, failure))
        if failure is not None:
            over.set()
        elif up:
            os.kill(pids(script)[-1], signal.SIGKILL)

    server.watch(tell)
    os.kill(pids(script)[-1], signal.SIGKILL)
    assert over.wait(60)
    server.stop()
    assert [up for up, _ in told] == [False, True, False, False]
    assert "exit code 137" in (told[-1][1] or "")
    assert server.starts == 2


def test_words_of_a_line_and_the_environment_reach_the_server(tmp_path):
    code = "import os; print(os.environ['SAYS'], flush=True); raise SystemExit(1)"
    settings = ServerSettings(command=f'{sys.executable} -c "{code}"', env={"SAYS": "hello there"})
    server = ManagedServer(settings, "http://127.0.0.1:{port}/v1")
    with pytest.raises(BackendError, match="hello there"):
        server.start()
    log = tmp_path / "server.log"
    logged = ManagedServer(settings.model_copy(update={"log_file": log}), "http://127.0.0.1:{port}/v1")
    with pytest.raises(BackendError, match=rf"See {log}"):
        logged.start()
    assert log.read_text() == "hello there\n"


def test_a_run_that_is_killed_leaves_no_server_behind(script):
    code = (
        "import sys; sys.path.insert(0, '.');"
        "from tests.unit.models.openai.test_server import ManagedServer, ServerSettings, command;"
        "from pathlib import Path;"
        f"s = ManagedServer(ServerSettings(command=command(Path({str(script)!r}))), 'http://127.0.0.1:{{port}}/v1');"
        "s.start(); print('up', flush=True); sys.stdin.read()"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert run.stdout is not None
    assert run.stdout.readline() == b"up\n"
    run.kill()
    run.communicate()
    assert gone(pids(script)[0])


def test_a_server_that_loads_for_ever_does_not_hold_up_the_end(tmp_path):
    started = tmp_path / "pid"
    script = tmp_path / "load.py"
    script.write_text(
        "import os, pathlib, sys, time\n"
        "whole = pathlib.Path(sys.argv[1])\n"
        "part = whole.with_name('part')\n"
        "part.write_text(str(os.getpid()))\n"
        "part.rename(whole)\n"
        "time.sleep(300)\n"
    )
    words = (sys.executable, "-I", str(script), str(started))
    generator = OpenAIGenerator(
        OpenAIGenerator.Params(
            url="http://127.0.0.1:{port}/v1", model="m", server=ServerSettings(command=words), **FAST
        )
    )
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(answers, generator, [request(0)])
        while not started.exists():
            assert not asked.done()
            time.sleep(0.01)
        generator.close()
        with pytest.raises(BackendError, match="stopped before it was ready"):
            asked.result(timeout=60)
    assert gone(int(started.read_text()))
