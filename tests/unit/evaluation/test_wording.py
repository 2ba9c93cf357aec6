"""Figures in words: one form for terminal, page and verdict."""

import pytest

from recaption.evaluation.measures import About, Value
from recaption.evaluation.result import Effect
from recaption.evaluation.wording import change, interval, judgement, number, span

SHARE = About(name="s", title="S", group="retrieval", better="higher", unit="share")
PLAIN = About(name="p", title="P", group="agreement", better="lower")
WORDS = About(name="w", title="W", group="length", unit="words")


@pytest.mark.parametrize(
    ("value", "about", "said"),
    [
        (None, PLAIN, "–"),
        (0.1234, SHARE, "12.3 %"),
        (0.0, PLAIN, "0.000"),
        (1e-11, PLAIN, "0.000"),
        (0.00042, PLAIN, "0.0004"),
        (-0.25, PLAIN, "−0.250"),
        (12.345, PLAIN, "12.35"),
        (123456.7, PLAIN, "123,457"),
        (9.313, WORDS, "9.3"),
    ],
)
def test_numbers(value: float | None, about: About, said: str):
    assert number(value, about) == said


def test_changes_have_a_sign_and_shares_are_in_points():
    assert change(0.05, SHARE) == "+5.0 points"
    assert change(-0.05, SHARE) == "−5.0 points"
    assert change(0.0, PLAIN) == "±0.000"
    assert change(None, PLAIN) == "–"


def test_intervals_of_changes_and_of_values():
    assert interval(Effect(delta=0.1, low=-0.01, high=0.2), SHARE) == "−1.0 to +20.0"
    assert interval(Effect(delta=0.1), SHARE) == ""
    assert span(Value(value=0.5, n=3, low=0.4, high=0.6), SHARE) == "40.0 to 60.0"
    assert span(Value(value=0.5, n=3), SHARE) == ""


@pytest.mark.parametrize(
    ("effect", "about", "said"),
    [
        (Effect(delta=1.0, low=0.5, high=2.0), SHARE, "better"),
        (Effect(delta=1.0, low=0.5, high=2.0), PLAIN, "worse"),
        (Effect(delta=1.0, low=0.5, high=2.0), WORDS, "changed"),
        (Effect(delta=1.0, low=0.0, high=2.0), SHARE, "no clear change"),
        (Effect(delta=1.0), SHARE, "no interval"),
        (Effect(delta=None), SHARE, "no interval"),
    ],
)
def test_a_change_is_clear_only_where_its_interval_excludes_zero(effect: Effect, about: About, said: str):
    assert judgement(effect, about) == said
