"""Starting the page's server, on loopback unless told otherwise."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from typing import Final

import uvicorn

from recaption.audit.project import About
from recaption.audit.store import AuditStore
from recaption.audit.web.app import create_app
from recaption.audit.web.guard import own_origins
from recaption.core.errors import UserError
from recaption.media.images import Limits

__all__ = ["PageServer", "check_host", "is_loopback", "link", "serve"]

MAX_CONNECTIONS: Final = 512
MAX_HEAD_BYTES: Final = 16 * 1024
_NAME: Final = re.compile(r"(https?://)?[A-Za-z0-9._-]+(:[0-9]{1,5})?/?")
EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - to recognise them


def serve(
    store: AuditStore,
    about: About,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    names: Sequence[str] = (),
    ready: Callable[[str], None] | None = None,
    limits: Limits | None = None,
) -> None:
    """Serve the page until Ctrl+C or SIGTERM.

    Args:
        port: 0 for any that is free.
        names: Further names of this host, as browsers will have them in the address; see `guard.own_origins`.
        ready: Called once with the address, as soon as it answers.

    Raises:
        UserError: The host or port cannot be used, or the page would be open to others with nobody named.
    """
    server = PageServer(store, about, host=host, port=port, names=names, ready=ready, limits=limits)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


def link(origin: str, token: str) -> str:
    """Return the address to give to one auditor. Browsers send nothing of what stands after the `#` to anybody."""
    return f"{origin}/#token={token}"


def check_host(store: AuditStore, host: str, names: Sequence[str] = ()) -> None:
    """Raise UserError where a page on this host would be open to others, and it was not said to whom and as what."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{name!r:.100} is no name of a host: give audit.example.org, audit.example.org:8080 or https://…"
            )
    if is_loopback(host):
        return
    if not any(auditor.active for auditor in store.auditors()):
        raise UserError(
            f"the page is not opened on {host}, where others can reach it, before it is said who may judge. "
            f"Invite an auditor first, or stay on 127.0.0.1."
        )
    if host in EVERYWHERE and not names:
        raise UserError(
            f"{host} means every address: give the name that browsers will use for this machine too"
        )


class PageServer:
    """A server whose port is open already; `run` answers until `stop`."""

    def __init__(
        self,
        store: AuditStore,
        about: About,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        names: Sequence[str] = (),
        ready: Callable[[str], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        check_host(store, host, names)
        self._socket = _listening(host, port)
        port = self._socket.getsockname()[1]
        origins = own_origins(port, names, host)
        self.origin = _address(host, port, names)
        config = uvicorn.Config(
            create_app(store, about, origins=origins, limits=limits),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=2,
        )
        self._server = _Announcing(config, lambda: ready(self.origin) if ready else None)

    def run(self) -> None:
        """Answer until told to stop; the port is closed afterwards."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Let `run` come to its end; may be called from another thread."""
        self._server.should_exit = True


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio does not switch off the delay that waits for more to send: 40 ms an answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"the page cannot listen on {host}, port {port}: {reason}. Try another --port."
        ) from error
    listening.set_inheritable(False)
    return listening


def _address(host: str, port: int, names: Sequence[str]) -> str:
    """Return the address to print: the first name that was given, or the host itself."""
    name = names[0] if names else "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    if "://" in name:
        return name.rstrip("/")
    return f"http://{name}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether what listens on a host can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
