"""The calls of the page. Each is short: read what was said, ask the store, answer in JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from fastapi import APIRouter, Response

from recaption.audit.errors import ConflictError
from recaption.audit.sheets import Sheet
from recaption.audit.types import Assignment, Draft, Receipt
from recaption.audit.web.answers import Json, Refused, read_object
from recaption.audit.web.session import Body, Me, Session, auditor_json
from recaption.audit.web.showing import Showing, sentences_of
from recaption.core.digests import digest_json
from recaption.core.errors import UserError

__all__ = ["router"]

MAX_BESIDE: Final = 100
VERDICT: Final[dict[str, type]] = {
    "request": str,
    "item": int,
    "action": str,
    "fence": int,
    "base": int,
    "text": str,
    "reason": str,
    "preferred": str,
    "facts": list,
    "note": str,
    "shown": str,
    "guideline": str,
    "took_ms": int,
}
ACTIONS: Final = {"judge": ("accept", "edit", "reject"), "compare": ("prefer", "reject")}

router = APIRouter(prefix="/api")


@router.get("/session")
def about_it(me: Me) -> Response:
    """Say who is asking, what is asked of them, and how far everybody is."""
    store, about = me.room.store, me.room.about
    return Json(
        {
            "auditor": auditor_json(me.auditor),
            "project": digest_json([store.created_ms, about.to_json()])[:16],
            "task": about.task,
            "guideline": about.guideline,
            "guideline_version": about.guideline_version,
            "lease_ms": round(store.settings.lease_s * 1000),
            "reasons": list(me.room.reasons),
            "progress": _progress(me),
        }
    )


@router.get("/progress")
def how_far(me: Me) -> Response:
    """Say how far everybody is."""
    return Json(_progress(me))


@router.post("/next")
def next_item(body: Body, me: Me) -> Response:
    """Hand out an item."""
    said = read_object(body, {"beside": list, "skipped": bool})
    beside = said.get("beside", [])
    if len(beside) > MAX_BESIDE or not all(type(place) is int for place in beside):
        raise Refused(422, "invalid", "'beside' is a list of positions")
    found = me.room.store.next_item(me.auditor.id, beside=set(beside), skipped=said.get("skipped", False))
    item = None if found is None else me.showing.item_json(found)
    return Json({"item": item, "progress": _progress(me)})


@router.post("/verdict")
def verdict(body: Body, me: Me) -> Response:
    """Write down what was said of an item."""
    said = read_object(body, VERDICT, frozenset({"request", "item", "action"}))
    position = said.pop("item")
    sheet = Sheet.from_payload(me.room.store.item(position).payload)
    names = {name: said.pop(name, None) for name in ("request", "fence", "base")}
    draft = _draft(said, me.showing, position, sheet)
    try:
        given = me.room.store.submit(me.auditor.id, position, draft, **names)
    except ConflictError as error:
        return _conflict(error, me, position, sheet)
    return _receipt(me, given)


@router.post("/skip")
def skip(body: Body, me: Me) -> Response:
    """Leave an item to others."""
    said = read_object(body, {"request": str, "fence": int, "reason": str}, frozenset({"request", "fence"}))
    store = me.room.store
    given = store.skip(me.auditor.id, said["fence"], request=said["request"], reason=said.get("reason"))
    return _receipt(me, given)


@router.post("/undo")
def undo(body: Body, me: Me) -> Response:
    """Take back the last word, and hand the item out again."""
    said = read_object(body, {"request": str, "verdict": int}, frozenset({"request"}))
    store = me.room.store
    try:
        given = store.undo(me.auditor.id, request=said["request"], verdict=said.get("verdict"))
    except ConflictError as error:
        raise Refused(409, "conflict", str(error)) from error
    back = None
    if given.lease is not None:
        back = me.showing.item_json(Assignment(given.lease, store.item(given.item)))
    return _receipt(me, given, back=back)


@router.post("/renew")
def renew(body: Body, me: Me) -> Response:
    """Let a lease run anew."""
    lease = me.room.store.renew(me.auditor.id, _fence(body))
    return Json({"fence": lease.fence, "left_ms": lease.left_ms})


@router.post("/release")
def release(body: Body, me: Me) -> Response:
    """Take an item back."""
    me.room.store.release(me.auditor.id, _fence(body))
    return Json({})


def _progress(me: Session) -> dict[str, Any]:
    return asdict(me.room.store.progress(me.auditor.id))


def _receipt(me: Session, receipt: Receipt, **more: Any) -> Json:
    told = {"verdict": receipt.verdict, "item": receipt.item, "repeated": receipt.repeated}
    return Json({**told, **more, "progress": _progress(me)})


def _draft(said: dict[str, Any], showing: Showing, item: int, sheet: Sheet) -> Draft:
    """Return what was said of an item. Raises UserError where it cannot have been said of this one."""
    about = showing.about
    if said["action"] not in ACTIONS[about.task]:
        raise UserError(f"an audit of this kind takes {', '.join(ACTIONS[about.task])}")
    if said["action"] == "edit" and not said.get("text", "").strip():
        raise UserError("a caption cannot be empty; reject it instead")
    if said["action"] == "edit" and sheet.subject.is_cut:
        raise UserError(
            "this caption is longer than it is shown; an edit would drop the rest. Reject it instead"
        )
    if said.setdefault("shown", sheet.version) != sheet.version:
        raise UserError("this was said of other captions than those of this item")
    if "preferred" in said:
        said["preferred"] = showing.caption_of(item, sheet, said["preferred"])
        if said["preferred"] is None:
            raise UserError("the caption preferred is not one of this item's")
    facts = tuple(said.pop("facts", ()))
    if facts and (about.task != "judge" or len(facts) != len(sentences_of(sheet.subject.text))):
        raise UserError("a fact check says one word on each sentence of the caption shown")
    if not all(isinstance(fact, str) for fact in facts):
        raise UserError("a fact is a word")
    return Draft(facts=facts, **said)


def _conflict(error: ConflictError, me: Session, position: int, sheet: Sheet) -> Response:
    theirs = None
    if error.theirs is not None:
        theirs = {
            "verdict": error.theirs.id,
            "auditor": error.theirs.auditor,
            "mine": error.theirs.auditor == me.auditor.name,
            "at_ms": error.theirs.at_ms,
            **me.showing.draft_json(error.theirs.draft, position, sheet),
        }
    mine = me.showing.draft_json(error.mine, position, sheet)
    return Json({"error": "conflict", "message": str(error), "mine": mine, "theirs": theirs}, 409)


def _fence(body: bytes) -> int:
    fence: int = read_object(body, {"fence": int}, frozenset({"fence"}))["fence"]
    return fence
