"""The audit page in a real browser, by keyboard alone, and what lands in the store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from recaption.core.types import Image
from tests.servers.audit_stores import age, troubles
from tests.unit.audit.web.browsers import PHONE, TABLET, launched, opener, ready
from tests.unit.audit.web.pages import Audit, Client, audit, caption, photo, served, sheet, sheet_item

NO_SERVER = ("Failed to load resource", "net::ERR")
"""What the browser says on its own when a server is away, or says no."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def opened(browser):
    with opener(browser) as open_page:
        yield open_page


@pytest.fixture
def judged(tmp_path) -> Iterator[Audit]:
    with audit(tmp_path, [sheet_item(i) for i in range(6)], seed=4) as made:
        yield made
        assert troubles(made.store) == []


@pytest.fixture
def origin(judged):
    with served(judged) as address:
        yield address


def said(made: Audit) -> list[tuple[Any, ...]]:
    """Return what stands, as (item, action, text or reason, facts)."""
    return [
        (v.item, v.draft.action, v.draft.text or v.draft.reason, v.draft.facts)
        for v in made.store.verdicts(standing_only=True)
    ]


def settled(page) -> None:
    """Wait until everything said is on the server's disk."""
    page.locator("body").evaluate(SETTLED)


SETTLED = """async () => {
  const left = () => Object.keys(sessionStorage).filter((key) => key.endsWith(".outbox"))
    .some((key) => JSON.parse(sessionStorage.getItem(key)).length);
  for (let i = 0; left() && i < 400; i += 1) await new Promise((resolve) => setTimeout(resolve, 25));
  if (left()) throw new Error("the outbox is not empty");
}"""


def link(made: Audit, origin: str, name: str = "Ann", more: str = "") -> str:
    return f"{origin}/{more}#token={made.token(name)}"


def test_a_day_by_keyboard(judged, origin, opened):
    page = opened(link(judged, origin))
    press = page.keyboard.press
    ready(page, 0)
    assert page.evaluate("location.hash") == ""
    assert "A red square and a yellow disc." in page.locator(".caption").inner_text()

    press("d")  # differences from the original
    assert page.locator(".caption ins").count() > 0
    assert "IMG" in page.locator(".caption del").first.inner_text()
    press("d")
    assert page.locator(".caption ins").count() == 0

    press("b")  # boxes
    box = page.locator(".box", has_text="square").bounding_box()
    picture = page.locator("#image").bounding_box()
    assert box["x"] == pytest.approx(picture["x"], abs=2)
    assert box["width"] == pytest.approx(picture["width"] / 2, rel=0.02)
    press("z")
    closer = page.locator("#image").bounding_box()
    assert closer["width"] > 1.5 * picture["width"]
    zoomed = page.locator(".box", has_text="square").bounding_box()
    assert zoomed["width"] == pytest.approx(closer["width"] / 2, rel=0.02)
    press("ArrowRight")
    assert page.locator("#image").bounding_box()["x"] < closer["x"]
    press("z")
    assert page.locator("#image").bounding_box()["width"] == pytest.approx(picture["width"], rel=0.01)
    press("b")

    press("i")
    assert "clip_score" in page.locator(".details").inner_text()
    assert "writer@1" in page.locator(".details").inner_text()
    press("i")

    press("a")  # accept
    ready(page, 1)
    press("e")  # edit
    page.keyboard.type(" It is dark.")
    assert "It is dark." in page.locator(".marks .caption ins").inner_text()
    press("Control+Enter")
    ready(page, 2)
    press("r")  # reject with a reason
    press("2")
    ready(page, 3)
    press("s")  # skip
    ready(page, 4)
    settled(page)
    assert said(judged) == [
        (0, "accept", None, ()),
        (1, "edit", "A red square and a yellow disc. They lie on ground 1. It is dark.", ()),
        (2, "reject", "wrong detail", ()),
    ]
    assert judged.store.progress(1).mine_skipped == 1

    press("u")  # take the skip back
    ready(page, 3)
    press("f")  # check the facts
    press("y")
    press("a")  # one is left: nothing is given yet
    assert "1 to go" in page.locator(".facts").inner_text()
    press("?")
    press("a")
    ready(page, 4)
    press("u")  # and the verdict too: what was checked is still there
    ready(page, 3)
    assert page.locator(".fact[data-answer=unsure]").count() == 1
    press("r")
    press("0")
    page.keyboard.type("the ground is no ground")
    press("Enter")
    ready(page, 4)
    press("o")  # the other texts; the second becomes the draft
    press("2")
    assert page.locator("textarea").input_value() == "A disc beside a square, number 4."
    press("Control+Enter")
    ready(page, 5)
    settled(page)
    assert said(judged)[3:] == [
        (3, "reject", "the ground is no ground", ("supported", "unsure")),
        (4, "edit", "A disc beside a square, number 4.", ()),
    ]
    press("a")
    page.get_by_text("All 6 items have been judged.").wait_for()
    settled(page)
    last = list(judged.store.verdicts())[-1]
    assert 0 < last.draft.took_ms < 60_000
    assert last.draft.shown == sheet(5).version
    assert last.draft.guideline == judged.about.guideline_version


