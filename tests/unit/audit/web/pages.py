"""Audits to open pages on, the page's server in a thread, and a client that is no browser."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from PIL import ImageDraw

from recaption.audit.opening import create_store
from recaption.audit.project import About
from recaption.audit.sheets import Role, Sheet, ShownCaption
from recaption.audit.store import AuditStore
from recaption.audit.types import AuditItem, Settings
from recaption.audit.web.serving import PageServer
from recaption.core.types import Box, Evidence, Image

__all__ = ["Audit", "Client", "audit", "caption", "photo", "served", "sheet", "sheet_item"]


def photo(size: tuple[int, int] = (320, 200), number: int = 0, kind: str = "JPEG", **settings: Any) -> bytes:
    """Return an encoded picture in four colours, another one for every number."""
    image = Pillow.new("RGB", size, ((70 + 53 * number) % 256, 120, 160))
    draw = ImageDraw.Draw(image)
    width, height = size
    draw.rectangle((0, 0, width // 2, height // 2), fill=(200, (40 + 31 * number) % 256, 40))
    draw.ellipse((width // 2, height // 2, width - 2, height - 2), fill=(240, 220, 90))
    out = BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def caption(name: str, text: str, role: Role = "subject", **more: Any) -> ShownCaption:
    """Return a text on a sheet."""
    origin = {"subject": "model", "original": "alt", "candidate": "composed"}[role]
    return ShownCaption(
        **{"id": name, "text": text, "role": role, "origin": origin, "writer": "writer@1", **more}
    )


def sheet(number: int = 0, **more: Any) -> Sheet:
    """Return a sheet with a subject of two sentences, an original and a candidate."""
    captions = (
        caption(
            "subject00000",
            f"A red square and a yellow disc. They lie on ground {number}.",
            scores={"clip_score": 0.31},
            flags={"long": "12 words"},
        ),
        caption("original0000", f"IMG {number} red square", "original"),
        caption("candidate000", f"A disc beside a square, number {number}.", "candidate"),
    )
    evidence = (
        Evidence(kind="object", label="square", source="test", box=Box(0, 0, 160, 100), score=0.9),
        Evidence(kind="object", label="disc", source="test", box=Box(160, 100, 318, 198)),
        Evidence(kind="tag", label="drawing", source="test"),
    )
    image = Image(data=photo(number=number))
    return Sheet(**{"captions": captions, "evidence": evidence, "size": (320, 200), "image": image, **more})


def sheet_item(number: int, shown: Sheet | None = None, key: str | None = None) -> AuditItem:
    """Return an item of the sample."""
    shown = shown or sheet(number)
    return AuditItem(key=key or f"photos/{number:04}.jpg", payload=shown.to_payload(), stratum="all")


@dataclass
class Audit:
    """A store with items, and the people who judge them."""

    store: AuditStore
    about: About
    place: Path

    def token(self, name: str) -> str:
        """Return a link's token for somebody, who is added where they are new."""
        known = self.store.auditor_named(name)
        return self.store.add_auditor(name)[1] if known is None else self.store.renew_token(known.id)


@contextmanager
def audit(
    folder: Path, items: Sequence[AuditItem], *, overlap: int = 1, lease_s: float = 600, **about: Any
) -> Iterator[Audit]:
    """Make an audit of these items."""
    place = folder / "audit.sqlite"
    told = About(**about)
    settings = Settings(overlap=overlap, lease_s=lease_s, about=told.to_json())
    with create_store(place, settings) as store:
        store.add_items(items)
        yield Audit(store, told, place)


@contextmanager
def served(made: Audit, port: int = 0, **settings: Any) -> Iterator[str]:
    """Serve an audit's page from a thread; yield its origin."""
    up = threading.Event()
    server = PageServer(made.store, made.about, port=port, ready=lambda _: up.set(), **settings)
    thread = threading.Thread(target=server.run, name="audit-page", daemon=True)
    thread.start()
    try:
        assert up.wait(timeout=30)
        yield server.origin
    finally:
        server.stop()
        thread.join(timeout=30)
    assert not thread.is_alive()


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """Says what the page would say."""

    def __init__(self, origin: str, token: str | None = None) -> None:
        self.origin, self.cookie = origin, ""
        self.host = origin.partition("://")[2]
        if token is not None:
            answer = self.post("/enter", {"token": token})
            assert answer.status == 200, answer.content

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for something."""
        return self.ask("GET", path, None, headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """Say something."""
        told = {"Origin": self.origin, "Content-Type": "application/json"}
        return self.ask("POST", path, json.dumps(body).encode("ascii"), {**told, **headers})

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """Send a request as it is given."""
        line = http.client.HTTPConnection(self.host, timeout=30)
        try:
            line.request(method, path, body, {"Cookie": self.cookie, **headers})
            answer = line.getresponse()
            if given := answer.headers.get("Set-Cookie"):
                self.cookie = given.partition(";")[0]
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            line.close()

    def next(self, *beside: int, **more: Any) -> Any:
        """Return the next item; None where there is none."""
        answer = self.post("/api/next", {"beside": list(beside), **more})
        assert answer.status == 200, answer.content
        return answer.json["item"]
