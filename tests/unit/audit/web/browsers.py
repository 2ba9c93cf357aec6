"""The page in a real browser: Chromium, driven by Playwright. Whatever goes wrong on the page fails the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.unit.audit.web.pages import Audit

__all__ = [
    "DESKTOP",
    "NO_SERVER",
    "PHONE",
    "TABLET",
    "Opener",
    "launched",
    "link",
    "opener",
    "ready",
    "said",
    "settled",
]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1280, "height": 800}
TABLET = {"width": 1024, "height": 768}
PHONE = {"width": 390, "height": 844}
NO_SERVER = ("Failed to load resource", "net::ERR")
"""What the browser says on its own when a server is away, or says no."""

_SETTLED = """async () => {
  const left = () => Object.keys(sessionStorage).filter((key) => key.endsWith(".outbox"))
    .some((key) => JSON.parse(sessionStorage.getItem(key)).length);
  for (let i = 0; left() && i < 400; i += 1) await new Promise((resolve) => setTimeout(resolve, 25));
  if (left()) throw new Error("the outbox is not empty");
}"""

Opener = Callable[..., Any]


@contextmanager
def launched() -> Iterator[Any]:
    """Yield a browser; skip where there is none."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright drives the browser: pip install -e '.[dev]'"
    )
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no browser here: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield found
        found.close()


@contextmanager
def opener(browser: Any) -> Iterator[Opener]:
    """Yield a function that opens an address in a fresh profile.

    At the end nothing may have been asked of anybody but the address itself, no token may have been in a request's
    address or headers, no dialog may have opened and no script may have stumbled. With `expected`, a word that the
    browser's own complaints may hold (`409`).
    """
    contexts, asked, complaints, leaks = [], [], [], []

    def open_page(url: str, *, expected: tuple[str, ...] = (), context: Any = None, **settings: Any) -> Any:
        address, _, fragment = url.partition("#")
        origin = "/".join(address.split("/")[:3])
        fresh = context is None
        context = context or browser.new_context(**{"viewport": DESKTOP, **settings})
        secret = fragment.partition("=")[2]

        def note(request: Any) -> None:
            if not request.url.startswith((f"{origin}/", f"blob:{origin}/")):
                asked.append(request.url)
            # Playwright puts the fragment back, which browsers keep to themselves.
            told = f"{request.url.partition('#')[0]} {request.headers}"
            if request.headers.get("referer") or (secret and secret in told):
                leaks.append(told)

        def refuse(dialog: Any) -> None:
            complaints.append(f"dialog {dialog.message}")
            dialog.dismiss()

        if fresh:
            contexts.append(context)
            context.on("request", note)
        page = context.new_page()
        page.on("dialog", refuse)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                None if any(e in message.text for e in expected) else complaints.append(message.text)
            ),
        )
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked == []
    assert not leaks, leaks[:2]
    assert complaints == []


def ready(page: Any, item: int | None = None) -> None:
    """Wait until an item can be judged: another one, or the one named."""
    page.wait_for_selector("body[data-ready]" if item is None else f'body[data-ready="{item}"]', timeout=20_000)


def settled(page: Any) -> None:
    """Wait until everything said is on the server's disk."""
    page.locator("body").evaluate(_SETTLED)


def said(made: Audit) -> list[tuple[Any, ...]]:
    """Return what stands, as (item, action, text or reason, facts)."""
    return [
        (v.item, v.draft.action, v.draft.text or v.draft.reason, v.draft.facts)
        for v in made.store.verdicts(standing_only=True)
    ]


def link(made: Audit, origin: str, name: str = "Ann", more: str = "") -> str:
    """Return a link for somebody."""
    return f"{origin}/{more}#token={made.token(name)}"