@pytest.mark.slow
def test_words_are_kept_when_editing_is_left(judged, origin, opened):
    page = opened(link(judged, origin))
    ready(page, 0)
    page.keyboard.press("e")
    page.keyboard.type(" More.")
    page.keyboard.press("Escape")
    assert page.locator("textarea").count() == 0
    page.keyboard.press("e")
    assert page.locator("textarea").input_value().endswith(" More.")
    page.reload()  # and over a reload
    ready(page, 0)
    assert page.locator("textarea").input_value().endswith(" More.")
    page.keyboard.press("Control+a")
    page.keyboard.press("Backspace")
    page.keyboard.press("Control+Enter")
    assert "cannot be empty" in page.locator("#toast").inner_text()
    page.keyboard.type("A red square and a yellow disc. They lie on ground 0.")
    page.keyboard.press("Control+Enter")
    ready(page, 1)
    settled(page)
    assert said(judged) == [(0, "accept", None, ())]  # what was not changed is no edit


@pytest.mark.slow
def test_a_key_held_down_says_one_thing(judged, origin, opened):
    page = opened(link(judged, origin))
    ready(page, 0)
    for _ in range(30):
        page.keyboard.down("a")
    page.keyboard.up("a")
    ready(page, 1)
    settled(page)
    assert len(said(judged)) == 1


def test_comparing_blind(tmp_path, opened):
    with (
        audit(tmp_path, [sheet_item(i) for i in range(3)], task="compare", seed=4) as made,
        served(made) as origin,
    ):
        page = opened(link(made, origin))
        ready(page, 0)
        assert page.locator(".card").count() == 2
        wanted = 1 + page.locator(".card").all_inner_texts().index(
            next(text for text in page.locator(".card").all_inner_texts() if "IMG" in text)
        )
        assert not re.search("subject0000|original|model", page.locator("main").inner_html())
        page.keyboard.press("3")  # there is no third
        page.keyboard.press(str(wanted))
        ready(page, 1)
        page.keyboard.press("r")
        page.keyboard.press("1")
        ready(page, 2)
        page.locator(".card").first.click()
        page.locator("[data-screen=done]").wait_for()
        settled(page)
        drafts = [v.draft for v in made.store.verdicts(standing_only=True)]
        assert [d.action for d in drafts] == ["prefer", "reject", "prefer"]
        assert drafts[0].preferred == "original0000"
        assert drafts[1].reason == "invented"
        assert drafts[2].preferred in {"subject00000", "original0000"}


