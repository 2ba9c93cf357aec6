"""How the audit page looks and reads: zoom, blur, colours, languages, fingers, screen readers, odd data."""

from __future__ import annotations

import re

import pytest

from recaption.core.types import Image
from tests.unit.audit.web.browsers import NO_SERVER, PHONE, TABLET, link, ready, said, settled
from tests.unit.audit.web.pages import audit, caption, photo, served, sheet, sheet_item


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


@pytest.mark.slow
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
    page.keyboard.press("t")  # as the system has it
    assert page.evaluate(ground) == "rgb(21, 22, 25)"
    assert page.locator("#toast").evaluate("e => getComputedStyle(e).transitionDuration") == "0s"


@pytest.mark.slow
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


@pytest.mark.slow
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
