"""What an auditor says is never lost: the server goes, the page is loaded again, another window was first."""

from __future__ import annotations

import pytest

from tests.servers.audit_stores import age
from tests.unit.audit.web.browsers import NO_SERVER, link, ready, said, settled
from tests.unit.audit.web.pages import Client, audit, served, sheet_item


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


@pytest.mark.slow
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
def test_a_lease_is_renewed_while_somebody_is_there(tmp_path, opened):
    with audit(tmp_path, [sheet_item(i) for i in range(3)], lease_s=3) as made, served(made) as origin:
        page = opened(link(made, origin))
        ready(page, 0)
        with page.expect_response("**/api/renew") as renewed:
            page.keyboard.press("d")
        assert renewed.value.status == 200
