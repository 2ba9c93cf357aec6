"""What the page asks and is told, over the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recaption.audit.web.answers import Refused, read_object
from recaption.core.errors import BackendError
from tests.servers.audit_stores import age, troubles
from tests.unit.audit.web.pages import Client, audit, caption, served, sheet, sheet_item


def say(client: Client, item: dict[str, Any], action: str, request: str, **more):
    return client.post(
        "/api/verdict",
        {"request": request, "item": item["item"], "fence": item["fence"], "action": action, **more},
    )


def test_a_link_lets_in_once(judged, origin):
    token = judged.token("Ann")
    first, second = Client(origin), Client(origin)
    assert first.post("/enter", {"token": token}).json == {"auditor": {"id": 1, "name": "Ann"}}
    assert second.post("/enter", {"token": token}).status == 401
    assert first.get("/api/session").json["auditor"]["name"] == "Ann"
    assert first.cookie.partition("=")[2] != token


def test_the_session_says_what_the_page_needs(ann, judged):
    told = ann.get("/api/session").json
    assert told["task"] == "judge"
    assert told["lease_ms"] == 600_000
    assert told["guideline_version"] == judged.about.guideline_version
    assert len(told["reasons"]) == len(set(told["reasons"])) <= 9
    assert told["progress"]["items"] == 4


def test_an_item_comes_with_everything_and_no_place(ann):
    item = ann.next()
    assert item["key"] == "photos/0000.jpg"
    assert [c["role"] for c in item["captions"]] == ["subject", "original", "candidate"]
    assert item["captions"][0]["scores"] == {"clip_score": 0.31}
    assert item["sentences"] == ["A red square and a yellow disc.", "They lie on ground 0."]
    assert item["evidence"][0]["box"] == [0, 0, 160, 100]
    assert item["image"].startswith("/image/")
    assert "path" not in json.dumps(item)
    assert ann.next(item["item"])["item"] == 1


def test_verdicts_land_in_the_store(ann, judged):
    item = ann.next()
    facts = ["supported", "wrong"]
    answer = say(
        ann, item, "edit", "r1", text="Better.", facts=facts, took_ms=1234, shown=item["shown"], guideline="g"
    )
    assert answer.status == 200
    assert answer.json["progress"]["mine_done"] == 1
    assert not answer.json["repeated"]
    verdict = judged.store.verdict(answer.json["verdict"])
    assert (verdict.key, verdict.auditor) == ("photos/0000.jpg", "Ann")
    draft = verdict.draft
    assert (draft.action, draft.text, draft.facts, draft.took_ms) == ("edit", "Better.", tuple(facts), 1234)
    assert (draft.shown, draft.guideline) == (item["shown"], "g")
    assert say(
        ann, item, "edit", "r1", text="Better.", facts=facts, took_ms=9, shown=item["shown"], guideline="g"
    ).json["repeated"]
    assert len(list(judged.store.verdicts())) == 1


def test_skip_undo_renew_release(ann, judged):
    item = ann.next()
    assert ann.post("/api/renew", {"fence": item["fence"]}).json == {"fence": item["fence"], "left_ms": 600_000}
    assert ann.post("/api/skip", {"request": "s", "fence": item["fence"], "reason": "dark"}).status == 200
    assert ann.post("/api/renew", {"fence": item["fence"]}).status == 410
    second = ann.next()
    assert second["item"] == 1
    assert ann.post("/api/release", {"fence": second["fence"]}).json == {}
    back = ann.post("/api/undo", {"request": "u"}).json["back"]
    assert (back["item"], back["key"], back["captions"]) == (0, item["key"], item["captions"])
    assert back["fence"] != item["fence"]
    assert ann.get(back["image"]).status == 200
    assert say(ann, back, "accept", "r").status == 200
    assert ann.next(skipped=True) is None
    assert troubles(judged.store) == []


def test_undo_with_nothing_to_undo(ann):
    answer = ann.post("/api/undo", {"request": "u"})
    assert (answer.status, answer.json["error"]) == (422, "invalid")


def test_a_second_word_comes_back_with_both(ann, judged):
    item = ann.next()
    assert say(ann, item, "edit", "r1", text="First.").status == 200
    answer = say(ann, item, "edit", "r2", text="Second.")
    assert answer.status == 409
    told = answer.json
    assert told["mine"]["text"] == "Second."
    assert told["theirs"]["text"] == "First."
    assert told["theirs"]["mine"] is True
    anew = {"request": "r3", "item": 0, "action": "edit", "text": "Second.", "base": told["theirs"]["verdict"]}
    again = ann.post("/api/verdict", anew)
    assert again.status == 200
    assert [v.draft.text for v in judged.store.verdicts(standing_only=True)] == ["Second."]
    assert ann.post("/api/undo", {"request": "u"}).json["back"] is None


def test_what_others_said_meanwhile_is_shown_as_theirs(tmp_path):
    with audit(tmp_path, [sheet_item(0)]) as made, served(made) as origin:
        ann, bob = Client(origin, made.token("Ann")), Client(origin, made.token("Bob"))
        item = ann.next()
        age(made.store, 601)
        theirs = bob.next()
        assert say(bob, theirs, "reject", "b", reason="invented").status == 200
        answer = say(ann, item, "edit", "a", text="Mine.")
        assert answer.status == 409
        assert answer.json["theirs"]["auditor"] == "Bob"
        assert answer.json["theirs"]["mine"] is False
        assert answer.json["theirs"]["reason"] == "invented"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"action": "edit"}, "empty"),
        ({"action": "edit", "text": " \n\u3000"}, "empty"),
        ({"action": "prefer", "preferred": "subject00000"}, "takes accept, edit, reject"),
        ({"action": "skip"}, "takes accept"),
        ({"action": "accept", "facts": ["supported"]}, "each sentence"),
        ({"action": "accept", "facts": ["supported", "perhaps"]}, "a fact is"),
        ({"action": "accept", "facts": ["supported", 1]}, "a fact is"),
        ({"action": "accept", "facts": ["supported", ["wrong"]]}, "a fact is"),
        ({"action": "accept", "shown": "0" * 16}, "other captions"),
        ({"action": "accept", "preferred": "nobody"}, "not one of"),
        ({"action": "accept", "took_ms": 10**12}, "cannot be"),
        ({"action": "accept", "took_ms": -1}, "took_ms"),
        ({"action": "accept", "took_ms": True}, "took_ms"),
        ({"action": "accept", "item": 10**30}, "item"),
        ({"action": "accept", "item": 99}, "no item"),
        ({"action": "accept", "request": ""}, "request id"),
        ({"action": "accept", "request": "ä"}, "request id"),
        ({"action": "accept", "fence": None}, "fence"),
        ({"action": None}, "missing"),
        ({"action": "accept", "text": 7}, "text"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_written(ann, judged, more, says):
    item = ann.next()
    answer = ann.post("/api/verdict", {"request": "r", "item": item["item"], "fence": item["fence"], **more})
    assert answer.status == 422
    assert says in answer.json["message"]
    assert list(judged.store.verdicts()) == []
    assert say(ann, item, "accept", "ok").status == 200


def test_odd_characters_come_back_as_they_went(tmp_path):
    odd = "\ud800 lone \x00 nul \u202e rtl \u2028 line 🏳️‍🌈 <b> \x7f"
    shown = sheet(0, captions=(caption("s", odd),))
    with audit(tmp_path, [sheet_item(0, shown, key=odd)], guideline=odd[1:]) as made, served(made) as origin:
        ann = Client(origin, made.token("Ann"))
        item = ann.next()
        assert (item["key"], item["captions"][0]["text"]) == (odd, odd)
        assert ann.get("/api/session").json["guideline"] == odd[1:]
        answer = say(ann, item, "edit", "r", text=f"{odd}!")
        assert answer.status == 200
        assert made.store.verdict(answer.json["verdict"]).draft.text == f"{odd}!"


def test_a_caption_of_a_megabyte_is_taken_and_more_is_not(ann):
    item = ann.next()
    assert say(ann, item, "edit", "r1", text="x" * 3_000_000).status == 422
    assert say(ann, item, "edit", "r2", text="x" * 1_000_000).status == 200


def test_too_many_at_once(ann):
    held = [ann.next(*range(i))["item"] for i in range(4)]
    assert held == [0, 1, 2, 3]
    assert ann.post("/api/next", {"beside": list(range(101))}).status == 422


def test_compared_texts_are_dealt_blind(tmp_path):
    items = [sheet_item(i) for i in range(12)]
    with audit(tmp_path, items, task="compare", captions=3, overlap=2, seed=3) as made, served(made) as origin:
        ann, bob = Client(origin, made.token("Ann")), Client(origin, made.token("Bob"))
        orders: dict[str, list[Any]] = {"ann": [], "bob": []}
        for name, client in (("ann", ann), ("bob", bob)):
            for i in range(12):
                item = client.next(*range(i))
                assert set(item["captions"][0]) == {"id", "text"}
                assert item["sentences"] == []
                assert "subject0000" not in json.dumps(item)
                texts = [c["text"] for c in item["captions"]]
                orders[name].append([t[:4] for t in texts])
        assert orders["ann"] != orders["bob"]
        assert len({tuple(order) for order in orders["ann"]}) > 2
        again = ann.next()
        assert [c["text"][:4] for c in again["captions"]] == orders["ann"][0]
        best = next(c for c in again["captions"] if c["text"].startswith("IMG"))
        answer = say(ann, again, "prefer", "r", preferred=best["id"])
        assert made.store.verdict(answer.json["verdict"]).draft.preferred == "original0000"
        other = ann.next()
        assert say(ann, other, "prefer", "r2", preferred=best["id"]).status == 422  # a card of another item
        assert say(ann, other, "accept", "r3").status == 422
        conflict = say(ann, again, "reject", "r4", reason="invented")
        assert conflict.status == 409
        assert conflict.json["theirs"]["preferred"] == best["id"]


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (BackendError("the database is busy"), 503, "busy"),
        (ZeroDivisionError("secret"), 500, "ZeroDivisionError"),
    ],
)
def test_what_may_pass_can_be_said_again(ann, judged, monkeypatch, error, status, told):
    item = ann.next()

    def fail(*_, **__):
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(judged.store, "submit", fail)
        answer = say(ann, item, "accept", "r")
    assert answer.status == status
    assert told in answer.json["message"]
    assert "secret" not in answer.json["message"]
    assert ("retry-after" in answer.headers) == (status == 503)
    assert say(ann, item, "accept", "r").status == 200


def test_the_token_is_in_no_log_line(judged, caplog, capfd):
    caplog.set_level("DEBUG")
    token = judged.token("Ann")
    with served(judged) as origin:
        client = Client(origin)
        client.get(f"/?token={token}")
        client.get(f"/nowhere/{token}")
        client.post("/enter", {"token": token, "more": 1})
        client.post("/enter", {"token": token})
        client.post("/enter", {"token": token})
        item = client.next()
        client.get(item["image"])
        client.post("/api/verdict", {"request": "r"})
    secret = client.cookie.partition("=")[2]
    out = caplog.text + "".join(capfd.readouterr())
    assert token not in out
    assert secret not in out
    assert len(secret) >= 43


@pytest.mark.parametrize("body", [b"", b"\xff", b"null", b'"x"', b'{"a":NaN}', b'{"a":1e999}', b"[" * 10_000])
def test_bodies_that_are_no_objects(body):
    with pytest.raises(Refused):
        read_object(body, {"a": int})


def test_null_is_as_good_as_absent():
    assert read_object(b'{"a":null,"b":"x"}', {"a": int, "b": str}) == {"b": "x"}
