"""What a request must be before anything looks at it. Plain ASGI, refused before a handler is chosen.

A server on loopback is within reach of every website that its user visits: pages post to it, and a name that is
pointed at 127.0.0.1 makes them its own origin. So only hosts on a list are answered, and what writes must come from
the page itself, as JSON, which no form can send.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

__all__ = ["MAX_BODY_BYTES", "Guard", "own_origins"]

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""A caption of a megabyte fits, escaped as JSON; a flood does not."""
MAX_TARGET_BYTES: Final = 1_024
METHODS: Final = frozenset({"GET", "POST"})
_PLAIN_PATH: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")
_ONCE: Final = (b"host", b"origin", b"content-type", b"content-length", b"cookie")

HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def own_origins(port: int, names: Iterable[str] = (), host: str = "127.0.0.1") -> frozenset[str]:
    """Return the origins under which a page on this port is ours.

    Args:
        names: Further hosts; one with a scheme (`https://audit.example.org`) is taken as it is.
        host: Where the server listens.
    """
    hosts = ["127.0.0.1", "localhost", "[::1]"]
    if host not in {"", "0.0.0.0", "::"}:  # noqa: S104 - they mean every address, and name none
        hosts.append(f"[{host}]" if ":" in host else host)
    known = [name for name in names if "://" in name]
    hosts += [name for name in names if "://" not in name]
    known += [f"http://{name}" if urlsplit(f"//{name}").port else f"http://{name}:{port}" for name in hosts]
    # Browsers leave out the port that a scheme implies.
    return frozenset(origin.lower().rstrip("/").removesuffix(_implied(origin)) for origin in known)


class Guard:
    """Refuses what cannot come from our own page, and gives every answer the headers that keep the page to itself."""

    def __init__(self, app: App, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_closed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in HEADERS}
                kept = [(n, v) for n, v in message.get("headers", ()) if n.lower() not in own]
                message = {**message, "headers": [*kept, *HEADERS]}
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send_closed, *refusal)
            return
        await self._app(scope, _bounded(receive), send_closed)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and reason where a request is not to be answered."""
        seen: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _ONCE and name in seen:
                return 400, f"two headers named {name.decode('ascii')}"
            seen[name] = value
        host = seen.get(b"host", b"").decode("latin-1").lower()
        if host not in self._hosts:
            return 421, "this address is not served here"
        if scope["method"] not in METHODS:
            return 405, "only GET and POST are answered"
        if b"upgrade" in seen:
            return 400, "no other protocol is spoken here"
        target = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
        if not _PLAIN_PATH.issuperset(target) or b".." in target or b"//" in target:
            return 404, "there is nothing here"
        if len(target) + len(scope.get("query_string", b"")) > MAX_TARGET_BYTES:
            return 404, "there is nothing here"
        # To a browser, other ports of this machine are the same site, and are sent the cookie's name and value.
        if scope["path"] != "/" and seen.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            return 403, "this came from another site"
        return self._refused_write(host, seen) if scope["method"] == "POST" else None

    def _refused_write(self, host: str, seen: Mapping[bytes, bytes]) -> tuple[int, str] | None:
        origin = seen.get(b"origin")
        site = seen.get(b"sec-fetch-site")
        if origin is None:
            ours = site == b"same-origin"
        else:
            text = origin.decode("latin-1").lower()
            ours = text in self._origins and urlsplit(text).netloc == host and site in (None, b"same-origin")
        if not ours:
            return 403, "only this page itself may write"
        kind = seen.get(b"content-type", b"").decode("latin-1").lower().replace(" ", "")
        if kind not in {"application/json", "application/json;charset=utf-8"}:
            return 415, "send application/json"
        length = seen.get(b"content-length", b"")
        if b"transfer-encoding" in seen or not length.isdigit():
            return 411, "say how long the body is"
        if len(length) > 12 or int(length) > MAX_BODY_BYTES:
            return 413, f"at most {MAX_BODY_BYTES:,} bytes are read"
        return None


def _bounded(receive: Receive) -> Receive:
    """Return a `receive` that ends a body longer than it may be, whatever its header said."""
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        return {"type": "http.disconnect"} if read > MAX_BODY_BYTES else message

    return bounded


async def _refuse(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"error": "refused", "message": reason}).encode("ascii")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode("ascii"))]
    # What was sent along is not read; a connection that still holds it cannot be used again.
    await send(
        {"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]}
    )
    await send({"type": "http.response.body", "body": body})


def _implied(origin: str) -> str:
    return ":443" if origin.startswith("https://") else ":80"
