"""A model server that belongs to the run: started, watched, started again when it dies, stopped with the run."""

from __future__ import annotations

import atexit
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from recaption.core.errors import BackendError, UserError
from recaption.core.printable import printable
from recaption.models.openai.settings import ServerSettings

__all__ = ["ManagedServer"]

_POLL_S: Final = 0.1
_TAIL_BYTES: Final = 16_384
_TAIL_CHARS: Final = 600
_STOP_S: Final = 15.0
_SETTLED_S: Final = 60.0
"""A server that lives so long once it is ready has not died "in a row"."""
_FIRST_RESTART_S: Final = 1.0


class ManagedServer:
    """One server process behind one address. `starts` counts how often it was started."""

    def __init__(
        self,
        settings: ServerSettings,
        url: str,
        stopping: threading.Event | None = None,
        *,
        first_restart_s: float = _FIRST_RESTART_S,
    ) -> None:
        """`stopping` may be set by whoever cannot wait for `start` to return."""
        self._settings = settings
        self._first_restart_s = first_restart_s
        if "{port}" in url:
            url = url.replace("{port}", str(_free_port()))
        self.url = url
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._command = [word.replace("{port}", str(self._port)) for word in settings.command]
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._tail = bytearray()
        self._stopping = stopping or threading.Event()
        self._watcher: threading.Thread | None = None
        self._ready_at = 0.0

    def start(self) -> None:
        """Start the server and return once it is ready.

        Raises:
            BackendError: It ended, or was not ready in time; the message holds the end of what it said.
            UserError: Its log file cannot be written.
        """
        settings = self._settings
        self._tail.clear()
        log = self._log_file()
        try:
            guard = Path(__file__).with_name("guard.py")
            self._process = subprocess.Popen(  # noqa: S603 - the command is the user's own
                [sys.executable, "-I", str(guard), *self._command],
                stdin=subprocess.PIPE,
                stdout=log or subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **settings.env},
                start_new_session=True,
            )
        finally:
            if log is not None:
                log.close()
        self.starts += 1
        atexit.register(self.stop)
        if self._process.stdout is not None:
            threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
        self._await_health(self._process)
        self._ready_at = time.monotonic()

    def watch(self, tell: Callable[[bool, str | None], None]) -> None:
        """Start the server again whenever it dies.

        Args:
            tell: Called in another thread with (True, None) when it is back, (False, None) when it died, and
                (False, reason) when it will not come back.
        """
        self._watcher = threading.Thread(
            target=self._keep_up, args=(tell,), name="recaption-server", daemon=True
        )
        self._watcher.start()

    def stop(self) -> None:
        """Stop the server and all it started. More than once does no harm."""
        self._stopping.set()
        atexit.unregister(self.stop)
        process = self._process
        if process is not None:
            self._end(process)
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join(_STOP_S)

    def _keep_up(self, tell: Callable[[bool, str | None], None]) -> None:
        deaths = 0
        while True:
            process = self._process
            if process is None:
                return
            code = process.wait()
            if self._stopping.is_set():
                return
            self._end(process)
            deaths = 1 if time.monotonic() - self._ready_at > _SETTLED_S else deaths + 1
            reason = f"the server ended by itself (exit code {code}).{self._last_words()}"
            tell(False, None)
            while True:
                if deaths > self._settings.restarts:
                    tell(False, reason)
                    return
                if self._stopping.wait(self._first_restart_s * 2.0 ** (deaths - 1)):
                    return
                try:
                    self.start()
                    break
                except (BackendError, UserError) as error:
                    if self._stopping.is_set():
                        return
                    reason, deaths = str(error), deaths + 1
            tell(True, None)

    def _await_health(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self._settings.startup_timeout_s
        while time.monotonic() < deadline:
            if self._healthy():
                return
            code = process.poll()
            if code is not None:
                self._end(process)
                raise BackendError(
                    f"the server {self._shown()} ended before it was ready (exit code {code}).{self._last_words()}"
                )
            if self._stopping.wait(_POLL_S):
                self._end(process)
                raise BackendError(f"the server {self._shown()} was stopped before it was ready")
        words = self._last_words()
        self._end(process)
        raise BackendError(
            f"the server {self._shown()} did not answer {self._settings.health} within "
            f"{self._settings.startup_timeout_s:g} s; raise `startup_timeout_s` or look at what it says.{words}"
        )

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            process.stdin.close()  # the guard takes that as the end
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=2)
        try:
            connection.request("GET", self._settings.health)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            while chunk := stream.read1(4096):  # type: ignore[attr-defined]
                self._tail += chunk
                del self._tail[:-_TAIL_BYTES]

    def _last_words(self) -> str:
        """Return the end of what the server said, as the end of a message."""
        path = self._settings.log_file
        if path is not None:
            return f" See {path}."
        time.sleep(_POLL_S)  # the last lines may still be on their way through the pipe
        lines = bytes(self._tail).decode("utf-8", "replace").splitlines()
        text = " | ".join(printable(line.strip()) for line in lines if line.strip())
        return f" It said: …{text[-_TAIL_CHARS:]}" if text else " It said nothing."

    def _log_file(self) -> IO[bytes] | None:
        path = self._settings.log_file
        if path is None:
            return None
        try:
            return path.open("ab")
        except OSError as error:
            raise UserError(
                f"server.log_file {path} cannot be written: {error.strerror}. Name another."
            ) from error

    def _shown(self) -> str:
        return repr(printable(" ".join(self._command))[:120])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
