"""The audit page in a real browser, by keyboard alone, and what lands in the store."""

from __future__ import annotations

import re

import pytest

from tests.unit.audit.web.browsers import link, ready, said, settled
from tests.unit.audit.web.pages import audit, served, sheet, sheet_item


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
def test_a_key_held_down_says_one_thing(judged, origin, opened):
    page = opened(link(judged, origin))
    ready(page, 0)
    for _ in range(30):
        page.keyboard.down("a")
    page.keyboard.up("a")
    ready(page, 1)
    settled(page)
    assert len(said(judged)) == 1


@pytest.mark.slow
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
