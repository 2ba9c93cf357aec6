"""Laws every rule and the engine must keep, whatever the text."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from recaption.media.rules import (
    RULE_NAMES,
    NormaliseOptions,
    Normaliser,
    Rule,
    State,
    Trigger,
    make_normaliser,
)
from tests.growth import grows_in_proportion

DEFAULT = make_normaliser()
WITHOUT_LIMIT = make_normaliser(NormaliseOptions(max_characters=1_000_000))
EVERYTHING = make_normaliser(
    NormaliseOptions(
        dates="drop",
        emoji="name",
        capitals="lower",
        personal_data="mask",
        straight_quotes=True,
        final_stop=True,
    )
)
MARKS = " .,;:!?-–—|/\\_#@&<>()[]\"'`*+=~^%$€£¥…，。！？：（）【】、"
SPACES = "\u3000\n\t\u00a0\u200b\u200d\ufe0f\u202e\ufeff\x00\x1b\ud800"
LETTERS = "aAbxu0179éß中文字ィｱＡ１♥★🎉ЖعहกÃÂ€™"
PHRASES = """the the|stock photo|Stock Photos|royalty-free|free shipping|buy now|for sale|image of|Photo:|vector image
<br>|<b>|</b>|&amp;|&lt;|&#39;|&amp;lt;b&amp;gt;|http://a.bc/d|www.x.com|a@b.co|.jpg|IMG_2024|DSC_2481
20200131|2016-05-06 12.30.11|1920x1080|12 x 16 cm|$19.99|299元|包邮|正品|图片素材|灰常|家俱|Etsy|- Etsy|| Shop
#CatsOfInstagram|SALE NOW ON|NASA|u|w/|b&w|pics|teh|recieve|iPhone|+49 30 1234567|4111 1111 1111 1111"""
PIECES = [*MARKS, *SPACES, *LETTERS, *re.split(r"[|\n]", PHRASES)]
texts = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join),
)


def real_texts(folder: Path) -> list[str]:
    found: list[str] = pq.read_table(folder / "alt_texts" / "web_alt_texts_1000.parquet")["TEXT"].to_pylist()
    naughty: list[str] = json.loads((folder / "bad_inputs" / "text" / "blns.json").read_text("utf-8"))
    return found + naughty


def missed(normaliser: Normaliser, text: str) -> list[str]:
    """Rules that change a text although their trigger did not see it coming (spacing has been before them)."""
    text = " ".join(text.split())
    mask = normaliser._mask(text)
    return [
        rule.name
        for position, rule in enumerate(normaliser._rules)
        if not mask >> position & 1 and rule.apply(text, State(frozenset(), {}))[0].split() != text.split()
    ]


@pytest.mark.parametrize("normaliser", [DEFAULT, EVERYTHING], ids=["default", "everything"])
@settings(max_examples=400, deadline=None)
@given(text=texts)
@example(text="&amp;lt;b&amp;gt;")
@example(text="<b<b<b<b<b<b<b<b<b<b>>>>>>>>>>")
@example(text="the the the the the the")
@example(text="\ud800 lone")
def test_normalising_twice_is_normalising_once(normaliser: Normaliser, text: str) -> None:
    once = normaliser.run(text).text
    assert normaliser.run(once).text == once


@pytest.mark.parametrize("normaliser", [DEFAULT, EVERYTHING], ids=["default", "everything"])
@settings(max_examples=400, deadline=None)
@given(text=texts)
def test_no_trigger_is_too_narrow(normaliser: Normaliser, text: str) -> None:
    assert missed(normaliser, text) == []


@pytest.mark.parametrize("normaliser", [DEFAULT, EVERYTHING], ids=["default", "everything"])
@settings(max_examples=200, deadline=None)
@given(text=texts)
def test_a_rule_that_edits_says_so(normaliser: Normaliser, text: str) -> None:
    for rule in normaliser._rules:
        edited, edits = rule.apply(text, State(frozenset(), {}))
        assert edits > 0 or edited == text, rule.name


@settings(max_examples=200, deadline=None)
@given(many=st.lists(texts, max_size=5))
def test_many_is_one_by_one(many: list[str]) -> None:
    assert DEFAULT.run_many(many) == [DEFAULT.run(text) for text in many]


def test_laws_hold_on_real_and_naughty_texts(shared_data: Path) -> None:
    for text in real_texts(shared_data):
        for normaliser in (DEFAULT, EVERYTHING):
            result = normaliser.run(text)
            assert normaliser.run(result.text).text == result.text, text
            assert missed(normaliser, text) == [], text
            assert "unstable" not in result.flags, text
            result.text.encode("utf-8")


UNITS = r"""<b|&amp;|a@|1-|12 x |the |A |#A|http://a.b/ |$1 |a,b|- |<!--|IMG_|0a|AB |Stock Photo |包邮|♥|`a|。|a.jpg
+1 |(|x_|ЖÃ| |.|-|_|a|0|'|"|<|&|\|#|@|$|中|！|\"|A.|1.|[a|a |<a b="""


@pytest.mark.parametrize("unit", [*re.split(r"[|\n]", UNITS), "| ", "\n", "\u200d", "\x00"])
def test_a_long_hostile_text_takes_no_more_than_linear_time(unit: str) -> None:
    # As many cuts as boilerplate may take are taken from 24,000 characters on; from there on it is in proportion.
    size = 300_000 if unit == "Stock Photo " else 30_000
    assert grows_in_proportion(lambda length: WITHOUT_LIMIT.run(unit * (length // len(unit))), size)
    once = DEFAULT.run(unit * 5_000).text
    assert DEFAULT.run(once).text == once


def test_a_text_over_the_limit_is_left_alone_and_says_so() -> None:
    text = "the  the " * 200_000
    result = DEFAULT.run(text)
    assert result.text == text
    assert "100000" in result.flags["too_long"]


def test_a_rule_that_never_settles_leaves_the_text_as_it_was() -> None:
    flip = Rule("flip", Trigger(always=True), lambda text, _state: (text.swapcase() + "", 1))
    result = Normaliser([flip]).run("aB")
    assert result.text == "aB"
    assert "unstable" in result.flags
    assert result.fired == {}


def test_every_rule_can_be_switched_off() -> None:
    assert set(DEFAULT.names) | {"language"} == set(RULE_NAMES)
    for name in RULE_NAMES:
        assert name not in make_normaliser(NormaliseOptions(rules={name: False})).names
    silent = make_normaliser(NormaliseOptions(rules=dict.fromkeys(RULE_NAMES, False)))
    assert silent.run("  <b>SALE NOW ON</b> http://x.yz ").text == "  <b>SALE NOW ON</b> http://x.yz "


def test_an_unknown_rule_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(ValidationError, match=r"unknown rule 'url'\. Did you mean 'urls'"):
        NormaliseOptions(rules={"url": False})
    with pytest.raises(ValidationError):
        NormaliseOptions.model_validate({"emojis": "drop"})


def test_counts_name_the_rules_that_fired() -> None:
    result = DEFAULT.run("<b>Red</b>  car &amp; driver | Stock Photo")
    assert result.text == "Red car & driver"
    assert result.fired == {"spacing": 1, "entities": 1, "html": 2, "boilerplate": 1}
