"""The report in a real browser: nothing is fetched, nothing runs, it fits a phone, and it can be read and printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from recaption.evaluation.report.notebook import NotebookPage
from recaption.evaluation.report.page import render
from tests.unit.evaluation.report.hostile import hostile
from tests.unit.evaluation.report.sample import FOUR, TWO, pictures, sample

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
PAGES = ("two", "four", "hostile", "hostile four")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """Return pages as files, by name."""
    folder = tmp_path_factory.mktemp("pages")
    evaluations = {
        "two": sample(TWO),
        "four": sample(FOUR),
        "hostile": hostile(TWO),
        "hostile four": hostile(FOUR),
    }
    for name, evaluation in evaluations.items():
        (folder / f"{name}.html").write_text(render(*pictures(evaluation)), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in evaluations}


Opened = Callable[..., Any]


@pytest.fixture
def opened(browser, files) -> Iterator[Opened]:
    """Return a function that opens a page; whatever it asks the network for or complains of fails the test."""
    contexts, asked, complaints = [], [], []

    def open_page(name: str, **settings: Any) -> Any:
        context = browser.new_context(**{"viewport": DESKTOP, **settings})
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(files[name].as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert complaints == []


@pytest.mark.parametrize(
    "name", [n if n == "hostile" else pytest.param(n, marks=pytest.mark.slow) for n in PAGES]
)
def test_nothing_runs_and_nothing_is_fetched(opened, name):
    page = opened(name)
    assert page.evaluate("window.__pwned") is None
    assert page.evaluate("document.scripts.length") == 0
    assert page.locator("iframe, object, embed, form, base, style + style").count() == 0
    assert page.evaluate("[...document.querySelectorAll('*')].flatMap(e => [...e.attributes])"
                         ".filter(a => a.name.startsWith('on') || a.name === 'style').length") == 0  # fmt: skip
    # The style sheet passed the policy: without it the text would be black on white, in the browser's own font.
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 250, 248)"
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert page.locator("img").count() > 20


def test_attacks_are_seen_as_text(opened):
    page = opened("hostile")
    text = page.locator("body").inner_text()
    assert "<script>window.__pwned=1</script>" in text
    assert "{{7*7}}" in text
    assert "\\u202e" in text
    assert not set(text) & set("\u202e\u2066\u200f\x00\x1b")
    page.mouse.move(600, 400)
    page.locator("h1").hover()
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.evaluate("window.__pwned") is None


@pytest.mark.slow
def test_the_policy_holds_where_escaping_would_not(browser, files, tmp_path):
    """A script and a style that somebody put into the finished page are refused by its policy."""
    broken = (
        files["two"]
        .read_text(encoding="utf-8")
        .replace(
            "<main>",
            "<main><script>window.__pwned=1</script><img src=x onerror='window.__pwned=2'>"
            "<style>h1 { color: rgb(1, 2, 3) !important }</style><iframe src='data:text/html,x'></iframe>",
        )
    )
    (tmp_path / "broken.html").write_text(broken, encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto((tmp_path / "broken.html").as_uri())
    assert page.evaluate("window.__pwned") is None
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(1, 2, 3)"
    assert len([r for r in refused if "Content Security Policy" in r]) >= 3
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_the_page_never_scrolls_sideways(opened, name):
    page = opened(name)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    for width in (320, 390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_on_a_phone_the_table_stands_in_blocks(opened):
    page = opened("two", viewport=PHONE, is_mobile=True, device_scale_factor=2)
    row = page.locator(".effects tbody tr").first
    assert row.evaluate("e => getComputedStyle(e).display") == "grid"
    box = row.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    label = row.locator("td.change").evaluate("e => getComputedStyle(e, '::before').content")
    assert label == '"change"'
    small = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.childElementCount === 0 && e.textContent.trim())"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)).reduce((a, b) => Math.min(a, b))"
    )
    assert small >= 11


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two", "four"])
def test_a_screen_reader_finds_its_way(opened, name):
    page = opened(name)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("navigation").count() == 1
    assert page.get_by_role("banner").count() == 1
    assert page.get_by_role("contentinfo").count() == 1
    assert page.evaluate("[...document.images].every(i => i.alt)")
    assert page.evaluate("[...document.querySelectorAll('table')].every(t => t.caption?.textContent)")
    row = page.get_by_role("row").filter(has_text="Recall@1").first
    assert row.get_by_role("cell").count() >= 5
    plots = page.get_by_role("img", name=re.compile("Distribution of"))
    assert plots.count() == 3


@pytest.mark.slow
def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(opened):
    page = opened("two")
    page.keyboard.press("Tab")
    skip = page.evaluate("document.activeElement.textContent")
    assert skip == "Skip to the result"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "(e => [e.tagName, e.getBoundingClientRect().top + scrollY, getComputedStyle(e).outlineWidth])"
                "(document.activeElement)"
            )
        )
    assert [tag for tag, _, _ in seen[:9]] == ["A"] * 9
    assert {"SUMMARY", "DIV"} <= {tag for tag, _, _ in seen}
    tops = [top for _, top, _ in seen[9:]]
    assert all(after >= before - 2 for before, after in pairwise(tops))
    assert all(width == "3px" for _, _, width in seen)


@pytest.mark.slow
def test_details_open_by_keyboard_without_a_script(opened):
    page = opened("two")
    summary = page.locator("details.chain > summary").first
    summary.focus()
    assert not page.get_by_text("llava-1.5-7b@8c85e9a4, prompt").first.is_visible()
    page.keyboard.press("Enter")
    assert page.get_by_text("llava-1.5-7b@8c85e9a4, prompt").first.is_visible()


@pytest.mark.slow
def test_links_lead_to_their_sections(opened):
    page = opened("two")
    for link in page.locator("nav a").all():
        link.click()
        target = str(link.get_attribute("href"))
        assert page.locator(target).count() == 1
        assert page.evaluate("location.hash") == target


@pytest.mark.slow
def test_the_dark_theme_is_dark(opened):
    page = opened("two", color_scheme="dark")
    ground, ink = page.evaluate("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")
    assert (ground, ink) == ("rgb(21, 22, 25)", "rgb(236, 234, 230)")
    marks = page.evaluate("getComputedStyle(document.querySelector('.outcome rect')).fill")
    assert marks == "rgb(58, 168, 150)"


@pytest.mark.slow
def test_motion_is_for_those_who_want_it(opened):
    assert opened("two", reduced_motion="reduce").evaluate(SCROLLING) == "auto"
    assert opened("two", reduced_motion="no-preference").evaluate(SCROLLING) == "smooth"


SCROLLING = "getComputedStyle(document.documentElement).scrollBehavior"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_print_is_on_white_paper_with_everything_open(opened, tmp_path, scheme):
    page = opened("two", color_scheme=scheme)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 28, 26)"
    assert not page.locator("nav").is_visible()
    assert page.get_by_text("llava-1.5-7b@8c85e9a4, prompt").first.is_visible()
    data = page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert data.startswith(b"%PDF")
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 40


@pytest.mark.slow
def test_a_notebook_holds_the_page_in_a_closed_frame(browser, tmp_path):
    evaluation, thumbnails = pictures(hostile())
    cell = NotebookPage(evaluation, thumbnails)._repr_html_()
    (tmp_path / "notebook.html").write_text(f"<!doctype html><meta charset=utf-8><h1>mine</h1>{cell}", "utf-8")
    context = browser.new_context(viewport=DESKTOP)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto((tmp_path / "notebook.html").as_uri())
    frame = page.frames[1]
    assert "is better than" in frame.locator("h1").inner_text()
    assert frame.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 250, 248)"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily") != frame.evaluate(
        "getComputedStyle(document.querySelector('h1')).fontFamily"
    )
    assert page.evaluate("window.__pwned") is None
    frame.locator("nav a").nth(1).click()
    assert page.locator("h1").inner_text() == "mine"
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
    context.close()
