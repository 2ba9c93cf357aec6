"""Slips of the hand, and links that end: nothing typed is lost, nothing unseen judged, nothing sent as another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.audit.web.browsers import NO_SERVER, link, ready, said, settled
from tests.unit.audit.web.pages import audit, served, sheet_item

TEXT = "A red square and a yellow disc. They lie on ground {}."
SAVED = "Everything is saved"
PATIENCE_MS = 30_000


def click(page: Any, selector: str, count: int) -> None:
    """Press where something stands, as the first, second, … half of one double click."""
    box = page.locator(selector).first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down(click_count=count)
    page.mouse.up(click_count=count)


def by(made: Any) -> list[tuple[str, int, str]]:
    """Return what stands, as (auditor, item, action)."""
    return [(v.auditor, v.item, v.draft.action) for v in made.store.verdicts(standing_only=True)]


def until(page: Any, condition: Callable[[], bool]) -> None:
    """Let the page go on until something holds here."""
    for _ in range(PATIENCE_MS // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["click", "key"])
def test_to_accept_while_editing_saves_what_was_written(judged, origin, opened, way):
    page = opened(link(judged, origin))
    ready(page, 0)
    page.keyboard.press("e")
    page.keyboard.type(" By hand.")
    if way == "click":
        page.locator("footer [data-do=accept]").click()
    else:  # the field has lost the focus, so that letters are keys again
        page.locator("#canvas").click()
        page.keyboard.press("a")
    ready(page, 1)
    settled(page)
    assert said(judged) == [(0, "edit", TEXT.format(0) + " By hand.", ())]
    page.keyboard.press("u")
    ready(page, 0)
    assert page.locator("textarea").input_value() == TEXT.format(0) + " By hand."
    page.locator("textarea").fill("")
    page.locator("footer [data-do=accept]").click()
    assert "cannot be empty" in page.locator("#toast").inner_text()
    assert page.locator("textarea").count() == 1


@pytest.mark.slow
def test_what_was_written_outlives_a_skip_and_a_rejection(judged, origin, opened):
    page = opened(link(judged, origin))
    ready(page, 0)
    page.keyboard.press("e")
    page.keyboard.type(" For later.")
    page.locator("footer [data-do=skip]").click()
    ready(page, 1)
    page.keyboard.press("u")
    ready(page, 0)
    assert page.locator("textarea").input_value().endswith(" For later.")
    page.locator("footer [data-do=reject]").click()
    page.locator("[data-do=reason-1]").click()
    ready(page, 1)
    page.keyboard.press("u")
    ready(page, 0)
    page.keyboard.press("e")
    assert page.locator("textarea").input_value().endswith(" For later.")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("selector", "opens"),
    [
        ("footer [data-do=accept]", ""),
        ("footer [data-do=skip]", ""),
        ("[data-do=reason-0]", "r"),
        ("[data-do=save]", "e"),
    ],
)
def test_a_double_click_judges_one_item(judged, origin, opened, selector, opens):
    page = opened(link(judged, origin))
    ready(page, 0)
    for item, count in ((0, 1), (1, 2)):
        ready(page, item)
        if opens:
            page.keyboard.press(opens)
        click(page, selector, count)
    assert page.locator("body").get_attribute("data-item") == "1"
    settled(page)
    assert len(list(judged.store.verdicts())) == 1
    click(page, selector, 1)
    ready(page, 2)


@pytest.mark.slow
def test_a_double_click_prefers_once(tmp_path, opened):
    items = [sheet_item(i) for i in range(3)]
    with audit(tmp_path, items, task="compare", seed=4) as made, served(made) as origin:
        page = opened(link(made, origin))
        ready(page, 0)
        click(page, ".card", 1)
        ready(page, 1)
        click(page, ".card", 2)
        settled(page)
        assert [item for item, *_ in said(made)] == [0]
        click(page, ".card", 1)
        ready(page, 2)


@pytest.mark.slow
def test_a_double_click_takes_back_one_word(judged, origin, opened):
    page = opened(link(judged, origin))
    for item in range(2):
        ready(page, item)
        page.keyboard.press("a")
    ready(page, 2)
    settled(page)
    click(page, "footer [data-do=undo]", 1)
    ready(page, 1)
    click(page, "footer [data-do=undo]", 2)
    settled(page)
    assert [item for item, *_ in said(judged)] == [0]


PRESS = """([selector, key, composing]) => {
  document.querySelector(selector).dispatchEvent(new KeyboardEvent("keydown",
    { key, ctrlKey: key === "Enter", isComposing: composing, keyCode: 229, bubbles: true, cancelable: true }));
}"""


@pytest.mark.slow
@pytest.mark.parametrize(("opens", "selector"), [("e", ".editor textarea"), ("r0", ".reasons input")])
def test_keys_of_an_input_method_are_its_own(judged, origin, opened, opens, selector):
    page = opened(link(judged, origin))
    ready(page, 0)
    for key in opens:
        page.keyboard.press(key)
    page.locator(selector).fill("yanse")
    for key in ("Escape", "Enter"):
        for composing in (True, False):  # Safari ends the composition before the key that ended it
            page.evaluate(PRESS, [selector, key, composing])
            assert page.locator(selector).count() == 1
    settled(page)
    assert said(judged) == []
    assert page.locator("body").get_attribute("data-item") == "0"


def shut_out(judged: Any, origin: str, opened: Any) -> tuple[Any, str]:
    """Return a window of Ann's whose session ended while she judged item 0, and her new link."""
    page = opened(link(judged, origin), expected=NO_SERVER)
    ready(page, 0)
    fresh = link(judged, origin)
    page.keyboard.press("a")
    page.get_by_text("will be sent").wait_for()
    assert said(judged) == []
    return page, fresh


