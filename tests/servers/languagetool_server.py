"""A server that answers as LanguageTool's HTTP interface is documented to, by few rules, and goes wrong on demand.

    python -m tests.servers.languagetool_server PORT [--fault MODE]

Rules: `a` before a vowel (GRAMMAR, EN_A_VS_AN), a word twice (GRAMMAR, ENGLISH_WORD_REPEAT_RULE), a lower-case start
(CASING, UPPERCASE_SENTENCE_START). What `disabledCategories` names is left out, unless the fault is `deaf`.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

__all__ = ["FAULTS", "LanguageToolServer", "languagetool"]

VERSION = "6.6"
FAULTS = (
    "500", "garbage", "no_matches", "wrong_types", "nested", "huge", "endless", "hang", "drip", "drip_headers",
    "reset", "redirect", "deaf",
)  # fmt: skip
_RULES = (
    ("GRAMMAR", "EN_A_VS_AN", re.compile(r"\ba (?=[aeiou])", re.IGNORECASE)),
    ("GRAMMAR", "ENGLISH_WORD_REPEAT_RULE", re.compile(r"\b(\w+) \1\b", re.IGNORECASE)),
    ("CASING", "UPPERCASE_SENTENCE_START", re.compile(r"\A[a-z]")),
)


class LanguageToolServer(ThreadingHTTPServer):
    """One server; `texts` are those it was asked about, `fault` what it does to the next of them."""

    daemon_threads = True

    def __init__(self, port: int = 0, fault: str = "", *, faults: int = 10**9) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.fault, self.faults = fault, faults
        """How many more texts go wrong."""
        self.texts: list[str] = []
        self.forms: list[dict[str, list[str]]] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients of a faulty server hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: LanguageToolServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm: ClassVar[bool] = True

    def do_GET(self) -> None:
        found = (
            b'[{"name":"English (US)","code":"en","longCode":"en-US"}]' if self.path == "/v2/languages" else b""
        )
        self._send(200 if found else 404, found)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode("ascii"))
        text = form.get("text", [""])[0]
        with self.server.lock:
            self.server.forms.append(form)
            self.server.texts.append(text)
            faulty = self.server.fault and self.server.faults > 0
            self.server.faults -= bool(faulty)
        if self.path != "/v2/check":
            self._send(404, b"Error: not found")
        elif faulty and self.server.fault != "deaf":
            with suppress(OSError):
                getattr(self, f"_fault_{self.server.fault}")()
        else:
            deaf = self.server.fault == "deaf"
            self._send(200, json.dumps(answer(text, "" if deaf else form["disabledCategories"][0])).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _fault_500(self) -> None:
        self._send(500, b"Error: Internal Error \x1b[31mred\n line")

    def _fault_garbage(self) -> None:
        self._send(200, b"<html>\xff\xfe</html>")

    def _fault_no_matches(self) -> None:
        self._send(200, b'{"software":{"name":"LanguageTool","version":"6.6"}}')

    def _fault_wrong_types(self) -> None:
        self._send(
            200, json.dumps(answer("", "") | {"matches": [{"rule": {"id": 3, "category": []}}]}).encode()
        )

    def _fault_nested(self) -> None:
        self._send(200, b"[" * 1_000_000)

    def _fault_huge(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 30))
        self.end_headers()
        for _ in range(1 << 10):
            self.wfile.write(b"x" * (1 << 20))

    def _fault_endless(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while not self.server.closing.is_set():
            self.wfile.write(b" " * (1 << 16))

    def _fault_hang(self) -> None:
        self.server.closing.wait()

    def _fault_drip(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while not self.server.closing.wait(0.02):
            self.wfile.write(b" ")

    def _fault_drip_headers(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
        while not self.server.closing.wait(0.02):
            self.wfile.write(b"x")

    def _fault_reset(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _fault_redirect(self) -> None:
        self._send(307, b"", Location="http://example.com/v2/check")


def answer(text: str, disabled: str) -> dict[str, Any]:
    """Return what the real one says, the parts that matter little shortened."""
    matches = [
        {
            "message": f"Possible slip: {found[0]}",
            "shortMessage": "",
            "replacements": [{"value": "an"}],
            "offset": found.start(),
            "length": len(found[0]),
            "context": {"text": text[:40], "offset": 0, "length": 1},
            "sentence": text[:40],
            "type": {"typeName": "Other"},
            "rule": {
                "id": rule,
                "description": "a rule",
                "issueType": "grammar",
                "category": {"id": category, "name": category.capitalize()},
            },
        }
        for category, rule, pattern in _RULES
        if category not in disabled.split(",")
        for found in pattern.finditer(text)
    ]
    return {
        "software": {
            "name": "LanguageTool",
            "version": VERSION,
            "buildDate": "2025-03-27 11:00:00 +0100",
            "apiVersion": 1,
            "premium": False,
        },
        "warnings": {"incompleteResults": False},
        "language": {"name": "English (US)", "code": "en-US"},
        "matches": matches,
    }


@contextmanager
def languagetool(fault: str = "", *, faults: int = 10**9) -> Iterator[LanguageToolServer]:
    """Run a server in a thread."""
    server = LanguageToolServer(fault=fault, faults=faults)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=60)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--fault", default="", choices=["", *FAULTS])
    options = parser.parse_args()
    LanguageToolServer(options.port, options.fault).serve_forever()


if __name__ == "__main__":
    main()