@pytest.mark.slow
def test_the_next_one_is_at_hand(judged, origin, opened):
    page = opened(link(judged, origin))
    ready(page, 0)
    page.wait_for_timeout(300)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.route("**/api/**", lambda route: None)  # the server says nothing any more
    page.keyboard.press("a")
    ready(page, 1)
    assert "ground 1" in page.locator(".caption").inner_text()
    assert page.locator("#image").evaluate("image => image.naturalWidth") == 320
    assert not [url for url in asked if "/image/" in url]
    page.unroute_all(behavior="ignoreErrors")


def test_a_server_that_goes_and_comes_back(judged, opened):
    with served(judged) as origin:
        page = opened(link(judged, origin), expected=NO_SERVER)
        ready(page, 0)
        page.wait_for_timeout(300)
    page.keyboard.press("e")
    page.keyboard.type(" Kept.")
    page.keyboard.press("Control+Enter")
    ready(page, 1)  # it was at hand
    page.keyboard.press("r")
    page.keyboard.press("3")
    page.get_by_text("is kept here").wait_for()
    page.get_by_text("Waiting for the server").wait_for()  # what was judged does not stay on screen
    assert said(judged) == []
    with served(judged, port=int(origin.rpartition(":")[2])):
        ready(page, 2)
        page.locator("#banner").wait_for(state="hidden")
        settled(page)
        assert said(judged) == [
            (0, "edit", "A red square and a yellow disc. They lie on ground 0. Kept.", ()),
            (1, "reject", "misses the main thing", ()),
        ]
        page.keyboard.press("a")  # and on it goes, by the same session
        ready(page, 3)


@pytest.mark.slow
def test_a_reload_while_the_server_is_away_loses_nothing(judged, opened):
    with served(judged) as origin:
        page = opened(link(judged, origin), expected=NO_SERVER)
        ready(page, 0)
    page.keyboard.press("a")
    page.get_by_text("is kept here").wait_for()
    with served(judged, port=int(origin.rpartition(":")[2])):
        page.reload()
        ready(page, 1)
        settled(page)
        assert said(judged) == [(0, "accept", None, ())]


@pytest.mark.slow
def test_a_word_that_arrives_twice_counts_once(judged, origin, opened):
    page = opened(link(judged, origin), expected=NO_SERVER)
    ready(page, 0)
    lost = []

    def lose_the_answer(route):
        route.fetch()
        lost.append(route.request.url)
        route.abort()

    page.route("**/api/verdict", lose_the_answer, times=1)
    page.keyboard.press("a")
    ready(page, 1)
    settled(page)
    assert len(lost) == 1
    assert len(list(judged.store.verdicts())) == 1


@pytest.mark.slow
def test_two_windows_show_two_items(judged, origin, opened):
    first = opened(link(judged, origin))
    ready(first, 0)
    first.wait_for_timeout(200)
    second = opened(f"{origin}/", context=first.context)
    second.wait_for_selector("body[data-ready]")
    assert second.locator("body").get_attribute("data-item") == "2"  # 1 is at hand in the first
    second.keyboard.press("a")
    first.keyboard.press("a")
    ready(first, 1)
    settled(first)
    settled(second)
    assert {item for item, *_ in said(judged)} == {0, 2}


def test_a_second_word_on_an_item_is_shown_beside_the_first(judged, origin, opened):
    page = opened(link(judged, origin), expected=NO_SERVER)
    ready(page, 0)
    cookie = next(c for c in page.context.cookies() if c["name"].startswith("recaption_audit_"))
    other = Client(origin)
    other.cookie = f"{cookie['name']}={cookie['value']}"
    item = other.next()
    body = {"request": "x", "item": 0, "fence": item["fence"], "action": "edit", "text": "From elsewhere."}
    assert other.post("/api/verdict", body).status == 200
    page.keyboard.press("e")
    page.keyboard.type(" From here.")
    page.keyboard.press("Control+Enter")
    dialog = page.locator("dialog[open]")
    dialog.wait_for()
    assert "From elsewhere." in dialog.inner_text()
    assert "From here." in dialog.inner_text()
    page.reload()  # the words are not lost with the page
    page.locator("dialog[open]").wait_for()
    page.locator("dialog [data-do=insist]").click()
    page.locator("dialog").wait_for(state="detached")
    settled(page)
    assert said(judged) == [(0, "edit", "A red square and a yellow disc. They lie on ground 0. From here.", ())]


