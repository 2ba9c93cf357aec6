"""The page as it is sent: two languages that say the same, colours that can be told apart, nothing inline."""

from __future__ import annotations

import re
import string
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from recaption.audit.project import About
from recaption.audit.web.shell import LANGUAGES, Shell, language_of, texts

STATIC = files("recaption.audit.web").joinpath("static")
SCRIPTS = {f.name: f.read_text("utf-8") for f in STATIC.iterdir() if f.name.endswith(".js")}
STYLES = {f.name: f.read_text("utf-8") for f in STATIC.iterdir() if f.name.endswith(".css")}


def test_both_languages_say_everything():
    english, chinese = texts()["en"], texts()["zh"]
    assert english.keys() == chinese.keys()
    assert list(english["reasons"]) == list(chinese["reasons"])
    for name, text in english.items():
        other = chinese[name]
        assert type(text) is type(other), name
        if isinstance(text, str):
            assert _holes(text) == _holes(other), name
        elif isinstance(text, list):
            assert [row[0] for row in text] == [row[0] for row in other], name


def test_every_text_that_is_asked_for_is_there():
    known = texts()["en"]
    for name, source in SCRIPTS.items():
        for asked in re.findall(r"""\bt\("([a-z_]+)"[,)]""", source):
            assert asked in known, (name, asked)
    for action in ("accept", "edit", "reject", "prefer", "undo", "skip"):
        assert f"said_{action}" in known
    for role in ("subject", "original", "candidate"):
        assert f"{role}_role" in known


def test_reasons_fit_the_digits():
    assert 1 <= len(Shell(About()).reasons) <= 9


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "spoken"),
    [
        (None, None, "", "en"),
        (None, None, "de-DE,de;q=0.9", "en"),
        (None, None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, None, "de, ZH-tw;q=0.5", "zh"),
        (None, "zh", "en", "zh"),
        ("en", "zh", "zh", "en"),
        ("<script>", "../..", "," * 5000 + "zh", "en"),
    ],
)
def test_which_language(asked, remembered, accepted, spoken):
    assert language_of(asked, remembered, accepted) == spoken


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


@pytest.mark.parametrize("task", ["judge", "compare"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_inline_and_everything_named(task, language):
    page = Shell(About(task=task))._pages[language]
    tags = Tags(page).tags
    assert not [a for _, attrs in tags for a in attrs if a.startswith("on") or a == "style"]
    scripts = [attrs for tag, attrs in tags if tag == "script"]
    assert all(
        attrs.get("src", "").startswith("/static/") or attrs["type"] == "application/json" for attrs in scripts
    )
    assert not [tag for tag, _ in tags if tag in {"style", "iframe", "object", "base", "form"}]
    sent = {f"/static/{f.name}" for f in STATIC.iterdir()}
    assert {
        attrs[k] for _, attrs in tags for k in ("src", "href") if attrs.get(k, "").startswith("/static")
    } <= sent
    assert "built-in method" not in page
    assert dict(tags[0][1])["lang"] == language
    assert "http:" not in page
    assert "https:" not in page


def test_scripts_never_write_markup_and_load_only_each_other():
    banned = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|DOMParser|setHTML"
        r"|createContextualFragment"
    )
    for name, source in SCRIPTS.items():
        assert not re.findall(banned, source), name
        assert not re.findall(r"https?://", source), name
        for imported in re.findall(r'from "([^"]+)"', source):
            assert imported.removeprefix("./") in SCRIPTS
        assert source.count("\n") <= 260, name
    for name, source in STYLES.items():
        assert "url(" not in source, name
        assert "@import" not in source, name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_can_be_told_apart(theme):
    colours = _colours(theme)
    for ink, ground, least in (
        ("ink", "paper", 7), ("ink", "card", 7), ("ink", "faint", 7), ("ink", "stage", 7),
        ("soft", "paper", 4.5), ("soft", "card", 4.5), ("soft", "faint", 4.5), ("soft", "stage", 4.5),
        ("soft", "gone", 4.5), ("ink", "new", 7), ("ink", "gone", 7), ("on-good", "good", 4.5), ("good", "new", 4.5),
        ("bad", "card", 4.5), ("bad", "faint", 4.5), ("link", "card", 4.5), ("warn-ink", "warn", 4.5),
        ("edge", "card", 3), ("edge", "paper", 3), ("paper", "ink", 7),
    ):  # fmt: skip
        assert _contrast(colours[ink], colours[ground]) >= least, (ink, ground)


def test_labels_of_boxes_can_be_read():
    tones = re.findall(r"--tone: (#[0-9a-f]{6})", STYLES["work.css"])
    assert len(tones) == 6
    assert all(_contrast("#ffffff", tone) >= 4.5 for tone in tones)


def _holes(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _colours(theme: str) -> dict[str, str]:
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", STYLES["base.css"])
    return {name: light if theme == "light" else dark for name, light, dark in pairs}


def _contrast(a: str, b: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    bright, dim = sorted((light(a), light(b)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)
