"""Drawings say what the numbers say: geometry, well-formed SVG, ticks."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as Tree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.evaluation.measures import About
from recaption.evaluation.report.marks import most_of, outcome, whisker
from recaption.evaluation.report.plots import histogram, sampled, scatter, ticks
from recaption.evaluation.report.svg import Ids, element, place
from recaption.evaluation.result import Effect, Histogram, Scatter

SHARE = About(name="r", title="Recall", group="retrieval", unit="share")
FLOATS = st.floats(-1e12, 1e12)


def parsed(markup: str) -> Tree.Element:
    return Tree.fromstring(markup)


def numbers(path: str | None) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", path or "")]


def test_an_effect_is_drawn_around_zero():
    svg = parsed(whisker(Effect(delta=0.5, low=0.25, high=1.0, n=9), 1.0))
    circle = svg.find("circle")
    assert circle is not None
    width = numbers(svg.get("viewBox"))[2]
    middle, reach = width / 2, float(circle.get("cx", "")) - width / 2
    assert reach == pytest.approx(0.5 * (middle - 7), abs=0.1)
    low, _, high = numbers(svg.findall("path")[1].get("d"))[:3]
    assert (low - middle) * 4 == pytest.approx(high - middle, abs=0.3)
    assert svg.get("aria-hidden") == "true"


def test_loss_is_left_and_gain_is_right_of_zero():
    xs = [
        float(parsed(whisker(Effect(delta=d), 2.0)).find("circle").get("cx"))  # type: ignore[union-attr, arg-type]
        for d in (-2, -1, 0, 1, 2)
    ]
    assert xs == sorted(xs)
    assert xs[2] == 66
    assert xs[0] == 7


def test_without_a_value_nothing_is_drawn():
    assert parsed(whisker(Effect(delta=None), 0.0)).find("circle") is None
    assert parsed(whisker(Effect(delta=0.0), 0.0)).find("circle").get("cx") == "66"  # type: ignore[union-attr]
    assert outcome(Effect(delta=0.1)) == ""
    assert most_of([Effect(delta=None)]) == 0
    assert most_of([Effect(delta=-3.0, low=-5.0, high=1.0), Effect(delta=4.0)]) == 5


def test_the_bar_has_the_shares_of_the_counts():
    svg = parsed(outcome(Effect(delta=0.1, wins=600, ties=100, losses=300)))
    widths = {r.get("class"): float(r.get("width", "")) for r in svg.findall("rect")}
    assert list(widths) == ["gain", "stay", "lose"]
    assert widths["gain"] == pytest.approx(0.6 * 992, abs=0.1)
    assert sum(widths.values()) == pytest.approx(992, abs=0.2)
    assert [r.get("class") for r in parsed(outcome(Effect(delta=0.0, ties=3)))] == ["stay"]


def test_a_histogram_shows_shares_and_means():
    found = Histogram(
        measure="r", title="Recall", edges=(0.0, 0.5, 1.0), counts={"old": (3, 1), "new": (10, 30)}
    )
    svg = parsed(histogram(found, ("old", "new"), {"old": 0.25, "new": 0.75}, SHARE, Ids()))
    lines = {p.get("class"): numbers(p.get("d")) for p in svg.findall("path")}
    old, new = lines["line c0"], lines["line c1"]
    assert old[1] == new[5]  # 3 of 4 and 30 of 40 are as high
    assert old[1] < old[5]  # and higher up than 1 of 4
    assert lines["mean c0"][0] < lines["mean c1"][0]
    title, desc = svg.find("title"), svg.find("desc")
    assert title is not None
    assert desc is not None
    assert title.text == "Distribution of Recall"
    assert "old: mean 25 %; new: mean 75 %" in str(desc.text)
    assert svg.get("aria-labelledby") == title.get("id")


def test_a_scatter_has_a_dot_an_item_and_says_how_many_rose():
    points = [(0.1, 0.9), (0.2, 0.2), (0.5, 0.4), (0.3, 0.6)]
    svg = parsed(
        scatter(Scatter(measure="r", title="Recall", column="new", points=points), ("old", "new"), SHARE, Ids())
    )
    dots = next(p for p in svg.findall("path") if "dots" in p.get("class", ""))
    assert dots.get("d", "").count("M") == 4
    desc = svg.find("desc")
    assert desc is not None
    assert "Of 4 items 2 have a higher value in new" in str(desc.text)
    assert "1 a lower one" in str(desc.text)


@pytest.mark.parametrize("value", [0.0, 1e300, -1e-300])
def test_equal_values_are_drawn_too(value):
    points = [(value, value)] * 9
    parsed(scatter(Scatter(measure="r", title="t", column="new", points=points), ("old", "new"), None, Ids()))


@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=20))
def test_every_scatter_stays_in_its_box(points):
    svg = parsed(scatter(Scatter(measure="r", title="t", column="x", points=points), ("old",), None, Ids()))
    dots = next(p for p in svg.findall("path") if "dots" in p.get("class", ""))
    places = re.findall(r"M(-?\d+) (-?\d+)h0", dots.get("d", ""))
    assert all(44 <= int(x) <= 288 and 12 <= int(y) <= 256 for x, y in places)


def test_many_dots_are_thinned_evenly():
    points = [(float(i), float(i)) for i in range(1000)]
    assert sampled(points, 400)[:3] == [(0.0, 0.0), (3.0, 3.0), (6.0, 6.0)]
    assert len(sampled(points, 400)) <= 400
    assert sampled(points, 1000) == points


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.18, 0.37, [0.2, 0.25, 0.3, 0.35]), (3, 97, [20, 40, 60, 80])],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@given(FLOATS, FLOATS)
def test_ticks_lie_within(one, other):
    low, high = min(one, other), max(one, other)
    found = ticks(low, high)
    assert 1 <= len(found) <= 6 or high - low < 1e-9
    assert found == sorted(found)
    slack = (high - low) * 1e-6 + abs(low) * 1e-12 + 1e-300
    assert all(low - slack <= tick <= high + slack for tick in found)


@given(st.floats(-1e6, 1e6))
def test_places_are_short_and_near(value):
    said = place(value)
    assert abs(float(said) - value) <= 0.051 or abs(value) >= 1e5
    assert said != "-0"


def test_elements_escape_what_they_are_given():
    assert element("text", "<b>&\u202e", class_='"x', text_anchor=None, data_y=1.25) == (
        '<text class="&#34;x" data-y="1.2">&lt;b&gt;&amp;\\u202e</text>'
    )
    assert math.isclose(float(place(-0.04)), 0.0)