@pytest.mark.slow
def test_a_new_link_in_the_same_window_sends_what_waits(judged, origin, opened):
    page, fresh = shut_out(judged, origin, opened)
    for key in "a1us":  # nothing that cannot be seen is judged
        page.keyboard.press(key)
    page.reload()  # and it is remembered that something waits
    page.get_by_text("will be sent").wait_for()
    page.evaluate("address => { location.href = address; }", fresh)
    ready(page, 1)
    settled(page)
    assert page.evaluate("location.hash") == ""
    assert by(judged) == [("Ann", 0, "accept")]
    assert len(list(judged.store.verdicts())) == 1


@pytest.mark.slow
def test_a_new_link_in_another_window_sends_what_waits(judged, origin, opened):
    page, fresh = shut_out(judged, origin, opened)
    second = opened(fresh, context=page.context)
    ready(second)
    assert second.locator("body").get_attribute("data-item") not in {"0", "1"}  # those are in the first window
    page.wait_for_selector('body[data-ready="1"]', timeout=PATIENCE_MS)
    settled(page)
    assert by(judged) == [("Ann", 0, "accept")]


@pytest.mark.slow
def test_a_session_that_ends_while_nothing_is_at_hand(judged, origin, opened):
    page = opened(link(judged, origin), expected=NO_SERVER)
    ready(page, 0)
    page.wait_for_load_state("networkidle")  # item 1 is at hand
    asked: list[Any] = []
    page.route("**/api/next", lambda route: asked.append(route))
    page.route("**/api/verdict", lambda route: route.abort())
    page.keyboard.press("a")
    ready(page, 1)
    page.keyboard.press("a")
    page.get_by_text("Waiting for the server").wait_for()
    until(page, lambda: bool(asked))
    fresh = link(judged, origin)
    page.unroute("**/api/next")
    asked[0].continue_()
    page.get_by_text("will be sent").wait_for()  # and not that there is nothing left to do
    page.unroute("**/api/verdict")
    ready(opened(fresh, context=page.context))
    page.wait_for_selector("body[data-ready]", timeout=PATIENCE_MS)
    settled(page)
    assert by(judged) == [("Ann", 0, "accept"), ("Ann", 1, "accept")]