@pytest.mark.slow
def test_an_item_that_was_given_to_others(judged, origin, opened):
    page = opened(link(judged, origin), expected=NO_SERVER)
    ready(page, 0)
    page.wait_for_timeout(300)
    age(judged.store, 601)
    bob = Client(origin, judged.token("Bob"))
    item = bob.next()
    assert item["item"] == 0
    body = {"request": "b", "item": 0, "fence": item["fence"], "action": "accept"}
    assert bob.post("/api/verdict", body).status == 200
    page.keyboard.press("e")
    page.keyboard.type(" Late.")
    page.keyboard.press("Control+Enter")
    dialog = page.locator("dialog[open]")
    dialog.wait_for()
    assert "Bob" in dialog.inner_text()
    assert "Late." in dialog.inner_text()
    page.keyboard.press("Escape")
    ready(page)
    assert said(judged) == [(0, "accept", None, ())]


@pytest.mark.slow
def test_without_a_link_there_is_nothing_to_see(judged, origin, opened):
    page = opened(f"{origin}/", expected=NO_SERVER)
    page.get_by_text("Open your link").wait_for()
    used = link(judged, origin)
    ready(opened(used), 0)
    late = opened(used, expected=NO_SERVER)
    late.get_by_text("has been used before").wait_for()


@pytest.mark.slow
def test_a_bad_picture_says_why_and_can_be_judged(tmp_path, opened):
    bad = sheet(0, image=Image(data=photo()[:600]))
    none = sheet(1, image=None)
    with audit(tmp_path, [sheet_item(0, bad), sheet_item(1, none)]) as made, served(made) as origin:
        page = opened(link(made, origin), expected=NO_SERVER)
        ready(page, 0)
        assert "cannot be decoded" in page.locator("#note").inner_text()
        page.keyboard.press("r")
        page.keyboard.press("8")
        ready(page, 1)
        assert "no picture" in page.locator("#note").inner_text()
        page.keyboard.press("a")
        page.locator("[data-screen=done]").wait_for()
        settled(page)
        assert said(made) == [(0, "reject", "unusable picture", ()), (1, "accept", None, ())]


@pytest.mark.slow
def test_what_was_skipped_comes_back_when_asked_for(judged, origin, opened):
    page = opened(link(judged, origin))
    for item in range(6):
        ready(page, item)
        page.keyboard.press("s" if item in {1, 4} else "a")
    page.get_by_text("You skipped 2.").wait_for()
    page.get_by_text("Go through what I skipped").click()
    ready(page, 1)
    page.keyboard.press("a")
    ready(page, 4)
    page.keyboard.press("s")
    page.get_by_text("You skipped 1.").wait_for()
    settled(page)
    assert len(said(judged)) == 5


@pytest.mark.slow
def test_pixels_are_pixels(tmp_path, opened):
    large = sheet(0, image=Image(data=photo((3000, 2000))), size=(3000, 2000))
    with audit(tmp_path, [sheet_item(0, large)]) as made, served(made) as origin:
        page = opened(link(made, origin))
        ready(page, 0)
        image = page.locator("#image")
        assert image.evaluate("image => image.naturalWidth") == 2048
        with page.expect_response("**/full"):
            page.keyboard.press("z")
        assert image.bounding_box()["width"] == pytest.approx(3000, abs=1)
        page.locator("#image").evaluate("async image => { while (image.naturalWidth < 3000) "
                                        "await new Promise(r => setTimeout(r, 20)) }")  # fmt: skip
        before = image.bounding_box()
        page.mouse.move(300, 300)
        page.mouse.down()
        page.mouse.move(250, 260)
        page.mouse.up()
        after = image.bounding_box()
        assert (after["x"] - before["x"], after["y"] - before["y"]) == (-50, -40)
        page.mouse.wheel(0, -200)
        assert image.bounding_box()["width"] > 3100
        page.keyboard.press("z")
        assert image.bounding_box()["width"] < 1280


