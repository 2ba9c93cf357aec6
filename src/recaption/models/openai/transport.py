"""One HTTP call: bytes out, a bounded reply in, every failure a value. The only importer of aiohttp."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from recaption.models.openai.outcome import one_line

__all__ = ["Lost", "Reply", "Transport"]

_LARGE: Final = 65_536
"""Bytes. Below, a copy is cheaper than one more system call."""
_MOST_OF_AN_ERROR: Final = 65_536
_CONNECT_S: Final = 30.0
_IDLE_S: Final = 15.0
"""Servers close idle connections after 5 s (uvicorn) or more; one closed under our hands costs a try."""
_INFLATERS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No reply came, or none that can be used."""

    fault: str
    """`unreachable`, `hang`, `reset`, `protocol`, `too_large` or `encoding`."""
    reason: str
    sent: bool = True
    """The request may have reached the server."""
    bounded: bool = False


class Transport:
    """Connections to all addresses of one client. Lives in one event loop.

    Follows no redirects, keeps no cookies, asks for no compression and inflates within bounds where it comes all the
    same.
    """

    def __init__(
        self, connections: int, headers: Mapping[str, str], max_body_bytes: int, proxy_from_env: bool
    ) -> None:
        self._most = max_body_bytes
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=_IDLE_S, ttl_dns_cache=60),
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity", **headers},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=proxy_from_env,
            auto_decompress=False,
        )

    async def post(self, url: str, parts: tuple[bytes, ...], request_id: str, timeout_s: float) -> Reply | Lost:
        """Send a body, given in pieces, and return what came back within `timeout_s`, to the last byte."""
        size = sum(map(len, parts))
        try:
            async with self._session.post(
                url,
                data=_Pieces(parts, size) if size > _LARGE else b"".join(parts),
                headers={"X-Request-Id": request_id},
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(_CONNECT_S, timeout_s)),
                allow_redirects=False,
            ) as response:
                return await self._read(response)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
            return Lost("unreachable", f"cannot connect: {_reason(error)}", sent=False)
        except TimeoutError:
            return Lost("hang", f"no answer within {timeout_s:.3g} s")
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError) as error:
            return Lost("reset", f"the connection broke: {_reason(error)}")
        except aiohttp.ClientError as error:
            return Lost("protocol", f"not an HTTP answer: {_reason(error)}", bounded=True)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _read(self, response: aiohttp.ClientResponse) -> Reply | Lost:
        good = response.status == 200
        most = self._most if good else min(self._most, _MOST_OF_AN_ERROR)
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > most:
                response.close()  # the rest is not read, so the connection cannot be used again
                if good:
                    return _too_large(most)
                break
        body = b"".join(chunks)
        coding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            inflated = _inflated(body, coding, most)
            if isinstance(inflated, Lost):
                return inflated if good else Reply(response.status, response.headers, b"")
            body = inflated
        return Reply(response.status, response.headers, body[:most])


class _Pieces(aiohttp.Payload):
    """A body in pieces, sent one after the other: a picture is held once however many calls carry it."""

    _value: tuple[bytes, ...]

    def __init__(self, parts: tuple[bytes, ...], size: int) -> None:
        super().__init__(parts, content_type="application/json")
        self._size = size

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return b"".join(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        for part in self._value:
            await writer.write(part)


def _inflated(body: bytes, coding: str, most: int) -> bytes | Lost:
    window = _INFLATERS.get(coding)
    if window is None:
        return Lost("encoding", f"the answer came as {one_line(coding, 40)}, unasked", bounded=True)
    try:
        inflater = zlib.decompressobj(window)
        plain = inflater.decompress(body, most + 1)
    except zlib.error:
        return Lost("encoding", f"the answer came as {coding} and is damaged", bounded=True)
    if len(plain) > most:
        return _too_large(most)
    if not inflater.eof:
        return Lost("encoding", f"the answer came as {coding} and was cut", bounded=True)
    return plain


def _too_large(most: int) -> Lost:
    return Lost("too_large", f"the answer is larger than {most:,} bytes", bounded=True)


def _reason(error: BaseException) -> str:
    if isinstance(
        error, aiohttp.ClientConnectorError
    ):  # its own words name the address again, and inner workings
        error = error.os_error
    said = error.strerror if isinstance(error, OSError) else None
    return one_line(said or str(error) or type(error).__name__, 160)