@pytest.mark.slow
def test_nobody_sends_what_another_said(judged, origin, opened):
    page, _ = shut_out(judged, origin, opened)
    second = opened(link(judged, origin, "Bob"), context=page.context)
    ready(second)
    page.get_by_text("What Ann said in this window is kept").wait_for(timeout=PATIENCE_MS)
    assert by(judged) == []
    page.get_by_text("Go on as Bob").click()
    ready(page)
    page.reload()  # it was said once, and nothing has changed
    ready(page)
    assert by(judged) == []
    page.evaluate("address => { location.href = address; }", link(judged, origin))
    page.wait_for_function("() => Object.keys(sessionStorage).every("
                           "(key) => !key.endsWith('.outbox') || sessionStorage.getItem(key) === '[]')",
                           timeout=PATIENCE_MS)  # fmt: skip
    assert by(judged) == [("Ann", 0, "accept")]


@pytest.mark.slow
def test_a_window_follows_whoever_signs_in(judged, origin, opened):
    """The browser's cookie is one for all windows: an undo of Ann's must not take back a word of Bob's."""
    page = opened(link(judged, origin), expected=NO_SERVER)
    ready(page, 0)
    page.keyboard.press("a")
    ready(page, 1)
    settled(page)
    page.get_by_text("1 by you").wait_for()
    ready(opened(link(judged, origin, "Bob"), context=page.context))
    page.get_by_text("0 by you").wait_for(timeout=PATIENCE_MS)


@pytest.mark.slow
def test_saved_is_said_when_all_is(judged, origin, opened):
    page = opened(link(judged, origin), expected=NO_SERVER)
    ready(page, 0)
    passes: list[bool] = []  # for each request to come; none gets through while it is empty
    held: list[Any] = []

    def answer(route: Any) -> None:
        if not passes:
            route.abort()
        elif passes.pop():
            route.continue_()
        else:
            held.append(route)

    page.route("**/api/verdict", answer)
    page.keyboard.press("a")
    ready(page, 1)
    page.keyboard.press("a")
    ready(page, 2)
    page.locator("#banner").get_by_text("is kept here").wait_for()
    passes.extend([False, True])
    until(page, lambda: bool(held))  # the second is on its way once the first is acknowledged
    assert len(said(judged)) == 1
    assert SAVED not in page.locator("#toast").text_content()
    held[0].continue_()
    page.locator("#toast").get_by_text(SAVED).wait_for(timeout=PATIENCE_MS)
    settled(page)
    assert not page.locator("#banner").is_visible()
    assert len(said(judged)) == 2
    page.unroute_all(behavior="ignoreErrors")


DONE = """async (spent) => {
  const { done } = await import("/static/screens.js");
  const told = { items: 9, finished: 9, mine_done: 1, mine_skipped: 0, leased: 0, mine_spent_ms: spent };
  done(told, {});
  return document.getElementById("side").textContent;
}"""


@pytest.mark.slow
def test_a_time_is_whole_and_in_the_language_of_the_page(judged, origin, opened):
    page = opened(link(judged, origin))
    ready(page, 0)
    times = {
        59_400: "59 s",
        59_600: "1 min 0 s",
        119_600: "2 min 0 s",
        3_599_600: "1 h 0 min",
        7_260_000: "2 h 1 min",
    }
    for spent, text in times.items():
        assert f"in {text}:" in page.evaluate(DONE, spent)
    page.goto(f"{origin}/?lang=zh")
    ready(page, 0)
    for spent, text in {59_400: "59 秒", 119_600: "2 分 0 秒", 7_260_000: "2 小时 1 分"}.items():
        assert f"用时 {text}，" in page.evaluate(DONE, spent)
