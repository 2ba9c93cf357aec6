"""The page: one file, nothing fetched, every text of the data only ever text, bounded, and the same every time."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from jinja2 import UndefinedError

from recaption.evaluation.measures import Control, Listing
from recaption.evaluation.report import page
from recaption.evaluation.report.page import render
from recaption.evaluation.report.thumbnails import FOLDER
from recaption.evaluation.result import Evaluation, Example, Skipped
from tests.unit.evaluation.report.hostile import ATTACKS, hostile
from tests.unit.evaluation.report.sample import FOUR, TWO, pictures, sample

VOID = {"meta", "link", "img", "br", "col", "path", "rect", "circle"}
KNOWN_TAGS = """html head title style body a header p span nav ul li main section h1 h2 h3 h4 h5 div dl dt dd article
svg small table caption colgroup thead tbody tr th td details summary figure figcaption text desc ins del bdi strong
footer code"""
KNOWN_ATTRIBUTES = """lang charset http-equiv content name rel href class id aria-label aria-labelledby
aria-describedby aria-hidden role tabindex
scope rowspan data-label viewbox d cx cy r x y width height text-anchor preserveaspectratio
src alt dir"""
TAGS = VOID | set(KNOWN_TAGS.split())
ATTRIBUTES = set(KNOWN_ATTRIBUTES.split())


class Page(HTMLParser):
    """Tags, attributes and text as an HTML parser sees them; complains of what is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attrs)
        self.all.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def two() -> Page:
    return Page(render(*pictures(sample())))


def test_what_matters_is_there(two):
    assert "new is better than original" in two.text
    assert "95 % interval" in two.text
    for said in (
        "1,012 read",
        "978 evaluated",
        "Telling images apart",
        "no clear change",
        "Hidden loss?",
        "Largest gains",
        "Drawn at random",
        "How texts begin",
        "CLIP cosine of shuffled texts",
        "read: JPEG cannot be decoded",
        "31 min 14 s",
        "no judge; name one with --judge",
        "CLIP sees 77 tokens",
        "resamples",
        "damaged JPEG header",
        "How it came to be",
    ):
        assert said.lower() in two.text.lower() or said.split(" ", 1)[1] in two.text, said


@pytest.mark.parametrize("columns", [TWO, FOUR, ("original",), tuple("abcdefgh")], ids=len)
def test_any_number_of_columns_works(columns):
    found = Page(render(sample(columns, n=60, examples=4)))
    assert all(column in found.text for column in columns)
    assert found.tags["section"] == (9 if len(columns) > 1 else 8)  # one column has no subsets to compare


def test_only_known_tags_and_attributes_come_out(two):
    assert set(two.tags) <= TAGS
    assert set(two.attributes) <= ATTRIBUTES


@pytest.mark.parametrize("columns", [TWO, FOUR], ids=len)
def test_attacks_stay_text(columns):
    html = render(*pictures(hostile(columns)))
    html.encode()
    found = Page(html)
    assert set(found.tags) <= TAGS
    assert set(found.attributes) <= ATTRIBUTES
    assert found.tags["img"] == Page(render(*pictures(sample(columns)))).tags["img"]
    assert found.tags["svg"] == Page(render(sample(columns))).tags["svg"]
    assert "{{7*7}}" in found.text
    assert "original49" not in found.text
    assert "<script>window.__pwned=1</script>" in found.text  # as text, whole
    assert not set(html) & set("\x00\x1b\x7f\u202e\u2066\u200f\ud800")
    assert html.count("<style>") == html.count("</style>") == 1
    assert "\\u202egnp.exe" in found.text
    assert len(ATTACKS) == 17


def test_nothing_is_fetched_and_no_style_or_handler_stands_in_an_element(two):
    addresses = [v for tag, a in two.all for n, v in a.items() if n in ("src", "href") and v]
    assert all(re.match(r"#[a-z-]+$|data:(image/webp;base64,|,)", a) for a in addresses)
    html = render(*pictures(sample()))
    assert "<script" not in html
    assert " style=" not in html
    assert not re.search(r"url\(|@import|\bon[a-z]+=", html)


def test_the_policy_allows_the_one_style_and_nothing_else():
    html = render(sample())
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert policy[1].replace("&#39;", "'") == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_the_page_is_the_same_every_time():
    assert render(*pictures(sample())) == render(*pictures(sample()))


