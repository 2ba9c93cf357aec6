"""The plain answer: by which figure it is given, and what is said where there is none."""

import pytest

from recaption.evaluation.measures import About, Group, Value
from recaption.evaluation.result import Effect, Row
from recaption.evaluation.verdict import headline, verdict

COLUMNS = ("old", "new")
SURE = Effect(delta=0.6, before=0.2, after=0.8, low=0.59, high=0.61, n=10_000, wins=6_000, ties=4_000)
BARE = Effect(delta=0.0, before=0.0, after=0.0, n=3, ties=3)
NONE = Effect(delta=None)


def row(group: Group, effect: Effect, *, primary: bool = True) -> Row:
    about = About(name=group, title=group.title(), group=group, better="higher", primary=primary)
    return Row(about=about, values={c: Value(value=0.5, n=3) for c in COLUMNS}, effects={"new": effect})


def test_a_figure_with_an_interval_speaks_before_one_of_higher_standing_without():
    found = headline([row("judges", BARE), row("agreement", SURE), row("retrieval", SURE)])
    assert found is not None
    assert found.about.group == "retrieval"
    assert verdict([row("judges", BARE), row("retrieval", SURE)], COLUMNS).startswith("new: better than old.")


def test_where_no_figure_has_an_interval_standing_decides():
    found = headline([row("agreement", BARE), row("judges", BARE), row("retrieval", NONE)])
    assert found is not None
    assert found.about.group == "judges"
    assert "too few items to tell from old" in verdict([row("judges", BARE)], COLUMNS)


def test_a_figure_that_is_not_primary_is_no_headline():
    assert headline([row("agreement", SURE, primary=False), row("agreement", NONE)]) is None


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (("agreement",), "no item has both an image that could be read and texts of both columns"),
        (("judges", "retrieval"), "no item has both an image that could be read and texts of both columns"),
        (("judges",), "the judge gave no verdict on any item"),
        (("faithfulness",), "no item has both a known content and texts of both columns"),
    ],
)
def test_figures_that_compare_nothing_are_not_called_missing(groups: tuple[Group, ...], said: str):
    told = verdict([row(group, NONE) for group in groups], COLUMNS, "there was no scorer")
    assert told == (
        f"Whether new fits the images better than old was not measured: {said}. The texts alone are compared."
    )


def test_without_such_figures_the_reason_given_is_told():
    told = verdict([row("length", SURE, primary=False)], COLUMNS, "none of the items has an image")
    assert "was not measured: none of the items has an image." in told
