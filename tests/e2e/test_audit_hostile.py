"""Data that is made to run scripts: what an item, a person or a guideline holds is text on the page, and stays so."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from recaption.audit.sheets import Sheet
from recaption.audit.types import Assignment, AuditItem, Lease
from recaption.audit.web.showing import Showing
from recaption.core.types import Box, Evidence, Image
from tests.unit.audit.web.browsers import ready
from tests.unit.audit.web.pages import Client, audit, caption, served, sheet_item
from tests.unit.audit.web.payloads import payloads

FEW, MANY = 15, 500

RENDER = """async (items) => {
  const { Judge } = await import("/static/judge.js");
  const { Compare } = await import("/static/compare.js");
  const { Boxes } = await import("/static/boxes.js");
  const dialogs = await import("/static/dialogs.js");
  const side = document.getElementById("side");
  const nothing = () => {};
  const doing = { reasons: ["invented"], say: nothing, drafted: nothing, pressed: nothing };
  const viewer = { size: [100, 100], scale: 1, x: 0, y: 0 };
  const layer = document.getElementById("boxes");
  const missing = [];
  const seen = (where, text, mark) => { if (!text.includes(mark)) missing.push(`${where} ${mark}`); };
  for (const item of items) {
    const mark = /n\\d+n/.exec(item.captions[0].text)[0];
    const payload = item.captions[0].text;
    const judge = new Judge(side, doing);
    judge.show(item);
    seen("caption", side.textContent, mark);
    Object.assign(judge, { open: { others: true, details: true }, diffed: true });
    judge.draw();
    const told = side.textContent.split(mark).length - 1;
    if (told < 12) missing.push(`only ${told} of ${mark}`);
    judge.do("facts");
    seen("facts", side.textContent, mark);
    judge.facts = null;
    judge.do("reject");
    judge.why.write();
    judge.do("edit");
    seen("editor", side.querySelector("textarea").value, mark);
    new Boxes(layer, viewer).show(item.evidence, item.size);
    seen("label", layer.textContent, mark);
    new Compare(side, doing).show(item);
    seen("card", side.textContent, mark);
    const word = { action: "edit", text: payload, reason: payload, preferred: payload, auditor: payload, mine: true };
    dialogs.conflict({ item: 0, body: word }, { status: 409, body: { message: payload, theirs: word } },
      { insist: nothing, reopen: nothing, closed: nothing, shown: nothing });
    const dialog = document.querySelector("dialog[open]");
    if (dialog.textContent.split(mark).length - 1 < 5) missing.push(`words of ${mark}`);
    dialog.close();
    dialogs.guideline(payload, "judge");
    seen("guideline", document.querySelector("dialog[open]").textContent, mark);
    document.querySelector("dialog[open]").close();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await new Promise((resolve) => setTimeout(resolve, 400));
  const foreign = "script, iframe, object, svg, math, video, form, style, link, base, meta, template";
  return { missing, ran: window.__ran ?? 0, markup: document.body.querySelectorAll(foreign).length };
}"""


class Canary(http.server.BaseHTTPRequestHandler):
    """Remembers whoever comes by."""

    hits: list[str] = []  # noqa: RUF012 - one list for all requests is what it is for

    def do_GET(self) -> None:
        self.hits.append(self.path)
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b"there is nothing here")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def canary() -> Iterator[str]:
    Canary.hits.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"//127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def hostile_item(number: int, attack: str) -> AuditItem:
    """Return an item with one attack in every field that has room for it."""
    captions = (
        caption(
            "s",
            attack,
            writer=attack,
            origin=attack,
            aspect=attack,
            flags={attack: attack},
            scores={attack: 0.5},
        ),
        caption("o", f"{attack} original", "original", writer=attack),
        *(caption(f"c{i}", f"{attack} {i}", "candidate", writer=attack) for i in range(2)),
    )
    evidence = (
        Evidence(kind="object", label=attack, source=attack, box=Box(1, 1, 50, 50), score=0.5),
        Evidence(kind="tag", label=attack, source=attack),
    )
    shown = Sheet(captions=captions, evidence=evidence, size=(100, 100), why=attack)
    return sheet_item(number, shown, key=f"{number}/{attack}.jpg")


def watched(browser: Any, origin: str) -> tuple[Any, list[str], list[str]]:
    """Return a page, what it fetches from elsewhere, and its dialogs."""
    context = browser.new_context()
    page = context.new_page()
    outside: list[str] = []
    dialogs: list[str] = []

    def dismiss(dialog: Any) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    context.on(
        "request",
        lambda r: None if r.url.startswith((f"{origin}/", f"blob:{origin}")) else outside.append(r.url),
    )
    page.on("dialog", dismiss)
    return page, outside, dialogs


@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_nothing_runs_nothing_opens_nothing_is_fetched(browser, tmp_path, canary, count):
    items = [hostile_item(i, attack) for i, attack in enumerate(payloads(count, canary))]
    guideline = "\n\n".join(payloads(count, canary))[:50_000]
    with audit(tmp_path, items, guideline=guideline) as made, served(made) as origin:
        page, outside, dialogs = watched(browser, origin)
        page.goto(f"{origin}/#token={made.token('<img src=x onerror=alert(1)>')}")
        ready(page)
        for key in ("i", "o", "d", "b", "f", "g"):  # the first one by way of the page itself
            page.keyboard.press(key)
        assert "n0n" in page.locator("dialog").inner_text()
        for key in ("Escape", "Escape", "a"):
            page.keyboard.press(key)
        ready(page, 1)
        showing = Showing(about=made.about, auditor=1, token="token")
        leases = (Assignment(Lease(fence=i, item=i, left_ms=1), item) for i, item in enumerate(items))
        found = page.evaluate(RENDER, [showing.item_json(assignment) for assignment in leases])
        assert found["missing"] == []
        assert found["ran"] == 0
        assert found["markup"] == 0
        assert (dialogs, outside, Canary.hits) == ([], [], [])
        page.context.close()


@pytest.mark.slow
def test_the_attacks_would_work_where_text_is_taken_for_markup(browser, canary):
    """Without this, the test above could pass with attacks that are none."""
    page, _, dialogs = watched(browser, "")
    page.goto(f"http:{canary}")  # a page without a policy
    attacks = list(payloads(MANY, canary))
    assert len(set(attacks)) == MANY
    ran = page.evaluate(
        """async (attacks) => {
          for (const attack of attacks) {
            const place = document.createElement("div");
            document.body.append(place);
            place.innerHTML = attack;
            for (const dead of place.querySelectorAll("script")) {
              const alive = document.createElement("script");
              alive.textContent = dead.textContent;
              dead.replaceWith(alive);
            }
            await new Promise((resolve) => setTimeout(resolve, 5));
            place.remove();
          }
          await new Promise((resolve) => setTimeout(resolve, 500));
          return window.__ran;
        }""",
        [attack for attack in attacks if "<meta" not in attack.lower()],
    )
    assert ran > MANY / 10
    assert len(dialogs) > 10
    assert len([path for path in Canary.hits if path.strip("/").isdigit()]) > 30
    page.context.close()


@pytest.mark.slow
def test_names_reasons_and_places_from_end_to_end(browser, tmp_path, canary):
    attack = next(
        a for a in payloads(MANY, canary) if "<img src=x onerror=" in a and len(a) <= 64 and a.isprintable()
    )
    lost = Image(path=f"/nowhere/{attack}.jpg")
    shown = Sheet(captions=(caption("s", attack),), image=lost)
    with audit(tmp_path, [sheet_item(0, shown, key=attack)]) as made, served(made) as origin:
        page, outside, dialogs = watched(browser, origin)
        page.goto(f"{origin}/#token={made.token(attack)}")
        ready(page)
        assert "n" in page.locator("#note .why").inner_text()
        cookie = next(c for c in page.context.cookies() if c["name"].startswith("recaption_audit_"))
        other = Client(origin)
        other.cookie = f"{cookie['name']}={cookie['value']}"
        body = {"request": "x", "item": 0, "fence": other.next()["fence"], "action": "reject", "reason": attack}
        assert other.post("/api/verdict", body).status == 200
        page.keyboard.press("e")
        page.keyboard.type(attack)
        page.keyboard.press("Control+Enter")
        page.locator("dialog[open]").wait_for()
        text = page.locator("dialog[open]").inner_text()
        assert text.count(attack) >= 2  # their reason and who said it, and the own words
        assert page.evaluate("window.__ran ?? 0") == 0
        assert (dialogs, outside, Canary.hits) == ([], [], [])
        page.context.close()


@pytest.mark.slow
def test_the_policy_holds_where_the_page_would_not(browser, tmp_path, canary):
    """A script, a style and a frame that somebody got into the page are refused by its policy."""
    with audit(tmp_path, [sheet_item(0)]) as made, served(made) as origin:
        page, _, dialogs = watched(browser, origin)
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto(f"{origin}/#token={made.token('Ann')}")
        ready(page)
        page.evaluate(
            """(out) => {
              document.body.insertAdjacentHTML("beforeend", `<img src=x onerror='window.__ran=1'>
                <iframe src='http:${out}frame'></iframe><img src='http:${out}image'>
                <p id=styled style='color: rgb(1, 2, 3)'>x</p>`);
              const script = document.createElement("script");
              script.textContent = "window.__ran = 2";
              document.body.append(script);
              fetch(`http:${out}fetch`).catch(() => {});
            }""",
            canary,
        )
        page.wait_for_timeout(300)
        assert page.evaluate("window.__ran ?? 0") == 0
        assert page.locator("#styled").evaluate("e => getComputedStyle(e).color") != "rgb(1, 2, 3)"
        assert len([text for text in refused if "Content Security Policy" in text]) >= 5
        assert (dialogs, Canary.hits) == ([], [])
        page.context.close()
