"""What must be refused: sixty requests that no page of ours sends, each by wire, most of them with a valid cookie,
because that is what a browser adds to whatever another site makes it send."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
from typing import NamedTuple

import pytest

from recaption.audit.web.guard import MAX_BODY_BYTES, own_origins
from tests.servers.audit_stores import troubles
from tests.unit.audit.web.pages import Client, audit, served, sheet_item

ITEM = '{"beside":[]}'
PIECES = f"d\r\n{ITEM}\r\n0\r\n\r\n"
LONE = "never-a-token"


class Attack(NamedTuple):
    """A request by its parts; `{host}` and `{cookie}` are filled in. `line` replaces method and target."""

    name: str
    line: str = "POST /api/next"
    host: str | None = "{host}"
    origin: str | None = "http://{host}"
    kind: str | None = "application/json"
    cookie: str | None = "{cookie}"
    more: tuple[str, ...] = ()
    body: str = ITEM
    length: str | None = None


def get(name: str, target: str, **parts) -> Attack:
    return Attack(name, f"GET {target}", **{"origin": None, "kind": None, "body": "", **parts})


ATTACKS = (
    # Nobody, or somebody who guesses
    Attack("no cookie", cookie=None),
    Attack("empty cookie", cookie="recaption_audit_{port}="),
    Attack("wrong token", cookie="recaption_audit_{port}=" + "A" * 43),
    Attack("token cut short", cookie="{cookie_short}"),
    Attack("token with more behind it", cookie="{cookie}x"),
    Attack("token under another name", cookie="recaption_audit={token}"),
    Attack("token under the name of another port", cookie="recaption_audit_1={token}"),
    Attack("a cookie of a megabyte", cookie="recaption_audit_{port}=" + "A" * 9000),
    get("session without a cookie", "/api/session", cookie=None),
    get("progress without a cookie", "/api/progress", cookie=None),
    get("a picture without a cookie", "{image}", cookie=None),
    get("a picture with a wrong token", "{image}", cookie="recaption_audit_{port}=" + "A" * 43),
    get("token in the address", "/api/session?token={token}", cookie=None),
    Attack("token in a header", cookie=None, more=("Authorization: Bearer {token}",)),
    Attack("the token of a link, which has been used", "POST /enter", body='{"token":"{used}"}', cookie=None),
    Attack("a token that never was", "POST /enter", body='{"token":"' + LONE + '"}', cookie=None),
    Attack("a token that is no text", "POST /enter", body='{"token":[1]}', cookie=None),
    # Other sites
    Attack("another origin", origin="https://evil.example"),
    Attack("our host on another port", origin="http://127.0.0.1:1"),
    Attack("our origin with TLS", origin="https://{host}"),
    Attack("our origin as the beginning of another", origin="http://{host}.evil.example"),
    Attack("our origin as user of another", origin="http://{host}@evil.example"),
    Attack("null origin", origin="null"),
    Attack("empty origin", origin=""),
    Attack("no origin, nothing said of the site", origin=None),
    Attack("no origin, from another site", origin=None, more=("Sec-Fetch-Site: cross-site",)),
    Attack("no origin, from another port", origin=None, more=("Sec-Fetch-Site: same-site",)),
    Attack("no origin, from nowhere", origin=None, more=("Sec-Fetch-Site: none",)),
    Attack("our origin, from another site", more=("Sec-Fetch-Site: cross-site",)),
    Attack("two origins", more=("Origin: https://evil.example",)),
    Attack("one of our origins under another", origin="http://localhost:{port}"),
    get("a script of another site asks for the session", "/api/session", more=("Sec-Fetch-Site: cross-site",)),
    get("another port embeds a picture", "{image}", more=("Sec-Fetch-Site: same-site",)),
    # Other names for this machine
    get("a name that was pointed here", "/", host="evil.example"),
    get("a name that was pointed here, with our port", "/", host="evil.example:{port}"),
    get("our name as the beginning of another", "/", host="127.0.0.1.evil.example:{port}"),
    get("our address on another port", "/", host="127.0.0.1:1"),
    get("our address without the port", "/", host="127.0.0.1"),
    get("another address of this machine", "/", host="127.0.0.2:{port}"),
    get("no host", "/", host=None),
    get("two hosts", "/", more=("Host: evil.example",)),
    get("an absolute target for another host", "http://evil.example/", host="evil.example"),
    Attack("a write to a name that was pointed here", host="evil.example:{port}", origin="http://evil.example:{port}"),
    # What forms can send
    Attack("text/plain", kind="text/plain"),
    Attack("a form", kind="application/x-www-form-urlencoded", body="beside=1"),
    Attack("a form with files", kind="multipart/form-data; boundary=x", body="--x--"),
    Attack("no content type", kind=None),
    Attack("two content types", more=("Content-Type: text/plain",)),
    Attack("JSON in name alone", kind="text/plain; application/json"),
    # Other places
    get("up from the static files", "/static/../guard.py"),
    get("up, encoded", "/static/%2e%2e%2fguard.py"),
    get("up, encoded twice", "/static/%252e%252e%252fguard.py"),
    get("up by backslashes", "/static/..\\..\\guard.py"),
    get("an absolute path behind two slashes", "//etc/passwd"),
    get("a path where an id belongs", "/image/..%2f..%2fetc%2fpasswd"),
    get("a forged picture", "/image/" + "A" * 43),
    get("a picture of somebody else's", "{foreign}"),
    get("a NUL in the target", "/static/main.js%00.css"),
    get("the description of the interface", "/openapi.json"),
    # Other methods, protocols and sizes
    Attack("PUT", "PUT /api/next"),
    Attack("DELETE", "DELETE /api/verdict"),
    Attack("OPTIONS from another origin", "OPTIONS /api/next", origin="https://evil.example"),
    Attack("TRACE", "TRACE /"),
    Attack("another method in a header", "GET /api/next", more=("X-HTTP-Method-Override: POST",)),
    get("a WebSocket", "/", more=("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")),
    get("a WebSocket of another site", "/api/session", origin="https://evil.example", more=(
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")),
    Attack("more bytes than are read", length=str(MAX_BODY_BYTES + 1)),
    Attack("a length of many digits", length="9" * 30),
    Attack("a length below nothing", length="-1"),
    Attack("a body in pieces", more=("Transfer-Encoding: chunked",), length="", body=PIECES),
    Attack("no JSON", body="beside"),
    Attack("JSON that is no object", body="[1]"),
    Attack("nested a hundred thousand times", body="[" * 100_000),
    Attack("a key that nobody knows", body='{"beside":[],"admin":true}'),
    Attack("a place that is no number", body='{"beside":["1"]}'),
)  # fmt: skip


class Scene(NamedTuple):
    """A server, somebody who is in, and what an attacker may have come by."""

    port: int
    names: dict[str, str]
    client: Client
    store: object


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    with (
        audit(tmp_path_factory.mktemp("guarded"), [sheet_item(i) for i in range(4)]) as made,
        served(made) as origin,
    ):
        used = made.token("Ann")
        client, other = Client(origin, used), Client(origin, made.token("Bob"))
        mine, theirs = client.next(), other.next()
        assert mine
        assert theirs
        assert client.get(mine["image"]).status == 200
        host = origin.partition("://")[2]
        names = {
            "host": host, "port": host.rpartition(":")[2], "cookie": client.cookie, "used": used,
            "token": client.cookie.partition("=")[2], "cookie_short": client.cookie[:-1],
            "image": mine["image"], "foreign": theirs["image"],
        }  # fmt: skip
        yield Scene(int(names["port"]), names, client, made.store)


def test_there_are_more_than_sixty():
    assert len(ATTACKS) >= 60
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_is_refused(scene, attack):
    before = _books(scene)
    status, headers, body = _send(scene, attack)
    assert 400 <= status < 500
    if b"application/json" in headers:  # where the request could be read at all, the answer is ours
        assert b"content-security-policy: default-src 'none'" in headers
        assert b"access-control-allow" not in headers
        assert set(json.loads(body)) == {"error", "message"}
        assert scene.names["token"].encode() not in headers + body
    assert _books(scene) == before
    assert scene.client.get("/api/progress").status == 200  # it still works for whom it is meant


def test_the_books_balance_after_all_that(scene):
    assert troubles(scene.store) == []


@pytest.mark.parametrize(
    "attack",
    [
        Attack("as the page sends it"),
        Attack("under the other name", host="localhost:{port}", origin="http://localhost:{port}"),
        Attack("without an origin, from this site", origin=None, more=("Sec-Fetch-Site: same-origin",)),
        Attack("with an encoding named", kind="application/json; charset=utf-8"),
        get("the page", "/", cookie=None),
        get("the page, from a link elsewhere", "/", cookie=None, more=("Sec-Fetch-Site: cross-site",)),
        get("a script of the page", "/static/main.js", cookie=None),
    ],
    ids=lambda attack: attack.name,
)
def test_what_a_page_sends_is_answered(scene, attack):
    status, headers, _ = _send(scene, attack)
    assert status == 200
    for header in (
        b"content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        b"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        b"x-content-type-options: nosniff",
        b"referrer-policy: no-referrer",
        b"cross-origin-opener-policy: same-origin",
        b"cross-origin-resource-policy: same-origin",
        b"cache-control: no-store",
    ):
        assert header in headers
    assert b"\r\nserver:" not in headers


def test_the_cookie_is_for_this_page_alone(judged, origin):
    answer = Client(origin).post("/enter", {"token": judged.token("Ann")})
    cookie = answer.headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert cookie.startswith(f"recaption_audit_{origin.rpartition(':')[2]}=")


def test_own_origins():
    known = own_origins(81, ("audit.example", "https://tls.example", "other.example:9"), "192.168.0.7")
    assert known == {
        "http://127.0.0.1:81", "http://localhost:81", "http://[::1]:81", "http://192.168.0.7:81",
        "http://audit.example:81", "https://tls.example", "http://other.example:9",
    }  # fmt: skip
    assert "http://localhost" in own_origins(80)
    assert own_origins(81, host="0.0.0.0") == own_origins(81)
    assert "http://[fe80::1]:81" in own_origins(81, host="fe80::1")


def _books(scene):
    return dataclasses.replace(scene.store.progress(), frees_in_ms=None), len(list(scene.store.verdicts()))


def _send(scene, attack: Attack) -> tuple[int, bytes, bytes]:
    def filled(text: str) -> str:
        for name, value in scene.names.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    body = filled(attack.body)
    parts = [
        ("Host", attack.host),
        ("Origin", attack.origin),
        ("Content-Type", attack.kind),
        ("Cookie", attack.cookie),
    ]
    length = attack.length if attack.length is not None else str(len(body)) if body else ""
    lines = [
        f"{filled(attack.line)} HTTP/1.1",
        *(f"{name}: {filled(value)}" for name, value in parts if value is not None),
    ]
    lines += [filled(line) for line in attack.more]
    if length:
        lines.append(f"Content-Length: {length}")
    request = "\r\n".join([*lines, "Connection: close" if "Connection: Upgrade" not in attack.more else "X: y"])
    with socket.create_connection(("127.0.0.1", scene.port), timeout=20) as line:
        line.sendall(request.encode("latin-1") + b"\r\n\r\n" + body.encode("latin-1"))
        received = b""
        with contextlib.suppress(ConnectionResetError):  # of what is refused unread
            while chunk := line.recv(65536):
                received += chunk
    head, _, content = received.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), head.lower(), content