@pytest.mark.slow
def test_blurred_until_pressed(judged, origin, opened):
    page = opened(link(judged, origin))
    ready(page, 0)
    page.keyboard.press("n")
    assert "blur" in page.locator("#image").evaluate("image => getComputedStyle(image).filter")
    page.locator("#veil").click()
    assert page.locator("#image").evaluate("image => getComputedStyle(image).filter") == "none"
    page.keyboard.press("a")
    ready(page, 1)
    assert page.locator("#veil").is_visible()
    page.keyboard.press("Space")
    assert not page.locator("#veil").is_visible()
    page.reload()  # it is remembered
    ready(page, 1)
    assert page.locator("#veil").is_visible()


def test_the_chinese_page(judged, origin, opened):
    page = opened(link(judged, origin), locale="zh-CN")
    ready(page, 0)
    assert page.evaluate("document.documentElement.lang") == "zh"
    for word in ("通过", "修改", "拒绝", "跳过", "撤销", "逐句核对"):
        assert page.get_by_text(word, exact=True).count() == 1
    page.keyboard.press("?")
    assert "撤销" in page.locator("dialog").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.keyboard.type("好")
    page.locator("#language").click()  # to English; what was written stays
    ready(page, 0)
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("textarea").input_value().endswith("好")
    page.goto(f"{origin}/")
    ready(page, 0)
    assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.slow
def test_light_and_dark(judged, origin, opened):
    page = opened(link(judged, origin), color_scheme="light")
    ready(page, 0)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(251, 250, 248)"
    page.keyboard.press("t")
    assert page.evaluate(ground) == "rgb(21, 22, 25)"
    page.reload()
    assert page.evaluate(ground) == "rgb(21, 22, 25)"
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.keyboard.press("t")
    assert page.evaluate(ground) == "rgb(251, 250, 248)"
    assert page.locator("#toast").evaluate("e => getComputedStyle(e).transitionDuration") == "0s"


@pytest.mark.parametrize(
    "size", [pytest.param(PHONE, id="phone"), pytest.param(TABLET, id="tablet", marks=pytest.mark.slow)]
)
def test_by_finger(judged, origin, opened, size):
    page = opened(link(judged, origin), viewport=size, has_touch=True, is_mobile=True, device_scale_factor=2)
    ready(page, 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    small = page.evaluate(
        "[...document.querySelectorAll('button, a')].filter(e => e.offsetParent && !e.closest('.jump'))"
        ".map(e => [e.textContent, e.getBoundingClientRect()]).filter(([, r]) => r.height < 44 || r.width < 44)"
        ".map(([text]) => text)"
    )
    assert [text for text in small if text.strip() != "Skip to the caption"] == []
    page.locator("[data-do=reject]").tap()
    page.locator("[data-do=reason-2]").tap()
    ready(page, 1)
    page.locator("[data-do=edit]").tap()
    page.keyboard.type(" By thumb.")
    page.locator("[data-do=save]").tap()
    ready(page, 2)
    page.locator("[data-do=facts]").tap()
    page.locator(".fact.here [data-do=fact-supported]").tap()
    page.locator(".fact.here [data-do=fact-wrong]").tap()
    page.locator("[data-do=accept]").tap()
    ready(page, 3)
    settled(page)
    assert [row[1] for row in said(judged)] == ["reject", "edit", "accept"]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_a_screen_reader_finds_its_way(judged, origin, opened):
    page = opened(link(judged, origin))
    ready(page, 0)
    for role in ("main", "banner", "contentinfo", "progressbar"):
        assert page.get_by_role(role).count() == 1
    for name in ("Accept", "Edit", "Reject", "Skip", "Undo"):
        assert page.get_by_role("button", name=re.compile(f"^{name}")).count() == 1
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, a, textarea, input')].filter(e => e.offsetParent)"
        ".filter(e => !(e.getAttribute('aria-label') || e.textContent.trim())).length"
    )
    assert nameless == 0
    assert "A red square" in page.locator("#announcer").inner_text()
    assert page.locator("#image").get_attribute("alt") == "Picture photos/0000.jpg"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the caption"
    seen = []
    for _ in range(18):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("[document.activeElement.dataset.do ?? document.activeElement.id, "
                                  "getComputedStyle(document.activeElement).outlineStyle]"))  # fmt: skip
    assert {"accept", "reject", "canvas", "language"} <= {name for name, _ in seen}
    assert all(outline == "solid" for _, outline in seen)
    page.keyboard.press("g")
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("g")
    page.locator("dialog").wait_for(state="detached")


