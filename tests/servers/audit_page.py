"""The server of an audit's page in a process of its own, to be killed, and a browser's tab without a browser."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.servers.audit_stores import Place

__all__ = ["Gone", "PageProcess", "Tab"]

ROOT = Path(__file__).parents[2]
START_S = 60
ANSWER_S = 60


class Gone(Exception):
    """The server was not there, or went away before it had answered."""


class PageProcess:
    """`python -m recaption.audit.web` on a port that stays the same after a kill."""

    def __init__(self, place: Place, folder: Path) -> None:
        self._place, self._log = place, folder / "server.log"
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        """Return once it listens."""
        place, project = str(self._place.where), self._place.project
        command = [sys.executable, "-m", "recaption.audit.web", place, "--project", project]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [*command, "--port", str(self.port)], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._process = process
        alarm = threading.Timer(START_S, process.kill)
        alarm.start()
        assert process.stdout is not None
        line = process.stdout.readline()
        alarm.cancel()
        if not line.startswith("listening on "):
            raise RuntimeError(f"the page did not start: {self.log()[-2000:]}")
        self.port = int(line.rpartition(":")[2])

    def kill(self) -> None:
        """End it without warning."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def log(self) -> str:
        """Return what it complained about."""
        return self._log.read_text(errors="replace")


class Tab:
    """One window of one person. Tabs of the same person share their cookie. Not for several threads at once."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self.port, self.cookie = port, cookie
        self._line: http.client.HTTPConnection | None = None

    def enter(self, token: str) -> int:
        """Exchange the token of a link for the cookie; return the status."""
        status, _ = self.post("/enter", {"token": token})
        return status

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and answer. Raises Gone where there was none: nobody knows then what was carried out."""
        origin = f"http://127.0.0.1:{self.port}"
        headers = {"Content-Type": "application/json", "Origin": origin, "Cookie": self.cookie}
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        try:
            self._line.request("POST", path, json.dumps(body).encode("ascii"), headers)
            answer = self._line.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Gone(str(error)) from error
        if given := answer.headers.get("Set-Cookie"):
            self.cookie = given.partition(";")[0]
        return answer.status, json.loads(content)

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()
            self._line = None