def test_headings_are_in_order_and_ids_are_unique(two):
    levels = [int(tag[1]) for tag, _ in two.all if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [a["id"] for _, a in two.all if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {a["href"] for tag, a in two.all if tag == "a"}
    assert {t for t in targets if t} == {f"#{i}" for i in ids if f"#{i}" in targets}


def test_tables_have_captions_and_headers_a_scope(two):
    tables = two.tags["table"]
    assert tables > 5
    assert two.tags["caption"] == tables
    assert all("scope" in a for tag, a in two.all if tag == "th")
    assert all(a.get("alt") for tag, a in two.all if tag == "img")
    assert all(
        a.get("aria-hidden") == "true"
        or (a.get("role") == "img" and (a.get("aria-labelledby") or a.get("aria-label")))
        for tag, a in two.all
        if tag == "svg"
    )


def test_a_control_that_fails_is_said_first():
    bad = Control(name="x", title="Shuffled texts", value=0.4, expected="below 0.2", holds=False)
    found = Page(render(replace(sample(), controls=(*sample().controls, bad))))
    assert found.text.index(
        "Do not rely on this report yet. 1 control failed: Shuffled texts"
    ) < found.text.index("is better than", 30)
    assert "FAILS" in found.text
    assert "Do not rely" not in Page(render(sample())).text


def test_without_a_figure_to_decide_by_there_is_no_verdict():
    verdict = "Whether new fits the images better than original was not measured."
    found = Page(render(replace(sample(), headline=None, verdict=verdict)))
    assert "No verdict on new" in found.text
    assert verdict in found.text
    assert "is better than original" not in found.text


def test_next_to_nothing_makes_a_page_too():
    bare = Evaluation(columns=("original", "new"), verdict="", findings=(), counts={}, rows=())
    found = Page(render(bare))
    assert "No verdict on new" in found.text
    assert "Every metric ran" in found.text
    assert found.tags["section"] == 2


def test_long_texts_are_cut_and_the_rest_is_counted():
    example = Example(
        kind="best",
        measure=None,
        key="k" * 10_000,
        texts={"original": ["word " * 200_000], "new": ["x" * 1_000_000, *["y"] * 9]},
        values={},
        chain=["step " * 10_000] * 1000,
    )
    html = render(replace(sample(), examples=(example,)))
    assert "998,800 more characters" in Page(html).text
    assert "7 more texts" in Page(html).text
    assert "more lines" in Page(html).text
    assert len(html) < 120_000


def test_the_page_is_bounded_whatever_the_evaluation_holds():
    found = hostile(FOUR)
    huge = replace(
        found,
        examples=[*found.examples] * 100,
        listings=[Listing(name="l", title="t" * 9999, header=("h",) * 99, rows=[("c" * 9999,) * 99] * 999)]
        * 99,
        skipped=[Skipped(metric="m" * 9999, reason="r" * 9999)] * 999,
        findings=["f" * 9999] * 999,
        limits=["l" * 9999] * 999,
        scatters=[*found.scatters] * 99,
        histograms=[*found.histograms] * 99,
        controls=[*found.controls] * 999,
        rows=[*found.rows] * 99,
        counts={str(i): i for i in range(9999)},
        run={f"{i}": {f"{j}": [{"k": "v" * 9999}] * 99 for j in range(99)} for i in range(99)},
    )
    html = render(huge)
    assert "more examples in report.json" in html
    assert len(html.encode()) < 2_500_000


def test_sizes_are_as_promised():
    evaluation, thumbnails = pictures(sample())
    assert len(render(evaluation).encode()) < 150_000
    full = {name: ("image/webp", data.ljust(10_000, b"\0")) for name, (_, data) in thumbnails.items()}
    assert len(render(evaluation, full).encode()) < 1_000_000


def test_a_lost_thumbnail_is_told():
    evaluation, _ = pictures(sample())
    assert "no longer in the folder" in Page(render(evaluation)).text


def test_what_was_read_is_named_without_its_folders():
    assert (
        "hybrid_run" in Page(render(replace(sample(), about={"sources": ["/home/me/secret/hybrid_run"]}))).text
    )
    assert render(replace(sample(), about={"input": 3}))
    assert FOLDER == "evaluation/thumbnails"


def test_whatever_a_template_prints_passes_the_gate():
    said = page._environment().from_string("{{ x }}<i title='{{ x }}'>").render(x="<b>\u202e\x00\ud800")
    assert said == "&lt;b&gt;\\u202e\\u0000\\ud800<i title='&lt;b&gt;\\u202e\\u0000\\ud800'>"


def test_a_template_that_prints_what_is_not_there_fails():
    with pytest.raises(UndefinedError):
        page._environment().from_string("{{ nothing }}").render()
    with pytest.raises(TypeError, match="not there"):
        page._environment().from_string("{{ x }}").render(x=None)