@pytest.mark.slow
def test_time_in_a_hidden_window_does_not_count(judged, origin, opened):
    page = opened(link(judged, origin))
    ready(page, 0)
    page.evaluate(HIDE, True)
    page.wait_for_timeout(900)
    page.evaluate(HIDE, False)
    page.keyboard.press("a")
    ready(page, 1)
    settled(page)
    spent = next(iter(judged.store.verdicts())).draft.took_ms
    assert spent < page.evaluate("performance.now()") - 850


HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.mark.slow
def test_a_lease_is_renewed_while_somebody_is_there(tmp_path, opened):
    with audit(tmp_path, [sheet_item(i) for i in range(3)], lease_s=3) as made, served(made) as origin:
        page = opened(link(made, origin))
        ready(page, 0)
        with page.expect_response("**/api/renew") as renewed:
            page.keyboard.press("d")
        assert renewed.value.status == 200


@pytest.mark.slow
def test_differences_add_up(judged, origin, opened):
    """Without what is new a comparison is the one text, without what is gone the other, whatever they are."""
    page = opened(link(judged, origin))
    ready(page, 0)
    wrong = page.evaluate("""async () => {
      const { diff } = await import("/static/diff.js");
      const words = ["a", "b", "dog", "dogs", "红", "车", " ", "\\n", ",", "\\ud800", "👩‍👧", "it's", "<b>"];
      let state = 7;
      const any = (n) => { state = (state * 1103515245 + 12345) % 2147483648; return Math.floor(state / 65536) % n; };
      const text = () => Array.from({ length: any(24) }, () => words[any(words.length)]).join(any(2) ? " " : "");
      const side = (parts, kind) => parts.filter((part) => part.kind !== kind).map((part) => part.text).join("");
      const wrong = [];
      for (let i = 0; i < 5000; i += 1) {
        const [a, b] = [text(), text()];
        const parts = diff(a, b);
        if (side(parts, "new") !== a || side(parts, "gone") !== b) wrong.push([a, b]);
      }
      const long = "w ".repeat(50000);
      if (diff(long, `${long}x`) !== null) wrong.push("too long, and compared");
      return wrong;
    }""")
    assert wrong == []


@pytest.mark.slow
def test_what_cannot_be_seen_is_shown(tmp_path, opened):
    odd = "left\u202eright, zero\u200bwidth, nul\x00, family 👩‍👧, half \ud800."
    with (
        audit(tmp_path, [sheet_item(0, sheet(0, captions=(caption("s", odd),)))]) as made,
        served(made) as origin,
    ):
        page = opened(link(made, origin))
        ready(page, 0)
        assert page.locator(".hidden-character").all_inner_texts() == ["U+202E", "U+200B", "U+0000"]
        assert "👩‍👧" in page.locator(".caption").inner_text()
        page.keyboard.press("e")
        page.keyboard.press("Control+Enter")  # not touched: accepted as it stands, odd characters and all
        page.locator("[data-screen=done]").wait_for()
        settled(page)
        assert said(made) == [(0, "accept", None, ())]
