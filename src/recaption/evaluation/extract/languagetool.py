"""LanguageTool by its HTTP interface: one text a request, answers checked, sizes and times bounded.

https://languagetool.org/http-api documents `/v2/check`. Requests go past proxies and follow no redirection, so that
texts end where they were sent.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlencode, urlsplit

from recaption.core.printable import printable
from recaption.evaluation.text.tokens import MAX_CHARS

__all__ = ["DISABLED", "CheckError", "Checked", "LanguageTool", "Match", "is_here", "parsed_address"]

DISABLED: Final = ("CASING", "TYPOGRAPHY", "PUNCTUATION", "TYPOS")
"""Categories that are left out: captions may be fragments in lower case, and hold names."""
_MOST_BYTES: Final = 8 << 20
_MOST_MATCHES: Final = 5_000
_LATE: Final = "no answer in time"
_MOST_CHARS: Final = 80
"""Of a name that a server gives."""


class CheckError(Exception):
    """A text could not be checked; the message says why, on one line."""


@dataclass(frozen=True, slots=True)
class Match:
    """One finding. Offsets are in UTF-16 units, as Java counts them."""

    category: str
    rule: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in one text, and by which version."""

    matches: tuple[Match, ...]
    version: str


class LanguageTool:
    """A server at an address. Safe in several threads: every request has a connection of its own."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        """`url` is what comes before `/v2/check`. Raises ValueError if it is no address."""
        self.url = url
        self._parts = parsed_address(url)
        self._timeout_s = timeout_s

    def check(self, text: str, language: str = "en-US") -> Checked:
        """Return what is found in a text, of which only the beginning is sent if it is long.

        Raises:
            CheckError: The server does not answer, not in time, or with what is no answer.
        """
        body = self._answer(
            urlencode(
                {
                    "language": language,
                    "text": text[:MAX_CHARS],
                    "disabledCategories": ",".join(DISABLED),
                },
                errors="replace",
            )
        )
        try:
            return _checked(json.loads(body))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise CheckError(f"not an answer of LanguageTool: {printable(str(error))[:_MOST_CHARS]}") from error

    def _answer(self, form: str) -> bytes:
        parts = self._parts
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self._timeout_s)
        late = threading.Event()
        watch: threading.Timer | None = None
        try:
            connection.connect()
            # A time limit on a socket is one for each read: what comes byte by byte would hold us for hours.
            watch = threading.Timer(self._timeout_s, _cut, (connection.sock, late))
            watch.daemon = True
            watch.start()
            path = f"{parts.path.rstrip('/')}/v2/check"
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
            connection.request("POST", path, form.encode("ascii"), headers)
            with connection.getresponse() as response:
                body = response.read(_MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise CheckError(_LATE if late.is_set() else _why(error)) from error
        finally:
            if watch is not None:
                watch.cancel()
            connection.close()
        if late.is_set():
            raise CheckError(_LATE)
        if len(body) > _MOST_BYTES:
            raise CheckError(f"an answer of more than {_MOST_BYTES:,} bytes")
        if response.status != http.client.OK:
            said = printable(body[:_MOST_CHARS].decode("utf-8", "replace"))
            raise CheckError(f"HTTP {response.status}: {' '.join(said.split())}")
        return body


def parsed_address(url: str) -> SplitResult:
    """Return the parts of an address of a server. Raises ValueError if it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise ValueError("not an address; write it like http://127.0.0.1:8081")
    _ = parts.port  # raises ValueError where it is no number
    return parts


def is_here(parts: SplitResult) -> bool:
    """Say whether an address is surely one of this machine."""
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(answer: Any) -> Checked:
    software = answer["software"]
    version = " ".join(_name(software.get(key, "")) for key in ("name", "version", "buildDate")).strip()
    found = answer["matches"]
    if not isinstance(found, list) or not version:
        raise TypeError("no list of matches, or nobody says by whom")
    matches = [_match(match) for match in found[:_MOST_MATCHES]]
    # A server of another version may not know a category that it was told to leave out.
    return Checked(tuple(match for match in matches if match.category not in DISABLED), version)


def _match(match: Mapping[str, Any]) -> Match:
    rule = match["rule"]
    return Match(_name(rule["category"]["id"]), _name(rule["id"]), int(match["offset"]), int(match["length"]))


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a name that is no string")
    return printable(value)[:_MOST_CHARS]


def _cut(sock: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return _LATE
    return printable(str(error))[:_MOST_CHARS] or type(error).__name__
