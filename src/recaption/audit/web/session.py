"""Who asks: from the cookie to the auditor. One session an auditor, since a link that is used ends the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from recaption.audit.project import About
from recaption.audit.store import AuditStore
from recaption.audit.types import Auditor
from recaption.audit.web.answers import Json, Refused, read_object
from recaption.audit.web.pictures import Pictures
from recaption.audit.web.showing import Showing

__all__ = ["Body", "Me", "Room", "Session", "auditor_json", "router"]

COOKIE: Final = "recaption_audit"
COOKIE_LIVES_S: Final = 90 * 24 * 3600
"""A link works once; whoever came by it must not be locked out when they close the browser."""
MAX_TOKEN_CHARS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What all requests to one server share; lies in the state of the application."""

    store: AuditStore
    about: About
    pictures: Pictures
    reasons: Sequence[str]
    """What the page offers for a rejection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who asks, and how items look to them."""

    room: Room
    auditor: Auditor
    showing: Showing


def _session(request: Request) -> Session:
    room: Room = request.app.state.room
    token = request.cookies.get(_cookie(request), "")
    auditor = room.store.auditor_by_token(token) if 0 < len(token) <= MAX_TOKEN_CHARS else None
    if auditor is None:
        raise Refused(401, "token", "open the link that you were given")
    showing = Showing(about=room.about, auditor=auditor.id, token=token)
    return Session(room=room, auditor=auditor, showing=showing)


async def _body(request: Request) -> bytes:
    return await request.body()


Me = Annotated[Session, Depends(_session)]
Body = Annotated[bytes, Depends(_body)]

router = APIRouter()


@router.post("/enter")
def enter(request: Request, body: Body) -> Response:
    """Exchange the token of a link for one that scripts cannot read."""
    room: Room = request.app.state.room
    said = read_object(body, {"token": str}, frozenset({"token"}))
    known = room.store.exchange_token(said["token"]) if len(said["token"]) <= MAX_TOKEN_CHARS else None
    if known is None:
        raise Refused(401, "token", "this link has been used before, or has ended; ask for a new one")
    auditor, token = known
    answer = Json({"auditor": auditor_json(auditor)})
    answer.set_cookie(
        _cookie(request),
        token,
        max_age=COOKIE_LIVES_S,
        httponly=True,
        samesite="strict",
        secure=request.headers.get("origin", "").startswith("https:"),
    )
    return answer


def auditor_json(auditor: Auditor) -> dict[str, Any]:
    """Return an auditor as the page knows them."""
    return {"id": auditor.id, "name": auditor.name}


def _cookie(request: Request) -> str:
    # Cookies know hosts and no ports: two audits on one machine would sign each other's people out.
    port = request.headers["host"].rpartition(":")[2]
    return f"{COOKIE}_{port if port.isdigit() else 'default'}"
