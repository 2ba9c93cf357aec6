"""The server of an audit: the page and what belongs to it, the way in, the calls, the pictures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, FastAPI, Request, Response

from recaption.audit.project import About
from recaption.audit.sheets import Sheet
from recaption.audit.store import AuditStore
from recaption.audit.web import calls, session
from recaption.audit.web.answers import Refused, answer_errors
from recaption.audit.web.guard import Guard
from recaption.audit.web.pictures import Picture, Pictures
from recaption.audit.web.session import Me, Room, Session
from recaption.audit.web.shell import Shell
from recaption.audit.web.showing import picture_place
from recaption.media.images import Limits

__all__ = ["create_app"]

DECODED_AT_ONCE: Final = 2


def create_app(
    store: AuditStore, about: About, *, origins: Iterable[str], limits: Limits | None = None
) -> FastAPI:
    """Return the server of an audit's page.

    Args:
        origins: Those under which the page is ours, as `guard.own_origins` gives them; nothing else is answered.
        limits: Of the pictures that are decoded.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_middleware(Guard, origins=frozenset(origins))
    answer_errors(app)
    shell = Shell(about)
    pictures = Pictures(limits or Limits())
    app.state.room = Room(store=store, about=about, pictures=pictures, reasons=shell.reasons)

    @app.get("/")
    def page(request: Request) -> Response:
        return shell.page(request)

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        return shell.static(name)

    app.include_router(session.router)
    app.include_router(calls.router)
    app.include_router(_images())
    return app


def _images() -> APIRouter:
    router = APIRouter(prefix="/image")
    # A lane of their own: whoever floods it with pictures keeps nobody's verdict waiting, and memory is bounded.
    lane = CapacityLimiter(DECODED_AT_ONCE)

    async def answer(me: Session, name: str, full: bool) -> Response:
        picture = await to_thread.run_sync(_made, me, name, full, limiter=lane)
        size = f"{picture.size[0]}x{picture.size[1]}"
        return Response(picture.data, media_type=picture.kind, headers={"recaption-size": size})

    @router.get("/{name}")
    async def fit(name: str, me: Me) -> Response:
        return await answer(me, name, False)

    @router.get("/{name}/full")
    async def full(name: str, me: Me) -> Response:
        return await answer(me, name, True)

    return router


def _made(me: Session, name: str, full: bool) -> Picture:
    place = picture_place(me.showing.token, name)
    image = None if place is None else Sheet.from_payload(me.room.store.item(place).payload).image
    if place is None or image is None:
        raise Refused(404, "missing", "there is no such picture")
    return me.room.pictures.picture(place, image, full=full)
